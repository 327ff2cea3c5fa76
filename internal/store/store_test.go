package store

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/imwatch/imwatch/internal/finding"
	"go.etcd.io/bbolt"
)

func open(t *testing.T, dir string, o Options) *Store {
	t.Helper()
	s, err := Open(dir, o)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func closed(t *testing.T, s *Store) {
	t.Helper()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}

func flush(t *testing.T, s *Store) {
	t.Helper()
	if err := s.Flush(context.Background()); err != nil {
		t.Fatal(err)
	}
}

func found(id int, user string) finding.Finding {
	return finding.Finding{ID: fmt.Sprint(id), Action: finding.Error, Source: "s", Family: "easemob-web", Code: "206", Count: 1,
		Time: time.Unix(int64(id), 0).UTC(), Created: time.Now().UTC(), Path: "a.log", Original: "line " + fmt.Sprint(id), Fields: finding.Fields{{Name: "user_id", Value: user}}}
}

func add(t *testing.T, s *Store, offset int64, list ...finding.Finding) {
	t.Helper()
	if err := s.Append(context.Background(), finding.Position{Generation: "g", Source: "s", Path: "a.log", Offset: offset, Seen: time.Now()}, list, nil); err != nil {
		t.Fatal(err)
	}
}

// ids are those behind a sink's cursor.
func ids(t *testing.T, s *Store, sink string) (list []string, to uint64) {
	t.Helper()
	found, to, _, err := s.Next(sink, 1000)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range found {
		list = append(list, f.ID)
	}
	return list, to
}

// TestDurable: what was flushed is there after a restart: findings, position,
// cursors, the host's name.
func TestDurable(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir, Options{})
	if err := s.Register("a", false); err != nil {
		t.Fatal(err)
	}
	add(t, s, 100, found(1, "bob"), found(2, "eve"))
	flush(t, s)
	_, to := ids(t, s, "a")
	if err := s.Delivered("a", to-1); err != nil {
		t.Fatal(err)
	}
	host := s.HostID()
	closed(t, s)

	s = open(t, dir, Options{})
	defer closed(t, s)
	if err := s.Register("a", false); err != nil {
		t.Fatal(err)
	}
	if list, _ := ids(t, s, "a"); fmt.Sprint(list) != "[2]" {
		t.Errorf("behind the cursor: %v, want [2]", list)
	}
	positions, err := s.Positions()
	if err != nil || len(positions) != 1 || positions[0].Offset != 100 {
		t.Errorf("positions %+v, %v", positions, err)
	}
	if s.HostID() != host || len(host) != 32 {
		t.Errorf("host %q was %q", s.HostID(), host)
	}
}

// TestInUse: a second process is refused, a reader too.
func TestInUse(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir, Options{})
	if _, err := Open(dir, Options{}); !errors.Is(err, ErrInUse) {
		t.Errorf("a second Open: %v", err)
	}
	if _, err := OpenRead(dir); !errors.Is(err, ErrInUse) {
		t.Errorf("OpenRead: %v", err)
	}
	closed(t, s)
	r, err := OpenRead(dir)
	if err != nil {
		t.Fatal(err)
	}
	closed(t, r)
	if _, err := OpenRead(t.TempDir()); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("OpenRead of nothing: %v", err)
	}
}

// TestDamaged: a store that cannot be read is set aside, and a new one is begun.
func TestDamaged(t *testing.T) {
	for name, damage := range map[string]func([]byte) []byte{
		"empty pages": func(b []byte) []byte { clear(b[4096:]); return b },
		"garbage":     func(b []byte) []byte { return []byte(strings.Repeat("garbage ", 4096)) },
		"cut":         func(b []byte) []byte { return b[:2*4096] },
		"a few NULs":  func(b []byte) []byte { clear(b[:512]); clear(b[4096:4608]); return b },
		"only NULs":   nil,
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			s := open(t, dir, Options{})
			add(t, s, 1, found(1, "bob"))
			closed(t, s)
			path := filepath.Join(dir, fileName)
			b, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if damage == nil {
				damage = func([]byte) []byte { return make([]byte, 1<<16) }
			}
			if err := os.WriteFile(path, damage(b), 0o600); err != nil {
				t.Fatal(err)
			}
			// bbolt met the bad page at the start before, and ended the process.
			if err := os.WriteFile(path+".opening", nil, 0o600); err != nil {
				t.Fatal(err)
			}
			told := ""
			s = open(t, dir, Options{Notice: func(_, text string) { told += text }})
			defer closed(t, s)
			if s.Damaged == "" || !strings.Contains(told, "is damaged") {
				t.Fatalf("not noticed; told %q", told)
			}
			if _, err := os.Stat(s.Damaged); err != nil {
				t.Errorf("not kept: %v", err)
			}
			add(t, s, 1, found(2, "bob"))
			flush(t, s)
		})
	}
}

