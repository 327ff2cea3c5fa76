package tailer

import (
	"context"
	"fmt"
	"io"
	"sync"

	"github.com/nxadm/tail"
)

// Peek gives line every line that comes to the files, from their ends on, until
// ctx ends: a person's tail -F, through nxadm/tail. It has no state, and where a
// file is rotated it can miss lines.
func Peek(ctx context.Context, paths []string, line func(path, text string)) error {
	var all []*tail.Tail
	var wg sync.WaitGroup
	stop := func() {
		for _, t := range all {
			t.Kill(nil)
		}
		wg.Wait()
	}
	for _, path := range paths {
		t, err := tail.TailFile(path, tail.Config{Follow: true, ReOpen: true, MustExist: true, Location: &tail.SeekInfo{Whence: io.SeekEnd}, Logger: tail.DiscardingLogger})
		if err != nil {
			stop()
			return fmt.Errorf("peek %s: %w", path, err)
		}
		all = append(all, t)
		wg.Go(func() {
			for l := range t.Lines {
				if l.Err == nil {
					line(path, l.Text)
				}
			}
		})
	}
	<-ctx.Done()
	stop()
	return nil
}
