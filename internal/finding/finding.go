// Package finding holds the types that travel from the resolver to the store
// and the annotator. It is a leaf: it imports nothing of ours.
package finding

import "time"

// Actions of a finding.
const (
	Error   = "im.error"
	Status  = "im.status"
	Unknown = "im.unknown"
)

// A Finding is one code found in one record of one file: everything that is
// known before the catalogue's text is added. All its strings are redacted,
// valid UTF-8 and free of control characters.
type Finding struct {
	ID           string // the same at every delivery
	Action       string // Error, Status or Unknown
	Family, Code string
	Symbol       string   // as printed, or the catalogue's
	Text         string   // the vendor's own text in the line
	Confidence   string   // high, medium, low
	Basis        []string // what proved it
	Alternatives []string // other families that remain
	Inner        *Inner
	Rule         string

	Time      time.Time // the line's own, in UTC
	TimeBasis string    // line, no_date, no_zone, read, clamped
	Created   time.Time // when it was read

	Source, Service string
	Path            string
	Offset          int64 // of the block's first line in the file's own bytes
	Line            int   // number of that line, from 1; 0 when not counted
	Original        string
	Flags           []string // truncated, partial, decoded, late
	Fields          map[string]string
	Labels          map[string]string
	Count           int // findings this one stands for that no other counts
}

// Inner is the cause inside a nested error.
type Inner struct{ Family, Code, Symbol, Text string }
