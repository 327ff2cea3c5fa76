package store

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"time"

	"github.com/imwatch/imwatch/internal/finding"
	"go.etcd.io/bbolt"
)

const (
	quietCommit  = time.Second            // positions without findings wait so long,
	cursorCommit = 100 * time.Millisecond // cursors so long
	retryFirst   = 100 * time.Millisecond
	retryLast    = time.Second

	// Between two commits the disk has time for others: so many times as long as the
	// last one took, at most.
	restFactor = 10
	maxRest    = 20 * time.Millisecond
)

// commits is the committer: it takes whatever has come in while the last commit
// was syncing and makes it durable in one transaction. A commit that fails is
// tried again until the disk heals; meanwhile appenders wait when the queue is
// full, and nothing counts as delivered.
func (s *Store) commits() {
	defer close(s.done)
	timer := time.NewTimer(quietCommit)
	defer timer.Stop()
	var restUntil time.Time
	for {
		select {
		case <-s.wake:
		case <-timer.C:
		}
		if d := time.Until(restUntil); d > 0 { // who is woken later need not rest
			s.rest(d)
		}
		timer.Reset(quietCommit)
		began := time.Now()
		batch, closing := s.take()
		retry := retryFirst
		for {
			err := s.commit(batch, closing)
			s.moved.Store(time.Now().UnixNano())
			s.report(err)
			if err == nil || closing {
				break
			}
			time.Sleep(retry)
			retry = min(2*retry, retryLast)
			s.mu.Lock()
			closing = s.closing
			s.mu.Unlock()
		}
		for _, it := range batch {
			if it.flushed != nil {
				close(it.flushed)
			}
		}
		if closing {
			return
		}
		restUntil = time.Now().Add(min(restFactor*time.Since(began), maxRest))
	}
}

// rest waits, but not for long when much comes in.
func (s *Store) rest(d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-s.hurry:
	}
}

func (s *Store) take() (batch []item, closing bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	batch, s.queue, s.queued, s.waits = s.queue, nil, 0, false
	clear(s.newest)
	s.room.Broadcast()
	for _, call := range []chan struct{}{s.wake, s.hurry} { // what they call for is taken
		select {
		case <-call:
		default:
		}
	}
	return batch, s.closing
}

// report tells once when commits begin to fail, and when they succeed again.
func (s *Store) report(err error) {
	s.mu.Lock()
	was := s.failed
	s.failed = err
	s.mu.Unlock()
	switch {
	case err != nil && was == nil:
		s.o.Notice("error", fmt.Sprintf("the store cannot be written (%v): files are followed as far as memory allows, nothing is delivered that is not durable\nhint: is the disk of %s full or read-only?", err, s.db.Path()))
	case err == nil && was != nil:
		s.o.Notice("info", "the store can be written again")
	}
}

// A Commit is what can be told about one that succeeded.
type Commit struct {
	Took    time.Duration
	Folded  map[string]int    // by source: findings counted in a storm
	Dropped map[string]uint64 // by sink: what it will never get, because the store was full
}

// pendingState is what a commit will change in memory when it succeeds.
type pendingState struct {
	folds       map[string]*fold // nil: closed
	added       int64
	last, first uint64
	evicted     int64
	moved       map[string]uint64
	folded      map[string]int
}

// commit writes a batch in one transaction. Nothing in memory changes unless it
// succeeds.
func (s *Store) commit(batch []item, closing bool) (err error) {
	now, began := s.o.Now(), time.Now()
	s.mu.Lock()
	ended := s.ended(now)
	full := float64(s.bytes) > payload*float64(s.o.MaxBytes)
	aged := s.first > 0 && now.Sub(s.looked) >= time.Minute
	s.mu.Unlock()
	if len(batch) == 0 && len(ended) == 0 && !full && !aged {
		return nil
	}
	if len(batch)+len(ended) == 0 && !s.evictable(now) {
		s.looked = now
		return nil // nothing to write: the disk may sleep
	}
	defer func() {
		if p := recover(); p != nil { // bbolt on a page that went bad
			err = fmt.Errorf("damaged: %v", p)
		}
	}()
	var st pendingState
	err = s.db.Update(func(tx *bbolt.Tx) error {
		st = pendingState{folds: map[string]*fold{}, last: s.last, first: s.first, moved: map[string]uint64{}, folded: map[string]int{}}
		w := writer{s: s, tx: tx, st: &st, now: now, open: len(s.folds)}
		for _, key := range ended {
			if err := w.end(key, s.folds[key]); err != nil {
				return err
			}
		}
		for i := range batch {
			if err := w.item(&batch[i]); err != nil {
				return err
			}
		}
		if err := w.keepFolds(); err != nil {
			return err
		}
		if err := w.evict(); err != nil {
			return err
		}
		return tx.Bucket(bMeta).Put(kBytes, key(uint64(s.bytes+st.added-st.evicted)))
	})
	if err != nil {
		return err
	}
	s.looked = now
	s.mu.Lock()
	defer s.mu.Unlock()
	for k, f := range st.folds {
		if f == nil {
			delete(s.folds, k)
		} else {
			s.folds[k] = f
		}
	}
	s.bytes += st.added - st.evicted
	s.first, s.last = st.first, st.last
	dropped := map[string]uint64{}
	for name, to := range st.moved {
		if c := s.cursors[name]; c != nil && c.at < to {
			dropped[name] = to - c.at
			c.at = to
		}
	}
	s.blocked = float64(s.bytes) > payload*float64(s.o.MaxBytes)
	s.room.Broadcast()
	if st.added > 0 {
		close(s.changed)
		s.changed = make(chan struct{})
	}
	s.o.Commit(Commit{Took: time.Since(began), Folded: st.folded, Dropped: dropped})
	return nil
}

