// Package finding holds the types that travel from the resolver to the store
// and the annotator. It is a leaf: it imports nothing of ours.
package finding

import "time"

// Actions of a finding.
const (
	Error   = "im.error"
	Status  = "im.status"
	Unknown = "im.unknown"
	Storm   = "im.storm" // stands for what was folded in a window
	Lost    = "im.loss"  // something could not be read or kept
	Test    = "im.test"  // of imwatch check --connect: nothing happened
)

// A Finding is one code found in one record of one file: everything that is
// known before the catalogue's text is added. All its strings are redacted,
// valid UTF-8 and free of control characters.
type Finding struct {
	ID           string   `json:",omitzero"` // the same at every delivery
	Action       string   `json:",omitzero"` // Error, Status or Unknown
	Family, Code string   `json:",omitzero"`
	Symbol       string   `json:",omitzero"` // as printed, or the catalogue's
	Text         string   `json:",omitzero"` // the vendor's own text in the line
	Confidence   string   `json:",omitzero"` // high, medium, low
	Basis        []string `json:",omitzero"` // what proved it
	Alternatives []string `json:",omitzero"` // other families that remain
	Inner        *Inner   `json:",omitzero"`
	Rule         string   `json:",omitzero"`

	Time      time.Time `json:",omitzero"` // the line's own, in UTC
	TimeBasis string    `json:",omitzero"` // line, no_date, no_zone, read, clamped
	Created   time.Time `json:",omitzero"` // when it was read

	Source, Service string            `json:",omitzero"`
	Path            string            `json:",omitzero"`
	Offset          int64             `json:",omitzero"` // of the block's first line in the file's own bytes
	Line            int               `json:",omitzero"` // number of that line, from 1; 0 when not counted
	Original        string            `json:",omitzero"`
	Flags           []string          `json:",omitzero"` // truncated, partial, decoded, late
	Fields          Fields            `json:",omitzero"`
	Labels          map[string]string `json:",omitzero"`
	Count           int               `json:",omitzero"` // findings this one stands for that no other counts

	// Of a storm: the times of the first and last finding it stands for, how many
	// subjects they are about (1,001 means more than 1,000), some of their lines
	// and files.
	Start, End time.Time `json:",omitzero"`
	Subjects   int       `json:",omitzero"`
	Samples    []string  `json:",omitzero"`
	Files      []string  `json:",omitzero"`
}

// Inner is the cause inside a nested error. Its own cause is of another family:
// what a server had answered.
type Inner struct {
	Family, Code, Symbol, Text string
	Cause                      *Inner `json:",omitzero"`
}

// String names the cause and the causes inside it, outermost first.
func (in *Inner) String() string {
	if in == nil {
		return ""
	}
	name := in.Family + "/" + in.Code + " " + in.Text
	if in.Cause != nil {
		name += " caused by " + in.Cause.String()
	}
	return name
}

// Cause returns the deepest cause of a finding, nil where it has none.
func (f *Finding) Cause() *Inner {
	in := f.Inner
	for in != nil && in.Cause != nil {
		in = in.Cause
	}
	return in
}
