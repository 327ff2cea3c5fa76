// Package annotator adds the catalogue's text to a finding and writes the
// event: one JSON object a line, in the fields of the contract.
package annotator

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/imwatch/imwatch/codes"
	"github.com/imwatch/imwatch/internal/finding"
)

// MaxEvent bounds an event's JSON, in bytes.
const MaxEvent = 8 << 10

// Options say which of the catalogue's text goes into events.
type Options struct {
	Language string // en, zh or both
	Brief    bool   // only the title and the first hint
	Host     Host
}

// Host names the machine that reads; empty fields are left out.
type Host struct{ Name, ID string }

// Subjects of a storm are counted exactly up to this.
const maxSubjects = 1000

// An Annotator writes events. It is safe for concurrent use.
type Annotator struct {
	cat   *codes.Catalogue
	o     Options
	host  piece
	mu    sync.RWMutex
	texts map[textKey]*text
	last  [64]atomic.Pointer[plainText] // of those that came last, some
}

// A plainText is the text of findings without a cause and a server's answer.
type plainText struct {
	family, code, symbol, said string
	*text
}

// textKey names a text: a code and its symbol, and which of its entries and which
// cause of another family fit to what was printed.
type textKey struct {
	family, code, symbol string
	variant, cause       int
}

// text is what the catalogue says about a code, as JSON, encoded once: the
// members that all its events share, by the object in which they stand.
type text struct {
	entry   *codes.Entry
	level   string
	message string

	said, log, event, error piece
	proved                  atomic.Pointer[proof]
	family, tail            piece   // members of im that have no language
	im                      []piece // the others, the most needed first
	size                    int     // bytes of JSON that an event of a short line has
}

// New returns an annotator over a catalogue.
func New(cat *codes.Catalogue, o Options) *Annotator {
	host := newPiece("", func(x *object) {
		root := x.enter("host")
		x.str("name", o.Host.Name)
		x.str("id", o.Host.ID)
		x.leave(root)
	})
	return &Annotator{cat: cat, o: o, host: host, texts: map[textKey]*text{}}
}

// Level is an event's level: the catalogue's, or warn for a code that it does
// not have.
func (a *Annotator) Level(f *finding.Finding) string { return a.text(f).level }

// Entry is the catalogue's entry for a finding, or nil.
func (a *Annotator) Entry(f *finding.Finding) *codes.Entry { return a.text(f).entry }

// Message is one line a person can act on.
func (a *Annotator) Message(f *finding.Finding) string { return a.message(f, a.text(f)) }

// Fields appends the event's fields in the order of its JSON, under the same
// names; none is left out for length.
func (a *Annotator) Fields(dst []Field, f *finding.Finding) []Field {
	t := a.text(f)
	a.fill(&object{list: &dst}, f, t, len(t.im), f.Original)
	return dst
}

func (a *Annotator) text(f *finding.Finding) *text {
	if f.Inner != nil || f.Family == "" || f.Code == "" || f.Fields.Get("http_status") != "" {
		return a.find(f)
	}
	// In a storm a few kinds of lines come again and again.
	place := &a.last[(len(f.Text)+int(f.Code[len(f.Code)-1]))%len(a.last)]
	if p := place.Load(); p != nil && p.code == f.Code && p.said == f.Text && p.symbol == f.Symbol && p.family == f.Family {
		return p.text
	}
	t := a.find(f)
	place.Store(&plainText{f.Family, f.Code, f.Symbol, f.Text, t})
	return t
}

// find finds the text of a finding, or makes it.
func (a *Annotator) find(f *finding.Finding) *text {
	p := Printed(f)
	key := textKey{family: f.Family, code: f.Code, symbol: f.Symbol, variant: a.cat.Variant(f.Family, f.Code, p), cause: -1}
	if in := f.Cause(); in != nil {
		key.cause = a.cat.Variant(in.Family, in.Code, inside(p, in))
	}
	if f.Family == "" {
		key.symbol = f.Action + " " + f.Symbol
	}
	a.mu.RLock()
	t := a.texts[key]
	a.mu.RUnlock()
	if t != nil {
		return t
	}
	t = a.encode(f)
	a.mu.Lock()
	defer a.mu.Unlock()
	// Codes come from lines too: what nobody knows must not fill memory.
	if t.entry != nil || len(a.texts) < 1024 {
		a.texts[key] = t
	}
	return t
}

// Printed is what a finding's line says beside its code.
func Printed(f *finding.Finding) codes.Printed {
	p := codes.Printed{Symbol: f.Symbol, Text: f.Text}
	if status := f.Fields.Get("http_status"); status != "" {
		p.HTTP, _ = strconv.Atoi(status) // 0 where it is no number
	}
	return p
}

// inside is what a line says about the cause in it.
func inside(p codes.Printed, in *finding.Inner) codes.Printed {
	return codes.Printed{Symbol: in.Symbol, HTTP: p.HTTP, Text: in.Text}
}

// Entry returns the catalogue's entry for a finding, refined by the cause inside
// it, which may be what a server had answered; nil for a code that it does not have.
func Entry(cat *codes.Catalogue, f *finding.Finding) *codes.Entry {
	p := Printed(f)
	e := cat.Find(f.Family, f.Code, p)
	in := f.Cause()
	if e == nil || in == nil {
		return e
	}
	cause := cat.Find(in.Family, in.Code, inside(p, in))
	if cause == nil || cause.Key() == e.Key() || cause.Status {
		return e
	}
	refined := *e
	refined.EN, refined.ZH = refine(e.EN, cause.EN, ": ", " "), refine(e.ZH, cause.ZH, "：", "")
	refined.Consequence = nil // the cause is known
	return &refined
}

