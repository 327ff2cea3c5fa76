// Package sink delivers events. Each sink has its own cursor in the store, which
// moves when the other side has taken what was sent: delivery is at least once,
// and a repeat carries the same event id.
//
// A [Delivery] does what every sink needs: batches, waiting and trying again,
// finding the one event that is refused, dead letters, and telling an outage
// once. A sink itself is one attempt: it sends what it is given, waits for the
// answer, and says by its error what is to be done:
//
//   - nil: all were taken, and the other side said so;
//   - [ErrRejected], wrapped: at least one of them will never be taken; the
//     delivery looks for it by halves. Say so only where the answer blames the
//     content (HTTP 400, 413, 422), never where it blames the address, the
//     credentials or the load;
//   - a [*Partial]: the other side told about each event;
//   - a [*Failure]: try again, with its class and the moment not to come before;
//   - any other error: try again.
//
// # To add a sink
//
// Make a folder beside the others, with a type that has Send and Close and a
// constructor that takes an Options struct; use secure for TLS and secrets, and
// httpclient when it speaks HTTP. Take fields from [Event.Fields], never from
// the JSON. Add its keys to internal/config/sink.go and configs/imwatch.yaml,
// and a case to openSink in cmd/imwatch/sinks.go. Plug it into
// sinktest.Run: a suite that proves what is written above.
package sink

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/imwatch/imwatch/internal/annotator"
	"github.com/imwatch/imwatch/internal/finding"
)

// An Event is what a sink sends.
type Event struct {
	ID        string
	Level     string // info, warn, error or critical
	Finding   *finding.Finding
	JSON      []byte // one line, with its newline
	Annotator *annotator.Annotator
}

// NewEvent encodes a finding.
func NewEvent(a *annotator.Annotator, f *finding.Finding) Event {
	return Event{ID: f.ID, Level: a.Level(f), Finding: f, JSON: a.Append(nil, f), Annotator: a}
}

// Message is one line a person can act on.
func (e *Event) Message() string { return e.Annotator.Message(e.Finding) }

// Fields appends the event's fields by their dotted names, such as event.id,
// im.hints and labels.env.
func (e *Event) Fields(dst []annotator.Field) []annotator.Field {
	return e.Annotator.Fields(dst, e.Finding)
}

// A Sink sends events to one place. Send is one attempt, of one goroutine at a
// time; it returns soon after ctx ends. An error means that none of the events
// counts as delivered, unless it is a *Partial.
type Sink interface {
	Send(ctx context.Context, events []Event) error
	Close() error
}

// ErrRejected says that the other side refuses what was sent, and would again.
var ErrRejected = errors.New("rejected")

// Classes of failures, as metrics name them.
const (
	Auth       = "auth"       // who we are is not accepted
	Throttled  = "throttled"  // too much, or not now
	Server     = "server"     // the other side has a fault of its own
	Address    = "address"    // not the place that takes events: not found, redirected
	Connection = "connection" // not reached, or broken off
	Timeout    = "timeout"    // no answer in time
	Trust      = "tls"        // certificates
	Answer     = "answer"     // one that is none
	Refused    = "rejected"   // of an event
	Other      = "other"
)

// A Failure says of an attempt more than that it failed.
type Failure struct {
	Class string
	After time.Duration // do not try again before; 0: as usual
	Err   error
}

func (f *Failure) Error() string { return f.Err.Error() }
func (f *Failure) Unwrap() error { return f.Err }

// Partial is the answer of a side that tells about each event. Those in neither
// list were taken. The numbers are those of the events of Send.
type Partial struct {
	Rejected map[int]string // never taken; why
	Again    []int          // not taken now, in order
	Err      error          // why not; a *Failure or another error that is not ErrRejected
}

func (p *Partial) Error() string {
	if len(p.Again) > 0 {
		return fmt.Sprintf("%d of the events not taken: %v", len(p.Again), p.Err)
	}
	return fmt.Sprintf("%d of the events %v", len(p.Rejected), ErrRejected)
}
func (p *Partial) Unwrap() error { return p.Err }

// Class is an error's class.
func Class(err error) string {
	var f *Failure
	switch {
	case errors.As(err, &f) && f.Class != "":
		return f.Class
	case errors.Is(err, ErrRejected):
		return Refused
	case errors.Is(err, context.DeadlineExceeded):
		return Timeout
	}
	return Other
}

// Each sends events one by one, for protocols that take no batch. What it
// returns says which were taken.
func Each(events []Event, send func(*Event) error) error {
	p := &Partial{Rejected: map[int]string{}}
	for i := range events {
		err := send(&events[i])
		switch {
		case err == nil:
		case len(events) == 1:
			return err
		case errors.Is(err, ErrRejected):
			p.Rejected[i] = err.Error()
		default:
			p.Err = err
			for ; i < len(events); i++ {
				p.Again = append(p.Again, i)
			}
			if len(p.Again) == len(events) {
				return err
			}
			return p
		}
	}
	if len(p.Rejected) > 0 {
		return p
	}
	return nil
}
