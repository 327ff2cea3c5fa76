package pipeline

import "github.com/imwatch/imwatch/internal/finding"

// An emitter emits findings beside who resolves them, in the order in which they are
// added.
type emitter struct {
	emit  func(*finding.Finding) error
	list  []finding.Finding
	full  chan []finding.Finding
	empty chan []finding.Finding // to be used again
	ended chan struct{}          // closed when nothing is emitted any more
	err   error                  // of emit, once ended is closed
}

const emittedAtOnce = 256

func newEmitter(emit func(*finding.Finding) error) *emitter {
	const lists = 3 // one is filled, one waits, one is emitted
	e := &emitter{emit: emit, full: make(chan []finding.Finding, 1), empty: make(chan []finding.Finding, lists), ended: make(chan struct{})}
	for range lists {
		e.empty <- nil
	}
	e.list = <-e.empty
	go e.run(e.full) // end waits for it
	return e
}

// run emits until end is called or an error ends it.
func (e *emitter) run(full <-chan []finding.Finding) {
	defer close(e.ended)
	for list := range full {
		for i := range list {
			if e.err = e.emit(&list[i]); e.err != nil {
				return
			}
		}
		clear(list)
		e.empty <- list[:0]
	}
}

// add adds a finding, and returns the error of one that was added before.
func (e *emitter) add(f *finding.Finding) error {
	if e.list = append(e.list, *f); len(e.list) < emittedAtOnce {
		return nil
	}
	return e.flush()
}

// flush hands on what was added.
func (e *emitter) flush() error {
	if len(e.list) == 0 {
		return nil
	}
	select {
	case e.full <- e.list:
	case <-e.ended:
		return e.err
	}
	select {
	case e.list = <-e.empty:
	case <-e.ended:
		return e.err
	}
	return nil
}

// end waits until all is emitted, and returns the error that ended it before. It can be
// called again.
func (e *emitter) end() error {
	if e.full != nil {
		_ = e.flush() // the error is returned below
		close(e.full)
		e.full = nil
	}
	<-e.ended
	return e.err
}
