// Package store keeps findings, folds, positions, cursors and the loss ledger
// in one bbolt file. Findings and the position behind them are durable together
// or not at all: a crash neither loses nor repeats anything up to here.
package store

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime/debug"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/imwatch/imwatch/internal/finding"
	"go.etcd.io/bbolt"
	berrors "go.etcd.io/bbolt/errors"
)

// ErrInUse says that another imwatch has the state directory.
var ErrInUse = errors.New("the state directory is in use by another imwatch")

// ErrFormat says that another version of imwatch wrote the store, in a form that
// this one does not know. It is left as it is.
var ErrFormat = errors.New("the store was written by another version of imwatch")

// ErrClosed says that the store has been closed.
var ErrClosed = errors.New("the store is closed")

// Options bound the store and say how findings are folded.
type Options struct {
	MaxBytes int64         // of the file; default 1 GiB
	MaxAge   time.Duration // of delivered findings; default 7 days
	Window   time.Duration // of a storm; 0: no folding
	First    int           // findings of one code that go out in full in a window
	Notice   func(level, text string)
	Commit   func(Commit) // told of every commit
	Now      func() time.Time
}

// A Store is safe for concurrent use.
type Store struct {
	o       Options
	db      *bbolt.DB
	hostID  string
	Damaged string // where a damaged store was set aside, or ""

	mu      sync.Mutex
	queue   []item
	newest  map[string]int // by generation: where in the queue its position stands
	queued  int            // bytes
	wake    chan struct{}  // of the committer
	late    *time.Timer    // wakes it for a cursor that no other commit has taken along
	waits   bool           // late runs
	hurry   chan struct{}  // ends the committer's rest
	room    *sync.Cond     // for appenders, when the queue is full or the store is
	closing bool
	blocked bool  // full of what a sink that may not lose anything has not taken
	failed  error // of the last commit, while it is being tried again
	changed chan struct{}
	last    uint64 // number of the last durable finding
	first   uint64 // and of the oldest one kept
	bytes   int64  // of the findings kept
	cursors map[string]*cursor
	folds   map[string]*fold
	looked  time.Time // when the committer last looked for what is too old
	done    chan struct{}
	moved   atomic.Int64 // when the committer last came round, in Unix nanoseconds
}

type cursor struct {
	at    uint64 // delivered up to and with this finding
	block bool   // when_full: block

	durable chan struct{} // closed when the last move of at is
}

// item is one thing for the committer.
type item struct {
	position *finding.Position
	findings []finding.Finding
	losses   []finding.Loss
	cursor   string
	to       uint64
	forget   bool // the cursor
	size     int
	urgent   bool // the committer is woken at once
	flushed  chan struct{}
}

var (
	bMeta      = []byte("meta")
	bFindings  = []byte("findings")
	bPositions = []byte("positions")
	bCursors   = []byte("cursors")
	bFolds     = []byte("folds")
	bLedger    = []byte("ledger")
	kBytes     = []byte("bytes") // of the findings kept
	buckets    = [][]byte{bMeta, bFindings, bPositions, bCursors, bFolds, bLedger}
)

const (
	maxQueued   = 8 << 20 // bytes that may wait for the disk, or an eighth of MaxBytes if that is less; then reading stops
	maxLedger   = 10_000  // entries
	fileName    = "imwatch.db"
	formatValue = "2" // since a fold's subjects are one text
	olderFormat = "1" // can be read; the first opening makes it the newer one
)

