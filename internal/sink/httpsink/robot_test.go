package httpsink_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/imwatch/imwatch/internal/sink"
	"github.com/imwatch/imwatch/internal/sink/httpclient"
	"github.com/imwatch/imwatch/internal/sink/httpsink"
	"github.com/imwatch/imwatch/internal/sink/secure"
	"github.com/imwatch/imwatch/internal/sink/sinktest"
)

// post sends one event through a template and returns the request and what the
// sink says to the answer.
func post(t *testing.T, template, scheme, status, answer string, e sink.Event) (*http.Request, map[string]any, error) {
	t.Helper()
	var got *http.Request
	var body map[string]any
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b, err := io.ReadAll(r.Body)
		if err == nil {
			err = json.Unmarshal(b, &body)
		}
		if err != nil {
			t.Errorf("the body %s: %v", b, err)
		}
		got = r
		if status != "" {
			w.WriteHeader(http.StatusTooManyRequests)
		}
		io.WriteString(w, answer)
	}))
	defer s.Close()
	o := httpsink.Options{Template: template, HTTP: httpclient.Options{URLSecret: &secure.Secret{File: sinktest.File(t, "url", []byte(s.URL+"/robot/send?access_token=abc\n"))}}}
	if scheme != "" {
		o.HTTP.Auth = httpclient.Auth{Scheme: scheme, Secret: &secure.Secret{File: sinktest.File(t, "secret", []byte("SEC123\n"))}}
	}
	x, err := httpsink.New(o)
	if err != nil {
		t.Fatal(err)
	}
	defer x.Close()
	err = x.Send(t.Context(), []sink.Event{e})
	return got, body, err
}

func mac(key, data string) string {
	h := hmac.New(sha256.New, []byte(key))
	h.Write([]byte(data))
	return base64.StdEncoding.EncodeToString(h.Sum(nil))
}

// TestRobots: the messages have the form that the platforms ask for, and the
// signature that they check.
func TestRobots(t *testing.T) {
	e := sinktest.Events(1)[0]
	t.Run("dingtalk", func(t *testing.T) {
		r, body, err := post(t, "dingtalk", "dingtalk", "", `{"errcode":0,"errmsg":"ok"}`, e)
		if err != nil {
			t.Fatal(err)
		}
		q := r.URL.Query()
		if q.Get("access_token") != "abc" || q.Get("sign") != mac("SEC123", q.Get("timestamp")+"\nSEC123") {
			t.Errorf("the query is %v", q)
		}
		if text := body["text"].(map[string]any)["content"].(string); body["msgtype"] != "text" || !strings.Contains(text, "easemob-web/206") || !strings.Contains(text, "web.log") || !strings.Contains(text, "→ ") {
			t.Errorf("the body is %v", body)
		}
	})
	t.Run("feishu", func(t *testing.T) {
		_, body, err := post(t, "feishu", "feishu", "", `{"code":0,"msg":"success"}`, e)
		if err != nil {
			t.Fatal(err)
		}
		ts := body["timestamp"].(string)
		if body["sign"] != mac(ts+"\nSEC123", "") || body["msg_type"] != "text" || !strings.Contains(body["content"].(map[string]any)["text"].(string), "easemob-web/206") {
			t.Errorf("the body is %v", body)
		}
		if _, body, err = post(t, "feishu", "", "", `{"code":0,"msg":"success"}`, e); err != nil || body["sign"] != nil {
			t.Errorf("without a secret: %v, %v", body, err)
		}
	})
	t.Run("wecom", func(t *testing.T) {
		_, body, err := post(t, "wecom", "", "", `{"errcode":0,"errmsg":"ok"}`, sinktest.Largest())
		if err != nil {
			t.Fatal(err)
		}
		if text := body["text"].(map[string]any)["content"].(string); len(text) > 2048 || !strings.Contains(text, "easemob-web/206") {
			t.Errorf("%d bytes: %s", len(text), text)
		}
	})
	t.Run("slack", func(t *testing.T) {
		_, body, err := post(t, "slack", "", "", "ok", e)
		if err != nil || !strings.Contains(body["text"].(string), "easemob-web/206") {
			t.Errorf("%v, %v", body, err)
		}
	})
}

// TestRobotsCallNobody: a user's id can hold what a platform reads as a call to
// everybody, or as a link.
func TestRobotsCallNobody(t *testing.T) {
	e := sinktest.Events(1)[0]
	e.Finding.Fields.Set("user_id", `<!channel> <at user_id="all">x</at> <@all> @all`)
	for template, ok := range map[string]string{"slack": "ok", "dingtalk": `{"errcode":0}`, "feishu": `{"code":0}`, "wecom": `{"errcode":0}`} {
		_, body, err := post(t, template, "", "", ok, e)
		if err != nil {
			t.Fatal(err)
		}
		text, _ := body["text"].(string)
		for _, key := range []string{"text", "content"} {
			if m, ok := body[key].(map[string]any); ok {
				for _, v := range m {
					text = v.(string)
				}
			}
		}
		if !strings.Contains(text, "channel") || strings.ContainsAny(text, "<>") || template != "slack" && strings.Contains(text, "@") {
			t.Errorf("%s: %s", template, text)
		}
	}
}

