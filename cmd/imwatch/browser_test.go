//go:build linux

package main

import (
	"context"
	"encoding/json"
	"fmt"
	"html"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// tab is a tab of a real browser, which collects what goes wrong in it.
type tab struct {
	t     *testing.T
	ctx   context.Context
	mu    sync.Mutex
	wrong []string // exceptions, and what the content security policy stopped
}

// openBrowser starts a headless Chromium that lives as long as the test.
func openBrowser(t *testing.T) *tab {
	t.Helper()
	path := ""
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if p, err := exec.LookPath(name); err == nil {
			path = p
			break
		}
	}
	if path == "" {
		if os.Getenv("IMWATCH_REAL") != "" {
			t.Fatal("chromium is missing: apt-get install chromium")
		}
		t.Skip("no chromium here")
	}
	o := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(path), chromedp.NoSandbox, chromedp.DisableGPU, chromedp.Env("TZ=UTC", "LANG=C.UTF-8"),
		chromedp.Flag("disable-dev-shm-usage", true), chromedp.WSURLReadTimeout(time.Minute))
	ctx, cancel := chromedp.NewExecAllocator(t.Context(), o...)
	t.Cleanup(cancel)
	ctx, cancel = context.WithTimeout(ctx, 3*time.Minute)
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewContext(ctx)
	t.Cleanup(cancel)
	b := &tab{t: t, ctx: ctx}
	b.do() // opens the tab
	if err := chromedp.Listen(ctx, b.listen); err != nil {
		t.Fatal(err)
	}
	call(b, log.Enable, cdp.Empty{})
	call(b, page.AddScriptToEvaluateOnNewDocument, page.AddScriptToEvaluateOnNewDocumentParams{
		Source: `addEventListener('securitypolicyviolation', (e) => { (window.violations ||= []).push(e.violatedDirective + ' ' + e.blockedURI + ' ' + e.sample) })`})
	t.Cleanup(b.clean)
	return b
}

func (b *tab) listen(ev any) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch ev := ev.(type) {
	case *runtime.EventExceptionThrown:
		what := ev.ExceptionDetails.Text
		if x := ev.ExceptionDetails.Exception; x != nil {
			what += " " + x.Description
		}
		b.wrong = append(b.wrong, "exception: "+what)
	case *log.EventEntryAdded:
		if ev.Entry.Source == log.EntrySourceSecurity {
			b.wrong = append(b.wrong, "security: "+ev.Entry.Text)
		}
	case *page.EventJavascriptDialogOpening:
		b.wrong = append(b.wrong, "a dialog: "+ev.Message)
	}
}

// call sends a command of the protocol.
func call[P, R any](b *tab, c cdp.Command[P, R], p P) {
	b.t.Helper()
	if _, err := chromedp.Call(b.ctx, c, p); err != nil {
		b.t.Fatalf("%s: %v", c.Method, err)
	}
}

// clean: nothing was thrown and nothing had to be stopped.
func (b *tab) clean() {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, w := range b.wrong {
		b.t.Errorf("in the browser: %s", w)
	}
	b.wrong = nil
}

func (b *tab) do(steps ...chromedp.Action[chromedp.Void]) {
	b.t.Helper()
	if err := chromedp.Do(b.ctx, steps...); err != nil {
		b.t.Fatalf("%v\nthe page: %.1500s", err, b.text())
	}
}

func (b *tab) text() string {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(b.ctx), 2*time.Second)
	defer cancel()
	s, err := chromedp.Run(ctx, chromedp.Evaluate[string](`document.body ? document.body.innerText : ''`))
	if err != nil {
		return err.Error()
	}
	return s
}

// open goes to an address, afresh, and waits for something on it.
func (b *tab) open(url, css string) {
	b.t.Helper()
	b.do(chromedp.Navigate("about:blank"), chromedp.Navigate(url))
	b.visible(css)
}

func (b *tab) visible(css string) {
	b.t.Helper()
	b.until(fmt.Sprintf(`document.querySelector(%q)?.checkVisibility() === true`, css))
}

func (b *tab) click(css string) {
	b.t.Helper()
	b.do(chromedp.Click(chromedp.CSS(css)))
}

func (b *tab) keys(text string) {
	b.t.Helper()
	typed := chromedp.KeyEvent(text)
	b.do(typed)
}