// Open opens or makes the store in a directory. A damaged one is set aside and
// named in Damaged. ErrInUse when another process has it, ErrFormat when another
// version wrote it.
func Open(dir string, o Options) (*Store, error) {
	if o.MaxBytes <= 0 {
		o.MaxBytes = 1 << 30
	}
	if o.MaxAge <= 0 {
		o.MaxAge = 7 * 24 * time.Hour
	}
	if o.First <= 0 {
		o.First = 20
	}
	if o.Notice == nil {
		o.Notice = func(string, string) {}
	}
	if o.Commit == nil {
		o.Commit = func(Commit) {}
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("open store: %w", err)
	}
	path := filepath.Join(dir, fileName)
	s := &Store{o: o, wake: make(chan struct{}, 1), hurry: make(chan struct{}, 1), changed: make(chan struct{}), cursors: map[string]*cursor{}, folds: map[string]*fold{}, newest: map[string]int{}, done: make(chan struct{})}
	s.room = sync.NewCond(&s.mu)
	err := s.open(path)
	var refused syscall.Errno // the disk is full, or fails: what is in the file is not the matter
	if err != nil && !errors.Is(err, ErrInUse) && !errors.Is(err, ErrFormat) && !errors.As(err, &refused) {
		s.Damaged = fmt.Sprintf("%s.damaged-%s", path, o.Now().UTC().Format("20060102T150405"))
		if e := os.Rename(path, s.Damaged); e != nil {
			return nil, fmt.Errorf("open store %s: %w; it cannot be set aside: %w", path, err, e)
		}
		o.Notice("error", fmt.Sprintf("the store %s is damaged (%v): it is set aside as %s, and files younger than %s are read again", path, err, s.Damaged, o.MaxAge))
		err = s.open(path)
	}
	if err != nil {
		return nil, fmt.Errorf("open store %s: %w", path, err)
	}
	s.moved.Store(time.Now().UnixNano())
	s.late = time.AfterFunc(cursorCommit, s.rouse)
	go s.commits()
	return s, nil
}

// OpenRead opens the store of a daemon that does not run, to read it. The error
// is os.ErrNotExist when there is none, ErrInUse when a daemon has it.
func OpenRead(dir string) (*Store, error) {
	path := filepath.Join(dir, fileName)
	if _, err := os.Stat(path); err != nil {
		return nil, fmt.Errorf("open store: %w", err)
	}
	db, err := bbolt.Open(path, 0o600, &bbolt.Options{Timeout: 300 * time.Millisecond, ReadOnly: true})
	if errors.Is(err, berrors.ErrTimeout) {
		return nil, ErrInUse
	}
	if err != nil {
		return nil, fmt.Errorf("open store %s: %w", path, err)
	}
	s := &Store{db: db, o: Options{Now: time.Now}, cursors: map[string]*cursor{}, folds: map[string]*fold{}, done: make(chan struct{})}
	close(s.done)
	if err := db.View(s.read); err != nil {
		return nil, errors.Join(fmt.Errorf("read store %s: %w", path, err), db.Close())
	}
	return s, nil
}

// open opens the file and reads what is kept in memory. A page that cannot be
// read makes bbolt panic; that is a damaged file, too.
func (s *Store) open(path string) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("damaged: %v", p)
		}
		if err != nil && s.db != nil {
			s.db.Close()
			s.db = nil
		}
	}()
	// Reading every page takes seconds for a large store, so it is done only where
	// the last opening did not come to its end: bbolt met a bad page, or somebody
	// pulled the plug.
	opening := path + ".opening"
	if _, err := os.Stat(opening); err == nil {
		if err := verify(path); err != nil {
			return errors.Join(err, os.Remove(opening))
		}
	}
	if os.WriteFile(opening, nil, 0o600) != nil { // no room for it: then the reading comes first
		if err := verify(path); err != nil {
			return err
		}
	}
	defer func() {
		if e := os.Remove(opening); err == nil && !errors.Is(e, os.ErrNotExist) {
			err = e
		}
	}()
	s.db, err = bbolt.Open(path, 0o600, &bbolt.Options{Timeout: 300 * time.Millisecond, NoFreelistSync: true, FreelistType: bbolt.FreelistMapType, PreLoadFreelist: false})
	if errors.Is(err, berrors.ErrTimeout) {
		return ErrInUse
	}
	if err != nil {
		return err
	}
	s.db.AllocSize = int(min(s.o.MaxBytes/16, int64(s.db.AllocSize))) // by so much the file grows
	return s.db.Update(s.load)
}

// verify reads every page of a store. bbolt itself does so when it opens a file
// without a freelist, but in a goroutine of its own, where a bad page ends the
// process.
func verify(path string) (err error) {
	if info, err := os.Stat(path); errors.Is(err, os.ErrNotExist) || err == nil && info.Size() == 0 {
		return nil
	}
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true)) // a file that was cut short
	db, err := bbolt.Open(path, 0o600, &bbolt.Options{Timeout: 300 * time.Millisecond, ReadOnly: true})
	if errors.Is(err, berrors.ErrTimeout) {
		return ErrInUse
	}
	if err != nil {
		return err
	}
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("damaged: %v", p)
		}
		db.Close()
	}()
	tx, err := db.Begin(false)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, tx.Rollback()) }()
	return tx.ForEach(func(name []byte, b *bbolt.Bucket) error {
		return b.ForEach(func(k, v []byte) error {
			if len(v) > 0 && v[0] == '{' && v[len(v)-1] != '}' {
				return fmt.Errorf("%s %x is damaged", name, k)
			}
			return nil
		})
	})
}

