package reader

import (
	"archive/tar"
	"archive/zip"
	"bufio"
	"bytes"
	"compress/bzip2"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"syscall"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
	"github.com/ulikunitz/xz"
	"golang.org/x/text/encoding/simplifiedchinese"
	"golang.org/x/text/encoding/unicode"
	"golang.org/x/text/transform"
)

const (
	maxArchives  = 2        // an archive in an archive is opened, one more is not
	maxLayers    = 4        // of compression around one text
	maxNestedZip = 64 << 20 // bytes of a zip that must be held in memory
	ratioFrom    = 64 << 20 // bytes that come out before the ratio is judged
	sniffed      = 8 << 10  // bytes that tell what a file is
)

// Read reads one file, opening what is compressed or archived by its content
// and not by its name, and gives handle its chunks. It returns what went
// wrong; what was read before a fault has been handled. Files that a directory
// or a glob led to are passed over when they are binary.
func Read(ctx context.Context, f File, o Options, handle Handler) []error {
	o = o.withDefaults()
	src, err := openFile(f, o)
	if err != nil {
		return []error{problem(f.Path, err, "")}
	}
	defer src.Close()
	x := &opener{o: o, handle: handle, in: &counted{r: src, o: &o}}
	x.budget = &budget{in: x.in, left: o.MaxArchiveBytes, ratio: o.MaxRatio}
	at := place{path: f.Path, named: f.named}
	if f.Path != "-" {
		at.file = src
	}
	if err := x.open(ctx, x.in, at); err != nil && !errors.Is(err, errStop) {
		x.problems = append(x.problems, err)
	}
	return x.problems
}

func openFile(f File, o Options) (*os.File, error) {
	if f.Path == "-" {
		if o.Stdin != nil {
			return o.Stdin, nil
		}
		return os.Stdin, nil
	}
	file, err := os.OpenFile(f.Path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	if info, err := file.Stat(); err == nil && !info.Mode().IsRegular() {
		file.Close()
		return nil, fmt.Errorf("is a %s, not a file", kind(info.Mode()))
	}
	return file, nil
}

// counted tells how many stored bytes were read.
type counted struct {
	r io.Reader
	n int64
	o *Options
}

func (c *counted) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n += int64(n)
	if c.o.Progress != nil {
		c.o.Progress(int64(n))
	}
	return n, err
}

// A budget stops what comes out of a compressed file from being endless.
type budget struct {
	in    *counted
	out   int64
	left  int64
	ratio int64
}

var errDeep = errors.New("wrapped too deep")

var errBomb = errors.New("comes out far larger than it is stored: not read further")

type limited struct {
	r io.Reader
	b *budget
}

func (l limited) Read(p []byte) (int, error) {
	n, err := l.r.Read(p)
	l.b.out += int64(n)
	if l.b.out > l.b.left || l.b.out > ratioFrom && l.b.out > l.b.ratio*max(l.b.in.n, 1) {
		return n, errBomb
	}
	return n, err
}

// place says where a text was found.
type place struct {
	path     string
	named    bool
	archives int // it lies in
	layers   int // of compression around it
	file     *os.File
}

type opener struct {
	o        Options
	handle   Handler
	in       *counted
	budget   *budget
	problems []error
}

// open looks at the first bytes of r and reads it as what they say.
func (x *opener) open(ctx context.Context, r io.Reader, at place) error {
	br := bufio.NewReaderSize(r, sniffed)
	head, err := br.Peek(sniffed)
	if err != nil && !errors.Is(err, io.EOF) && len(head) == 0 {
		return x.fault(at, err) // with a head, what was read before the fault is good
	}
	unpack, name := decompressor(head)
	switch {
	case unpack != nil:
		if at.layers >= maxLayers {
			return x.fault(at, fmt.Errorf("%w: compressed more than %d times over", errDeep, maxLayers))
		}
		inner, err := unpack(br)
		if err != nil {
			return x.fault(at, fmt.Errorf("broken %s: %w", name, err))
		}
		defer inner.Close()
		at.layers, at.file = at.layers+1, nil
		return x.open(ctx, limited{inner, x.budget}, at)
	case bytes.HasPrefix(head, []byte("PK\x03\x04")) || bytes.HasPrefix(head, []byte("PK\x05\x06")):
		return x.zip(ctx, br, at)
	case len(head) > 262 && string(head[257:262]) == "ustar":
		return x.tar(ctx, br, at)
	}
	return x.text(ctx, br, head, at)
}