// until waits for an expression to become true, in the page itself.
func (b *tab) until(js string) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, 30*time.Second)
	defer cancel()
	wait := fmt.Sprintf(`new Promise((ok) => { const look = () => { let is; try { is = %s } catch {} if (is) ok(true); else setTimeout(look, 10) }; look() })`, js)
	if _, err := chromedp.Run(ctx, chromedp.Evaluate[bool](wait, chromedp.EvalAwaitPromise)); err != nil {
		b.t.Fatalf("%s: %v\nthe page: %.1500s", js, err, b.text())
	}
}

// shows waits for a text on the page.
func (b *tab) shows(text string) {
	b.t.Helper()
	q, err := json.Marshal(text)
	if err != nil {
		b.t.Fatal(err)
	}
	b.until(fmt.Sprintf(`document.body.innerText.includes(%s)`, q))
}

func (b *tab) eval(js string) any {
	b.t.Helper()
	v, err := chromedp.Run(b.ctx, chromedp.Evaluate[any](js))
	if err != nil {
		b.t.Fatalf("%s: %v", js, err)
	}
	return v
}

// look sets how the page is looked at.
func (b *tab) look(width int, dark bool, language string) {
	b.t.Helper()
	scheme := "light"
	if dark {
		scheme = "dark"
	}
	b.do(chromedp.EmulateViewport(int64(width), 900))
	call(b, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}}})
	call(b, emulation.SetUserAgentOverride, emulation.SetUserAgentOverrideParams{UserAgent: "Mozilla/5.0 (X11; Linux x86_64) Chrome/120", AcceptLanguage: language})
}

// shot keeps a picture of the whole page as test output (go test -artifacts).
func (b *tab) shot(name string) {
	b.t.Helper()
	png, err := chromedp.Run(b.ctx, chromedp.FullScreenshot(100))
	if err == nil {
		err = os.WriteFile(filepath.Join(b.t.ArtifactDir(), name+".png"), png, 0o644)
	}
	if err != nil {
		b.t.Fatal(err)
	}
}

// fits: nothing is wider than the window.
func (b *tab) fits(where string) {
	b.t.Helper()
	if wide := b.eval(`document.documentElement.scrollWidth - innerWidth`); wide.(float64) > 0 {
		b.t.Errorf("%s is %v pixels wider than the window", where, wide)
	}
}

// someLogs writes what an afternoon of a chat service may look like.
func someLogs(t *testing.T, dir string, now time.Time) {
	t.Helper()
	var web, jim strings.Builder
	at := func(minutes float64) string {
		return now.Add(-time.Duration(minutes * float64(time.Minute))).UTC().Format("2006-01-02 15:04:05.000")
	}
	for i := range 55 {
		m := float64(55 - i)
		fmt.Fprintf(&web, "%s INFO  chat.Bridge - sent 12 messages in 40 ms\n", at(m))
		if i%4 == 0 {
			fmt.Fprintf(&web, "%s ERROR chat.Bridge - client report user=user%02d ip=203.0.113.7 {\"type\":206,\"message\":\"the user is already logged on another device\"}\n", at(m), i%7)
		}
		if i > 20 && i < 34 {
			for k := range 1 + i%5 {
				fmt.Fprintf(&web, "%s ERROR chat.Bridge - login failed user=amy%02d {\"type\":28,\"message\":\"token not assign error\"}\n", at(m-float64(k)/8), i+k)
			}
		}
		if i%9 == 3 {
			fmt.Fprintf(&web, "%s WARN  chat.Bridge - user=user%02d e { type: 16, message: 'websocket has been disconnected' }\n", at(m), i%5)
		}
		if i%11 == 5 {
			fmt.Fprintf(&jim, "%s ERROR jim.Client - error:{\"code\":880103,\"message\":\"user not exist\",\"username\":\"dave\"} user=dave\n", at(m))
		}
		if i%13 == 7 {
			fmt.Fprintf(&web, "%s WARN  chat.Bridge - recall refused: WebIM.statusCode.MESSAGE_RECALL_TIME_LIMIT user=carol\n", at(m))
		}
		if i%17 == 2 {
			fmt.Fprintf(&jim, "%s ERROR jim.Client - 极光登录失败：880104（密码错误） user=erin\n", at(m))
		}
	}
	put(t, filepath.Join(dir, "chat.log"), web.String())
	put(t, filepath.Join(dir, "jim.log"), jim.String())
}

var urlOf = regexp.MustCompile(`"url":"(http://127\.0\.0\.1:\d+/)"`)