func (s *Store) load(tx *bbolt.Tx) error {
	for _, name := range buckets {
		if _, err := tx.CreateBucketIfNotExists(name); err != nil {
			return err
		}
	}
	meta := tx.Bucket(bMeta)
	switch v := meta.Get([]byte("format")); string(v) {
	case "":
		var id [16]byte
		rand.Read(id[:]) // never fails
		if err := meta.Put([]byte("host"), []byte(hex.EncodeToString(id[:]))); err != nil {
			return err
		}
	case formatValue, olderFormat:
	default:
		return foreign(v)
	}
	if err := meta.Put([]byte("format"), []byte(formatValue)); err != nil {
		return err
	}
	if err := s.forgetDone(tx); err != nil {
		return err
	}
	return s.read(tx)
}

// foreign is the error of a format that is not ours.
func foreign(format []byte) error {
	if _, err := strconv.Atoi(string(format)); err != nil {
		return fmt.Errorf("its format is %q", format) // that no version wrote
	}
	return fmt.Errorf("%w: its format is %s, this program's is %s\nhint: run that version, or move the store away; then young files are read again, and events come twice", ErrFormat, format, formatValue)
}

// read fills what is kept in memory.
func (s *Store) read(tx *bbolt.Tx) error {
	for _, name := range buckets {
		if tx.Bucket(name) == nil {
			return fmt.Errorf("it has no %s", name)
		}
	}
	if v := tx.Bucket(bMeta).Get([]byte("format")); string(v) != formatValue && string(v) != olderFormat {
		return foreign(v)
	}
	s.hostID = string(tx.Bucket(bMeta).Get([]byte("host")))
	s.bytes, s.first, s.last = 0, 0, 0
	if k, _ := tx.Bucket(bFindings).Cursor().First(); k != nil {
		s.first = binary.BigEndian.Uint64(k)
	}
	if v := tx.Bucket(bMeta).Get(kBytes); len(v) == 8 {
		s.bytes = int64(binary.BigEndian.Uint64(v))
	}
	s.last = tx.Bucket(bFindings).Sequence()
	err := tx.Bucket(bCursors).ForEach(func(k, v []byte) error {
		s.cursors[string(k)] = &cursor{at: binary.BigEndian.Uint64(v)}
		return nil
	})
	if err != nil {
		return err
	}
	return tx.Bucket(bFolds).ForEach(func(k, v []byte) error {
		f, err := readFold(v)
		if err != nil {
			return fmt.Errorf("fold %q: %w", k, err)
		}
		s.folds[string(k)] = f
		return nil
	})
}

// The position of a file that was rotated away and read to its end is kept for
// so long: if the file is still there after that, it is read again.
const keepDone = 90 * 24 * time.Hour

func (s *Store) forgetDone(tx *bbolt.Tx) error {
	b := tx.Bucket(bPositions)
	c := b.Cursor()
	for k, v := c.First(); k != nil; k, v = c.Next() {
		var p struct {
			Done bool      `json:"done"`
			Seen time.Time `json:"seen"`
		}
		if json.Unmarshal(v, &p) == nil && p.Done && s.o.Now().Sub(p.Seen) > keepDone {
			if err := c.Delete(); err != nil {
				return err
			}
		}
	}
	return nil
}

// HostID is a random name of this store's machine, kept in it: the salt of
// event ids.
func (s *Store) HostID() string { return s.hostID }

// Dir is the state directory.
func (s *Store) Dir() string { return filepath.Dir(s.db.Path()) }

// Moved is when the committer last came round, be it that there was nothing to
// do or that the disk refused: it does so every second unless a call to the
// disk does not return.
func (s *Store) Moved() time.Time { return time.Unix(0, s.moved.Load()) }

// Positions returns every position kept.
func (s *Store) Positions() (list []finding.Position, err error) {
	err = s.db.View(func(tx *bbolt.Tx) error {
		return tx.Bucket(bPositions).ForEach(func(k, v []byte) error {
			var p finding.Position
			if err := json.Unmarshal(v, &p); err != nil {
				return fmt.Errorf("position %s: %w", k, err)
			}
			list = append(list, p)
			return nil
		})
	})
	return list, err
}

