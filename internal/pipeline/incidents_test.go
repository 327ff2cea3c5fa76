package pipeline

import (
	"os"
	"strings"
	"testing"

	"github.com/imwatch/imwatch/internal/finding"
)

// TestIncidents scans the lines of each incident: the code that its reader must
// look up is found, as an event or as the cause inside one, and nothing of
// another family.
func TestIncidents(t *testing.T) {
	const dir = "../../testdata/incidents/"
	table, err := os.ReadFile(dir + "incidents.tsv")
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for line := range strings.Lines(string(table)) {
		if strings.HasPrefix(line, "#") {
			continue
		}
		col := strings.Split(strings.TrimSpace(line), "\t")
		if len(col) != 4 {
			t.Fatalf("%d columns, want 4: %s", len(col), line)
		}
		n++
		list, _ := scanAll(t, options(t), dir+col[0]+".txt")
		found := false
		for i := range list {
			found = found || about(&list[i], col[1])
			if family, _, _ := strings.Cut(col[1], "/"); list[i].Family != family {
				t.Errorf("%s: an event of %s/%s: %s", col[0], list[i].Family, list[i].Code, list[i].Original)
			}
		}
		if !found {
			t.Errorf("%s: no event names %s", col[0], col[1])
		}
	}
	if n < 20 {
		t.Errorf("%d incidents, want at least 20", n)
	}
}

func about(f *finding.Finding, key string) bool {
	return f.Family+"/"+f.Code == key || f.Inner != nil && f.Inner.Family+"/"+f.Inner.Code == key
}
