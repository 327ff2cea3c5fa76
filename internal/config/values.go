package config

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// A Duration is written as 30s, 1m, 24h or 7d.
type Duration time.Duration

// UnmarshalYAML reads a duration.
func (d *Duration) UnmarshalYAML(b []byte) error {
	s := strings.Trim(strings.TrimSpace(string(b)), `"'`)
	if days, ok := strings.CutSuffix(s, "d"); ok {
		n, err := strconv.ParseFloat(days, 64)
		if err != nil {
			return fmt.Errorf("%q is no duration: write 30s, 1m, 24h or 7d", s)
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
		return fmt.Errorf("%q is no duration: write 30s, 1m, 24h or 7d", s)
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
		return fmt.Errorf("%q is no size: write 1048576, 64KiB, 100MiB or 1GiB", s)
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
