// Package resolver turns the matches of a block into findings: which family,
// how certain, whose, when. Everything it takes from a line is redacted and
// cleaned here, once.
package resolver

import (
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/imwatch/imwatch/codes"
	"github.com/imwatch/imwatch/internal/finding"
	"github.com/imwatch/imwatch/internal/linetime"
	"github.com/imwatch/imwatch/internal/redact"
	"github.com/imwatch/imwatch/scanner"
)

// Bounds of what is kept of a line, in bytes.
const (
	MaxOriginal = 2 << 10
	maxText     = 512
	maxField    = 128
)

// A Source is what the configuration says about a kind of log.
type Source struct {
	Name, Service string
	Families      []string // who wrote these files, the likeliest first
	MinConfidence string   // high, medium or low; empty means medium
	Statuses      bool
	Location      *time.Location // of times without a zone; nil means local
	Labels        map[string]string
	Subjects      string // keep (or empty), hash, drop
}

// A Resolver is safe for concurrent use.
type Resolver struct {
	cat    *codes.Catalogue
	redact *redact.Redactor
}

// New returns a resolver over a catalogue.
func New(cat *codes.Catalogue, r *redact.Redactor) *Resolver { return &Resolver{cat, r} }

// Proven is what the lines of one file have proved about who writes it: a
// family for each group (the family itself where it has no group). A file's
// lines share one Proven.
type Proven map[string]string

// Learn takes in what a match says about its file, and tells whether that was
// news.
func (p Proven) Learn(m *scanner.Match) bool {
	if !m.Proven() {
		return false
	}
	key := group(m)
	old, known := p[key]
	now := old
	if m.Proved {
		now = m.Families[0]
	}
	if known && now == old {
		return false
	}
	p[key] = now
	return true
}

func group(m *scanner.Match) string {
	if m.Group != "" {
		return m.Group
	}
	return m.Families[0]
}

// Place says where a block stands.
type Place struct {
	Path      string
	Offset    int64
	Line      int
	Truncated bool
	Partial   bool // the last line had no end
	Read      time.Time
	Origin    string // names the file's content, for event ids
}

// Undecided tells whether nothing says whose a match is: neither its line nor
// the source nor the file.
func (s *Source) Undecided(m *scanner.Match, p Proven) bool {
	if m.Proven() {
		return false
	}
	if slices.ContainsFunc(s.Families, func(f string) bool { return slices.Contains(m.Families, f) }) {
		return false
	}
	_, ok := p[group(m)]
	return !ok || m.Bare
}

// Resolve appends the findings of a block that are at or above the source's
// confidence. They share the block's texts, lists and maps, which must not
// change any more.
func (r *Resolver) Resolve(list []finding.Finding, s *Source, b *scanner.Block, p Proven, at Place) []finding.Finding {
	from, asIs := len(list), r.asItStands(b)
	for i := range b.Matches {
		m := &b.Matches[i]
		if s.Undecided(m, p) {
			continue
		}
		confidence := m.Confidence()
		if rank(confidence) < rank(s.min()) {
			continue
		}
		if len(list) == from {
			list = append(slices.Grow(list, len(b.Matches)), finding.Finding{})
			r.common(&list[from], s, b, at, asIs)
		} else {
			list = append(list, list[from])
		}
		f := &list[len(list)-1]
		f.Action, f.Confidence = action(m), confidence
		r.family(f, s, m, p)
		f.Code, f.Symbol, f.Rule = m.Code, m.Symbol, m.Rule.ID
		f.Text = r.clean(m.Text, maxText, asIs)
		f.Inner = nil
		if m.Inner != nil {
			f.Inner = r.inner(m.Inner, f.Family)
		}
		f.Fields = r.fields(s, m.Fields, asIs)
		f.ID = id(at.Origin, at.Offset, i)
	}
	return list
}