// writer is one transaction.
type writer struct {
	s   *Store
	tx  *bbolt.Tx
	st  *pendingState
	now time.Time

	open int // folds
}

func (w *writer) item(it *item) error {
	for i := range it.findings {
		if err := w.fold(&it.findings[i]); err != nil {
			return err
		}
	}
	if p := it.position; p != nil && p.Gone {
		if err := w.tx.Bucket(bPositions).Delete([]byte(p.Generation)); err != nil {
			return err
		}
	} else if p != nil {
		v, err := json.Marshal(p)
		if err == nil {
			err = w.tx.Bucket(bPositions).Put([]byte(p.Generation), v)
		}
		if err != nil {
			return err
		}
	}
	for i := range it.losses {
		if err := w.lose(&it.losses[i]); err != nil {
			return err
		}
	}
	if it.forget {
		return w.tx.Bucket(bCursors).Delete([]byte(it.cursor))
	}
	if it.cursor != "" {
		return w.tx.Bucket(bCursors).Put([]byte(it.cursor), key(it.to))
	}
	return nil
}

// put keeps a finding under the next number.
func (w *writer) put(f *finding.Finding) error {
	v, err := json.Marshal(f)
	if err != nil {
		return err
	}
	b := w.tx.Bucket(bFindings)
	w.st.last++
	if w.st.first == 0 {
		w.st.first = w.st.last
	}
	w.st.added += int64(len(v))
	b.FillPercent = 0.95 // keys only grow
	if err := b.SetSequence(w.st.last); err != nil {
		return err
	}
	return b.Put(key(w.st.last), v)
}

// lose keeps an entry of the ledger, and the newest ones when it is full. What a
// sink goes on losing is one entry.
func (w *writer) lose(l *finding.Loss) error {
	b := w.tx.Bucket(bLedger)
	if k, v := b.Cursor().Last(); k != nil && l.Sink != "" {
		var last finding.Loss
		if json.Unmarshal(v, &last) == nil && last.Sink == l.Sink && last.Reason == l.Reason && last.Path == l.Path && last.To+1 == l.From {
			last.To = l.To
			v, err := json.Marshal(&last)
			if err != nil {
				return err
			}
			return b.Put(k, v)
		}
	}
	n, err := b.NextSequence()
	if err != nil {
		return err
	}
	v, err := json.Marshal(l)
	if err != nil {
		return err
	}
	if n > maxLedger {
		if err := b.Delete(key(n - maxLedger)); err != nil {
			return err
		}
	}
	return b.Put(key(n), v)
}

// A page holds findings, their keys and what is free in it; bbolt files do not
// shrink. So findings may take this share of the bound.
const payload = 0.6

// evict removes the oldest findings when there are too many or they are too
// old: delivered ones first. A sink that is behind loses what is evicted, in
// the ledger, unless its when_full is block.
func (w *writer) evict() error {
	s := w.s
	c := w.tx.Bucket(bFindings).Cursor()
	for k, v := c.First(); k != nil; k, v = c.First() {
		n := binary.BigEndian.Uint64(k)
		if !w.may(n, v) {
			break
		}
		w.st.evicted += int64(len(v))
		if err := c.Delete(); err != nil {
			return err
		}
		w.st.first = n + 1
	}
	if w.st.first > w.st.last {
		w.st.first = 0
	}
	for name, to := range w.st.moved {
		if err := w.tx.Bucket(bCursors).Put([]byte(name), key(to)); err != nil {
			return err
		}
		l := finding.Loss{Time: w.now.UTC(), Sink: name, Reason: "the store was full", From: int64(s.at(name) + 1), To: int64(to)}
		if err := w.lose(&l); err != nil {
			return err
		}
	}
	return nil
}

// may tells whether the oldest finding may go, and moves the cursors that it
// takes with it.
func (w *writer) may(n uint64, v []byte) bool {
	if float64(w.s.bytes+w.st.added-w.st.evicted) > payload*float64(w.s.o.MaxBytes) {
		return w.dropBehind(n)
	}
	var age struct{ Created time.Time }
	err := json.Unmarshal(v, &age)
	return (err != nil || !age.Created.After(w.now.Add(-w.s.o.MaxAge))) && w.delivered(n)
}

// evictable tells whether the oldest finding can go.
func (s *Store) evictable(now time.Time) (yes bool) {
	err := s.db.View(func(tx *bbolt.Tx) error {
		w := writer{s: s, tx: tx, st: &pendingState{moved: map[string]uint64{}}, now: now}
		if k, v := tx.Bucket(bFindings).Cursor().First(); k != nil {
			yes = w.may(binary.BigEndian.Uint64(k), v)
		}
		return nil
	})
	return yes || err != nil
}

func (s *Store) at(sink string) uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	if c := s.cursors[sink]; c != nil {
		return c.at
	}
	return 0
}

// delivered tells whether every sink has a finding.
func (w *writer) delivered(n uint64) bool {
	w.s.mu.Lock()
	defer w.s.mu.Unlock()
	for _, c := range w.s.cursors {
		if c.at < n {
			return false
		}
	}
	return true
}

// dropBehind moves the cursors that have not reached a finding behind it; false
// when one of them may not lose it.
func (w *writer) dropBehind(n uint64) bool {
	w.s.mu.Lock()
	defer w.s.mu.Unlock()
	for _, c := range w.s.cursors {
		if c.at < n && c.block {
			return false
		}
	}
	for name, c := range w.s.cursors {
		if c.at < n {
			w.st.moved[name] = n
		}
	}
	return true
}