// Append queues a position and the findings before it, which become durable
// together, and returns. While the queue or the store is full it waits with
// findings, until ctx ends. A position alone never waits: it takes the place of
// the one before it.
func (s *Store) Append(ctx context.Context, p finding.Position, list []finding.Finding, losses []finding.Loss) error {
	it := item{position: &p, findings: list, losses: losses, urgent: len(list)+len(losses) > 0 || p.Done, size: 512 + len(p.Head)}
	for i := range list {
		it.size += 1024 + len(list[i].Original)
	}
	return s.enqueue(ctx, it, len(list) > 0 && len(losses) == 0)
}

// Tell queues a finding that no file's reading has brought.
func (s *Store) Tell(f finding.Finding) error {
	return s.enqueue(context.Background(), item{findings: []finding.Finding{f}, urgent: true, size: 1024}, false)
}

// Lose adds to the ledger what was lost outside of a file's reading.
func (s *Store) Lose(l ...finding.Loss) error {
	return s.enqueue(context.Background(), item{losses: l, urgent: true, size: 256}, false)
}

func (s *Store) enqueue(ctx context.Context, it item, wait bool) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	most := s.mostQueued()
	if wait && (s.queued > most || s.blocked) {
		wake := context.AfterFunc(ctx, func() {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.room.Broadcast()
		})
		defer wake()
		for (s.queued > most || s.blocked) && !s.closing && ctx.Err() == nil {
			s.room.Wait()
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
	}
	if s.closing {
		return ErrClosed
	}
	switch {
	case it.urgent:
		s.rouse()
	case it.cursor != "" && !s.waits:
		s.waits = true
		s.late.Reset(cursorCommit)
	}
	if p := it.position; p != nil {
		if i, ok := s.newest[p.Generation]; ok {
			if len(it.findings)+len(it.losses) == 0 {
				s.queue[i].position = p
				return nil
			}
			s.queue[i].position = nil // all of the queue becomes durable at once
		}
		s.newest[p.Generation] = len(s.queue)
	}
	s.queue = append(s.queue, it)
	if s.queued += it.size; s.queued > s.mostQueued()/8 {
		signal(s.hurry)
	}
	return nil
}

// mostQueued is how many bytes may wait for the disk.
func (s *Store) mostQueued() int { return min(maxQueued, int(s.o.MaxBytes/8)) }

// rouse wakes the committer.
func (s *Store) rouse() { signal(s.wake) }

// signal sends, if no signal is waiting to be taken.
func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// Register makes a sink's cursor known. A new one begins with the oldest
// finding kept. block: when the sink's findings fill the store, reading stops.
func (s *Store) Register(sink string, block bool) error {
	s.mu.Lock()
	c, ok := s.cursors[sink]
	if !ok {
		at := s.last
		if s.first > 0 {
			at = s.first - 1
		}
		c = &cursor{at: at}
		s.cursors[sink] = c
	}
	c.block = block
	s.mu.Unlock()
	if ok {
		return nil
	}
	return s.enqueue(context.Background(), item{cursor: sink, to: c.at, urgent: true}, false)
}

// Forget drops the cursors of sinks that are not in the list: they would keep
// the store full for ever.
func (s *Store) Forget(keep map[string]bool) error {
	s.mu.Lock()
	var gone []string
	for name := range s.cursors {
		if _, ok := keep[name]; !ok {
			gone = append(gone, name)
			delete(s.cursors, name)
		}
	}
	s.mu.Unlock()
	for _, name := range gone {
		if err := s.enqueue(context.Background(), item{cursor: name, forget: true, urgent: true}, false); err != nil {
			return err
		}
	}
	return nil
}

// Next returns up to n findings behind a sink's cursor, and the number that
// Delivered takes when they are. The channel is closed when there may be more.
func (s *Store) Next(sink string, n int) (list []finding.Finding, to uint64, more <-chan struct{}, err error) {
	s.mu.Lock()
	more = s.changed
	c := s.cursors[sink]
	var at uint64
	if c != nil {
		at = c.at
	}
	last := s.last
	s.mu.Unlock()
	if c == nil {
		return nil, 0, more, fmt.Errorf("sink %s is not registered", sink)
	}
	if at >= last {
		return nil, at, more, nil
	}
	to = at
	err = s.Each(at+1, func(seq uint64, f *finding.Finding) bool {
		list = append(list, *f)
		to = seq
		return len(list) < n
	})
	return list, to, more, err
}