// inner makes the causes of a finding; one of another group is of the finding's
// own vendor.
func (r *Resolver) inner(in *scanner.Inner, family string) *finding.Inner {
	out := &finding.Inner{Family: family, Code: in.Code, Text: r.clean(in.Text, maxText, false)}
	if len(in.Families) > 0 {
		out.Family = in.Families[0]
		for _, id := range in.Families {
			if own, f := r.cat.Family(family), r.cat.Family(id); own != nil && f != nil && own.Vendor == f.Vendor {
				out.Family = id
				break
			}
		}
	}
	if in.Cause != nil {
		out.Cause = r.inner(in.Cause, family)
	}
	return out
}

func (s *Source) min() string {
	if s.MinConfidence == "" {
		return "medium"
	}
	return s.MinConfidence
}

func rank(confidence string) int {
	switch confidence {
	case "low":
		return 0
	case "medium":
		return 1
	case "high":
		return 2
	}
	return -1
}

// common fills in what all findings of a block share.
func (r *Resolver) common(f *finding.Finding, s *Source, b *scanner.Block, at Place, asIs bool) {
	loc := s.Location
	if loc == nil {
		loc = time.Local
	}
	t := linetime.Parse(b.Text, at.Read, loc)
	if t.Basis == "read" && b.When != "" {
		t = linetime.Parse(b.When, at.Read, loc)
	}
	f.Time, f.TimeBasis, f.Created = t.Time.UTC(), t.Basis, at.Read.UTC()
	f.Source, f.Service, f.Labels = s.Name, s.Service, s.Labels
	f.Path, f.Offset, f.Line = redact.Clean(at.Path, 1024), at.Offset, at.Line
	f.Original, f.Count = r.excerpt(b, asIs), 1
	flag := func(name string, on bool) {
		if on {
			f.Flags = append(f.Flags, name)
		}
	}
	flag("decoded", b.Decoded)
	flag("partial", b.Partial || at.Partial)
	flag("truncated", at.Truncated)
}

// clean redacts first: what is cut off or escaped could no longer be recognised.
func (r *Resolver) clean(s string, limit int, asIs bool) string {
	if asIs {
		return s
	}
	return redact.Clean(r.redact.Text(s), limit)
}

// What is noted of texts that differ in digits only.
const (
	unknown = iota
	stands  // they need neither redaction nor escapes
	changes
)

// asItStands tells whether all texts of a block can be shown as they stand, but for those of
// causes; it looks at them once for all blocks that share a note.
func (r *Resolver) asItStands(b *scanner.Block) bool {
	// Resolvers share the notes of a scanner: none may go by what was noted with redactors
	// other than its own.
	if b.Note == nil || !r.redact.OnlyBuiltIn() {
		return false
	}
	note := b.Note.Load()
	if note == unknown {
		if note = changes; r.needsNothing(b) {
			note = stands
		}
		b.Note.Store(note)
	}
	return note == stands
}

// needsNothing tells whether no text of a block, nor of one that differs from it in digits
// only, needs redaction or escapes.
func (r *Resolver) needsNothing(b *scanner.Block) bool {
	stays := func(s string, limit int) bool { return r.redact.NoSecret(s) && redact.IsClean(s, limit) }
	if !stays(b.Text, MaxOriginal) {
		return false
	}
	for i := range b.Matches {
		m := &b.Matches[i]
		changed := func(f scanner.Field) bool { return !stays(f.Value, maxField) }
		if !stays(m.Text, maxText) || slices.ContainsFunc(m.Fields, changed) {
			return false
		}
	}
	return true
}

// excerpt is the block, or of a long one the part around the first match.
func (r *Resolver) excerpt(b *scanner.Block, asIs bool) string {
	if asIs {
		return b.Text
	}
	s := r.redact.Text(b.Text)
	if len(s) > MaxOriginal {
		const lead = MaxOriginal / 4
		if i := strings.Index(s, b.Matches[0].Evidence); i > MaxOriginal-lead {
			cut := i - lead
			for !utf8.RuneStart(s[cut]) {
				cut--
			}
			s = "…" + s[cut:]
		}
	}
	return redact.Clean(s, MaxOriginal)
}

