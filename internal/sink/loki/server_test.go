package loki_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"mime"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/imwatch/imwatch/internal/sink/sinktest"
)

// A server takes what Loki takes with its default limits, and refuses the rest
// in its words:
//
//   - the form of a push: grafana.com/docs/loki/latest/reference/loki-http-api/#ingest-logs
//   - limits_config (labels, line, metadata, reject_old_samples_max_age,
//     creation_grace_period): grafana.com/docs/loki/latest/configure/#limits_config
//   - an hour (half of max_chunk_age) behind the newest of a stream:
//     grafana.com/docs/loki/latest/configure/#accept-out-of-order-writes
//   - the answers: grafana.com/docs/loki/latest/operations/request-validation-rate-limits/
type server struct {
	now func() time.Time

	sinktest.Book
	streams map[string][]entry // by labels
	pushes  int
}

type entry struct {
	at       time.Time
	line     string
	metadata map[string]string
}

func newServer() *server { return &server{now: time.Now, streams: map[string][]entry{}} }

var labelName = regexp.MustCompile(`^[a-zA-Z_][a-zA-Z0-9_]*$`)

func (s *server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.Mu.Lock()
	defer s.Mu.Unlock()
	s.pushes++
	if r.Method != http.MethodPost || r.URL.Path != "/loki/api/v1/push" {
		http.Error(w, "404 page not found", http.StatusNotFound)
		return
	}
	if ct, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || ct != "application/json" {
		http.Error(w, "the body is taken for snappy: "+ct, http.StatusBadRequest)
		return
	}
	body, err := io.ReadAll(r.Body)
	if err != nil || !utf8.Valid(body) {
		http.Error(w, "the body is not UTF-8", http.StatusBadRequest)
		return
	}
	var push struct {
		Streams []struct {
			Stream map[string]string   `json:"stream"`
			Values [][]json.RawMessage `json:"values"`
		} `json:"streams"`
	}
	d := json.NewDecoder(bytes.NewReader(body))
	d.DisallowUnknownFields()
	if err := d.Decode(&push); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	if len(push.Streams) == 0 {
		http.Error(w, "error at least one valid stream is required for ingestion", http.StatusUnprocessableEntity)
		return
	}
	var refusals []string
	for _, x := range push.Streams {
		key, err := labelsOf(x.Stream)
		if err != nil {
			refusals = append(refusals, err.Error())
			continue
		}
		refusals = append(refusals, s.take(key, x.Values)...)
	}
	if len(refusals) > 0 {
		http.Error(w, strings.Join(refusals, "\n"), http.StatusBadRequest)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

// labelsOf holds a stream's labels against the limits, and writes them as Loki
// does.
func labelsOf(labels map[string]string) (string, error) {
	var list []string
	for k, v := range labels {
		list = append(list, k+"="+strconv.Quote(v))
	}
	slices.Sort(list)
	key := "{" + strings.Join(list, ", ") + "}"
	if len(labels) == 0 {
		return key, fmt.Errorf("error at least one label pair is required per stream")
	}
	if len(labels) > 15 {
		return key, fmt.Errorf("entry for stream '%s' has %d label names; limit 15", key, len(labels))
	}
	for k, v := range labels {
		switch {
		case !labelName.MatchString(k):
			return key, fmt.Errorf("Error parsing labels '%s' with error: %s is no name", key, k)
		case len(k) > 1024:
			return key, fmt.Errorf("stream '%s' has label name too long: '%s'", key, k)
		case len(v) > 2048:
			return key, fmt.Errorf("stream '%s' has label value too long: '%s'", key, v)
		}
	}
	return key, nil
}

// take keeps the entries of a stream that are in order, and says of the others
// why not.
func (s *server) take(key string, values [][]json.RawMessage) (refusals []string) {
	for _, v := range values {
		e, err := decode(v)
		if err != nil {
			refusals = append(refusals, err.Error())
			continue
		}
		var newest time.Time
		for _, old := range s.streams[key] {
			if old.at.After(newest) {
				newest = old.at
			}
		}
		now, stamp := s.now(), func(t time.Time) string { return t.UTC().Format(time.RFC3339) }
		switch {
		case s.Poison != "" && e.metadata["event_id"] == s.Poison:
			refusals = append(refusals, "this entry is refused: "+s.Poison)
		case e.at.Before(now.Add(-7 * 24 * time.Hour)):
			refusals = append(refusals, fmt.Sprintf("entry for stream '%s' has timestamp too old: %s, oldest acceptable timestamp is: %s", key, stamp(e.at), stamp(now.Add(-7*24*time.Hour))))
		case e.at.After(now.Add(10 * time.Minute)):
			refusals = append(refusals, fmt.Sprintf("entry for stream '%s' has timestamp too new: %s", key, stamp(e.at)))
		case !newest.IsZero() && e.at.Before(newest.Add(-time.Hour)):
			refusals = append(refusals, fmt.Sprintf("entry with timestamp %s ignored, reason: 'entry too far behind, entry timestamp is: %s, oldest acceptable timestamp is: %s',\nuser 'fake', total ignored: 1 out of %d for stream: %s",
				e.at.UTC(), stamp(e.at), stamp(newest.Add(-time.Hour)), len(values), key))
		case slices.ContainsFunc(s.streams[key], func(old entry) bool { return old.at.Equal(e.at) && old.line == e.line }):
			// the same entry again: taken, and kept once
		default:
			s.streams[key] = append(s.streams[key], e)
			s.IDs = append(s.IDs, e.metadata["event_id"])
		}
	}
	return refusals
}

// decode reads ["nanoseconds", "line", {"name": "value"}].
func decode(v []json.RawMessage) (e entry, err error) {
	if len(v) != 2 && len(v) != 3 {
		return e, fmt.Errorf("an entry of %d values", len(v))
	}
	var stamp string
	if err := json.Unmarshal(v[0], &stamp); err != nil {
		return e, fmt.Errorf("Value is string, but can't find closing '\"' symbol: the time is %s", v[0])
	}
	ns, err := strconv.ParseInt(stamp, 10, 64)
	if err != nil {
		return e, fmt.Errorf("the time %q is no number of nanoseconds", stamp)
	}
	e.at = time.Unix(0, ns)
	if err := json.Unmarshal(v[1], &e.line); err != nil {
		return e, fmt.Errorf("the line: %w", err)
	}
	if len(e.line) > 256<<10 {
		return e, fmt.Errorf("Max entry size '%d' bytes exceeded", 256<<10)
	}
	if len(v) < 3 {
		return e, nil
	}
	if err := json.Unmarshal(v[2], &e.metadata); err != nil {
		return e, fmt.Errorf("the structured metadata: %w", err)
	}
	size := 0
	for k, v := range e.metadata {
		if !labelName.MatchString(k) {
			return e, fmt.Errorf("the structured metadata's name %q", k)
		}
		size += len(k) + len(v)
	}
	if len(e.metadata) > 128 || size > 64<<10 {
		return e, fmt.Errorf("structured metadata of %d entries and %d bytes", len(e.metadata), size)
	}
	return e, nil
}