// fault is an error of one file, member or layer.
func (x *opener) fault(at place, err error) error {
	if errors.Is(err, errStop) || errors.Is(err, context.Canceled) {
		return err
	}
	hint := ""
	switch {
	case errors.Is(err, errBomb) || errors.Is(err, errDeep):
		hint = "if it is no attack, unpack it and scan what comes out"
	case errors.Is(err, io.ErrUnexpectedEOF) || strings.Contains(err.Error(), "broken") || at.layers > 0:
		hint = fmt.Sprintf("broken after %d stored bytes; the lines before that were read; copy it again, or unpack what can be saved", x.in.n)
	}
	return problem(at.path, err, hint)
}

type readNopCloser struct{ io.Reader }

func (readNopCloser) Close() error { return nil }

type zstdCloser struct{ *zstd.Decoder }

func (z zstdCloser) Close() error { z.Decoder.Close(); return nil }

// decompressor returns how to unpack what begins with head; nil for nothing
// compressed.
func decompressor(head []byte) (func(io.Reader) (io.ReadCloser, error), string) {
	switch {
	case bytes.HasPrefix(head, []byte{0x1f, 0x8b}):
		return func(r io.Reader) (io.ReadCloser, error) { return gzip.NewReader(r) }, "gzip"
	case bytes.HasPrefix(head, []byte{0x28, 0xb5, 0x2f, 0xfd}):
		return func(r io.Reader) (io.ReadCloser, error) {
			d, err := zstd.NewReader(r, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(128<<20), zstd.WithDecoderMaxWindow(64<<20))
			if err != nil {
				return nil, err
			}
			return zstdCloser{d}, nil
		}, "zstd"
	case bytes.HasPrefix(head, []byte("BZh")) && len(head) > 3 && head[3] >= '1' && head[3] <= '9':
		return func(r io.Reader) (io.ReadCloser, error) { return readNopCloser{bzip2.NewReader(r)}, nil }, "bzip2"
	case bytes.HasPrefix(head, []byte("\xfd7zXZ\x00")):
		return func(r io.Reader) (io.ReadCloser, error) {
			d, err := xz.ReaderConfig{DictCap: 64 << 20}.NewReader(r)
			if err != nil {
				return nil, err
			}
			return readNopCloser{d}, nil
		}, "xz"
	}
	return nil, ""
}

func (x *opener) tar(ctx context.Context, r io.Reader, at place) error {
	if at.archives >= maxArchives {
		return x.fault(at, fmt.Errorf("%w: an archive inside %d archives", errDeep, maxArchives))
	}
	for t := tar.NewReader(r); ; {
		h, err := t.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return x.fault(at, fmt.Errorf("broken tar: %w", err))
		}
		if h.Typeflag == tar.TypeReg {
			if err := x.member(ctx, t, at, h.Name); err != nil {
				return err
			}
		}
	}
}

func (x *opener) zip(ctx context.Context, r io.Reader, at place) error {
	if at.archives >= maxArchives {
		return x.fault(at, fmt.Errorf("%w: an archive inside %d archives", errDeep, maxArchives))
	}
	var ra io.ReaderAt
	var size int64
	if info, err := fileInfo(at.file); err == nil {
		ra, size = at.file, info.Size()
	} else {
		data, err := io.ReadAll(io.LimitReader(r, maxNestedZip+1))
		if err != nil {
			return x.fault(at, err)
		}
		if len(data) > maxNestedZip {
			return problem(at.path, fmt.Errorf("a zip of more than %d MiB inside an archive or a pipe", maxNestedZip>>20), "a zip has its list of files at its end; save it to a file of its own and scan that")
		}
		ra, size = bytes.NewReader(data), int64(len(data))
	}
	z, err := zip.NewReader(ra, size)
	if err != nil {
		return x.fault(at, fmt.Errorf("broken zip: %w", err))
	}
	for _, f := range z.File {
		if !f.Mode().IsRegular() {
			continue
		}
		if err := x.zipMember(ctx, f, at); err != nil {
			return err
		}
	}
	return nil
}