func action(m *scanner.Match) string {
	switch {
	case !m.Known:
		return finding.Unknown
	case m.Status:
		return finding.Status
	}
	return finding.Error
}

// family decides whose the code is and what it rests on. A block's lists stay
// as they are.
func (r *Resolver) family(f *finding.Finding, s *Source, m *scanner.Match, p Proven) {
	candidates, basis := m.Families, slices.Clip(m.Basis)
	proved := m.Proved
	fam, known := p[group(m)]
	if !proved {
		if said := slices.IndexFunc(s.Families, func(x string) bool { return slices.Contains(candidates, x) }); said >= 0 {
			candidates = first(candidates, s.Families[said])
			basis = append(basis, "families")
			proved = true
		} else if known {
			if fam != "" {
				candidates, proved = first(candidates, fam), true
			}
			if !m.Proven() || fam != "" {
				basis = append(basis, "file")
			}
		}
	}
	if known && !m.Proven() && !slices.Contains(basis, "families") && !slices.Contains(basis, "file") {
		basis = append(basis, "file") // the line names a family and proves nothing
	}
	// A family that does not have the code is not the one, if another has it.
	if i := slices.IndexFunc(candidates, func(x string) bool { return slices.Contains(m.Having, x) }); i > 0 && !m.Proved {
		candidates = first(candidates, candidates[i])
	}
	f.Family, f.Basis, f.Alternatives = candidates[0], basis, nil
	if !proved {
		f.Alternatives = candidates[1:]
		lacks := func(x string) bool { return m.Known && !slices.Contains(m.Having, x) }
		if slices.ContainsFunc(f.Alternatives, lacks) {
			f.Alternatives = slices.DeleteFunc(slices.Clone(f.Alternatives), lacks)
		}
	}
}

// first returns a list with x before the others.
func first(list []string, x string) []string {
	if list[0] == x {
		return list
	}
	return append([]string{x}, slices.DeleteFunc(slices.Clone(list), func(y string) bool { return y == x })...)
}

// fields cleans what a rules file captured and treats the user as the source says.
func (r *Resolver) fields(s *Source, in []scanner.Field, asIs bool) finding.Fields {
	out := make(finding.Fields, 0, len(in))
	for _, f := range in {
		clean := r.clean(f.Value, maxField, asIs)
		if f.Name == "user_id" {
			clean = s.subject(clean)
		}
		out.Set(f.Name, clean)
	}
	if len(out) == 0 {
		return nil
	}
	return out
}

// subject is what is kept of a user.
func (s *Source) subject(user string) string {
	switch {
	case user == "" || s.Subjects == "drop":
		return ""
	case s.Subjects == "hash":
		sum := sha256.Sum256([]byte(user))
		return hex.EncodeToString(sum[:8])
	}
	return user
}

// id makes the event id of the n-th match of a block from where it stands.
func id(origin string, offset int64, n int) string {
	var on [128]byte // the stack, where it is long enough
	b := part(on[:0], origin)
	var number [20]byte
	b = part(b, strconv.AppendInt(number[:0], offset, 10))
	b = part(b, strconv.AppendInt(number[:0], int64(n), 10))
	sum := sha256.Sum256(b)
	var digits [32]byte
	hex.Encode(digits[:], sum[:16])
	return string(digits[:])
}

// part appends a part with its length before it, so that no two lists of parts
// look alike.
func part[T string | []byte](b []byte, p T) []byte {
	return append(append(strconv.AppendInt(b, int64(len(p)), 10), ':'), p...)
}

// Settled tells whether nothing that its file may still prove changes how a
// match is resolved.
func (s *Source) Settled(m *scanner.Match, p Proven) bool {
	if m.Proved || len(m.Families) == 1 && m.Proven() {
		return true
	}
	if slices.ContainsFunc(s.Families, func(f string) bool { return slices.Contains(m.Families, f) }) {
		return true
	}
	return p[group(m)] != ""
}
