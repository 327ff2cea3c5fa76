package tailer

import (
	"encoding/hex"
	"fmt"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// identity tells files apart: device and inode number, and where the kernel
// gives one the file handle, which differs when an inode number is used again.
type identity struct {
	dev, ino uint64
	handle   string
}

func (a identity) same(b identity) bool {
	return a.dev == b.dev && a.ino == b.ino && (a.handle == "" || b.handle == "" || a.handle == b.handle)
}

func identify(f *os.File, info os.FileInfo) identity {
	key := numbers(info)
	if h, _, err := unix.NameToHandleAt(int(f.Fd()), "", unix.AT_EMPTY_PATH); err == nil {
		key.handle = fmt.Sprintf("%x:%s", h.Type(), hex.EncodeToString(h.Bytes()))
	}
	return key
}

// numbers is the identity without its handle, which costs no descriptor.
func numbers(info os.FileInfo) identity {
	if st, ok := info.Sys().(*syscall.Stat_t); ok {
		return identity{dev: uint64(st.Dev), ino: st.Ino}
	}
	return identity{}
}

// Network and user-space file systems, whose changes on other machines no
// notification tells; f_type of statfs(2).
var remote = map[int64]string{
	0x6969: "nfs", 0x517b: "smb", 0xff534d42: "cifs", 0xfe534d42: "smb2", 0x65735546: "fuse", 0x5346414f: "afs", 0x01021997: "9p", 0xc36400: "ceph", 0x0bd00bd0: "lustre", 0x47504653: "gpfs",
}

// remoteFS names the network file system that a directory is on, or "".
func remoteFS(dir string) string {
	var st unix.Statfs_t
	if unix.Statfs(dir, &st) != nil {
		return ""
	}
	return remote[int64(st.Type)]
}