// served starts an imwatch over a directory of logs and returns its address and
// token.
func served(t *testing.T, dir, more string) (c *child, url, token string) {
	t.Helper()
	put(t, filepath.Join(dir, "imwatch.yaml"), fmt.Sprintf("version: 1\nstate_dir: %[1]s/state\nlisten: 127.0.0.1:0\nsources:\n  - {name: chat, service: chat, paths: [%[1]s/logs]}\n%[2]s", dir, more))
	c = imwatch(t, dir, "run", "-c", "imwatch.yaml")
	c.until(&c.err, `"message":"ready"`)
	m := urlOf.FindStringSubmatch(c.err.String())
	if m == nil {
		t.Fatalf("no address: %s", c.err.String())
	}
	b, err := os.ReadFile(filepath.Join(dir, "state", "token"))
	if err != nil {
		t.Fatal(err)
	}
	return c, m[1], strings.TrimSpace(string(b))
}

// TestBrowser goes through the status page as a person does.
func TestBrowser(t *testing.T) {
	b := openBrowser(t)
	dir := t.TempDir()
	someLogs(t, filepath.Join(dir, "logs"), time.Now())
	c, url, token := served(t, dir, "sinks: [{type: file, path: "+dir+"/events.ndjson}]\n")

	// Without the token the page asks for it, and takes it.
	b.look(1280, false, "en-GB")
	b.open(url, "main")
	b.shows("This page needs its token")
	b.shot("token")
	b.click("input[name=token]")
	b.keys(token + kb.Enter)
	b.shows("in the last hour")
	b.shows("Signed in on another device")
	b.until(`document.querySelector('.uplot canvas') !== null`)
	b.shot("now-1280-light")
	b.fits("now at 1280")

	// With it in the address, the address is clean afterwards.
	b.open(url+"?token="+token, ".codes")
	if at := b.eval(`location.href`); strings.Contains(at.(string), "token") {
		t.Errorf("the token stays in the address: %s", at)
	}

	// Filter, then a code of it, then its events.
	b.open(url+"#/events", ".event")
	b.shot("events-1280-light")
	b.click("input[name=code]")
	b.keys("880103")
	b.until(`document.querySelectorAll('.event').length > 0 && [...document.querySelectorAll('.event')].every((e) => e.innerText.includes('880103'))`)
	if at := b.eval(`location.hash`); at != "#/events?code=880103" {
		t.Errorf("the filter is not in the address: %v", at)
	}
	b.click(".event a.row")
	b.visible(".log .hit")
	b.shows("What to do")
	b.shot("event-1280-light")
	b.click(".crumb a.code")
	b.visible(".code-page")
	b.shows("Likely causes")
	b.shot("code-1280-light")
	b.open(url+"#/user/dave", ".timeline .event")
	b.shows("What happened to dave")
	b.shot("user-1280-light")
	b.open(url+"#/files", "table")
	b.shows("chat.log")
	b.shot("files-1280-light")

	// What is written is seen, without touching anything.
	b.open(url+"#/events", ".event")
	b.visible(".live")
	var took []time.Duration
	for i := range 5 {
		name := fmt.Sprintf("latecomer%d", i)
		began := time.Now()
		put(t, filepath.Join(dir, "logs", "chat.log"), fmt.Sprintf("%s ERROR chat.Bridge - user=%s %s\n", time.Now().UTC().Format("2006-01-02 15:04:05.000"), name, kicked))
		b.shows(name)
		took = append(took, time.Since(began))
	}
	t.Logf("from the line's writing to its event on the page: %v", took)

	b.keyboard(url)

	// Every view at 360 px and in the dark, in both languages, and by itself.
	for _, v := range []struct{ name, hash, sign string }{{"now", "", ".codes"}, {"events", "#/events", ".event"}, {"code", "#/code/easemob-web/206", ".code-page"}, {"user", "#/user/dave", ".timeline"}, {"files", "#/files", "table"}} {
		for _, l := range []struct {
			name, tongue string
			width        int
			dark         bool
		}{{"360-light", "en-GB", 360, false}, {"360-dark-zh", "zh-CN", 360, true}, {"1280-dark", "en-GB", 1280, true}, {"1280-light-zh", "zh-CN", 1280, false}} {
			b.look(l.width, l.dark, l.tongue)
			b.open(url+v.hash, v.sign)
			b.fits(v.name + " at " + l.name)
			b.until(`document.documentElement.lang === ` + map[string]string{"en-GB": "'en'", "zh-CN": "'zh-CN'"}[l.tongue])
			b.shot(v.name + "-" + l.name)
		}
	}
	b.look(1280, false, "en-GB")

	// The daemon goes away, and comes back.
	b.open(url+"#/events", ".event")
	c.end(9)
	b.shows("imwatch does not answer")
	b.shot("gone")
}

