package store

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/imwatch/imwatch/internal/finding"
)

// Bounds of what is kept about a storm.
const (
	maxSubjects = 1000 // counted exactly; more are "1000+"
	maxSamples  = 3
	maxFiles    = 10
	maxSample   = 512 // bytes
	maxFolds    = 1024
)

// fold counts the findings of one source, family and code in one window.
type fold struct {
	Start    time.Time       `json:"start"` // of the window
	Full     int             `json:"full"`  // went out in full
	Folded   int             `json:"folded"`
	First    time.Time       `json:"first"` // of the folded ones, their own times
	Last     time.Time       `json:"last"`
	Subjects subjects        `json:"-"` // of all, hashed
	Samples  []string        `json:"samples,omitempty"`
	Files    []string        `json:"files,omitempty"`
	Like     finding.Finding `json:"-"` // the first folded one
	likeText json.RawMessage // nil: made when it is next written
}

// subjects is a set of them, each as a hash.
type subjects map[uint64]struct{}

// hashes are eight bytes for each, in JSON a text: it costs a tenth of what a list of
// numbers does.
type hashes []byte

func (s subjects) hashes() hashes {
	b := make(hashes, 0, 8*len(s))
	for h := range s {
		b = binary.BigEndian.AppendUint64(b, h)
	}
	return b
}

func (b hashes) subjects() (subjects, error) {
	if len(b)%8 != 0 {
		return nil, fmt.Errorf("%d bytes of subjects are no hashes", len(b))
	}
	s := subjects{}
	for ; len(b) > 0; b = b[8:] {
		s[binary.BigEndian.Uint64(b)] = struct{}{}
	}
	return s, nil
}

// UnmarshalJSON reads also the list of numbers that earlier versions wrote.
func (b *hashes) UnmarshalJSON(data []byte) error {
	if !bytes.HasPrefix(data, []byte("[")) {
		return json.Unmarshal(data, (*[]byte)(b))
	}
	var list []uint64
	if err := json.Unmarshal(data, &list); err != nil {
		return err
	}
	for _, h := range list {
		*b = binary.BigEndian.AppendUint64(*b, h)
	}
	return nil
}

// A Storm is what status tells about a fold that is open.
type Storm struct {
	Source   string    `json:"source"`
	Code     string    `json:"code"`
	Folded   int       `json:"folded"`
	Since    time.Time `json:"since"`
	Subjects int       `json:"subjects"`
}

func (f *fold) storm() Storm {
	return Storm{Source: f.Like.Source, Code: f.Like.Family + "/" + f.Like.Code, Folded: f.Folded, Since: f.Start, Subjects: len(f.Subjects)}
}

// A keptFold is a fold as the store keeps it.
type keptFold struct {
	*fold
	Like     json.RawMessage `json:"like"`
	Subjects hashes          `json:"subjects"`
}

func (f *fold) text() (text []byte, err error) {
	if f.likeText == nil { // encoded once, not at every commit: it stays as it is
		if f.likeText, err = json.Marshal(&f.Like); err != nil {
			return nil, err
		}
	}
	return json.Marshal(keptFold{f, f.likeText, f.Subjects.hashes()})
}

func readFold(text []byte) (*fold, error) {
	kept := keptFold{fold: new(fold)}
	err := json.Unmarshal(text, &kept)
	if err == nil {
		kept.fold.Subjects, err = kept.Subjects.subjects()
	}
	if err == nil {
		err = json.Unmarshal(kept.Like, &kept.fold.Like)
	}
	return kept.fold, err
}

func (f *fold) clone() *fold {
	c := *f
	c.Subjects = maps.Clone(f.Subjects)
	c.Samples, c.Files = slices.Clone(f.Samples), slices.Clone(f.Files)
	return &c
}

// foldKey is source, family and code, and what sets a status or an unknown code
// apart.
func foldKey(f *finding.Finding) string {
	return f.Source + "\x00" + f.Family + "\x00" + f.Code + "\x00" + f.Action
}

