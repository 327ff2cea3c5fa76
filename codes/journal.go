package codes

import (
	"crypto/sha256"
	"encoding/hex"
)

// MessageID is the MESSAGE_ID that events of a code carry in systemd's journal,
// as 32 hexadecimal digits: the same for ever for the same family and code. It
// is a UUID of version 8 made of the SHA-256 of "imwatch\x00family/code".
// journalctl -x finds the code's text by it (systemd/catalogue writes those).
func MessageID(family, code string) string {
	sum := sha256.Sum256([]byte("imwatch\x00" + family + "/" + code))
	id := sum[:16]
	id[6] = id[6]&0x0f | 0x80 // version 8: the maker's own
	id[8] = id[8]&0x3f | 0x80
	return hex.EncodeToString(id)
}
