package config

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/goccy/go-yaml/lexer"
	"github.com/goccy/go-yaml/token"

	"github.com/goccy/go-yaml"
)

// A valueError is about a value that is not what its key wants. The YAML
// decoder forgets where such a value stands, so it is looked for.
type valueError struct{ value, want string }

func (e valueError) Error() string { return fmt.Sprintf("%q is no %s", e.value, e.want) }

// at finds the first place where the value stands.
func (e valueError) at(data []byte) (line, column int) {
	for _, t := range lexer.Tokenize(string(data)) {
		if t.Value == e.value && (t.Next == nil || t.Next.Type != token.MappingValueType) {
			return t.Position.Line, t.Position.Column
		}
	}
	return 0, 0
}

// A Duration is written as 30s, 1m, 24h or 7d.
type Duration time.Duration

// UnmarshalYAML reads a duration.
func (d *Duration) UnmarshalYAML(b []byte) error {
	s := strings.Trim(strings.TrimSpace(string(b)), `"'`)
	if days, ok := strings.CutSuffix(s, "d"); ok {
		n, err := strconv.ParseFloat(days, 64)
		if err != nil {
			return valueError{s, "duration: write 30s, 1m, 24h or 7d"}
		}
		*d = Duration(n * 24 * float64(time.Hour))
		return nil
	}
	if s == "0" {
		*d = 0
		return nil
	}
	v, err := time.ParseDuration(s)
	if err != nil {
		return valueError{s, "duration: write 30s, 1m, 24h or 7d"}
	}
	*d = Duration(v)
	return nil
}

// A Size is a number of bytes, written as 1048576, 64KiB, 100MiB or 1GiB.
type Size int64

var sizeForm = regexp.MustCompile(`^(\d+)\s*(?:([KMGT])(?:iB|B)?|B)?$`)

// UnmarshalYAML reads a size.
func (z *Size) UnmarshalYAML(b []byte) error {
	s := strings.Trim(strings.TrimSpace(string(b)), `"'`)
	m := sizeForm.FindStringSubmatch(s)
	if m == nil {
		return valueError{s, "size: write 1048576, 64KiB, 100MiB or 1GiB"}
	}
	n, err := strconv.ParseInt(m[1], 10, 64)
	if err != nil {
		return fmt.Errorf("%q is no size: %w", s, err)
	}
	if m[2] != "" {
		*z = Size(n << (10 * (1 + strings.Index("KMGT", m[2]))))
	} else {
		*z = Size(n)
	}
	return nil
}

// Symlinks says where symbolic links may lead: out of a source's paths to
// anywhere (true), to nowhere (false), or into the directories of a list.
type Symlinks struct {
	All   bool
	Roots []string
}

// UnmarshalYAML reads true, false or a list of directories.
func (l *Symlinks) UnmarshalYAML(b []byte) error {
	switch strings.TrimSpace(string(b)) {
	case "true":
		*l = Symlinks{All: true}
		return nil
	case "false":
		*l = Symlinks{}
		return nil
	}
	var roots []string
	if err := yaml.Unmarshal(b, &roots); err != nil {
		return valueError{strings.TrimSpace(string(b)), "list of directories, nor true or false"}
	}
	*l = Symlinks{Roots: roots}
	return nil
}
