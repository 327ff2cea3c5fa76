package sink

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/imwatch/imwatch/internal/redact"
)

// maxLetters is the size at which a file of dead letters is renamed to .1 and
// begun anew.
const maxLetters = 64 << 20

// Letters is the file of the events that a sink's other side refuses: one line
// of JSON each, with what it answered. It is made with the first.
type Letters struct {
	Path string // as LettersPath gives it

	file *File
}

// LettersPath is where a sink's dead letters lie below the state directory.
func LettersPath(stateDir, sink string) string {
	return filepath.Join(stateDir, "dead-letters", sink+".ndjson")
}

type letter struct {
	Time   time.Time       `json:"time"`
	Sink   string          `json:"sink"`
	ID     string          `json:"id"`
	Answer string          `json:"answer"`
	Event  json.RawMessage `json:"event"`
}

// Add keeps an event durably.
func (l *Letters) Add(ctx context.Context, sink, answer string, e *Event) error {
	if l.file == nil {
		if err := os.MkdirAll(filepath.Dir(l.Path), 0o700); err != nil {
			return fmt.Errorf("keep a dead letter: %w", err)
		}
		f, err := OpenFile(l.Path, maxLetters, nil)
		if err != nil {
			return fmt.Errorf("keep a dead letter: %w", err)
		}
		l.file = f
	}
	line, err := json.Marshal(letter{time.Now().UTC(), sink, e.ID, redact.Clean(answer, 2048), json.RawMessage(e.JSON)})
	if err != nil {
		return fmt.Errorf("keep a dead letter: %w", err)
	}
	if err := l.file.Send(ctx, []Event{{JSON: append(line, '\n')}}); err != nil {
		return fmt.Errorf("keep a dead letter in %s: %w", l.Path, err)
	}
	return nil
}

// Close closes the file.
func (l *Letters) Close() error {
	if l == nil || l.file == nil {
		return nil
	}
	return l.file.Close()
}
