package annotator

import (
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/imwatch/imwatch/internal/finding"
)

// Append appends the event's JSON and a newline. It is at most MaxEvent bytes:
// what must go, goes in this order: causes, description, the original's end,
// all hints.
func (a *Annotator) Append(dst []byte, f *finding.Finding) []byte {
	t := a.text(f)
	dst = slices.Grow(dst, min(t.size+len(f.Original), MaxEvent))
	original := f.Original
	for parts := len(t.im); ; parts-- {
		out := a.event(dst, f, t, max(parts, 0), original)
		if len(out)-len(dst) < MaxEvent || parts <= 0 {
			return append(out, '\n')
		}
		if parts == 2 && len(original) > 512 {
			original = strings.ToValidUTF8(original[:512], "") + "…"
			parts++
		}
	}
}

// message is what a person can act on; of a storm or a loss it says how much.
func (a *Annotator) message(f *finding.Finding, t *text) string {
	switch f.Action {
	case finding.Storm:
		if a.languages()[0] == "zh" {
			return t.message + "（又出现 " + strconv.Itoa(f.Count) + " 次）"
		}
		return t.message + " (" + strconv.Itoa(f.Count) + " more)"
	case finding.Lost, finding.Test:
		return f.Text
	}
	return t.message
}

func (a *Annotator) event(dst []byte, f *finding.Finding, t *text, parts int, original string) []byte {
	root := object{buf: dst}
	a.fill(&root, f, t, parts, original)
	return root.close()
}

func (a *Annotator) fill(o *object, f *finding.Finding, t *text, parts int, original string) {
	o.time("@timestamp", f.Time)
	if message := a.message(f, t); message == t.message {
		o.join(t.said)
	} else {
		o.str("message", message)
	}
	root := o.enter("log")
	o.join(t.log)
	o.only("file", "path", f.Path)
	o.int("offset", f.Offset)
	o.strs("flags", f.Flags)
	o.leave(root)
	root = o.enter("event")
	o.str("id", f.ID)
	switch f.Action {
	case finding.Error: // as most
		o.join(errorKind)
	case finding.Storm:
		o.str("kind", "metric")
		o.time("start", f.Start)
		o.time("end", f.End)
		o.str("action", f.Action)
	default:
		kind(o, f.Action)
	}
	o.join(t.event)
	o.time("created", f.Created)
	o.str("original", original)
	o.leave(root)
	root = o.enter("error")
	o.join(t.error)
	o.str("message", f.Text)
	o.leave(root)
	if status := f.Fields.Get("http_status"); status != "" {
		root = o.enter("http")
		response := o.enter("response")
		o.num("status_code", status)
		o.leave(response)
		o.leave(root)
	}
	root = o.enter("im")
	a.im(o, f, t, parts)
	o.leave(root)
	a.rest(o, f)
}

// kind says what a single event tells.
func kind(o *object, action string) {
	o.str("kind", "event")
	o.str("action", action)
}

var errorKind = newPiece("event.", func(o *object) { kind(o, finding.Error) })

// rest is what stands behind im: whom it is about and where it comes from.
func (a *Annotator) rest(o *object, f *finding.Finding) {
	o.only("user", "id", f.Fields.Get("user_id"))
	if address, port := f.Fields.Get("client_address"), f.Fields.Get("client_port"); address != "" || port != "" {
		root := o.enter("client")
		o.str("address", address)
		o.num("port", port)
		o.leave(root)
	}
	o.only("trace", "id", f.Fields.Get("trace_id"))
	o.only("rule", "id", f.Rule)
	o.only("service", "name", f.Service)
	o.join(a.host)
	if len(f.Labels) > 0 {
		root := o.enter("labels")
		var few [8]string // on the stack
		for _, k := range sortedKeys(few[:0], f.Labels) {
			o.label(k, f.Labels[k])
		}
		o.leave(root)
	}
}

func (a *Annotator) im(o *object, f *finding.Finding, t *text, parts int) {
	o.join(t.family)
	o.only("sdk", "version", f.Fields.Get("sdk_version"))
	o.str("app_key", strings.ReplaceAll(f.Fields.Get("app_key"), "/", "#"))
	t.proof(o, f)
	a.inner(o, f.Inner)
	if f.Action == finding.Storm {
		if f.Subjects > maxSubjects {
			o.str("subjects", strconv.Itoa(maxSubjects)+"+")
		} else {
			o.str("subjects", strconv.Itoa(f.Subjects))
		}
		o.strs("samples", f.Samples)
	}
	o.str("time_basis", f.TimeBasis)
	o.int("count", int64(f.Count))
	for _, k := range []string{"operation", "group_id", "chatroom_id"} {
		o.str(k, f.Fields.Get(k))
	}
	o.only("message", "id", f.Fields.Get("message_id"))
	o.only("target", "id", f.Fields.Get("target_id"))
	o.only("session", "id", f.Fields.Get("session_id"))
	o.join(t.tail)
	for _, p := range t.im[:min(parts, len(t.im))] {
		o.join(p)
	}
}

func (a *Annotator) inner(o *object, in *finding.Inner) {
	if in == nil {
		return
	}
	out := o.enter("inner")
	o.str("family", in.Family)
	o.str("code", in.Code)
	if e := a.cat.Entry(in.Family, in.Code, in.Symbol); e != nil {
		o.str("type", e.Symbol)
	}
	o.str("message", in.Text)
	a.inner(o, in.Cause)
	o.leave(out)
}

// sortedKeys appends the keys of m.
func sortedKeys(keys []string, m map[string]string) []string {
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

const timeFormat = "2006-01-02T15:04:05.000Z"

// A date is a day as it stands in an event. Most events are of a few days.
type date struct {
	day  int64 // since 1970
	text string
}

var dates [8]atomic.Pointer[date]

// appendTime is AppendFormat, which costs several times as much.
func appendTime(b []byte, t time.Time) []byte {
	const perDay = 24 * 60 * 60 // seconds
	second := t.Unix()
	day := second / perDay
	if second -= day * perDay; second < 0 {
		day, second = day-1, second+perDay
	}
	place := &dates[uint64(day)%uint64(len(dates))]
	d := place.Load()
	if d == nil || d.day != day {
		t = t.UTC()
		if year := t.Year(); year < 0 || year > 9999 {
			return t.AppendFormat(b, timeFormat)
		}
		d = &date{day, t.Format("2006-01-02T")}
		place.Store(d)
	}
	milli := t.Nanosecond() / 1e6
	b = twoDigits(append(b, d.text...), int(second/3600))
	b = twoDigits(append(b, ':'), int(second/60%60))
	b = twoDigits(append(b, ':'), int(second%60))
	b = twoDigits(append(b, '.', '0'+byte(milli/100)), milli%100)
	return append(b, 'Z')
}

func twoDigits(b []byte, n int) []byte { return append(b, '0'+byte(n/10), '0'+byte(n%10)) }
