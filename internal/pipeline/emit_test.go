package pipeline

import (
	"errors"
	"testing"

	"github.com/imwatch/imwatch/internal/finding"
)

// TestEmitter: findings come in order, over more lists than there are; an error ends it,
// and is told to who adds and at the end.
func TestEmitter(t *testing.T) {
	const many = 10*emittedAtOnce + 7
	failure := errors.New("no room")
	for _, failing := range []int{-1, 0, 1, emittedAtOnce, many - 1} {
		next := 0
		e := newEmitter(func(f *finding.Finding) error {
			if f.Line != next {
				t.Errorf("finding %d comes behind %d", f.Line, next-1)
			}
			if next == failing {
				return failure
			}
			next++
			return nil
		})
		var err error
		added := 0
		for ; added < many && err == nil; added++ {
			if err = e.add(&finding.Finding{Line: added}); err == nil && added%1000 == 999 {
				err = e.flush()
			}
		}
		for range 2 {
			switch got := e.end(); {
			case failing < 0 && (got != nil || err != nil || next != many):
				t.Errorf("%d of %d findings, %v, %v", next, many, err, got)
			case failing >= 0 && (!errors.Is(got, failure) || err != nil && !errors.Is(err, failure) || next != failing):
				t.Errorf("the %dth fails: %d findings, %v, %v", failing, next, err, got)
			}
		}
		if failing == 0 && added == many {
			t.Error("all are added though the first one failed")
		}
	}
}