// ended returns the keys of the windows that are over.
func (s *Store) ended(now time.Time) (keys []string) {
	for k, f := range s.folds {
		if now.Sub(f.Start) >= s.o.Window || now.Before(f.Start.Add(-s.o.Window)) {
			keys = append(keys, k)
		}
	}
	slices.Sort(keys)
	return keys
}

// current returns the fold of a key as this transaction has it.
func (w *writer) current(key string) *fold {
	if f, ok := w.st.folds[key]; ok {
		return f
	}
	if f := w.s.folds[key]; f != nil {
		c := f.clone()
		w.st.folds[key] = c
		return c
	}
	return nil
}

// fold keeps a finding in full, or counts it.
func (w *writer) fold(f *finding.Finding) error {
	if w.s.o.Window <= 0 || f.Action == finding.Storm || f.Action == finding.Lost {
		return w.put(f)
	}
	key := foldKey(f)
	x := w.current(key)
	if x == nil {
		if w.open >= maxFolds {
			return w.put(f) // more kinds of codes than anyone has: none is folded
		}
		w.open++
		x = &fold{Start: w.now, Subjects: subjects{}}
		w.st.folds[key] = x
	}
	subject := f.Fields.Get("user_id")
	if subject == "" {
		subject = f.Text
	}
	sum := sha256.Sum256([]byte(subject))
	hash := binary.BigEndian.Uint64(sum[:8])
	_, known := x.Subjects[hash]
	news := !known
	if len(x.Subjects) <= maxSubjects {
		x.Subjects[hash] = struct{}{}
	}
	if news && x.Full < w.s.o.First {
		x.Full++
		return w.put(f)
	}
	if x.Folded == 0 {
		x.First, x.Last = f.Time, f.Time
		x.Like = *f
		x.Like.Original, x.likeText = "", nil
	}
	x.Folded += f.Count
	w.st.folded[f.Source] += f.Count
	if f.Time.Before(x.First) {
		x.First = f.Time
	}
	if f.Time.After(x.Last) {
		x.Last = f.Time
	}
	if len(x.Samples) < maxSamples {
		x.Samples = append(x.Samples, cut(f.Original))
	}
	if len(x.Files) < maxFiles && !slices.Contains(x.Files, f.Path) {
		x.Files = append(x.Files, f.Path)
	}
	return nil
}

func cut(s string) string {
	if len(s) <= maxSample {
		return s
	}
	n := maxSample - len("…")
	for n > 0 && s[n]&0xc0 == 0x80 {
		n--
	}
	return s[:n] + "…"
}

// end closes a window: what was folded in it goes out as one storm.
func (w *writer) end(key string, f *fold) error {
	w.st.folds[key] = nil
	w.open--
	if f.Folded == 0 {
		return nil
	}
	storm := f.Like
	storm.Action, storm.Count = finding.Storm, f.Folded
	storm.Time, storm.Start, storm.End = f.Last, f.First, f.Last
	storm.Created = w.now.UTC()
	storm.Samples, storm.Files = f.Samples, f.Files
	storm.Subjects = len(f.Subjects)
	storm.Original, storm.Inner, storm.Text, storm.Line, storm.Flags = "", nil, "", 0, nil
	storm.Fields = nil
	sum := sha256.Sum256([]byte(w.s.hostID + "\x00" + key + "\x00" + f.Start.UTC().Format(time.RFC3339Nano)))
	storm.ID = hex.EncodeToString(sum[:16])
	return w.put(&storm)
}

// keepFolds writes the folds that this transaction changed.
func (w *writer) keepFolds() error {
	b := w.tx.Bucket(bFolds)
	for k, f := range w.st.folds {
		if f == nil {
			if err := b.Delete([]byte(k)); err != nil {
				return err
			}
			continue
		}
		v, err := f.text()
		if err == nil {
			err = b.Put([]byte(k), v)
		}
		if err != nil {
			return err
		}
	}
	return nil
}