// TestRobotsAnswers: HTTP 200 is not yet success.
func TestRobotsAnswers(t *testing.T) {
	for _, test := range []struct {
		template, status, answer, class string
	}{
		{"dingtalk", "", `{"errcode":130101,"errmsg":"send too fast"}`, sink.Throttled},
		{"dingtalk", "", `{"errcode":310000,"errmsg":"sign not match"}`, sink.Auth},
		{"dingtalk", "", `{"errcode":-1,"errmsg":"system busy"}`, sink.Other},
		{"dingtalk", "", `<html>login</html>`, sink.Answer},
		{"feishu", "", `{"code":19021,"msg":"sign match fail"}`, sink.Auth},
		{"feishu", "", `{"code":11232,"msg":"frequency limited"}`, sink.Throttled},
		{"feishu", "", `{"code":9499,"msg":"Bad Request"}`, sink.Refused},
		{"wecom", "", `{"errcode":45009,"errmsg":"api freq out of limit"}`, sink.Throttled},
		{"wecom", "", `{"errcode":93000,"errmsg":"invalid webhook url"}`, sink.Auth},
		{"wecom", "", `{"errmsg":"?"}`, sink.Answer},
		{"slack", "429", `rate_limited`, sink.Throttled},
	} {
		_, _, err := post(t, test.template, "", test.status, test.answer, sinktest.Events(1)[0])
		if err == nil || sink.Class(err) != test.class {
			t.Errorf("%s %s: %v is of class %s, want %s", test.template, test.answer, err, sink.Class(err), test.class)
		}
		if err != nil && (strings.Contains(err.Error(), "abc") || strings.Contains(err.Error(), "access_token")) {
			t.Errorf("%s: the error tells the address: %v", test.template, err)
		}
	}
}

// TestOwnTemplate: a text/template sees every field.
func TestOwnTemplate(t *testing.T) {
	_, body, err := post(t, `{"summary":{{json .Message}},"severity":{{json .Level}},"dedup":{{json .ID}},"code":{{json (field . "event.code")}},"hints":{{json (field . "im.hints")}},"all":{{.JSON}}}`, "", "", "", sinktest.Events(1)[0])
	if err != nil {
		t.Fatal(err)
	}
	if body["code"] != "easemob-web/206" || body["severity"] != "warn" && body["severity"] != "error" && body["severity"] != "info" || body["dedup"] != "00000000000000000000000000000001" || body["hints"] == "" || body["all"].(map[string]any)["@timestamp"] == nil {
		t.Errorf("the body is %v", body)
	}
	for _, bad := range []string{"pagerduty", "{{.Nothing}}", "{{field .}}", "{{if}}"} {
		if err := httpsink.CheckTemplate(bad); err == nil {
			t.Errorf("%q is taken for a template", bad)
		}
	}
}

// TestPoison: an event that the template or the other side refuses is told by
// its number, so that the others are not sent twice.
func TestPoison(t *testing.T) {
	s := &server{Book: sinktest.Book{Poison: sinktest.Poison}, single: true}
	h := httptest.NewServer(s)
	defer h.Close()
	x, err := httpsink.New(httpsink.Options{Single: true, HTTP: httpclient.Options{URL: h.URL}})
	if err != nil {
		t.Fatal(err)
	}
	var p *sink.Partial
	if err := x.Send(t.Context(), sinktest.Events(3)); !errors.As(err, &p) || len(p.Rejected) != 1 || p.Rejected[1] == "" || len(p.Again) != 0 {
		t.Errorf("%v", err)
	}
	if len(s.Taken()) != 2 {
		t.Errorf("taken: %v", s.Taken())
	}
}

// TestSecrets: a secret is read again when its file changes, goes where it
// should and nowhere else, and is in no error.
func TestSecrets(t *testing.T) {
	var seen []string
	other := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { t.Error("the other host was asked") }))
	defer other.Close()
	redirect := false
	h := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		seen = append(seen, r.Header.Get("Authorization"))
		if redirect {
			http.Redirect(w, r, other.URL, http.StatusPermanentRedirect)
			return
		}
		http.Error(w, "no: "+r.Header.Get("Authorization"), http.StatusForbidden)
	}))
	defer h.Close()
	file := sinktest.File(t, "token", []byte("first-secret\n"))
	x, err := httpsink.New(httpsink.Options{HTTP: httpclient.Options{URL: h.URL, Auth: httpclient.Auth{Scheme: "bearer", Secret: &secure.Secret{File: file}}}})
	if err != nil {
		t.Fatal(err)
	}
	send := func() {
		t.Helper()
		err := x.Send(t.Context(), sinktest.Events(1))
		if err == nil || strings.Contains(err.Error(), "secret") {
			t.Errorf("error %v", err)
		}
	}
	send()
	if err := os.WriteFile(file, []byte("second-secret!"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chtimes(file, time.Now(), time.Now().Add(time.Second)); err != nil {
		t.Fatal(err)
	}
	send()
	redirect = true
	send()
	if want := "Bearer first-secret Bearer second-secret! Bearer second-secret!"; strings.Join(seen, " ") != want {
		t.Errorf("sent %v, want %s", seen, want)
	}
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	if err := x.Send(t.Context(), sinktest.Events(1)); sink.Class(err) != sink.Auth || !strings.Contains(err.Error(), file) {
		t.Errorf("without the file: %v", err)
	}
}
