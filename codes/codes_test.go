package codes

import (
	"bytes"
	"os"
	"testing"
)

// TestCatalogue holds every shipped file against the rules of codes/README.md.
func TestCatalogue(t *testing.T) {
	cat, problems := Load(os.DirFS("."))
	for _, p := range problems {
		t.Error(p)
	}
	if cat.Len() == 0 {
		t.Fatal("the catalogue is empty")
	}
	data, err := cat.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(data, embedded) {
		t.Error("catalogue.tsv is stale: run go generate ./codes")
	}
}
