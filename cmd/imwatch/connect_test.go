//go:build linux

package main

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
)

// TestConnect: each sink gets one event that says that it is a test; what came
// back is told, with what to do, and no secret is.
func TestConnect(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	var got []map[string]any
	good := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var e map[string]any
		if err := json.NewDecoder(r.Body).Decode(&e); err != nil {
			t.Error(err)
		}
		got = append(got, e)
	}))
	defer good.Close()
	strict := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.Error(w, "bad token in "+r.Header.Get("Authorization"), http.StatusForbidden)
	}))
	defer strict.Close()
	nobody, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	nobody.Close()
	put(t, filepath.Join(dir, "token"), "s3cr3t-token\n")
	put(t, filepath.Join(dir, "imwatch.yaml"), fmt.Sprintf(`version: 1
state_dir: %[1]s/state
sources: [{name: a, paths: [%[1]s/*.log]}]
sinks:
  - {type: stdout}
  - {type: file, path: %[1]s/out.ndjson}
  - {type: http, name: good, url: %[2]s, labels: {team: chat}}
  - {type: elasticsearch, url: %[3]s, auth: {scheme: bearer, file: %[1]s/token}}
  - {type: loki, url: "http://%[4]s/loki/api/v1/push"}
  - {type: journald, address: %[1]s/nobody}
`, dir, good.URL, strict.URL, nobody.Addr()))
	c := imwatch(t, dir, "check", "-c", "imwatch.yaml", "--connect")
	if code := c.end(0); code != exitFindings {
		t.Errorf("exit %d", code)
	}
	for _, want := range []string{"sink stdout: nothing to try", "out.ndjson): will be made", "sink good (" + good.URL + "): took the test event in "} {
		if !strings.Contains(c.out.String(), want) {
			t.Errorf("stdout lacks %q:\n%s", want, c.out.String())
		}
	}
	for _, want := range []string{"sink elasticsearch (" + strict.URL + "): ", "403 Forbidden: bad token in Bearer ***", "hint: is the secret in " + dir + "/token right", "connection refused", "hint: does it run there", "nobody: connect: no such file or directory", "hint: is who makes this socket running", "3 sinks of 6"} {
		if !strings.Contains(c.err.String(), want) {
			t.Errorf("stderr lacks %q:\n%s", want, c.err.String())
		}
	}
	if strings.Contains(c.out.String()+c.err.String(), "s3cr3t") {
		t.Error("the secret is told")
	}
	if len(got) != 1 {
		t.Fatalf("%d events", len(got))
	}
	e, _ := json.Marshal(got[0])
	for _, want := range []string{`"action":"im.test"`, `"team":"chat"`, "Nothing happened"} {
		if !strings.Contains(string(e), want) {
			t.Errorf("the test event lacks %s: %s", want, e)
		}
	}
}