// refine puts what the cause says before what the SDK made of it.
func refine(outer, inner codes.Text, colon, space string) codes.Text {
	const most = 4 // hints; the first are the cause's
	outer.Title += colon + inner.Title
	outer.Meaning = inner.Meaning + space + outer.Meaning
	outer.Causes = inner.Causes
	outer.Hints = slices.Concat(inner.Hints, outer.Hints)
	outer.Hints = outer.Hints[:min(most, len(outer.Hints))]
	return outer
}

func (a *Annotator) languages() []string {
	if a.o.Language == "both" {
		return []string{"en", "zh"}
	}
	if a.o.Language == "zh" {
		return []string{"zh"}
	}
	return []string{"en"}
}

func (a *Annotator) encode(f *finding.Finding) *text {
	t := &text{level: "warn", size: 1 << 10}
	e := Entry(a.cat, f)
	langs := a.languages()
	switch {
	case f.Action == finding.Lost:
		e = nil
	case f.Action == finding.Test:
		e, t.level = nil, "info"
	case e == nil:
		t.message = f.Family + " " + f.Code + ": " + unknownTitle(langs[0])
	default:
		t.entry, t.level = e, e.Level
		t.message = strings.TrimSpace(f.Family+" "+f.Code+" "+e.Symbol) + ": " + e.In(langs[0]).Title
	}
	a.name(t, f)
	if e == nil {
		return t
	}
	for _, part := range []string{"title", "hints", "description", "causes"} {
		if a.o.Brief && (part == "description" || part == "causes") {
			break
		}
		t.im = append(t.im, newPiece("im.", func(o *object) {
			for _, lang := range langs {
				a.part(o, part, lang, e.In(lang))
			}
		}))
	}
	blank := finding.Finding{Action: f.Action, Family: f.Family, Code: f.Code, Time: f.Time, Created: f.Created, Confidence: f.Confidence, Basis: f.Basis, Alternatives: f.Alternatives}
	t.size = len(a.event(nil, &blank, t, len(t.im), "")) + 512
	return t
}

// name encodes what names a text's code and grades it.
func (a *Annotator) name(t *text, f *finding.Finding) {
	e := t.entry
	if e == nil {
		e = &codes.Entry{}
	}
	t.said = newPiece("", func(o *object) { o.str("message", t.message) })
	t.log = newPiece("log.", func(o *object) { o.str("level", t.level) })
	t.event = newPiece("event.", func(o *object) {
		if f.Family != "" {
			o.str("code", f.Family+"/"+f.Code)
		}
		o.str("reference", first(e.Links))
	})
	t.error = newPiece("error.", func(o *object) {
		o.str("code", f.Code)
		o.str("type", cmp.Or(f.Symbol, e.Symbol))
	})
	t.family = newPiece("im.", func(o *object) {
		o.str("family", f.Family)
		if fam := a.cat.Family(f.Family); fam != nil {
			o.str("group", fam.Group)
			o.str("vendor", fam.Vendor)
			o.str("platform", fam.Platform)
		}
	})
	t.tail = newPiece("im.", func(o *object) {
		o.str("catalogue_version", a.cat.Version())
		o.str("category", e.Category)
		o.str("retryable", e.Retryable)
		o.str("scope", e.Scope)
		o.str("owner", e.Owner)
		o.str("runbook", e.Runbook)
	})
}

// A proof is what an event says of why its code is one, encoded: most events of a code
// say the same.
type proof struct {
	piece
	confidence          string
	basis, alternatives []string
}

// proof adds why the finding's code is one.
func (t *text) proof(o *object, f *finding.Finding) {
	p := t.proved.Load()
	if p == nil { // the first one's is kept
		p = &proof{confidence: f.Confidence, basis: f.Basis, alternatives: f.Alternatives}
		p.piece = newPiece("im.", func(o *object) { why(o, f) })
		t.proved.Store(p)
	}
	if p.confidence == f.Confidence && slices.Equal(p.basis, f.Basis) && slices.Equal(p.alternatives, f.Alternatives) {
		o.join(p.piece)
	} else {
		why(o, f)
	}
}

func why(o *object, f *finding.Finding) {
	o.str("confidence", f.Confidence)
	o.strs("basis", f.Basis)
	o.strs("alternatives", f.Alternatives)
}

func unknownTitle(lang string) string {
	if lang == "zh" {
		return "目录里没有的错误码"
	}
	return "a code that the catalogue does not have"
}

// part adds one kind of text; English goes by the plain name.
func (a *Annotator) part(b *object, part, lang string, t *codes.Text) {
	name := part
	if lang == "zh" {
		name += "_zh"
	}
	switch part {
	case "title":
		b.str(name, t.Title)
	case "hints":
		hints := t.Hints
		if a.o.Brief && len(hints) > 1 {
			hints = hints[:1]
		}
		b.strs(name, hints)
	case "description":
		b.str(name, t.Meaning)
	case "causes":
		var causes []string
		for _, c := range t.Causes {
			causes = append(causes, c.Cause)
		}
		b.strs(name, causes)
	}
}
