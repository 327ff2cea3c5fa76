package sinktest

import (
	"slices"
	"sync"

	"github.com/imwatch/imwatch/internal/finding"
	"github.com/imwatch/imwatch/internal/sink"
)

// A Queue is the store's side of a delivery.
type Queue struct {
	mu   sync.Mutex
	list []finding.Finding
	at   uint64
	lost []finding.Loss
	more chan struct{}
}

// NewQueue returns a queue with these findings.
func NewQueue(list ...finding.Finding) *Queue {
	return &Queue{list: list, more: make(chan struct{})}
}

func queueOf(events []sink.Event) *Queue {
	q := NewQueue()
	for i := range events {
		q.Add(*events[i].Finding)
	}
	return q
}

// Add adds findings and tells who waits for more.
func (q *Queue) Add(list ...finding.Finding) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.list = append(q.list, list...)
	close(q.more)
	q.more = make(chan struct{})
}

// At is how many of the findings were delivered.
func (q *Queue) At() uint64 {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.at
}

// Lost is what the ledger has.
func (q *Queue) Lost() []finding.Loss {
	q.mu.Lock()
	defer q.mu.Unlock()
	return slices.Clone(q.lost)
}

// Next implements [sink.Queue].
func (q *Queue) Next(_ string, n int) (list []finding.Finding, to uint64, more <-chan struct{}, err error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	end := min(len(q.list), int(q.at)+n)
	return slices.Clone(q.list[q.at:end]), uint64(end), q.more, nil
}

// Delivered implements [sink.Queue].
func (q *Queue) Delivered(_ string, to uint64) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.at = to
	return nil
}

// Lose implements [sink.Queue].
func (q *Queue) Lose(l ...finding.Loss) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.lost = append(q.lost, l...)
	return nil
}
