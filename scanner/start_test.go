package scanner

import (
	"reflect"
	"regexp"
	"regexp/syntax"
	"strings"
	"testing"

	"github.com/imwatch/imwatch/codes"
	"github.com/imwatch/imwatch/rules"
	"github.com/imwatch/imwatch/scanner/plan"
)

// TestPlan: what is known of the built-in rules is what would be found out.
func TestPlan(t *testing.T) {
	set, _ := rules.Embedded()
	if !reflect.DeepEqual(*Plan(set), plan.BuiltIn) {
		t.Error("scanner/plan/builtin.go is stale: run go generate ./rules")
	}
}

// BenchmarkStart is what a program does before it scans, and what it does when it
// meets every family.
func BenchmarkStart(b *testing.B) {
	set, _ := rules.Embedded()
	for _, known := range []struct {
		name string
		*plan.Table
	}{{"known", &plan.BuiltIn}, {"unknown", new(plan.Table)}} {
		b.Run("scanner/"+known.name, func(b *testing.B) {
			for b.Loop() {
				prepare(set, codes.Embedded(), known.Table)
			}
		})
		b.Run("families/"+known.name, func(b *testing.B) {
			for b.Loop() {
				for _, f := range set.Files {
					compile(f, &sharedFields{known: known.Table})
				}
			}
		})
	}
}

// TestTextOf: the text of a regex matches what the regex does.
func TestTextOf(t *testing.T) {
	exprs := []string{`(?i)straße|ſK?`, `a.c(?s:.)`, `\bx\B`, `^a$`, `(?m)^a$`, `[^\w"\]^-]{0,2}x`, `(?P<code>\d{2,4})+?`, `(?:|b)c*`, `环[信不]?`, `[^\x00-\x{10FFFF}]?z`, `\.\*\[`}
	set, _ := rules.Embedded()
	var texts []string
	for _, f := range set.Files {
		for _, r := range f.Rules {
			exprs = append(exprs, r.Regex)
			texts = append(texts, strings.Split(r.Match+r.NoMatch, "\n")...)
		}
	}
	texts = append(texts, "STRASSE", "straSSE", "\u212a", "abc\n", "a\nc\n", "x-xx", "b\na", `"]x`, "1234", "bcc", "环信", "z", ".*[")
	for _, expr := range exprs {
		tree, err := syntax.Parse(expr, syntax.Perl)
		if err != nil {
			t.Fatal(err)
		}
		var b strings.Builder
		textOf(&b, tree.Simplify())
		want, got := regexp.MustCompile(expr), regexp.MustCompile(b.String())
		for _, text := range texts {
			if w, g := want.MatchString(text), got.MatchString(text); w != g {
				t.Errorf("%s in %q: %t; as %s: %t", expr, text, w, b.String(), g)
			}
		}
	}
}
