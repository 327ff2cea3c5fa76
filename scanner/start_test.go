package scanner

import (
	"reflect"
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
					compile(f, known.Table)
				}
			}
		})
	}
}
