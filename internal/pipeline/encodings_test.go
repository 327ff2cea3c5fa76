package pipeline

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/simplifiedchinese"
	"golang.org/x/text/encoding/unicode"
)

// TestEncodings writes every labelled line into one file in each encoding: what
// is found is the same, at the same line.
func TestEncodings(t *testing.T) {
	var text strings.Builder
	for _, s := range samples(t, "../../testdata/labelled/positive.jsonl") {
		if !strings.Contains(s.Line, "\ufeff") {
			text.WriteString("聊天服务 healthy line\n" + s.Line + "\n")
		}
	}
	found := func(enc encoding.Encoding) string {
		data := text.String()
		if enc != nil {
			var err error
			if data, err = enc.NewEncoder().String(data); err != nil {
				t.Fatal(err)
			}
		}
		file := filepath.Join(t.TempDir(), "a.log")
		if err := os.WriteFile(file, []byte(data), 0o600); err != nil {
			t.Fatal(err)
		}
		list, report := scanAll(t, options(t), file)
		if len(report.Problems) > 0 {
			t.Error(report.Problems)
		}
		var out strings.Builder
		for i := range list {
			f := &list[i]
			fmt.Fprintf(&out, "%d %s/%s %s %v %q\n", f.Line, f.Family, f.Code, f.Symbol, f.Inner, f.Text)
		}
		return out.String()
	}
	want := found(nil)
	if n := strings.Count(want, "\n"); n < 400 {
		t.Fatalf("%d findings in UTF-8", n)
	}
	for name, enc := range map[string]encoding.Encoding{
		"GB18030":   simplifiedchinese.GB18030,
		"UTF-16 LE": unicode.UTF16(unicode.LittleEndian, unicode.UseBOM),
		"UTF-16 BE": unicode.UTF16(unicode.BigEndian, unicode.UseBOM),
		"no mark":   unicode.UTF16(unicode.LittleEndian, unicode.IgnoreBOM),
	} {
		if got := found(enc); got != want {
			t.Errorf("%s is read otherwise than UTF-8:\n%s", name, difference(got, want))
		}
	}
}

// difference returns the lines that only one of two texts has.
func difference(got, want string) string {
	var out strings.Builder
	g, w := strings.Split(got, "\n"), strings.Split(want, "\n")
	for _, side := range []struct {
		mark string
		a, b []string
	}{{"+ ", g, w}, {"- ", w, g}} {
		has := map[string]bool{}
		for _, l := range side.b {
			has[l] = true
		}
		for _, l := range side.a {
			if !has[l] {
				out.WriteString(side.mark + l + "\n")
			}
		}
	}
	return out.String()
}
