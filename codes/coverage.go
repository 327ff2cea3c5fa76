package codes

import (
	_ "embed"
	"slices"
	"strconv"
	"strings"
)

// A DocumentRow is one row of a vendor's document or table: facts only, by which
// the catalogue's coverage is measured.
type DocumentRow struct {
	Document string // one of Documents
	Family   string // whose code it is
	Code     string
	Names    []string // symbols and fixed texts it gives; none for a bare code
	HTTP     int      // status of the REST answer, 0 for none
	Message  string   // of a REST server, with placeholders as published; mostly empty
}

//go:embed documents.tsv
var documentsTSV string

//go:embed tables.tsv
var tablesTSV string

// documentFamily says whose codes each document of the Web SDKs lists; the other
// tables go by the name of their family.
var documentFamily = map[string]string{
	"easemob-web-legacy": "easemob-web", "easemob-web-zh": "easemob-web", "easemob-websdk": "easemob-web",
	"agora-chat-web-en": "agora-chat-web", "agora-chat-web-zh": "agora-chat-web", "agora-chat": "agora-chat-web",
	"jmessage-web": "jmessage-web", "jmessage-sdk-web": "jmessage-web", "jchat-web": "jmessage-web",
	"easemob-rest-messages": "easemob-rest",
}

// DocumentRows returns every row of every document, in the order of the files
// documents.tsv and tables.tsv.
func DocumentRows() (rows []DocumentRow) {
	for line := range strings.Lines(documentsTSV + tablesTSV) {
		f := strings.Split(strings.TrimSuffix(line, "\n"), "\t")
		if strings.HasPrefix(line, "#") || len(f) < 3 {
			continue
		}
		r := DocumentRow{Document: f[0], Family: documentFamily[f[0]], Code: f[1]}
		if r.Family == "" {
			r.Family = r.Document
		}
		if f[2] != "" {
			r.Names = strings.Split(f[2], " / ")
		}
		if len(f) > 4 {
			r.HTTP, _ = strconv.Atoi(f[3]) // empty where it is no REST answer
			r.Message = f[4]
		}
		rows = append(rows, r)
	}
	return rows
}

// Covers tells what the catalogue lacks of a row; "" when it has all of it: an
// entry under every name, that claims the document, and says the message.
func (c *Catalogue) Covers(r DocumentRow) (lacks string) {
	document := strings.TrimSuffix(r.Document, "-messages")
	names := r.Names
	if len(names) == 0 {
		names = []string{""}
	}
	for _, name := range names {
		e := c.Find(r.Family, r.Code, Printed{Symbol: name, HTTP: r.HTTP, Text: r.Message})
		switch {
		case e == nil || name != "" && !e.Named(name) || e.HTTP != 0 && e.HTTP != r.HTTP:
			return "an entry for " + strings.TrimSpace(r.Family+"/"+r.Code+" "+name)
		case !slices.Contains(e.Documents, document):
			return e.Key() + " does not claim " + document
		case r.Message != "" && !slices.ContainsFunc(e.Texts, func(x string) bool { return strings.Contains(r.Message, x) }):
			return e.Key() + " has no text that stands in " + strconv.Quote(r.Message)
		}
	}
	return ""
}
