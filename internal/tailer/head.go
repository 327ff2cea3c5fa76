package tailer

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"io"
	"os"

	"github.com/imwatch/imwatch/internal/finding"
)

// maxHead is how much of a file's beginning tells it from others.
const maxHead = 1024

// A head is the fingerprint of a file's beginning. It grows with what is
// consumed; when it is full, its hash stands for it and a few bytes are kept.
type head struct {
	bytes []byte
	sum   []byte // of maxHead bytes
}

const keptHead = 16

// headOf is the head of a file that begins with b.
func headOf(b []byte) head {
	if len(b) < maxHead {
		return head{bytes: bytes.Clone(b)}
	}
	sum := sha256.Sum256(b[:maxHead])
	return head{bytes: bytes.Clone(b[:keptHead]), sum: sum[:]}
}

// grown is the head when b, which stands at an offset, is consumed too.
func (h head) grown(offset int64, b []byte) head {
	if h.sum != nil || int64(len(h.bytes)) != offset || len(b) == 0 {
		return h
	}
	room := min(maxHead-len(h.bytes), len(b))
	return headOf(append(h.bytes[:len(h.bytes):len(h.bytes)], b[:room]...))
}

// readHead is the head of a file of a size.
func readHead(f *os.File, size int64) (head, error) {
	b := make([]byte, min(size, maxHead))
	n, err := f.ReadAt(b, 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return head{}, err
	}
	return headOf(b[:n]), nil
}

// begins tells whether a file that begins with b, its first maxHead bytes or all
// of them, begins as a position says.
func begins(b []byte, p *finding.Position) bool {
	if !bytes.HasPrefix(b, p.Head) {
		return false
	}
	if p.HeadSum == nil {
		return true
	}
	sum := sha256.Sum256(b[:min(len(b), maxHead)])
	return len(b) >= maxHead && bytes.Equal(sum[:], p.HeadSum)
}

// headLen is how much of a file's beginning a position knows.
func headLen(p *finding.Position) int {
	if p.HeadSum != nil {
		return maxHead
	}
	return len(p.Head)
}
