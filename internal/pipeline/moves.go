//go:build linux

package pipeline

import (
	"context"
	"fmt"
	"time"

	"github.com/imwatch/imwatch/internal/tailer"
)

// Moves tells about every followed file, and in stuck what has not moved for so
// long, or "" when reading, scanning and storing all do. Who waits for room in a
// store that a sink has let run full, or for a disk that is, is not stuck: to
// start again would not help. Nor is a run that has ended.
func (r *Running) Moves(ctx context.Context, limit time.Duration) (files []tailer.Status, stuck string) {
	if moved := r.runner.st.Moved(); time.Since(moved) > limit {
		return nil, "storing has not moved since " + moved.Format(time.TimeOnly)
	}
	asked, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	files = r.tailer.Files(asked)
	if files == nil && asked.Err() != nil && ctx.Err() == nil && !r.runner.waits() {
		return nil, fmt.Sprintf("looking for files has not moved for %s", limit)
	}
	for i := range files {
		generation, moved := files[i].Turn()
		if _, waits := r.runner.storing.Load(generation); !waits && !moved.IsZero() && time.Since(moved) > limit {
			return files, fmt.Sprintf("reading and scanning %s has not moved since %s", files[i].Path, moved.Format(time.TimeOnly))
		}
	}
	return files, ""
}

// waits tells whether anything waits for room in the store.
func (x *runner) waits() (yes bool) {
	x.storing.Range(func(any, any) bool { yes = true; return false })
	return yes
}
