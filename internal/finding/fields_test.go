package finding

import (
	"encoding/json"
	"slices"
	"testing"
)

// TestFields: the order of names, whatever that of setting them; and the object that a
// map would be in JSON, which stores of earlier versions hold.
func TestFields(t *testing.T) {
	var f Fields
	for _, x := range []Field{{"user_id", "bob"}, {"app_key", `o#"a`}, {"trace_id", "t"}, {"user_id", "<eve>"}, {"trace_id", ""}, {"none", ""}} {
		f.Set(x.Name, x.Value)
	}
	if want := (Fields{{"app_key", `o#"a`}, {"user_id", "<eve>"}}); !slices.Equal(f, want) {
		t.Errorf("%q, want %q", f, want)
	}
	if f.Get("user_id") != "<eve>" || f.Get("trace_id") != "" || Fields(nil).Get("x") != "" {
		t.Errorf("got from %q", f)
	}
	b, err := json.Marshal(Finding{Fields: f})
	m, _ := json.Marshal(struct{ Fields map[string]string }{map[string]string{"app_key": `o#"a`, "user_id": "<eve>"}})
	if err != nil || string(b) != string(m) {
		t.Errorf("%s %v, want %s", b, err, m)
	}
	var back Finding
	if err := json.Unmarshal(m, &back); err != nil || !slices.Equal(back.Fields, f) {
		t.Errorf("%q %v", back.Fields, err)
	}
	if b, _ := json.Marshal(Finding{}); string(b) != "{}" {
		t.Errorf("%s", b)
	}
}
