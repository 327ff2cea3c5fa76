package finding

import "time"

// A Position says up to where one generation of a file has been read. A
// generation is one inode's life with one content history; its id is random and
// kept with its first position, so that what follows from it (event ids) is the
// same after a restart.
type Position struct {
	Generation string            `json:"generation"` // 32 hexadecimal digits
	Source     string            `json:"source"`
	Path       string            `json:"path"` // where it was last seen
	Dev        uint64            `json:"dev"`
	Ino        uint64            `json:"ino"`
	Handle     string            `json:"handle,omitempty"`   // the kernel's file handle, which tells a reused inode number
	Head       []byte            `json:"head,omitempty"`     // its first bytes, at most 1,024
	HeadSum    []byte            `json:"head_sum,omitempty"` // SHA-256 of the first 1,024 bytes, when there are so many; Head is a few of them then
	Anchor     []byte            `json:"anchor,omitempty"`   // the bytes before Offset, at most 64
	Offset     int64             `json:"offset"`
	Size       int64             `json:"size"` // as last seen
	Lines      int64             `json:"lines"`
	Skipping   bool              `json:"skipping,omitempty"` // Offset lies inside a line that is being left out
	Done       bool              `json:"done,omitempty"`     // rotated away and read to its end
	Proved     map[string]string `json:"proved,omitempty"`   // what its lines have proved about who writes it
	Seen       time.Time         `json:"seen"`
	Since      time.Time         `json:"since,omitzero"` // rotated forms beside it that are older have been seen to, or are history
	Gone       bool              `json:"-"`              // nothing on disk can belong to it any more: it need not be kept
}

// A Loss is what could not be read or kept: bytes of a file, or events of a
// sink.
type Loss struct {
	Time   time.Time `json:"time"`
	Source string    `json:"source,omitempty"`
	Path   string    `json:"path,omitempty"`
	Sink   string    `json:"sink,omitempty"`
	Reason string    `json:"reason"`
	From   int64     `json:"from"` // offsets in the file, or sequence numbers of events
	To     int64     `json:"to"`
}
