package linetime

import (
	"testing"
	"time"
)

var (
	shanghai = time.FixedZone("CST", 8*3600)
	read     = time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)
)

func TestParse(t *testing.T) {
	for _, c := range []struct{ line, want, basis string }{
		{"2026-11-20T10:11:12.345Z x", "2026-11-20T10:11:12.345Z", Line},                               // ISO 8601
		{"2026-11-20T10:11:12+08:00 x", "2026-11-20T02:11:12Z", Line},                                  // with a zone
		{"2026-11-20 10:11:12,345 ERROR x", "2026-11-20T02:11:12.345Z", NoZone},                        // log4j
		{"[2026-11-23T01:52:47.455] [ERROR] im", "2026-11-22T17:52:47.455Z", NoZone},                   // log4js
		{"[2021/09/27 17:03:18:053]: [EMClient]", "2021-09-27T09:03:18.053Z", NoZone},                  // native SDK
		{"D/ONE SDK (25463): [2021/11/04 11:13:49:412]: x", "2021-11-04T03:13:49.412Z", NoZone},        // behind a tag
		{"2017/3/1 9:59:52:649: x", "2017-03-01T01:59:52.649Z", NoZone},                                // uploaded SDK log
		{"2026/11/23 下午1:14:03: x", "2026-11-23T05:14:03Z", NoZone},                                    // a Chinese browser
		{"11/23/2026, 1:14:03 PM: x", "2026-11-23T05:14:03Z", NoZone},                                  // an American one
		{"11/23/2026, 12:14:03 AM: x", "2026-11-22T16:14:03Z", NoZone},                                 // midnight
		{"01:14:05:81 IM SDK [error]:  x", "2026-11-23T17:14:05.081Z", NoDate},                         // SDK's logger: 81 ms
		{"Agora-chat.js:2 01:15:12:525 IM SDK [error]:  x", "2026-11-23T17:15:12.525Z", NoDate},        // behind a bundle's name
		{"12:50:29.637 [Object] {}", "2026-11-24T04:50:29.637Z", NoDate},                               // HBuilderX
		{"21:30:00.000 x", "2026-11-23T13:30:00Z", NoDate},                                             // later than now + 1 h: yesterday
		{"20:59:00.000 x", "2026-11-24T12:59:00Z", NoDate},                                             // within the hour ahead
		{"2026/11/20 10:11:12 [error] 31#31: *1 x", "2026-11-20T02:11:12Z", NoZone},                    // nginx
		{`10.0.0.7 - - [20/Nov/2026:10:11:12 +0800] "GET /"`, "2026-11-20T02:11:12Z", Line},            // access log
		{"[Fri Nov 20 10:11:12.123456 2026] [core:error]", "2026-11-20T02:11:12.123Z", NoZone},         // Apache
		{"Nov 20 10:11:12 web-1 node[77]: x", "2026-11-20T02:11:12Z", NoDate},                          // syslog
		{"Dec 31 23:59:59 web-1 node[77]: x", "2025-12-31T15:59:59Z", NoDate},                          // last year's
		{"<134>1 2026-11-20T10:11:12.5+01:00 web app 7 - - x", "2026-11-20T09:11:12.5Z", Line},         // RFC 5424
		{"11-20 10:11:12.345  1234  1250 I chromium: x", "2026-11-20T02:11:12.345Z", NoDate},           // logcat
		{"I1120 10:11:12.345678 1 main.go:7] x", "2026-11-20T02:11:12.345Z", NoDate},                   // klog
		{"Fri Sep 25 2026 15:25:53 GMT+0300 (MSK) x", "2026-09-25T12:25:53Z", Line},                    // Date.toString
		{`{"level":50,"time":1795398767454,"msg":"x"}`, "2026-11-23T01:52:47.454Z", Line},              // pino
		{`{"ts":1795398767.25,"msg":"x"}`, "2026-11-23T01:52:47.25Z", Line},                            // zap
		{`{"level":"error","timestamp":"2026-11-23T01:52:45.206Z"}`, "2026-11-23T01:52:45.206Z", Line}, // winston
		{`{"t":{"$date":"2023-03-22T17:51:38.198-05:00"}}`, "2023-03-22T22:51:38.198Z", Line},          // MongoDB
		{"1795398767.454    138 192.0.2.2 TCP_MISS/200", "2026-11-23T01:52:47.454Z", Line},             // squid
		{"2027-11-20T10:11:12Z x", "2026-11-24T12:00:00Z", Clamped},                                    // the future
		{"2026-02-30T10:11:12Z x", "2026-11-24T12:00:00Z", Read},                                       // no such day
		{"2026-11-20T24:11:12Z x", "2026-11-24T12:00:00Z", Read},                                       // no such hour
		{"{ type: 16 }", "2026-11-24T12:00:00Z", Read},                                                 // none
		{"", "2026-11-24T12:00:00Z", Read},                                                             // nothing
		{"2024-02-29T23:59:60Z x", "2024-02-29T23:59:59Z", Line},                                       // leap day, leap second
		{"connected to 10:11:12", "2026-11-24T02:11:12Z", NoDate},                                      // any time of day near the start
		{"sent 1795398767454000 bytes", "2026-11-24T12:00:00Z", Read},                                  // a count is no epoch
		{"2026-11-20T10:11:12.345678901+0800 x", "2026-11-20T02:11:12.345Z", Line},                     // nanoseconds
	} {
		got := Parse(c.line, read, shanghai)
		if s := got.Time.UTC().Format("2006-01-02T15:04:05.999Z"); s != c.want || got.Basis != c.basis {
			t.Errorf("%q: %s %s, want %s %s", c.line, s, got.Basis, c.want, c.basis)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add("01:14:05:81 IM SDK [error]:  x")
	f.Add(`{"time":1795398767454}`)
	f.Add("Feb 29 10:11:12 x")
	f.Fuzz(func(t *testing.T, line string) {
		got := Parse(line, read, shanghai)
		if got.Time.After(read.Add(time.Hour)) {
			t.Errorf("%q gives %s, more than an hour after it was read", line, got.Time)
		}
		switch got.Basis {
		case Line, NoZone, NoDate, Read, Clamped:
		default:
			t.Errorf("%q has basis %q", line, got.Basis)
		}
	})
}

// FuzzNumbered holds the choice of a form against trying all of them.
func FuzzNumbered(f *testing.F) {
	for _, s := range []string{"2026-11-20T10:11:12.345Z", "20/Nov/2026:10:11:12 +0800", "2-Nov-2026 10:11:12", "11/23/2026, 1:14:03 AM", "11-20 10:11:12.345", "1120 10:11:12", "1:14:05:81", "2 Nov 2026 1:02:03"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if s == "" || !isDigit(s[0]) {
			return
		}
		var want clock
		var found bool
		for _, form := range []func(string, int) (clock, bool){yearFirst, accessLog, monthFirst, klogOrLogcat, timeOnly} {
			if want, found = form(s, 0); found {
				break
			}
		}
		if got, ok := numbered(s, 0); ok != found || ok && got != want {
			t.Errorf("%q is %+v %v, want %+v %v", s, got, ok, want, found)
		}
	})
}

func BenchmarkParse(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		Parse("2026-11-20 10:11:12,345 ERROR [main] x", read, shanghai)
	}
}
