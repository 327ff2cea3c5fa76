package sink

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"strings"
	"sync"
	"time"

	"github.com/imwatch/imwatch/internal/finding"
	"github.com/imwatch/imwatch/internal/redact"
)

// Queue is the store as a sink sees it.
type Queue interface {
	Next(sink string, n int) (list []finding.Finding, to uint64, more <-chan struct{}, err error)
	Delivered(sink string, to uint64) error
	Lose(l ...finding.Loss) error
}

// A Delivery moves findings from the queue to a sink. One goroutine runs it.
type Delivery struct {
	Name    string
	Sink    Sink
	Queue   Queue
	Encode  func(*finding.Finding) (Event, bool) // false: this sink's filters leave it out
	Notice  func(level, text string)
	Batch   Batch
	Retry   Retry
	Letters *Letters // nil: refused events are only told in the ledger

	mu      sync.Mutex
	state   State
	inRow   int // failures since the last success
	refused int // events in a row

	told time.Time // of a dead letter
}

// Batch bounds what one Send is given. Zero values mean the defaults.
type Batch struct {
	Events int           // default 500
	Bytes  int           // of JSON; default 1 MiB
	Wait   time.Duration // for more events, when there are fewer; default none
}

// Retry says how long to wait after a failure: first First, then twice as long
// each time up to Last; half of each is chance. A refusal of who we are waits
// Last at once. Timeout bounds one attempt.
type Retry struct {
	First, Last, Timeout time.Duration
}

// defaults fills in what was not said.
func (d *Delivery) defaults() {
	set := func(v *time.Duration, def time.Duration) {
		if *v <= 0 {
			*v = def
		}
	}
	set(&d.Retry.First, 100*time.Millisecond)
	set(&d.Retry.Last, 30*time.Second)
	set(&d.Retry.Timeout, time.Minute)
	if d.Batch.Events <= 0 {
		d.Batch.Events = 500
	}
	if d.Batch.Bytes <= 0 {
		d.Batch.Bytes = 1 << 20
	}
}

const (
	openAfter    = 3         // failures in a row: then one event is sent to see whether the other side is back
	mostRefused  = 20        // events refused in a row: then each further one waits, for the fault may be ours
	longestAfter = time.Hour // that another side may make us wait
	tellLetters  = time.Hour // at most once; status counts all of them
)

// State tells how a delivery does. Error is the first of an outage, while it
// lasts; Since and Attempts are the outage's.
type State struct {
	Sent     int64            `json:"sent"`
	Letters  int64            `json:"dead_letters,omitempty"`
	Errors   map[string]int64 `json:"errors,omitempty"` // by class
	Error    string           `json:"error,omitempty"`
	Class    string           `json:"class,omitempty"` // its class
	Since    time.Time        `json:"since,omitzero"`
	Attempts int64            `json:"attempts,omitempty"`
	Probing  bool             `json:"probing,omitempty"`
	Late     int64            `json:"late,omitempty"` // sent under the time of reading, for the other side's window was over
}

// State tells how the delivery does.
func (d *Delivery) State() State {
	d.mu.Lock()
	defer d.mu.Unlock()
	s := d.state
	s.Errors = maps.Clone(s.Errors)
	if l, ok := d.Sink.(interface{ Late() int64 }); ok {
		s.Late = l.Late()
	}
	return s
}

// Run delivers until ctx ends. When drain is closed it ends as soon as nothing
// is left to deliver.
func (d *Delivery) Run(ctx context.Context, drain <-chan struct{}) {
	d.defaults()
	waited := false
	for ctx.Err() == nil {
		list, to, more, err := d.Queue.Next(d.Name, d.Batch.Events)
		if err != nil {
			d.Notice("error", fmt.Sprintf("sink %s: read the store: %v", d.Name, err))
			if !sleep(ctx, d.Retry.Last) {
				return
			}
			continue
		}
		switch {
		case len(list) == 0:
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
		case len(list) < d.Batch.Events && d.Batch.Wait > 0 && !waited:
			waited = true
			pause(ctx, d.Batch.Wait, drain)
			continue
		default:
			d.deliver(ctx, list, to)
		}
		waited = false
	}
}

// deliver sends findings until the other side has taken all of them, and only
// then moves the cursor.
func (d *Delivery) deliver(ctx context.Context, list []finding.Finding, to uint64) {
	events := make([]Event, 0, len(list))
	size := 0
	for i := range list {
		e, ok := d.Encode(&list[i])
		if !ok {
			continue
		}
		if size+len(e.JSON) > d.Batch.Bytes && len(events) > 0 {
			if !d.send(ctx, events) {
				return
			}
			events, size = events[:0], 0
		}
		events = append(events, e)
		size += len(e.JSON)
	}
	if !d.send(ctx, events) {
		return
	}
	if err := d.Queue.Delivered(d.Name, to); err != nil {
		d.Notice("error", fmt.Sprintf("sink %s: keep its place: %v", d.Name, err))
	}
}

// send sends events until each was taken or is a dead letter; false when ctx
// ended before.
func (d *Delivery) send(ctx context.Context, events []Event) bool {
	for len(events) > 0 {
		now := events
		if d.probing() {
			now = events[:1]
		}
		attempt, cancel := context.WithTimeout(ctx, d.Retry.Timeout)
		err := d.Sink.Send(attempt, now)
		cancel()
		var p *Partial
		switch {
		case err == nil:
			d.taken(len(now))
		case errors.As(err, &p):
			rest, ok := d.partly(ctx, now, p)
			if !ok {
				return false
			}
			if len(rest) > 0 {
				events = append(rest, events[len(now):]...)
				continue
			}
		case errors.Is(err, ErrRejected) && len(now) > 1:
			half := len(now) / 2
			if !d.send(ctx, now[:half]) || !d.send(ctx, now[half:]) {
				return false
			}
		case errors.Is(err, ErrRejected):
			if !d.doubt(ctx, err.Error()) || !d.letter(ctx, &now[0], err.Error()) {
				return false
			}
		default:
			if !d.failing(ctx, err) {
				return false
			}
			continue
		}
		events = events[len(now):]
	}
	return true
}

