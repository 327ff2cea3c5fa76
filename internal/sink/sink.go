// Package sink delivers events. Each sink has its own cursor in the store, which
// moves when the other side has taken what was sent: delivery is at least once,
// and a repeat carries the same event id.
package sink

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/imwatch/imwatch/internal/finding"
)

// An Event is what a sink sends.
type Event struct {
	ID      string
	Level   string
	Finding *finding.Finding
	JSON    []byte // one line, with its newline
}

// A Sink sends events to one place. An error means that none of them counts as
// delivered; ErrRejected, that the other side will never take one of them.
type Sink interface {
	Send(ctx context.Context, events []Event) error
	Close() error
}

// ErrRejected says that the other side refuses what was sent, and would again.
var ErrRejected = errors.New("rejected")

// Queue is the store as a sink sees it.
type Queue interface {
	Next(sink string, n int) (list []finding.Finding, to uint64, more <-chan struct{}, err error)
	Delivered(sink string, to uint64) error
	Lose(l ...finding.Loss) error
}

// A Delivery moves findings from the queue to a sink.
type Delivery struct {
	Name   string
	Sink   Sink
	Queue  Queue
	Encode func(*finding.Finding) (Event, bool) // false: this sink's filters leave it out
	Notice func(level, text string)
	Batch  int // events sent at once; default 500

	mu     sync.Mutex
	sent   int64
	failed string
}

// Delays between attempts; half of each is chance.
const (
	firstDelay = 100 * time.Millisecond
	lastDelay  = 30 * time.Second
)

// Run delivers until ctx ends. When drain is closed it ends as soon as nothing
// is left to deliver.
func (d *Delivery) Run(ctx context.Context, drain <-chan struct{}) {
	if d.Batch <= 0 {
		d.Batch = 500
	}
	for ctx.Err() == nil {
		list, to, more, err := d.Queue.Next(d.Name, d.Batch)
		if err != nil {
			d.Notice("error", fmt.Sprintf("sink %s: read the store: %v", d.Name, err))
			if !sleep(ctx, lastDelay) {
				return
			}
			continue
		}
		if len(list) == 0 {
			select {
			case <-ctx.Done():
			case <-more:
			case <-drain:
				select {
				case <-more: // what came in last
				default:
					return
				}
			}
			continue
		}
		d.deliver(ctx, list, to)
	}
}

// deliver sends a batch until the other side has taken it.
func (d *Delivery) deliver(ctx context.Context, list []finding.Finding, to uint64) {
	var events []Event
	for i := range list {
		if e, ok := d.Encode(&list[i]); ok {
			events = append(events, e)
		}
	}
	delay := firstDelay
	for len(events) > 0 {
		err := d.Sink.Send(ctx, events)
		if err == nil {
			break
		}
		if errors.Is(err, ErrRejected) {
			if !d.one(ctx, events) {
				return
			}
			break
		}
		if !d.failing(ctx, err, &delay) {
			return
		}
	}
	d.ok(len(events))
	if err := d.Queue.Delivered(d.Name, to); err != nil {
		d.Notice("error", fmt.Sprintf("sink %s: keep its place: %v", d.Name, err))
	}
}

// one sends events singly, so that only those are lost that are refused.
func (d *Delivery) one(ctx context.Context, events []Event) bool {
	for _, e := range events {
		for delay := firstDelay; ; {
			err := d.Sink.Send(ctx, []Event{e})
			if err == nil {
				break
			}
			if errors.Is(err, ErrRejected) {
				d.Notice("error", fmt.Sprintf("sink %s refuses event %s: %v", d.Name, e.ID, err))
				if err := d.Queue.Lose(finding.Loss{Time: time.Now().UTC(), Sink: d.Name, Path: e.Finding.Path, Reason: "refused by the sink: " + e.ID, From: e.Finding.Offset, To: e.Finding.Offset}); err != nil {
					return false
				}
				break
			}
			if !d.failing(ctx, err, &delay) {
				return false
			}
		}
	}
	return true
}

// failing tells once that sending fails, and waits; false when ctx ends.
func (d *Delivery) failing(ctx context.Context, err error, delay *time.Duration) bool {
	if ctx.Err() != nil {
		return false
	}
	d.mu.Lock()
	news := d.failed == ""
	d.failed = err.Error()
	d.mu.Unlock()
	if news {
		d.Notice("error", fmt.Sprintf("sink %s: %v; trying again", d.Name, err))
	}
	ok := sleep(ctx, *delay/2+rand.N(*delay/2))
	*delay = min(2**delay, lastDelay)
	return ok
}

func (d *Delivery) ok(n int) {
	d.mu.Lock()
	was := d.failed
	d.failed = ""
	d.sent += int64(n)
	d.mu.Unlock()
	if was != "" {
		d.Notice("info", fmt.Sprintf("sink %s takes events again", d.Name))
	}
}

// State tells how many events were sent, and the last error while it lasts.
func (d *Delivery) State() (sent int64, failed string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.sent, d.failed
}

func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}