// Each calls f with the findings from a number on, until it returns false.
func (s *Store) Each(from uint64, f func(uint64, *finding.Finding) bool) error {
	return s.db.View(func(tx *bbolt.Tx) error {
		c := tx.Bucket(bFindings).Cursor()
		for k, v := c.Seek(key(from)); k != nil; k, v = c.Next() {
			var x finding.Finding
			if err := json.Unmarshal(v, &x); err != nil {
				return fmt.Errorf("finding %d: %w", binary.BigEndian.Uint64(k), err)
			}
			if !f(binary.BigEndian.Uint64(k), &x) {
				return nil
			}
		}
		return nil
	})
}

// Delivered moves a sink's cursor. The move waits up to cursorCommit for a commit that
// takes it along, as that of the next findings; the call does not.
//
// It waits for the move before this one to be durable, so that a crash repeats
// at most the batch before the last and the one being sent. A disk that fails
// does not hold up the sinks for long.
func (s *Store) Delivered(sink string, to uint64) error {
	var before chan struct{}
	it := item{cursor: sink, to: to, flushed: make(chan struct{})}
	s.mu.Lock()
	if c := s.cursors[sink]; c != nil && c.at < to {
		c.at = to
		before, c.durable = c.durable, it.flushed
		s.room.Broadcast()
	}
	s.mu.Unlock()
	select {
	case <-before:
		before = nil
	default:
		it.urgent = before != nil
	}
	if err := s.enqueue(context.Background(), it, false); err != nil || before == nil {
		return err
	}
	late := time.NewTimer(time.Second)
	defer late.Stop()
	select {
	case <-before:
	case <-late.C:
	}
	return nil
}

// Flush waits until everything queued is durable, or ctx ends.
func (s *Store) Flush(ctx context.Context) error {
	flushed := make(chan struct{})
	if err := s.enqueue(ctx, item{flushed: flushed, urgent: true}, false); err != nil {
		return err
	}
	select {
	case <-ctx.Done():
		return fmt.Errorf("the store in %s could not be written in time; what was read last will be read again: %w", s.Dir(), ctx.Err())
	case <-flushed:
		return nil
	case <-s.done:
		return ErrClosed
	}
}

// Losses returns the ledger, the oldest entry first.
func (s *Store) Losses() (list []finding.Loss, err error) {
	err = s.db.View(func(tx *bbolt.Tx) error {
		return tx.Bucket(bLedger).ForEach(func(_, v []byte) error {
			var l finding.Loss
			if err := json.Unmarshal(v, &l); err != nil {
				return err
			}
			list = append(list, l)
			return nil
		})
	})
	return list, err
}

// State is what can be told about the store.
type State struct {
	Bytes   int64             `json:"bytes"` // of the file
	Kept    uint64            `json:"kept"`  // findings
	Backlog map[string]uint64 `json:"backlog"`
	Error   string            `json:"error,omitempty"`
	Storms  []Storm           `json:"storms,omitempty"`
}

// State tells how full the store is and how far each sink is behind.
func (s *Store) State() State {
	s.mu.Lock()
	defer s.mu.Unlock()
	st := State{Backlog: map[string]uint64{}}
	if s.first > 0 {
		st.Kept = s.last - s.first + 1
	}
	for name, c := range s.cursors {
		st.Backlog[name] = s.last - min(c.at, s.last)
	}
	if s.failed != nil {
		st.Error = s.failed.Error()
	}
	if info, err := os.Stat(s.db.Path()); err == nil {
		st.Bytes = info.Size()
	}
	for _, f := range s.folds {
		if f.Folded > 0 {
			st.Storms = append(st.Storms, f.storm())
		}
	}
	return st
}

// Close commits what is queued and closes the file.
func (s *Store) Close() error {
	s.mu.Lock()
	s.closing = true
	if s.room != nil {
		s.room.Broadcast()
	}
	s.mu.Unlock()
	if s.wake != nil {
		s.late.Stop()
		s.rouse()
	}
	<-s.done
	return s.db.Close()
}

func key(n uint64) []byte { return binary.BigEndian.AppendUint64(nil, n) }
