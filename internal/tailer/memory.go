package tailer

import (
	"cmp"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/imwatch/imwatch/internal/finding"
)

// memory holds the positions that no followed file goes on from: those of
// before the start until their files are found, and those of files that are
// read to their end.
type memory struct {
	byID   map[string]*finding.Position // by generation
	byIno  map[inode][]*finding.Position
	byPath map[string][]*finding.Position
	byKin  map[string][]*finding.Position
	tidied int // positions that were left when it was last tidied
	tidyAt time.Time
}

type inode struct{ dev, ino uint64 }

func (k identity) inode() inode { return inode{k.dev, k.ino} }

func newMemory(list []finding.Position) *memory {
	m := &memory{byID: map[string]*finding.Position{}, byIno: map[inode][]*finding.Position{}, byPath: map[string][]*finding.Position{}, byKin: map[string][]*finding.Position{}}
	for _, p := range list {
		m.add(p)
	}
	return m
}

// add keeps a position, in place of an older one of the same generation.
func (m *memory) add(p finding.Position) {
	if old := m.byID[p.Generation]; old != nil {
		m.remove(old)
	}
	x := &p
	m.byID[p.Generation] = x
	m.byIno[inode{p.Dev, p.Ino}] = append(m.byIno[inode{p.Dev, p.Ino}], x)
	m.byPath[p.Path] = append(m.byPath[p.Path], x)
	m.byKin[kinOf(p.Path)] = append(m.byKin[kinOf(p.Path)], x)
}

func (m *memory) remove(p *finding.Position) {
	delete(m.byID, p.Generation)
	without(m.byIno, inode{p.Dev, p.Ino}, p)
	without(m.byPath, p.Path, p)
	without(m.byKin, kinOf(p.Path), p)
}

// without takes one element out of a list in a map.
func without[K, V comparable](m map[K][]V, key K, x V) {
	list := slices.DeleteFunc(m[key], func(o V) bool { return o == x })
	if len(list) == 0 {
		delete(m, key)
	} else {
		m[key] = list
	}
}

// Of files that are over, positions are kept as long as copies and compressed
// forms of them may come up: those of files that are there, whatever their names
// are now; for each name as many as there are files of it, and some more; of a
// name without files, for a while.
const (
	keepMore  = 16
	keepAlone = 7 * 24 * time.Hour
)

// old takes out the positions of files that are over and that nothing on disk
// can belong to any more.
func (m *memory) old(now time.Time) (gone []*finding.Position) {
	files := map[string]map[string]int{} // directory, stem: files that are there
	present := map[inode]bool{}
	for kin, list := range m.byKin {
		dir := filepath.Dir(kin)
		if files[dir] == nil {
			files[dir] = map[string]int{}
			entries, err := os.ReadDir(dir)
			if err != nil {
				entries = nil // as if there were none: keepAlone holds
			}
			for _, e := range entries {
				files[dir][stem(e.Name())]++
				if info, err := e.Info(); err == nil {
					present[numbers(info).inode()] = true
				}
			}
		}
		there := files[dir][filepath.Base(kin)]
		list = slices.SortedFunc(slices.Values(list), func(a, b *finding.Position) int {
			return cmp.Or(b.Seen.Compare(a.Seen), cmp.Compare(a.Generation, b.Generation))
		})
		for i, p := range list {
			if p.Done && !present[inode{p.Dev, p.Ino}] && (i >= there+keepMore || there == 0 && now.Sub(p.Seen) > keepAlone) {
				gone = append(gone, p)
			}
		}
	}
	for _, p := range gone {
		m.remove(p)
	}
	m.tidied, m.tidyAt = len(m.byID), now
	return gone
}

// untidy tells whether it is time to look for old positions.
func (m *memory) untidy(now time.Time) bool {
	return len(m.byID) > m.tidied+1000 || now.Sub(m.tidyAt) > time.Hour
}