// TestOtherVersion: a store in the format of another version is refused, by the
// daemon and by readers, and left as it is; one in a format that no version
// wrote is damaged.
func TestOtherVersion(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir, Options{})
	add(t, s, 100, found(1, "bob"))
	flush(t, s)
	closed(t, s)
	format := func(v string) {
		db, err := bbolt.Open(filepath.Join(dir, fileName), 0o600, nil)
		if err == nil {
			err = db.Update(func(tx *bbolt.Tx) error { return tx.Bucket(bMeta).Put([]byte("format"), []byte(v)) })
		}
		if err == nil {
			err = db.Close()
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, v := range []string{"0", "3", "10"} {
		format(v)
		for range 2 { // it does not come to think otherwise
			s, err := Open(dir, Options{Notice: func(_, text string) { t.Errorf("told %q", text) }})
			if err == nil {
				closed(t, s)
			}
			if !errors.Is(err, ErrFormat) || !strings.Contains(err.Error(), "its format is "+v+", this program's is "+formatValue) {
				t.Errorf("format %s: Open: %v", v, err)
			}
			if s, err = OpenRead(dir); err == nil {
				closed(t, s)
			}
			if !errors.Is(err, ErrFormat) {
				t.Errorf("format %s: OpenRead: %v", v, err)
			}
		}
	}
	for _, v := range []string{formatValue, olderFormat} { // the version that wrote it is back, or one that reads it
		format(v)
		if s, err := OpenRead(dir); err != nil {
			t.Errorf("format %s: OpenRead: %v", v, err)
		} else {
			closed(t, s)
		}
		s = open(t, dir, Options{})
		positions, err := s.Positions()
		if err != nil || len(positions) != 1 || positions[0].Offset != 100 || s.Damaged != "" {
			t.Errorf("format %s: positions %+v, %v; set aside as %q", v, positions, err, s.Damaged)
		}
		err = s.db.View(func(tx *bbolt.Tx) error {
			if now := tx.Bucket(bMeta).Get([]byte("format")); string(now) != formatValue {
				t.Errorf("format %s became %s", v, now)
			}
			return nil
		})
		if err != nil {
			t.Error(err)
		}
		closed(t, s)
	}
	format("\x00")
	s = open(t, dir, Options{})
	if s.Damaged == "" {
		t.Error("a format of garbage was not noticed")
	}
	closed(t, s)
}

// TestFold: the first findings of a code, and those about new users, go out in
// full; the rest is counted, exactly, also across restarts.
func TestFold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		o := Options{Window: time.Minute, First: 3}
		s := open(t, dir, o)
		sum := 0
		for i := range 50 {
			add(t, s, int64(i), found(i, fmt.Sprint("user", i%5)))
			sum++
			if i == 1 || i == 20 || i == 30 { // the first time, nothing is folded yet
				flush(t, s)
				closed(t, s) // and nothing is forgotten
				s = open(t, dir, o)
			}
		}
		flush(t, s)
		time.Sleep(61 * time.Second)
		add(t, s, 51, found(100, "user0")) // a new window
		sum++
		flush(t, s)
		total, full, storms := 0, 0, 0
		err := s.Each(0, func(_ uint64, f *finding.Finding) bool {
			total += f.Count
			switch f.Action {
			case finding.Storm:
				storms++
				if f.Count != 47 || f.Subjects != 5 || len(f.Samples) != 3 || f.Start.Unix() != 3 || f.End.Unix() != 49 || f.ID == "" {
					t.Errorf("storm %+v", f)
				}
				if like := found(0, ""); f.Source != like.Source || f.Family != like.Family || f.Code != like.Code || f.Path != like.Path {
					t.Errorf("a storm of %s/%s/%s of %s", f.Source, f.Family, f.Code, f.Path)
				}
			default:
				full++
			}
			return true
		})
		if err != nil || total != sum || full != 4 || storms != 1 {
			t.Errorf("counts add up to %d of %d; %d in full, %d storms; %v", total, sum, full, storms, err)
		}
		closed(t, s)
	})
}

// TestBound: the oldest findings make room; a sink that is behind loses them, in
// the ledger.
func TestBound(t *testing.T) {
	const most = 16 << 20
	s := open(t, t.TempDir(), Options{MaxBytes: most})
	defer closed(t, s)
	for _, sink := range []string{"behind", "even"} {
		if err := s.Register(sink, false); err != nil {
			t.Fatal(err)
		}
	}
	big := strings.Repeat("x", 40_000)
	for i := range 1000 {
		f := found(i, "bob")
		f.Original = big
		add(t, s, int64(i), f)
		if i%100 == 99 {
			flush(t, s)
			_, to := ids(t, s, "even")
			if err := s.Delivered("even", to); err != nil {
				t.Fatal(err)
			}
		}
	}
	flush(t, s)
	st := s.State()
	if st.Bytes > most || st.Kept == 0 || st.Backlog["even"] != 0 || st.Backlog["behind"] != st.Kept {
		t.Errorf("state %+v", st)
	}
	losses, err := s.Losses()
	if err != nil || len(losses) == 0 {
		t.Fatalf("losses %v, %v", losses, err)
	}
	lost := int64(0)
	for _, l := range losses {
		if l.Sink != "behind" {
			t.Errorf("lost for %+v", l)
		}
		lost += l.To - l.From + 1
	}
	if lost+int64(st.Kept) != 1000 {
		t.Errorf("%d lost and %d kept of 1000", lost, st.Kept)
	}
}

