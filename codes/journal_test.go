package codes

import "testing"

// TestMessageID: what stands in journals must not change, and no two codes share
// an id.
func TestMessageID(t *testing.T) {
	for key, want := range map[[2]string]string{
		{"easemob-web", "206"}:     "356842df12098ac88448dcfaa440f4c0",
		{"jmessage-web", "880103"}: "a0705037b8b381e783ecd663f13f7910",
	} {
		if got := MessageID(key[0], key[1]); got != want {
			t.Errorf("%s/%s has %s, want %s", key[0], key[1], got, want)
		}
	}
	seen := map[string]string{}
	for _, e := range Embedded().All() {
		id := MessageID(e.Family, e.Code)
		if was, ok := seen[id]; ok && was != e.Key() {
			t.Errorf("%s and %s share %s", was, e.Key(), id)
		}
		if len(id) != 32 || id[12] != '8' {
			t.Errorf("%s: %q is no UUID of version 8", e.Key(), id)
		}
		seen[id] = e.Key()
	}
}