// keyboard reaches a code's page, and a filter, with keys alone.
func (b *tab) keyboard(url string) {
	b.t.Helper()
	focused := func() string {
		return b.eval(`(document.activeElement.getAttribute('href') || document.activeElement.name || document.activeElement.className || document.activeElement.tagName).toString()`).(string)
	}
	tabTo := func(want string) {
		b.t.Helper()
		for range 120 {
			b.keys(kb.Tab)
			if at := focused(); at == want || strings.HasSuffix(want, "/") && strings.HasPrefix(at, want) {
				if ring := b.eval(`getComputedStyle(document.activeElement).outlineStyle`); ring == "none" {
					b.t.Errorf("%s has the focus and does not show it", want)
				}
				return
			}
		}
		b.t.Fatalf("Tab never reaches %s", want)
	}
	b.open(url, ".codes")
	tabTo("skip")
	tabTo("#/code/")
	b.keys(kb.Enter)
	b.visible(".code-page")
	tabTo("#/events")
	b.keys(kb.Enter)
	b.visible(".filter")
	tabTo("user")
	b.keys("dave")
	b.until(`document.querySelectorAll('.event').length > 0 && [...document.querySelectorAll('.event')].every((e) => e.innerText.includes('dave'))`)
	tabTo("#/event/")
	b.keys(kb.ArrowDown)
	if at := focused(); !strings.HasPrefix(at, "#/event/") {
		b.t.Errorf("after the arrow the focus is on %s", at)
	}
	b.keys(kb.Enter)
	b.visible(".log")
	b.keys("/")
	if at := focused(); at != "find" {
		b.t.Errorf("after / the focus is on %s", at)
	}
	b.keys("another device")
	b.until(`document.querySelector('.results:not([hidden]) a') !== null`)
	b.keys(kb.ArrowDown)
	b.keys(kb.Enter)
	b.visible(".code-page")
}

// TestBrowserEmpty: nothing found, and what to do then.
func TestBrowserEmpty(t *testing.T) {
	b := openBrowser(t)
	dir := t.TempDir()
	put(t, filepath.Join(dir, "logs", "quiet.log"), "all is well\n")
	_, url, token := served(t, dir, "")
	for _, l := range []struct {
		name, tongue, sign string
		width              int
		dark               bool
	}{{"1280-light", "en-GB", "No error code yet", 1280, false}, {"360-dark-zh", "zh-CN", "还没有错误码", 360, true}} {
		b.look(l.width, l.dark, l.tongue)
		b.open(url+"?token="+token, "main")
		b.shows(l.sign)
		b.fits("an empty page")
		b.shot("empty-" + l.name)
	}
	b.look(1280, false, "en-GB")
	for hash, sign := range map[string]string{"#/events": "No event matches", "#/user/nobody": "No event about nobody", "#/code/easemob-web/99999": "The catalogue does not have", "#/event/12/abcdef": "No such event", "#/nowhere": "There is no such page"} {
		b.open(url+hash, "main")
		b.shows(sign)
	}
	// What is old is not hidden behind an empty hour.
	put(t, filepath.Join(dir, "logs", "old.log"), "2025-01-02 03:04:05 ERROR user=bob "+kicked+"\n")
	b.open(url+"#/events", "main")
	b.shows("2025-01-02")
	b.open(url, "main")
	b.shows("in all that is kept")
	b.open(url+"#/?range=1h", "main")
	b.shows("Nothing in the last hour")
	b.shot("nothing-in-range")
}

