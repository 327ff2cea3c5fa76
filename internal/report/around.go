package report

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/imwatch/imwatch/internal/finding"
	"github.com/imwatch/imwatch/internal/redact"
)

// Around are the lines around an event in its file, redacted and clean.
type Around struct {
	Path  string   `json:"path"`
	First int      `json:"first,omitempty"` // number of the first line; 0 when not counted
	Hit   int      `json:"hit"`             // index of the event's line
	Lines []string `json:"lines"`
}

// window is how many bytes are read on each side for n lines.
func window(n int) int64 { return min(1<<20, 64<<10+int64(n)*8<<10) }

// LinesAround reads up to n lines on each side of a finding, from its file or
// from the one that a rotation has made of it: whichever still holds the line at
// that offset.
func LinesAround(f *finding.Finding, n int, red *redact.Redactor) (*Around, error) {
	if f.Path == "" || f.Line == 0 && f.Original == "" {
		return nil, errors.New("this event stands for no single line")
	}
	paths := []string{f.Path}
	if beside, err := os.ReadDir(filepath.Dir(f.Path)); err == nil {
		for _, e := range beside {
			if rest, ok := strings.CutPrefix(e.Name(), filepath.Base(f.Path)); ok && rest != "" && (rest[0] == '.' || rest[0] == '-') {
				paths = append(paths, filepath.Join(filepath.Dir(f.Path), e.Name()))
			}
		}
	}
	var why error
	for _, path := range paths {
		a, err := around(path, f, n, red)
		if err == nil {
			return a, nil
		}
		if why == nil {
			why = err
		}
	}
	return nil, fmt.Errorf("%w\nhint: the file was rotated or deleted since; a compressed one is read by imwatch scan", why)
}

// around reads one candidate.
func around(path string, f *finding.Finding, n int, red *redact.Redactor) (*Around, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("the lines around it: %w", err)
	}
	defer file.Close()
	if info, err := file.Stat(); err != nil || !info.Mode().IsRegular() {
		return nil, fmt.Errorf("the lines around it: %s is no file", path)
	}
	before, behind, err := lines(file, f.Offset, n)
	if err != nil {
		return nil, fmt.Errorf("the lines around it in %s: %w", path, err)
	}
	clean := func(s string) string { return redact.Clean(red.Text(s), mostLine) }
	if len(behind) == 0 || !sameLine(clean(behind[0]), f) {
		return nil, fmt.Errorf("%s no longer has this line at byte %d", path, f.Offset)
	}
	a := &Around{Path: path, Hit: len(before)}
	if f.Line > len(before) {
		a.First = f.Line - len(before)
	}
	for _, l := range append(before, behind...) {
		a.Lines = append(a.Lines, clean(l))
	}
	return a, nil
}

// mostLine bounds what is shown of one line, in bytes.
const mostLine = 1 << 10

// sameLine tells whether a line is the one an event was made of: what is kept of
// it may be cut, and begin later in a long block.
func sameLine(line string, f *finding.Finding) bool {
	first, _, _ := strings.Cut(f.Original, `\n`)
	first, _, _ = strings.Cut(first, "\n")
	const enough = 40
	if len(first) > enough {
		first = strings.ToValidUTF8(first[:enough], "")
	}
	return first == "" || strings.Contains(line, strings.TrimSpace(first)) || slices.Contains(f.Flags, "decoded") || slices.Contains(f.Flags, "truncated") || strings.HasPrefix(first, "…")
}

// lines returns up to n lines before an offset, and the one there with n behind.
func lines(r io.ReaderAt, at int64, n int) (before, behind []string, err error) {
	from := max(0, at-window(n))
	b := make([]byte, at-from)
	got, err := r.ReadAt(b, from)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, nil, err
	}
	if got > 0 && n > 0 {
		all := strings.Split(strings.TrimSuffix(string(b[:got]), "\n"), "\n")
		before = all[max(0, len(all)-n):]
	}
	b = make([]byte, window(n))
	if got, err = r.ReadAt(b, at); err != nil && !errors.Is(err, io.EOF) {
		return nil, nil, err
	}
	for l := range bytes.Lines(b[:got]) {
		if len(behind) > n {
			break
		}
		behind = append(behind, strings.TrimRight(string(l), "\r\n"))
	}
	return before, behind, nil
}
