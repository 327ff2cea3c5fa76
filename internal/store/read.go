package store

import (
	"encoding/binary"
	"encoding/json"
	"fmt"

	"github.com/imwatch/imwatch/internal/finding"
	"go.etcd.io/bbolt"
)

// Numbered is a finding with its number in the store.
type Numbered struct {
	Seq     uint64           `json:"seq"`
	Finding *finding.Finding `json:"finding"`
}

// Before returns up to n findings before a number, the newest first; 0 stands
// for the end. Readers that take their time ask for a piece at a time: a
// transaction that stays open keeps the file growing.
func (s *Store) Before(seq uint64, n int) (list []Numbered, err error) {
	err = s.db.View(func(tx *bbolt.Tx) error {
		c := tx.Bucket(bFindings).Cursor()
		var k, v []byte
		if seq == 0 {
			k, v = c.Last()
		} else if k, _ = c.Seek(key(seq)); k == nil {
			k, v = c.Last()
		} else {
			k, v = c.Prev()
		}
		for ; k != nil && len(list) < n; k, v = c.Prev() {
			if err := numbered(&list, k, v); err != nil {
				return err
			}
		}
		return nil
	})
	return list, err
}

// After returns up to n findings behind a number, the oldest first.
func (s *Store) After(seq uint64, n int) (list []Numbered, err error) {
	err = s.db.View(func(tx *bbolt.Tx) error {
		c := tx.Bucket(bFindings).Cursor()
		for k, v := c.Seek(key(seq + 1)); k != nil && len(list) < n; k, v = c.Next() {
			if err := numbered(&list, k, v); err != nil {
				return err
			}
		}
		return nil
	})
	return list, err
}

func numbered(list *[]Numbered, k, v []byte) error {
	x := Numbered{Seq: binary.BigEndian.Uint64(k), Finding: new(finding.Finding)}
	if err := json.Unmarshal(v, x.Finding); err != nil {
		return fmt.Errorf("finding %d: %w", x.Seq, err)
	}
	*list = append(*list, x)
	return nil
}

// Last is the number of the newest durable finding; the channel is closed when
// there are newer ones.
func (s *Store) Last() (uint64, <-chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.last, s.changed
}