// TestBlock: a sink that may lose nothing stops the appenders until it has taken
// what fills the store.
func TestBlock(t *testing.T) {
	s := open(t, t.TempDir(), Options{MaxBytes: 1 << 20})
	defer closed(t, s)
	if err := s.Register("a", true); err != nil {
		t.Fatal(err)
	}
	const n = 1000
	done := make(chan error, 1)
	go func() {
		for i := range n {
			f := found(i, "bob")
			f.Original = strings.Repeat("x", 2000)
			if err := s.Append(context.Background(), finding.Position{Generation: "g"}, []finding.Finding{f}, nil); err != nil {
				done <- err
				return
			}
		}
		done <- nil
	}()
	got := 0
	for got < n {
		list, to, more, err := s.Next("a", 50)
		if err != nil {
			t.Fatal(err)
		}
		if len(list) == 0 {
			<-more
			continue
		}
		for _, f := range list {
			if f.ID != fmt.Sprint(got) {
				t.Fatalf("finding %s where %d was next", f.ID, got)
			}
			got++
		}
		if err := s.Delivered("a", to); err != nil {
			t.Fatal(err)
		}
	}
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if losses, err := s.Losses(); err != nil || len(losses) != 0 {
		t.Errorf("losses %v, %v", losses, err)
	}
}

// TestFull: a disk that cannot be written is told, nothing counts as durable,
// and it heals.
func TestFull(t *testing.T) {
	var told []string
	s := open(t, t.TempDir(), Options{Notice: func(_, text string) { told = append(told, text) }})
	defer closed(t, s)
	s.report(errors.New("no space left on device"))
	if st := s.State(); st.Error == "" {
		t.Error("the state does not tell")
	}
	add(t, s, 1, found(1, "bob"))
	flush(t, s)
	if st := s.State(); st.Error != "" || st.Kept != 1 || len(told) != 2 {
		t.Errorf("state %+v, told %q", st, told)
	}
}

func BenchmarkAppend(b *testing.B) {
	s, err := Open(b.TempDir(), Options{})
	if err != nil {
		b.Fatal(err)
	}
	f := found(1, "bob")
	for i := 0; b.Loop(); i++ {
		if err := s.Append(context.Background(), finding.Position{Generation: "g", Offset: int64(i)}, []finding.Finding{f}, nil); err != nil {
			b.Fatal(err)
		}
	}
	if err := s.Flush(context.Background()); err != nil {
		b.Fatal(err)
	}
	if err := s.Close(); err != nil {
		b.Fatal(err)
	}
}

// TestSubjects: a set of subjects is read as it was written, also as earlier versions
// did.
func TestSubjects(t *testing.T) {
	want := subjects{1: {}, 1 << 63: {}, 206: {}}
	text, err := (&fold{Subjects: want, Full: 3}).text()
	if err != nil {
		t.Fatal(err)
	}
	for _, form := range []string{string(text), `{"full":3,"like":{},"subjects":[1,206,9223372036854775808]}`} {
		if got, err := readFold([]byte(form)); err != nil || got.Full != 3 || !maps.Equal(got.Subjects, want) {
			t.Errorf("%s: %+v, %v", form, got, err)
		}
	}
	for _, form := range []string{`7`, `"A"`, `"AAAA"`, `["x"]`} {
		if _, err := readFold([]byte(`{"like":{},"subjects":` + form + `}`)); err == nil {
			t.Errorf("%s is taken", form)
		}
	}
}

// TestCursorCommit: a cursor goes with the next findings' commit, and waits no longer
// than cursorCommit where none come.
func TestCursorCommit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		commits := 0
		s := open(t, t.TempDir(), Options{Commit: func(Commit) { commits++ }})
		defer closed(t, s)
		durable := func() (at uint64) {
			err := s.db.View(func(tx *bbolt.Tx) error {
				if v := tx.Bucket(bCursors).Get([]byte("a")); v != nil {
					at = binary.BigEndian.Uint64(v)
				}
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
			return at
		}
		if err := s.Register("a", false); err != nil {
			t.Fatal(err)
		}
		for i := range 3 {
			add(t, s, int64(100*i), found(i, "bob"))
			flush(t, s)
			before := commits
			_, to := ids(t, s, "a")
			if err := s.Delivered("a", to); err != nil {
				t.Fatal(err)
			}
			if time.Sleep(cursorCommit / 2); commits != before || durable() != uint64(i) {
				t.Errorf("%d commits, cursor %d: it called for one", commits-before, durable())
			}
		}
		if time.Sleep(cursorCommit / 4); durable() != 2 {
			t.Errorf("cursor %d before its time", durable())
		}
		if err := s.Delivered("b", 1); err != nil { // another sink does not put it off
			t.Fatal(err)
		}
		if time.Sleep(cursorCommit / 2); durable() != 3 {
			t.Errorf("cursor %d", durable())
		}
	})
}
