package annotator

import (
	"testing"
	"time"
)

// TestAppendTime holds it against package time.
func TestAppendTime(t *testing.T) {
	for sec := int64(-63e9); sec < 260e9; sec += 1e9 - 12_345 { // from before the year 0 to beyond 9999
		at := time.Unix(sec, sec&0xfffffff)
		if got, want := string(appendTime(nil, at)), at.UTC().Format(timeFormat); got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
}