// hostileLines are lines that would like to run, to break out, or to fill the page.
var hostileLines = []string{
	`user=<script>alert(1)</script> <script>alert(document.cookie)</script> ` + kicked,
	`user="><img src=x onerror=alert(2)> ` + kicked,
	`user=javascript:alert(3) ` + kicked + ` <a href="javascript:alert(4)">here</a>`,
	"user=bidi \u202egnirts a\u202c \u2066x\u2069 " + kicked,
	"user=ansi \x1b[31mred\x1b[0m \x1b]0;title\x07 " + kicked,
	`user=style {"type":206,"message":"</style><style>*{display:none}</style>"}`,
	`user=json {"type":206,"message":"\u003c/script\u003e\u003cscript\u003ealert(5)\u003c/script\u003e"}`,
	`user=` + strings.Repeat("w", 300) + ` ` + kicked,
	`user=huge ` + strings.Repeat("0123456789abcdef", 8192) + ` ` + kicked,
	"user=zalgo " + strings.Repeat("Z̸̧̢̛", 200) + " " + kicked,
	`user=${alert(6)}{{constructor.constructor('alert(7)')()}} ` + kicked,
	`user=%3Cscript%3Ealert(8)%3C/script%3E ` + kicked,
}

// TestBrowserHostile: nothing of a log runs in the page, is fetched, or breaks
// its layout.
func TestBrowserHostile(t *testing.T) {
	b := openBrowser(t)
	dir := t.TempDir()
	put(t, filepath.Join(dir, "logs", `<img src=x onerror=alert(9)>.log`), strings.Join(hostileLines, "\n")+"\n")
	_, url, token := served(t, dir, "storm: {window: 0s}\n")
	harmless := func(where string) {
		t.Helper()
		b.fits(where)
		for what, js := range map[string]string{"a script": `[...document.scripts].filter((s) => !s.src.startsWith(location.origin)).length`, "an image": `document.images.length`, "a style": `[...document.querySelectorAll('style')].length`,
			"a handler": `[...document.querySelectorAll('*')].filter((e) => [...e.attributes].some((a) => a.name.startsWith('on') || /^\s*javascript:/i.test(a.value))).length`, "a violation": `(window.violations || []).length`, "a frame": `frames.length`} {
			if n := b.eval(js); n.(float64) != 0 {
				t.Errorf("%s: %v times %s: %v", where, n, what, b.eval(`(window.violations || []).join('; ')`))
			}
		}
		if text := b.text(); strings.ContainsAny(text, "\x1b\u202e\u2066") {
			t.Errorf("%s: a control character reaches the page", where)
		}
	}
	for _, width := range []int{1280, 360} {
		b.look(width, false, "en-GB")
		b.open(url+"?token="+token+"#/events", ".event")
		b.until(fmt.Sprintf(`document.querySelectorAll('.event').length === %d`, len(hostileLines)))
		harmless("the list")
		b.shot(fmt.Sprintf("hostile-events-%d", width))
		links := b.eval(`[...document.querySelectorAll('.event a')].map((a) => a.getAttribute('href'))`).([]any)
		if len(links) < len(hostileLines) {
			t.Errorf("%d links", len(links))
		}
		for i, l := range links {
			b.open(url+l.(string), "main")
			b.until(`document.querySelector('.event, .log, .empty') !== null`)
			harmless(l.(string))
			if i == 2 {
				b.shot(fmt.Sprintf("hostile-event-%d", width))
			}
		}
		b.open(url+"#/files", "table")
		harmless("files")
		b.open(url, ".codes")
		harmless("now")
	}
	// Whatever is behind the policy, it is there: no handler can even be made.
	b.open(url, ".codes")
	stopped := b.eval(`(() => { try { document.body.setAttribute('onclick', 'window.ran = 1') } catch { return true } document.body.click(); return window.ran === undefined })()`)
	if stopped != true {
		t.Error("the content security policy does not stop an inline handler")
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.wrong) != 1 || !strings.Contains(b.wrong[0], "TrustedScript") {
		t.Errorf("in the browser: %q", b.wrong)
	}
	b.wrong = nil // it was ours
}

