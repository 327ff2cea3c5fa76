package codes

import (
	"bytes"
	"crypto/sha256"
	_ "embed"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// A Catalogue holds families and their entries. It is immutable after it is
// made, and safe for concurrent use.
type Catalogue struct {
	families []*Family
	byFamily map[string]*Family
	rows     []row
	byCode   map[string][]familyRows // in the order of families, as rows are
	bySymbol map[string][]int        // symbol or alias → rows
	version  string
}

// familyRows are the rows of a code in one family. A code is in few families,
// so looking through them costs less than a key of both.
type familyRows struct {
	family string
	rows   []int
}

// A row is an entry, decoded when it is asked for.
type row struct {
	family, code string
	symbols      []string
	http         int
	texts        []string
	status       bool
	level        string
	entry        func() *Entry
}

func (b *builder) catalogue() *Catalogue {
	c := &Catalogue{byFamily: map[string]*Family{}, byCode: map[string][]familyRows{}, bySymbol: map[string][]int{}}
	for _, id := range b.order {
		c.addFamily(b.families[id])
	}
	for _, e := range b.entries {
		f := b.families[e.Family]
		filled := *e
		filled.EN, filled.ZH = f.fill(e.EN, "en"), f.fill(e.ZH, "zh")
		c.addRow(row{e.Family, e.Code, append([]string{e.Symbol}, e.Aliases...), e.HTTP, e.Texts, e.Status, e.Level, func() *Entry { return &filled }})
	}
	c.sort()
	return c
}

func (c *Catalogue) addFamily(f *Family) {
	c.families = append(c.families, f)
	c.byFamily[f.ID] = f
}

func (c *Catalogue) addRow(r row) { c.rows = append(c.rows, r) }

// sort orders rows by family and number, and makes the indexes.
func (c *Catalogue) sort() {
	rank := map[string]int{}
	for i, f := range c.families {
		rank[f.ID] = i
	}
	slices.SortStableFunc(c.rows, func(a, b row) int {
		if d := rank[a.family] - rank[b.family]; d != 0 {
			return d
		}
		return compareCodes(a.code, b.code)
	})
	c.index()
}

func (c *Catalogue) index() {
	for i, r := range c.rows {
		in := c.byCode[r.code]
		if n := len(in); n > 0 && in[n-1].family == r.family {
			in[n-1].rows = append(in[n-1].rows, i)
		} else {
			c.byCode[r.code] = append(in, familyRows{r.family, []int{i}})
		}
		for _, s := range r.symbols {
			if s != "" {
				c.bySymbol[s] = append(c.bySymbol[s], i)
			}
		}
	}
}

// compareCodes orders numbers by value and before names.
func compareCodes(a, b string) int {
	x, errX := strconv.Atoi(a)
	y, errY := strconv.Atoi(b)
	switch {
	case errX == nil && errY == nil:
		return x - y
	case errX == nil:
		return -1
	case errY == nil:
		return 1
	}
	return strings.Compare(a, b)
}

// Families returns the families in their order. Don't change them.
func (c *Catalogue) Families() []*Family { return c.families }

// Family returns a family by its id, or nil.
func (c *Catalogue) Family(id string) *Family { return c.byFamily[id] }

// Version names the content: it changes when any text does.
func (c *Catalogue) Version() string { return c.version }

// Len is the number of entries.
func (c *Catalogue) Len() int { return len(c.rows) }

// All decodes every entry, in the order of families and numbers.
func (c *Catalogue) All() []*Entry {
	all := make([]*Entry, len(c.rows))
	for i := range c.rows {
		all[i] = c.rows[i].entry()
	}
	return all
}

// of returns the rows of a code in a family.
func (c *Catalogue) of(family, code string) []int {
	in := c.byCode[code]
	for i := range in {
		if in[i].family == family {
			return in[i].rows
		}
	}
	return nil
}

// Has tells, without decoding anything, whether the family has the code.
func (c *Catalogue) Has(family, code string) bool { return len(c.of(family, code)) > 0 }

// HasStatus tells, without decoding anything, whether the code stands for a status
// of the family's.
func (c *Catalogue) HasStatus(family, code string) bool {
	return slices.ContainsFunc(c.of(family, code), func(i int) bool { return c.rows[i].status })
}

// Lookup returns the entries of a code: one, or several where the symbol
// decides, or none.
func (c *Catalogue) Lookup(family, code string) []*Entry { return c.decode(c.of(family, code)) }

// Printed is what a line says beside a code. It decides between the entries of
// a code that has several.
type Printed struct {
	Symbol string
	HTTP   int    // status of the REST answer; 0: not said
	Text   string // the vendor's own message
}

// Entry returns the one entry for a code and the symbol that was printed; see
// Find.
func (c *Catalogue) Entry(family, code, symbol string) *Entry {
	return c.Find(family, code, Printed{Symbol: symbol})
}

// Find returns the entry of a code that fits best to what was printed beside
// it: by its symbol, else by the HTTP status and the longest of its texts in
// the message. When nothing of that is said the status is meant: a bare 0 is
// success. It is nil for a code that the family does not have.
func (c *Catalogue) Find(family, code string, p Printed) *Entry {
	if i := c.Variant(family, code, p); i >= 0 {
		return c.rows[i].entry()
	}
	return nil
}

// Variant is Find without decoding: a number that names the entry, or -1.
func (c *Catalogue) Variant(family, code string, p Printed) int {
	best, most := -1, -1
	rows := c.of(family, code)
	if len(rows) == 1 {
		return rows[0]
	}
	for _, i := range rows {
		if n := c.rows[i].fits(p); n > most {
			best, most = i, n
		}
	}
	return best
}

// Status tells, without decoding anything, whether the entry that Find returns is a
// status; ok is false where there is none.
func (c *Catalogue) Status(family, code string, p Printed) (status, ok bool) {
	i := c.Variant(family, code, p)
	return i >= 0 && c.rows[i].status, i >= 0
}

// fits grades how well a row fits to what was printed; more is better.
func (r *row) fits(p Printed) (n int) {
	const symbol, http, text, status = 1 << 24, 1 << 16, 1 << 4, 1
	if p.Symbol != "" && slices.Contains(r.symbols, p.Symbol) {
		n += symbol
	}
	switch {
	case p.HTTP == 0 || r.http == 0:
		n += http
	case p.HTTP == r.http:
		n += 2 * http
	}
	longest := 0
	for _, t := range r.texts {
		if p.Text != "" && len(t) > longest && strings.Contains(p.Text, t) {
			longest = len(t)
		}
	}
	if len(r.texts) == 0 {
		n += text // the general one, unless another one's text is there
	}
	n += min(longest, 1<<10) * 2 * text
	if r.status {
		n += status
	}
	return n
}

// Symbol returns the entries that go by a symbol, in all families.
func (c *Catalogue) Symbol(symbol string) []*Entry { return c.decode(c.bySymbol[symbol]) }

// CodeOf returns the code that a symbol stands for in a family, or "". Where
// the vendor has renumbered a symbol it is the higher, newer number.
func (c *Catalogue) CodeOf(family, symbol string) (code string) {
	for _, i := range c.bySymbol[symbol] {
		if c.rows[i].family == family {
			code = c.rows[i].code
		}
	}
	return code
}

// Symbols returns every symbol and alias of a family.
func (c *Catalogue) Symbols(family string) []string {
	var out []string
	for _, r := range c.rows {
		if r.family == family {
			for _, s := range r.symbols {
				if s != "" {
					out = append(out, s)
				}
			}
		}
	}
	return out
}

// Codes returns the codes of a family in order, without decoding entries.
func (c *Catalogue) Codes(family string) []string {
	var out []string
	for _, r := range c.rows {
		if r.family == family {
			out = append(out, r.code)
		}
	}
	return out
}

func (c *Catalogue) decode(rows []int) []*Entry {
	out := make([]*Entry, len(rows))
	for i, r := range rows {
		out[i] = c.rows[r].entry()
	}
	return out
}

//go:generate go run ./internal/generate

//go:embed catalogue.tsv
var embedded string

//go:embed catalogue.version
var embeddedVersion string // its fingerprint: a sum over all of it takes a millisecond

// Embedded returns the catalogue that is built into the program. Entries are
// decoded one by one as they are asked for.
var Embedded = sync.OnceValue(func() *Catalogue {
	c, err := unmarshal(embedded)
	if err != nil {
		// The file is generated and a test reads all of it, so this is a broken build.
		return &Catalogue{byFamily: map[string]*Family{}}
	}
	c.version = EmbeddedVersion()
	return c
})

// EmbeddedFamilies returns the ids of the embedded catalogue's families; it
// decodes nothing.
func EmbeddedFamilies() (ids []string) {
	for line := range strings.Lines(embedded) {
		rest, ok := strings.CutPrefix(line, "family\t{\"family\":\"")
		if !ok {
			break
		}
		id, _, _ := strings.Cut(rest, `"`)
		ids = append(ids, id)
	}
	return ids
}

// EmbeddedVersion is the version of the embedded catalogue; it decodes nothing.
func EmbeddedVersion() string { return strings.TrimSuffix(embeddedVersion, "\n") }

// Marshal writes the catalogue in the form the program embeds: a line a
// family, then a line an entry with its index columns and its JSON.
func (c *Catalogue) Marshal() ([]byte, error) {
	var b bytes.Buffer
	enc := func(v any) (string, error) {
		var j bytes.Buffer
		e := json.NewEncoder(&j)
		e.SetEscapeHTML(false)
		err := e.Encode(v)
		return strings.TrimSuffix(j.String(), "\n"), err
	}
	for _, f := range c.families {
		j, err := enc(f)
		if err != nil {
			return nil, fmt.Errorf("encode family %s: %w", f.ID, err)
		}
		fmt.Fprintf(&b, "family\t%s\n", j)
	}
	for _, r := range c.rows {
		j, err := enc(r.entry())
		if err != nil {
			return nil, fmt.Errorf("encode %s/%s: %w", r.family, r.code, err)
		}
		kind := "error"
		if r.status {
			kind = "status"
		}
		fmt.Fprintf(&b, "%s\t%s\t%s\t%s\t%s\t%d\t%s\t%s\n", r.family, r.code, kind, r.level, strings.Join(r.symbols, "|"), r.http, strings.Join(r.texts, "|"), j)
	}
	return b.Bytes(), nil
}

// unmarshal reads what Marshal wrote, leaving the entries' JSON as it is.
func unmarshal(data string) (*Catalogue, error) {
	c := &Catalogue{byFamily: map[string]*Family{}, byCode: map[string][]familyRows{}, bySymbol: map[string][]int{}}
	n := 0
	for line := range strings.Lines(data) {
		n++
		line = strings.TrimSuffix(line, "\n")
		if rest, ok := strings.CutPrefix(line, "family\t"); ok {
			f := new(Family)
			if err := json.Unmarshal([]byte(rest), f); err != nil {
				return nil, fmt.Errorf("catalogue line %d: %w", n, err)
			}
			c.addFamily(f)
			continue
		}
		col := strings.SplitN(line, "\t", 8)
		if len(col) != 8 {
			return nil, fmt.Errorf("catalogue line %d: %d columns, want 8", n, len(col))
		}
		http, err := strconv.Atoi(col[5])
		if err != nil {
			return nil, fmt.Errorf("catalogue line %d: HTTP status: %w", n, err)
		}
		var texts []string
		if col[6] != "" {
			texts = strings.Split(col[6], "|")
		}
		c.addRow(row{col[0], col[1], strings.Split(col[4], "|"), http, texts, col[2] == "status", col[3], sync.OnceValue(func() *Entry {
			e := new(Entry)
			if err := json.Unmarshal([]byte(col[7]), e); err != nil {
				return &Entry{Family: col[0], Code: col[1]}
			}
			return e
		})})
	}
	c.index()
	return c, nil
}

// Fingerprint names what Marshal has written in 12 hexadecimal digits.
func Fingerprint(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:6])
}