// partly does what the answer says about each event, and returns those to send
// again.
func (d *Delivery) partly(ctx context.Context, events []Event, p *Partial) (rest []Event, ok bool) {
	n := len(events) - len(p.Rejected) - len(p.Again)
	for i := range events {
		answer, refused := p.Rejected[i]
		if !refused {
			continue
		}
		if n == 0 && !d.doubt(ctx, answer) || !d.letter(ctx, &events[i], answer) {
			return nil, false
		}
	}
	if n > 0 {
		d.taken(n)
	}
	if len(p.Again) == 0 {
		return nil, true
	}
	for _, i := range p.Again {
		rest = append(rest, events[i])
	}
	if p.Err == nil {
		p.Err = errors.New("some events were not taken")
	}
	return rest, d.failing(ctx, p.Err)
}

// doubt waits when very many events were refused in a row: the fault may be
// ours, such as a wrong address.
func (d *Delivery) doubt(ctx context.Context, answer string) bool {
	d.mu.Lock()
	d.refused++
	many := d.refused > mostRefused
	d.mu.Unlock()
	return !many || d.failing(ctx, &Failure{Class: Refused, After: d.Retry.Last, Err: fmt.Errorf("every event is refused, the last with: %s", plain(answer))})
}

// plain is an answer as it is told.
func plain(answer string) string {
	return redact.Clean(strings.TrimPrefix(answer, ErrRejected.Error()+": "), 1024)
}

// letter puts an event that is refused into the dead letters and the ledger.
func (d *Delivery) letter(ctx context.Context, e *Event, answer string) bool {
	answer = plain(answer)
	for d.Letters != nil {
		err := d.Letters.Add(ctx, d.Name, answer, e)
		if err == nil {
			break
		}
		if !d.failing(ctx, err) {
			return false
		}
	}
	err := d.Queue.Lose(finding.Loss{Time: time.Now().UTC(), Sink: d.Name, Path: e.Finding.Path, Reason: "refused by the sink: " + e.ID, From: e.Finding.Offset, To: e.Finding.Offset})
	if err != nil {
		return false
	}
	d.mu.Lock()
	d.state.Letters++
	first := d.told.IsZero() || time.Since(d.told) > tellLetters
	if first {
		d.told = time.Now()
	}
	d.count(Refused)
	d.mu.Unlock()
	if first {
		text := fmt.Sprintf("sink %s refuses event %s: %s", d.Name, e.ID, answer)
		if d.Letters != nil {
			text += "\nhint: it is kept in " + d.Letters.Path
		}
		d.Notice("error", text)
	}
	return true
}

func (d *Delivery) probing() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.state.Probing
}

// count counts an error; the caller holds the lock.
func (d *Delivery) count(class string) {
	if d.state.Errors == nil {
		d.state.Errors = map[string]int64{}
	}
	d.state.Errors[class]++
}

// failing tells once that sending fails, and waits; false when ctx ends.
func (d *Delivery) failing(ctx context.Context, err error) bool {
	if ctx.Err() != nil {
		return false
	}
	class := Class(err)
	text := redact.Clean(err.Error(), 1024)
	d.mu.Lock()
	d.count(class)
	d.inRow++
	d.state.Attempts++
	d.state.Probing = d.inRow >= openAfter
	news := d.state.Error == ""
	if news {
		d.state.Error, d.state.Class, d.state.Since = text, class, time.Now().UTC()
	}
	wait := d.wait(class, err)
	d.mu.Unlock()
	if news {
		d.Notice("error", fmt.Sprintf("sink %s: %s; trying again", d.Name, text))
	}
	return sleep(ctx, wait)
}

// wait is how long to wait before the next attempt.
func (d *Delivery) wait(class string, err error) time.Duration {
	delay := d.Retry.First << min(d.inRow-1, 20)
	if delay > d.Retry.Last || class == Auth {
		delay = d.Retry.Last
	}
	delay = delay/2 + rand.N(delay/2+1)
	var f *Failure
	if errors.As(err, &f) && f.After > delay {
		delay = min(f.After, longestAfter)
	}
	return delay
}

// taken counts events that the other side has, which ends an outage.
func (d *Delivery) taken(n int) {
	d.mu.Lock()
	was := d.state
	d.state.Sent += int64(n)
	d.state.Error, d.state.Class, d.state.Since, d.state.Attempts, d.state.Probing = "", "", time.Time{}, 0, false
	d.inRow, d.refused = 0, 0
	d.mu.Unlock()
	if was.Error != "" {
		d.Notice("info", fmt.Sprintf("sink %s takes events again, after %v and %d attempts", d.Name, time.Since(was.Since).Round(time.Second), was.Attempts))
	}
}

// Close closes the sink and its dead letters.
func (d *Delivery) Close() error { return errors.Join(d.Sink.Close(), d.Letters.Close()) }

func sleep(ctx context.Context, d time.Duration) bool { return pause(ctx, d, nil) }

// pause waits, at most until early is closed; false when ctx ended.
func pause(ctx context.Context, d time.Duration, early <-chan struct{}) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-early:
	case <-t.C:
	}
	return true
}
