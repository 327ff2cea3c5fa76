package report

import (
	"embed"
	"encoding/json"
	"io/fs"

	"github.com/imwatch/imwatch/codes"
	"github.com/imwatch/imwatch/internal/annotator"
	"github.com/imwatch/imwatch/internal/finding"
)

//go:embed static
var embedded embed.FS

// Static are the page's files.
func Static() fs.FS {
	sub, err := fs.Sub(embedded, "static")
	if err != nil {
		panic(err) // the directory is embedded above
	}
	return sub
}

// An Event is an event as the page takes it.
type Event struct {
	Seq   uint64          `json:"seq"`
	Line  int             `json:"line,omitempty"`
	Files []string        `json:"files,omitempty"`
	Event json.RawMessage `json:"event"`
}

// NewEvent encodes a finding under its number.
func NewEvent(ann *annotator.Annotator, seq uint64, f *finding.Finding) Event {
	return Event{seq, f.Line, f.Files, ann.Append(nil, f)}
}

// Pages are a code in both languages.
type Pages struct {
	EN   *annotator.Page `json:"en"`
	ZH   *annotator.Page `json:"zh"`
	Also []string        `json:"also,omitempty"` // other families that have the number
}

// PagesOf lays out an entry of a catalogue.
func PagesOf(cat *codes.Catalogue, e *codes.Entry) Pages {
	p := Pages{EN: annotator.PageOf(cat, e, "en"), ZH: annotator.PageOf(cat, e, "zh")}
	for _, f := range cat.Families() {
		if f.ID != e.Family && cat.Has(f.ID, e.Code) {
			p.Also = append(p.Also, f.ID+"/"+e.Code)
		}
	}
	return p
}