// TestBrowserReport: scan -o html is one file that needs nothing else.
func TestBrowserReport(t *testing.T) {
	b := openBrowser(t)
	dir := t.TempDir()
	someLogs(t, filepath.Join(dir, "logs"), time.Now())
	put(t, filepath.Join(dir, "logs", "hostile.log"), strings.Join(hostileLines, "\n")+"\n</script><script>alert(10)</script> "+kicked+"\n<!--<script> "+kicked+"\n")
	c := imwatch(t, dir, "scan", "-o", "html", "logs")
	if code := c.end(0); code != 0 {
		t.Fatalf("exit %d: %s", code, c.err.String())
	}
	if err := os.WriteFile(filepath.Join(dir, "report.html"), []byte(c.out.String()), 0o644); err != nil {
		t.Fatal(err)
	}
	url := "file://" + filepath.Join(dir, "report.html")
	for _, l := range []struct {
		name, tongue string
		width        int
		dark         bool
	}{{"1280-light", "en-GB", 1280, false}, {"360-dark-zh", "zh-CN", 360, true}} {
		b.look(l.width, l.dark, l.tongue)
		b.open(url, ".codes")
		b.until(`document.querySelector('.uplot canvas') !== null`)
		b.fits("the report")
		b.shot("report-" + l.name)
		b.open(url+"#/events?code=206", ".event")
		b.open(url+"#/user/dave", ".timeline .event")
		b.open(url+"#/code/easemob-web/206", ".code-page")
		b.open(url+"#/files", "h1")
		b.open(url+"#/events", ".event a.row")
		b.click(".event a.row")
		b.visible(".log .hit")
		b.fits("an event of the report")
		b.shot("report-event-" + l.name)
		if n := b.eval(`(window.violations || []).length + document.images.length + performance.getEntriesByType('resource').length`); n.(float64) != 0 {
			t.Errorf("the report asked for something: %v", b.eval(`JSON.stringify([window.violations, performance.getEntriesByType('resource').map((e) => e.name)])`))
		}
	}
}

// TestBrowserTerminal pictures what a person sees in a terminal, for the README:
// real output, through a pseudo terminal.
func TestBrowserTerminal(t *testing.T) {
	b := openBrowser(t)
	dir := t.TempDir()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(self, filepath.Join(dir, "imwatch")); err != nil {
		t.Fatal(err)
	}
	put(t, filepath.Join(dir, "chat.log"), "2026-11-20 08:00:02 ERROR user=bob {\"type\":28,\"message\":\"token not assign error\"}\n2026-11-20 08:00:09 WARN user=eve "+kicked+"\n")
	var screen strings.Builder
	for _, c := range []struct {
		args  string
		lines int
	}{{"scan chat.log", 9}, {"explain 880103", 22}} {
		cmd := exec.Command("script", "-qec", "stty cols 92 rows 60; ./imwatch "+c.args, "/dev/null")
		cmd.Dir, cmd.Env = dir, append(os.Environ(), "LANG=C.UTF-8", "TERM=xterm-256color", "NO_COLOR=", "TZ=UTC")
		out, err := cmd.Output()
		if err != nil {
			t.Fatalf("script: %v", err)
		}
		all := strings.SplitAfter(string(out), "\n")
		screen.WriteString("\x1b[2m$\x1b[0m imwatch " + c.args + "\n" + strings.Join(all[:min(c.lines, len(all))], "") + "\n")
	}
	page := `<!doctype html><meta charset="utf-8"><style>body{margin:0;background:#16181d;color:#d7dae0;font:14px/1.5 "DejaVu Sans Mono",monospace;padding:18px 22px;width:830px}pre{margin:0;font:inherit;white-space:pre-wrap}.c1{font-weight:700}.c2{color:#8b919d}.c31{color:#ff8d80}.c32{color:#7fd1a0}.c33{color:#f2b45c}.c36{color:#79c7d9}</style><pre>` + ansi(screen.String()) + `</pre>`
	if err := os.WriteFile(filepath.Join(dir, "terminal.html"), []byte(page), 0o600); err != nil {
		t.Fatal(err)
	}
	b.do(chromedp.EmulateViewport(874, 300))
	b.open("file://"+filepath.Join(dir, "terminal.html"), "pre")
	b.shows("easemob-web/206")
	if n := b.eval(`document.querySelectorAll('.c33, .c31').length`); n.(float64) == 0 {
		t.Error("levels have no colour in a terminal")
	}
	b.shot("terminal")
}

// ansi makes HTML of a terminal's colours.
func ansi(s string) string {
	var b strings.Builder
	opened := 0
	for i, part := range regexp.MustCompile(`\x1b\[([\d;]*)m`).Split(s, -1) {
		codes := regexp.MustCompile(`\x1b\[([\d;]*)m`).FindAllStringSubmatch(s, -1)
		if i > 0 {
			if c := codes[i-1][1]; c == "0" || c == "" {
				b.WriteString(strings.Repeat("</span>", opened))
				opened = 0
			} else {
				b.WriteString(`<span class="c` + strings.ReplaceAll(c, ";", " c") + `">`)
				opened++
			}
		}
		b.WriteString(html.EscapeString(strings.ReplaceAll(part, "\r", "")))
	}
	return b.String()
}
