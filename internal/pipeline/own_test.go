package pipeline

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/imwatch/imwatch/codes"
	"github.com/imwatch/imwatch/internal/annotator"
	"github.com/imwatch/imwatch/internal/finding"
	"github.com/imwatch/imwatch/scanner"
)

func quoted(t *testing.T, s string) string {
	t.Helper()
	b, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// TestOwnEvent: what the annotator writes is known again, however a log has
// wrapped it; what only speaks of it is not taken for it.
func TestOwnEvent(t *testing.T) {
	for _, action := range []string{finding.Error, finding.Unknown, finding.Status, finding.Storm, finding.Lost} {
		for _, brief := range []bool{false, true} {
			ann := annotator.New(codes.Embedded(), annotator.Options{Language: "both", Brief: brief, Host: annotator.Host{Name: "web1", ID: "x"}})
			f := finding.Finding{ID: strings.Repeat("0123abcd", 4), Action: action, Family: "easemob-web", Code: "206", Count: 1, Time: time.Unix(1, 0), Created: time.Unix(2, 0),
				Original: `he said "x" {"type":206,"message":"the user is already logged on another device"}`, Labels: map[string]string{"a": "b"}}
			event := strings.TrimSpace(string(ann.Append(nil, &f)))
			for _, line := range []string{
				event,
				"Nov 20 08:00:01 web1 imwatch[7]: " + event,
				"<14>1 2026-11-20T08:00:00Z web1 imwatch 7 - - " + event,
				`{"log":` + quoted(t, event+"\n") + `,"stream":"stdout","time":"2026-11-20T08:00:00Z"}`,
				`{"log":` + quoted(t, `{"msg":`+quoted(t, event)+`}`) + `}`,
				event[:min(len(event), 1000)], // a syslog daemon has cut it
			} {
				if !ownEvent([]byte(line)) {
					t.Errorf("%s: not known again: %s", action, line)
				}
			}
		}
	}
	id := strings.Repeat("0123abcd", 4)
	for _, line := range []string{
		"",
		`event`,
		`"event`,
		`catalogue_version {"type":206,"message":"the user is already logged on another device"}`,
		`{"catalogue_version":"1","event":{"id":"7","kind":"event","action":"im.error"}}`,
		`{"event":{"id":"` + id + `","kind":"event","action":"login"},"im":{"catalogue_version":"1"}}`,
		`{"event":{"id":"` + id + `"}} im.error "action":"im.error"`,
		`event":{"id":"` + id + `","kind":"event","action":"im.error`,
		`{"event":{\"id\":\"` + id + `\",\"kind\":\"event\",\"action\":\"im.error\"`,
		`{"event":{"id":"` + strings.ToUpper(id) + `","kind":"event","action":"im.error"`,
	} {
		if ownEvent([]byte(line)) {
			t.Errorf("taken for our own: %s", line)
		}
	}
}

// TestWithoutOwn: beside an event of ours, what a user's line says still counts.
func TestWithoutOwn(t *testing.T) {
	own := `{"event":{"id":"` + strings.Repeat("0", 32) + `","kind":"event","action":"im.error"},"original":"type: 28"}` + "\n"
	for _, test := range []struct {
		raw  string
		keep int
	}{{own, 0}, {own + "type: 206\n", 1}, {"type: 206\n", 2}, {"im. type: 28\ntype: 206 catalogue_version\n", 2}} {
		b := scanner.Block{Matches: []scanner.Match{{Code: "28", Evidence: "type: 28"}, {Code: "206", Evidence: "type: 206"}}}
		if ok := withoutOwn(&b, []byte(test.raw)); ok != (test.keep > 0) || len(b.Matches) != test.keep {
			t.Errorf("%q keeps %d, %v; want %d", test.raw, len(b.Matches), ok, test.keep)
		}
	}
}
