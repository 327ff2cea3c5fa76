package web

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/imwatch/imwatch/codes"
	"github.com/imwatch/imwatch/internal/annotator"
	"github.com/imwatch/imwatch/internal/finding"
	"github.com/imwatch/imwatch/internal/report"
	"github.com/imwatch/imwatch/internal/store"
)

func (s *Site) api(mux *http.ServeMux) {
	mux.HandleFunc("GET /api/events", s.events)
	mux.HandleFunc("GET /api/stream", s.stream)
	answer := func(path string, f func(*http.Request) (any, error)) {
		mux.HandleFunc("GET "+path, func(w http.ResponseWriter, r *http.Request) {
			v, err := f(r)
			w.Header().Set("Content-Type", "application/json")
			var status httpError
			switch {
			case errors.As(err, &status):
				w.WriteHeader(status.code)
				v = map[string]string{"error": status.text}
			case err != nil:
				w.WriteHeader(http.StatusInternalServerError)
				v = map[string]string{"error": err.Error()}
			}
			enc := json.NewEncoder(w) // escapes <, > and &
			_ = enc.Encode(v)         // who has gone needs no answer
		})
	}
	answer("/api/status", func(r *http.Request) (any, error) { return s.Status(r.Context()) })
	answer("/api/overview", func(r *http.Request) (any, error) { return s.overview(r.URL.Query().Get("range"), time.Now()) })
	answer("/api/list", s.list)
	answer("/api/event", s.event)
	answer("/api/code", s.code)
	answer("/api/find", s.find)
	answer("/api/families", s.families)
}

// httpError is an error with the status that says so.
type httpError struct {
	code int
	text string
}

func (e httpError) Error() string { return e.text }

// events are the findings as the store has them, for imwatch events.
func (s *Site) events(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/x-ndjson")
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	out := http.NewResponseController(w)
	from, err := strconv.ParseUint(r.URL.Query().Get("from"), 10, 64)
	if err != nil {
		from = 0
	}
	for at := max(from, 1) - 1; ; {
		list, err := s.Store.After(at, piece)
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		// A slow reader may take as long as it likes, as long as it reads.
		if err := out.SetWriteDeadline(time.Now().Add(time.Minute)); err != nil {
			return
		}
		for _, n := range list {
			if enc.Encode(n) != nil {
				return
			}
			at = n.Seq
		}
		if len(list) < piece {
			return
		}
	}
}

// wanted says which events are asked for.
type wanted struct{ code, family, user, level, text string }

func wantedBy(r *http.Request) wanted {
	q := r.URL.Query()
	return wanted{strings.TrimSpace(q.Get("code")), q.Get("family"), strings.TrimSpace(q.Get("user")), q.Get("level"), strings.ToLower(strings.TrimSpace(q.Get("q")))}
}

func (x *wanted) match(f *finding.Finding, level string) bool {
	switch {
	case x.family != "" && f.Family != x.family:
		return false
	case x.user != "" && f.Fields.Get("user_id") != x.user:
		return false
	case x.level != "" && codes.LevelRank(level) < codes.LevelRank(x.level):
		return false
	case x.code != "" && f.Code != x.code && f.Family+"/"+f.Code != x.code && !strings.EqualFold(f.Symbol, x.code):
		return false
	}
	return x.text == "" || strings.Contains(strings.ToLower(f.Original), x.text) || strings.Contains(strings.ToLower(f.Path), x.text)
}

func show(ann *annotator.Annotator, n store.Numbered) report.Event {
	return report.NewEvent(ann, n.Seq, n.Finding)
}

const (
	listed     = 100
	mostListed = 500
)

// list is a page of events, the newest first; before says where the next one
// begins, 0 that there is none.
func (s *Site) list(r *http.Request) (any, error) {
	x, want := s.shown.Load(), wantedBy(r)
	before, _ := strconv.ParseUint(r.URL.Query().Get("before"), 10, 64)
	limit, err := strconv.Atoi(r.URL.Query().Get("limit"))
	if err != nil || limit <= 0 {
		limit = listed
	}
	limit = min(limit, mostListed)
	last, _ := s.Store.Last()
	out := struct {
		Events []report.Event `json:"events"`
		Before uint64         `json:"before"`
		Last   uint64         `json:"last"`
	}{Events: []report.Event{}, Last: last}
	for read := 0; read < mostRead; {
		got, err := s.Store.Before(before, piece)
		if err != nil {
			return nil, err
		}
		for _, n := range got {
			before = n.Seq
			if want.match(n.Finding, x.brief.Level(n.Finding)) {
				if out.Events = append(out.Events, show(x.brief, n)); len(out.Events) >= limit {
					out.Before = before
					return out, nil
				}
			}
		}
		if read += len(got); len(got) < piece {
			return out, nil
		}
	}
	out.Before = before
	return out, nil
}

const heartbeat = 15 * time.Second

