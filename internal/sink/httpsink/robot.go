package httpsink

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/imwatch/imwatch/internal/sink"
)

// A robot is a chat group's: what it asks for beside a body.
type robot struct {
	pace   time.Duration                   // between messages, so that it does not shut us out
	signed func(*http.Request, *signature) // adds the signature to a request; nil: the body has it
	answer func(host string, body []byte) error
}

// robots by template. Slack tells everything by the HTTP status.
var robots = map[string]robot{
	// 20 messages a minute, then none for ten: open.dingtalk.com/document/robots/custom-robot-access
	"dingtalk": {pace: 3 * time.Second, signed: inQuery, answer: answerOf("errcode", "errmsg", []int{130101, 130103}, []int{310000, 300001, 300005}, []int{400014, 400105})},
	// 100 messages a minute, 5 a second: open.feishu.cn/document/client-docs/bot-v3/add-custom-bot
	"feishu": {pace: 600 * time.Millisecond, answer: answerOf("code", "msg", []int{11232, 11247}, []int{19001, 19021, 19022, 19024}, []int{9499, 19002})},
	// 20 messages a minute: developer.work.weixin.qq.com/document/path/91770
	"wecom": {pace: 3 * time.Second, answer: answerOf("errcode", "errmsg", []int{45009, 45033}, []int{93000, 40001}, []int{40008, 40058, 44004, 45002})},
	// One a second: api.slack.com/docs/rate-limits
	"slack": {pace: time.Second},
}

// answerOf reads an answer of HTTP 200 that may yet be a refusal.
func answerOf(code, text string, throttled, auth, rejected []int) func(string, []byte) error {
	return func(host string, body []byte) error {
		var a map[string]any
		if err := json.Unmarshal(body, &a); err != nil {
			return &sink.Failure{Class: sink.Answer, Err: fmt.Errorf("%s answers what is no JSON: %.200q", host, body)}
		}
		n, ok := a[code].(float64)
		if !ok {
			return &sink.Failure{Class: sink.Answer, Err: fmt.Errorf("%s answers without %s: %.200q", host, code, body)}
		}
		if n == 0 {
			return nil
		}
		err := fmt.Errorf("%s answers %s %.0f: %v", host, code, n, a[text])
		switch {
		case slices.Contains(throttled, int(n)):
			return &sink.Failure{Class: sink.Throttled, After: time.Minute, Err: err}
		case slices.Contains(auth, int(n)):
			return &sink.Failure{Class: sink.Auth, Err: err}
		case slices.Contains(rejected, int(n)):
			return fmt.Errorf("%w: %w", sink.ErrRejected, err)
		}
		return &sink.Failure{Class: sink.Other, Err: err}
	}
}

// A signature shows a robot that we know its secret.
type signature struct{ Timestamp, Sign string }

// sign makes one, as the scheme asks for it.
func sign(scheme, secret string, now time.Time) *signature {
	switch scheme {
	case "dingtalk":
		ts := strconv.FormatInt(now.UnixMilli(), 10)
		return &signature{ts, mac(secret, ts+"\n"+secret)}
	case "feishu":
		ts := strconv.FormatInt(now.Unix(), 10)
		return &signature{ts, mac(ts+"\n"+secret, "")}
	}
	return nil
}

func mac(key, data string) string {
	h := hmac.New(sha256.New, []byte(key))
	h.Write([]byte(data))
	return base64.StdEncoding.EncodeToString(h.Sum(nil))
}

func inQuery(r *http.Request, s *signature) {
	q := r.URL.Query()
	q.Set("timestamp", s.Timestamp)
	q.Set("sign", s.Sign)
	r.URL.RawQuery = q.Encode()
}
