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

// An ending is the fingerprint of the bytes before a place in a file.
type ending struct {
	length int // at most maxEnding
	sum    [sha256.Size]byte
}

const maxEnding = 1024

func endingOf(b []byte) ending { return ending{len(b), sha256.Sum256(b)} }

// newHead is the head of a file that begins with b.
func newHead(b []byte) head {
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
	return newHead(append(h.bytes[:len(h.bytes):len(h.bytes)], b[:room]...))
}

// readHead is the head of a file of a size.
func readHead(f *os.File, size int64) (head, error) {
	b := make([]byte, min(size, maxHead))
	n, err := f.ReadAt(b, 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return head{}, err
	}
	return newHead(b[:n]), nil
}

// begins tells whether a file that begins with b, of that length or all of it, begins
// so.
func (h head) begins(b []byte) bool {
	if !bytes.HasPrefix(b, h.bytes) {
		return false
	}
	if h.sum == nil {
		return true
	}
	sum := sha256.Sum256(b[:min(len(b), maxHead)])
	return len(b) >= maxHead && bytes.Equal(sum[:], h.sum)
}

// length is how much of a file's beginning it is about.
func (h head) length() int {
	if h.sum != nil {
		return maxHead
	}
	return len(h.bytes)
}

// headOf is what a position knows of its file's beginning.
func headOf(p *finding.Position) head { return head{p.Head, p.HeadSum} }