// stream sends events as they become durable.
func (s *Site) stream(w http.ResponseWriter, r *http.Request) {
	want := wantedBy(r)
	out := http.NewResponseController(w)
	at, changed := s.Store.Last()
	if n, err := strconv.ParseUint(r.URL.Query().Get("after"), 10, 64); err == nil {
		at = min(n, at)
	}
	w.Header().Set("Content-Type", "text/event-stream")
	beat := time.NewTicker(heartbeat)
	defer beat.Stop()
	send := func(text string) bool {
		if err := out.SetWriteDeadline(time.Now().Add(10 * time.Second)); err != nil {
			return false
		}
		_, err := fmt.Fprint(w, text)
		return err == nil && out.Flush() == nil
	}
	if !send(": ready\n\n") {
		return
	}
	for {
		list, err := s.Store.After(at, piece)
		if err != nil {
			return
		}
		x := s.shown.Load()
		for _, n := range list {
			at = n.Seq
			if !want.match(n.Finding, x.brief.Level(n.Finding)) {
				continue
			}
			b, err := json.Marshal(show(x.brief, n))
			if err != nil || !send("id: "+strconv.FormatUint(n.Seq, 10)+"\ndata: "+string(b)+"\n\n") {
				return
			}
		}
		if len(list) == piece {
			continue
		}
		select {
		case <-r.Context().Done():
			return
		case <-changed:
			_, changed = s.Store.Last()
		case <-beat.C:
			if !send(": still here\n\n") {
				return
			}
		}
	}
}

// event is one event with the lines around it.
func (s *Site) event(r *http.Request) (any, error) {
	q, x := r.URL.Query(), s.shown.Load()
	seq, _ := strconv.ParseUint(q.Get("seq"), 10, 64)
	n, err := s.Event(seq, q.Get("id"))
	if err != nil {
		return nil, err
	}
	if n == nil {
		return nil, httpError{http.StatusNotFound, "no such event; delivered ones are kept for store.max_age"}
	}
	lines, err := strconv.Atoi(q.Get("lines"))
	if err != nil || lines < 0 {
		lines = 10
	}
	out := struct {
		report.Event
		Around *report.Around `json:"around,omitempty"`
		Why    string         `json:"why,omitempty"` // there are no lines
	}{Event: show(x.full, *n)}
	if out.Around, err = report.LinesAround(n.Finding, min(lines, 200), x.red); err != nil {
		out.Why = err.Error()
	}
	return out, nil
}

// Event finds an event by its number, or by an id or the beginning of one; nil
// when the store does not have it.
func (s *Site) Event(seq uint64, id string) (*store.Numbered, error) {
	if seq > 0 {
		if list, err := s.Store.After(seq-1, 1); err != nil {
			return nil, err
		} else if len(list) == 1 && list[0].Seq == seq && (id == "" || strings.HasPrefix(list[0].Finding.ID, id)) {
			return &list[0], nil
		}
	}
	if len(id) < 4 {
		return nil, nil
	}
	for before := uint64(0); ; {
		list, err := s.Store.Before(before, piece)
		if err != nil {
			return nil, err
		}
		for _, n := range list {
			if before = n.Seq; strings.HasPrefix(n.Finding.ID, id) {
				return &n, nil
			}
		}
		if len(list) < piece {
			return nil, nil
		}
	}
}

// code is what the catalogue says about a code: one page for each meaning.
func (s *Site) code(r *http.Request) (any, error) {
	cat, q := s.shown.Load().cat, r.URL.Query()
	list := cat.Lookup(q.Get("family"), q.Get("code"))
	if len(list) == 0 {
		return nil, httpError{http.StatusNotFound, "the catalogue does not have this code"}
	}
	var out []report.Pages
	for _, e := range list {
		out = append(out, report.PagesOf(cat, e))
	}
	return out, nil
}

// families are the ids of all.
func (s *Site) families(*http.Request) (any, error) {
	var ids []string
	for _, f := range s.shown.Load().cat.Families() {
		ids = append(ids, f.ID)
	}
	return ids, nil
}

// find searches codes, symbols and titles.
func (s *Site) find(r *http.Request) (any, error) {
	cat, q := s.shown.Load().cat, strings.ToLower(strings.TrimSpace(r.URL.Query().Get("q")))
	type hit struct {
		Family  string `json:"family"`
		Code    string `json:"code"`
		Symbol  string `json:"symbol,omitempty"`
		Level   string `json:"level"`
		Title   string `json:"title"`
		TitleZH string `json:"title_zh"`
	}
	first, rest := []hit{}, []hit{}
	if q == "" {
		return first, nil
	}
	for _, e := range cat.All() {
		h := hit{e.Family, e.Code, e.Symbol, e.Level, e.EN.Title, e.ZH.Title}
		switch {
		case e.Code == q || strings.ToLower(e.Key()) == q || strings.ToLower(e.Symbol) == q:
			first = append(first, h)
		case strings.Contains(strings.ToLower(e.Symbol+" "+e.EN.Title+" "+e.ZH.Title), q):
			rest = append(rest, h)
		}
	}
	first = append(first, rest...)
	return first[:min(len(first), 20)], nil
}
