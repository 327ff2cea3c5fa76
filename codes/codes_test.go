package codes

import (
	"encoding/json"
	"os"
	"slices"
	"sync"
	"testing"
)

// shipped is what the shipped files say, read once for all tests.
var shipped = sync.OnceValues(func() (*Catalogue, []Problem) { return Load(os.DirFS(".")) })

// TestCatalogue holds every shipped file against the rules of codes/README.md.
func TestCatalogue(t *testing.T) {
	cat, problems := shipped()
	for _, p := range problems {
		t.Error(p)
	}
	if cat.Len() == 0 {
		t.Fatal("the catalogue is empty")
	}
	for _, e := range cat.All() {
		text, err := json.Marshal(e.ZH)
		if err != nil {
			t.Fatal(err)
		}
		if len(e.Links) == 0 {
			t.Errorf("%s: no link to the vendor's page or source that has the code", e.Key())
		}
		if at := folded().Find(text); at != nil {
			t.Errorf("%s: a space between Chinese characters: %q", e.Key(), at)
		}
	}
	data, err := cat.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	if string(data) != embedded || Fingerprint(data) != EmbeddedVersion() {
		t.Error("catalogue.tsv or catalogue.version is stale: run go generate ./codes")
	}
}

// TestEmbeddedFamilies holds the quick list of families against the real one.
func TestEmbeddedFamilies(t *testing.T) {
	var want []string
	for _, f := range Embedded().Families() {
		want = append(want, f.ID)
	}
	if got := EmbeddedFamilies(); !slices.Equal(got, want) || len(got) < 3 {
		t.Errorf("%v, want %v", got, want)
	}
}