func fileInfo(f *os.File) (os.FileInfo, error) {
	if f == nil {
		return nil, os.ErrInvalid
	}
	return f.Stat()
}

const encrypted = 1 // flag of a zip's member

func (x *opener) zipMember(ctx context.Context, f *zip.File, at place) error {
	m, err := f.Open()
	if f.Flags&encrypted != 0 {
		err = errors.New("is encrypted")
	}
	if err != nil {
		x.problems = append(x.problems, problem(at.path+"!/"+shown(f.Name), err, "unpack it with its password, and scan what comes out"))
		return nil
	}
	defer m.Close()
	x.in.n += int64(f.CompressedSize64)
	return x.member(ctx, limited{m, x.budget}, at, f.Name)
}

// member reads one file of an archive. A fault of one does not keep the others
// from being read, an end of the budget does.
func (x *opener) member(ctx context.Context, r io.Reader, at place, name string) error {
	in := place{path: at.path + "!/" + shown(name), archives: at.archives + 1, layers: 0}
	err := x.open(ctx, r, in)
	if err == nil || errors.Is(err, errStop) || errors.Is(err, errBomb) || errors.Is(err, context.Canceled) {
		return err
	}
	x.problems = append(x.problems, err)
	return nil
}

// shown makes a member's name harmless to look at.
func shown(name string) string {
	q := strconv.Quote(name)
	return q[1 : len(q)-1]
}

// text reads lines in the encoding that the first bytes or the options say.
func (x *opener) text(ctx context.Context, r io.Reader, head []byte, at place) error {
	enc, order, bom := x.encoding(head)
	if !at.named && enc == asIs && bytes.IndexByte(head, 0) >= 0 {
		return nil // binary
	}
	var err error
	switch enc {
	case utf16:
		if bom > 0 {
			_, err = io.CopyN(io.Discard, r, int64(bom))
		}
		r = transform.NewReader(r, unicode.UTF16(order, unicode.IgnoreBOM).NewDecoder())
	case gb18030:
		r = transform.NewReader(r, simplifiedchinese.GB18030.NewDecoder())
	default:
		if bom > 0 {
			_, err = io.CopyN(io.Discard, r, int64(bom))
		}
	}
	if err == nil {
		err = chunks(ctx, r, at.path, int64(bom), enc, x.o, x.handle)
	}
	if err != nil {
		return x.fault(at, err)
	}
	return nil
}

// encoding decides by a byte order mark, by the NULs that UTF-16 has beside
// every Latin letter, or by the options.
func (x *opener) encoding(head []byte) (enc encoding, order unicode.Endianness, bom int) {
	switch {
	case bytes.HasPrefix(head, []byte{0xff, 0xfe}):
		return utf16, unicode.LittleEndian, 2
	case bytes.HasPrefix(head, []byte{0xfe, 0xff}):
		return utf16, unicode.BigEndian, 2
	case bytes.HasPrefix(head, []byte{0xef, 0xbb, 0xbf}):
		return asIs, order, 3
	case x.o.Encoding == "gb18030":
		return gb18030, order, 0
	}
	var even, odd int
	for i, c := range head {
		if c == 0 && i%2 == 0 {
			even++
		} else if c == 0 {
			odd++
		}
	}
	enough := max(1, len(head)/8)
	switch {
	case odd >= enough && even*16 < odd, x.o.Encoding == "utf-16" && odd >= even:
		return utf16, unicode.LittleEndian, 0
	case even >= enough && odd*16 < even, x.o.Encoding == "utf-16":
		return utf16, unicode.BigEndian, 0
	}
	return asIs, order, 0
}
