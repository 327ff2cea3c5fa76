package reader

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"unsafe"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
	"github.com/ulikunitz/xz"
	"golang.org/x/text/encoding/simplifiedchinese"
	"golang.org/x/text/encoding/unicode"
)

const text = "first line\nsecond 行\nthird, without a newline"

func write(t testing.TB, dir, name string, data []byte) string {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, data, 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

func packed(t testing.TB, open func(io.Writer) (io.WriteCloser, error), data []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	w, err := open(&b)
	if err == nil {
		_, err = w.Write(data)
	}
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func gzipped(t testing.TB, data []byte) []byte {
	return packed(t, func(w io.Writer) (io.WriteCloser, error) { return gzip.NewWriter(w), nil }, data)
}

func tarred(t testing.TB, members map[string][]byte) []byte {
	return packed(t, func(w io.Writer) (io.WriteCloser, error) {
		tw := tar.NewWriter(w)
		for _, name := range []string{"a.log", "dir/b.log", "c.gz", "inner.tar"} {
			data, ok := members[name]
			if !ok {
				continue
			}
			if err := tw.WriteHeader(&tar.Header{Name: name, Mode: 0o644, Size: int64(len(data))}); err != nil {
				return nil, err
			}
			if _, err := tw.Write(data); err != nil {
				return nil, err
			}
		}
		return tw, nil
	}, nil)
}

func zipped(t testing.TB, name string, data []byte) []byte {
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	m, err := z.Create(name)
	if err == nil {
		_, err = m.Write(data)
	}
	if err == nil {
		err = z.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// read returns what each path yields, and the problems.
func read(t testing.TB, path string, o Options) (map[string]string, []error) {
	t.Helper()
	files, problems := Files([]string{path}, o)
	got := map[string]string{}
	for _, f := range files {
		problems = append(problems, Read(context.Background(), f, o, func(c *Chunk) (int, error) {
			n := len(c.Data)
			if !c.Final {
				n = bytes.LastIndexByte(c.Data, '\n') + 1
			}
			got[c.Path] += string(c.Data[:n])
			return n, nil
		})...)
	}
	return got, problems
}

func TestFormats(t *testing.T) {
	utf16 := func(e unicode.Endianness, bom unicode.BOMPolicy) []byte {
		b, err := unicode.UTF16(e, bom).NewEncoder().Bytes([]byte(text))
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	gb, err := simplifiedchinese.GB18030.NewEncoder().Bytes([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	gz := gzipped(t, []byte(text))
	for name, test := range map[string]struct {
		data []byte
		o    Options
		in   string // the path of the text below the file's
		want string
	}{
		"plain":             {data: []byte(text)},
		"empty":             {data: nil, want: "-"},
		"byte order mark":   {data: append([]byte("\xef\xbb\xbf"), text...)},
		"UTF-16 LE, BOM":    {data: utf16(unicode.LittleEndian, unicode.UseBOM)},
		"UTF-16 BE, BOM":    {data: utf16(unicode.BigEndian, unicode.UseBOM)},
		"UTF-16 LE":         {data: utf16(unicode.LittleEndian, unicode.IgnoreBOM)},
		"UTF-16 BE":         {data: utf16(unicode.BigEndian, unicode.IgnoreBOM)},
		"GB18030, told":     {data: gb, o: Options{Encoding: "gb18030"}},
		"GB18030, as it is": {data: gb, want: string(gb)},
		"gzip":              {data: gz},
		"gzip in gzip":      {data: gzipped(t, gz)},
		"zstd":              {data: packed(t, func(w io.Writer) (io.WriteCloser, error) { return zstd.NewWriter(w) }, []byte(text))},
		"xz":                {data: packed(t, func(w io.Writer) (io.WriteCloser, error) { return xz.NewWriter(w) }, []byte(text))},
		"tar":               {data: tarred(t, map[string][]byte{"dir/b.log": []byte(text)}), in: "!/dir/b.log"},
		"tgz":               {data: gzipped(t, tarred(t, map[string][]byte{"a.log": []byte(text)})), in: "!/a.log"},
		"gzip in tar":       {data: tarred(t, map[string][]byte{"c.gz": gz}), in: "!/c.gz"},
		"zip":               {data: zipped(t, "im.log", []byte(text)), in: "!/im.log"},
		"zip in gzip":       {data: gzipped(t, zipped(t, "im.log", []byte(text))), in: "!/im.log"},
		"tar in zip":        {data: zipped(t, "x.tar", tarred(t, map[string][]byte{"a.log": []byte(text)})), in: "!/x.tar!/a.log"},
		"strange name":      {data: zipped(t, "a\x1b[31m\n.log", []byte(text)), in: `!/a\x1b[31m\n.log`},
	} {
		t.Run(name, func(t *testing.T) {
			path := write(t, t.TempDir(), "x", test.data)
			got, problems := read(t, path, test.o)
			for _, p := range problems {
				t.Error(p)
			}
			want := map[string]string{path + test.in: test.want}
			switch test.want {
			case "":
				want[path+test.in] = text
			case "-":
				want = map[string]string{}
			}
			if fmt.Sprintf("%q", got) != fmt.Sprintf("%q", want) {
				t.Errorf("got %q, want %q", got, want)
			}
		})
	}
}

// flagged makes a zip say that its member is encrypted.
func flagged(zip []byte) []byte {
	zip[6] |= 1
	zip[bytes.Index(zip, []byte("PK\x01\x02"))+8] |= 1
	return zip
}

// TestFaults: each is told with the path, the reason and what to do, and what
// came before it is read.
func TestFaults(t *testing.T) {
	dir := t.TempDir()
	gz := gzipped(t, bytes.Repeat([]byte(text+"\n"), 10_000))
	fifo := filepath.Join(dir, "pipe")
	if err := syscall.Mkfifo(fifo, 0o644); err != nil {
		t.Fatal(err)
	}
	deep := tarred(t, map[string][]byte{"inner.tar": tarred(t, map[string][]byte{"inner.tar": tarred(t, map[string][]byte{"a.log": []byte("x\n")})})})
	for name, test := range map[string]struct {
		path  string
		o     Options
		want  string
		lines bool
	}{
		"missing":     {path: filepath.Join(dir, "no.log"), want: "no such file"},
		"no match":    {path: filepath.Join(dir, "*.nothing"), want: "no file matches"},
		"named pipe":  {path: fifo, want: "is a named pipe, not a file"},
		"cut gzip":    {path: write(t, dir, "cut.gz", gz[:len(gz)-20]), want: "unexpected EOF", lines: true},
		"broken gzip": {path: write(t, dir, "broken.gz", append(bytes.Clone(gz[:len(gz)-8]), "12345678"...)), want: "checksum", lines: true},
		"more behind": {path: write(t, dir, "more.gz", append(bytes.Clone(gz), "trash"...)), want: "unexpected EOF", lines: true},
		"short, more": {path: write(t, dir, "short.gz", append(gzipped(t, []byte(text)), "trash"...)), want: "unexpected EOF", lines: true},
		"encrypted":   {path: write(t, dir, "secret.zip", flagged(zipped(t, "a.log", []byte(text)))), want: "secret.zip!/a.log: is encrypted"},
		"broken zip":  {path: write(t, dir, "broken.zip", []byte("PK\x03\x04 and nothing more")), want: "broken zip"},
		"bomb":        {path: write(t, dir, "bomb.gz", gzipped(t, make([]byte, 80<<20))), o: Options{MaxRatio: 100}, want: "comes out far larger"},
		"too deep":    {path: write(t, dir, "deep.tar", deep), want: "an archive inside 2 archives"},
		"empty dir":   {path: t.TempDir(), want: "no readable log file"},
	} {
		t.Run(name, func(t *testing.T) {
			got, problems := read(t, test.path, test.o)
			if len(problems) != 1 {
				t.Fatalf("problems %v, want one", problems)
			}
			said := problems[0].Error()
			if !strings.Contains(said, test.want) || !strings.Contains(said, test.path) || !strings.Contains(said, "hint: ") {
				t.Errorf("got %q; want the path, %q and a hint", said, test.want)
			}
			if test.lines && !strings.HasPrefix(got[test.path], text) {
				t.Errorf("the lines before the fault are not read: %.60q", got[test.path])
			}
		})
	}
}

// TestUnreadable: a file and a directory without permission. Root can read
// everything, so as root it runs itself as somebody else.
func TestUnreadable(t *testing.T) {
	if os.Getuid() == 0 {
		cmd := exec.Command("/proc/self/exe", "-test.run=^TestUnreadable$", "-test.v")
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
		cmd.Dir, cmd.Env = "/", append(os.Environ(), "TMPDIR=/tmp")
		out, err := cmd.CombinedOutput()
		if err != nil || !bytes.Contains(out, []byte("--- PASS: TestUnreadable")) {
			t.Errorf("as another user: %v\n%s", err, out)
		}
		return
	}
	dir := t.TempDir()
	write(t, dir, "open.log", []byte(text))
	secret := write(t, dir, "secret.log", []byte("x\n"))
	closed := filepath.Join(dir, "closed")
	write(t, closed, "a.log", []byte("x\n"))
	for path, mode := range map[string]os.FileMode{secret: 0, closed: 0} {
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
	}
	t.Cleanup(func() { _ = os.Chmod(closed, 0o700) })
	got, problems := read(t, dir, Options{})
	if len(got) != 1 || got[filepath.Join(dir, "open.log")] != text {
		t.Errorf("the rest is not read: %q", got)
	}
	said := errors.Join(problems...).Error()
	for _, want := range []string{"read " + secret + ": permission denied", fmt.Sprintf("setfacl -m u:%d:r '%s'", os.Getuid(), secret), fmt.Sprintf("setfacl -m u:%d:rx '%s'", os.Getuid(), closed)} {
		if len(problems) != 2 || !strings.Contains(said, want) {
			t.Errorf("got %s, want %s", said, want)
		}
	}
}

// TestDirectories: links, loops, the same file twice, hidden and binary files.
func TestDirectories(t *testing.T) {
	dir, outside := t.TempDir(), t.TempDir()
	write(t, dir, "a.log", []byte("a\n"))
	write(t, dir, "sub/b.log", []byte("b\n"))
	write(t, dir, ".hidden", []byte("h\n"))
	write(t, dir, "core", []byte("\x7fELF\x00\x00\x00\x01\n"))
	write(t, outside, "c.log", []byte("c\n"))
	for link, target := range map[string]string{"again.log": "a.log", "loop": ".", "sub/up": "..", "out.log": filepath.Join(outside, "c.log"), "dangling": "gone"} {
		if err := os.Symlink(target, filepath.Join(dir, link)); err != nil {
			t.Fatal(err)
		}
	}
	got, problems := read(t, dir, Options{})
	if len(problems) != 1 || !strings.Contains(problems[0].Error(), "1 link leads out of this directory, not followed: "+filepath.Join(dir, "out.log")) {
		t.Errorf("problems %v, want the link that leads out", problems)
	}
	if named, problems := read(t, filepath.Join(dir, "o*.log"), Options{}); len(problems) > 0 || named[filepath.Join(dir, "out.log")] != "c\n" {
		t.Errorf("a pattern that names a link: %q, %v", named, problems)
	}
	var all []string
	for path, s := range got {
		rel, _ := filepath.Rel(dir, path)
		all = append(all, rel+"="+strings.TrimSpace(s))
	}
	if len(all) != 2 || got[filepath.Join(dir, "a.log")] != "a\n" || got[filepath.Join(dir, "sub/b.log")] != "b\n" {
		t.Errorf("got %q, want a.log and sub/b.log once each", all)
	}
}

// xs are copied: a loop over each byte is slow under the race detector.
var xs = bytes.Repeat([]byte("x"), 1<<20)

// endless yields a line without end, up to n bytes.
type endless struct{ n int64 }

func (e *endless) Read(p []byte) (int, error) {
	if e.n <= 0 {
		return 0, io.EOF
	}
	n := copy(p[:min(int64(len(p)), e.n)], xs)
	e.n -= int64(n)
	return n, nil
}

// TestLongLine reads a line of a gigabyte: it is cut and marked, the next one
// is whole and at its true place, and memory stays bounded.
func TestLongLine(t *testing.T) {
	const size = 1 << 30
	o := Options{}.withDefaults()
	r := io.MultiReader(strings.NewReader("before\n"), &endless{size}, strings.NewReader("\nbehind\n"))
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	var lines []string
	var places []int64
	err := chunks(context.Background(), r, "x", 0, asIs, o, func(c *Chunk) (int, error) {
		for at := 0; at < len(c.Data); {
			n := bytes.IndexByte(c.Data[at:], '\n')
			if n < 0 {
				return at, nil
			}
			lines = append(lines, fmt.Sprintf("%.6s %d %v", c.Data[at:at+n], n, c.Truncated(at)))
			places = append(places, c.At(at))
			at += n + 1
		}
		return len(c.Data), nil
	})
	runtime.ReadMemStats(&after)
	if err != nil {
		t.Fatal(err)
	}
	want := fmt.Sprintf("%q", []string{"before 6 false", fmt.Sprintf("xxxxxx %d true", 1<<20), "behind 6 false"})
	if fmt.Sprintf("%q", lines) != want || fmt.Sprint(places) != fmt.Sprint([]int64{0, 7, 7 + size + 1}) {
		t.Errorf("lines %q at %d", lines, places)
	}
	if grown := after.TotalAlloc - before.TotalAlloc; grown > 16<<20 {
		t.Errorf("%d MiB were allocated", grown>>20)
	}
}

// FuzzChunks: whatever the bytes, the line limit and the handler's appetite, the
// lines come out in order, each cut to the limit, at their true places.
// TestAligned: whatever the handler consumes, the next read goes to an aligned place in the
// same memory.
func TestAligned(t *testing.T) {
	var at []uintptr
	r := readerFunc(func(p []byte) (int, error) {
		at = append(at, uintptr(unsafe.Pointer(&p[0])))
		if len(at) > 40 {
			return 0, io.EOF
		}
		return copy(p, strings.Repeat("a line\n", 1+len(at))), nil
	})
	err := chunks(t.Context(), r, "x", 0, asIs, Options{}.withDefaults(), func(c *Chunk) (int, error) {
		if c.Final {
			return len(c.Data), nil
		}
		return bytes.LastIndexByte(c.Data[:len(c.Data)-1-len(at)%3*7], '\n') + 1, nil
	})
	if err != nil || len(at) < 40 {
		t.Fatalf("%d reads, %v", len(at), err)
	}
	for i, p := range at {
		if p%aligned != 0 || p-at[0] > 1<<10 {
			t.Errorf("read %d goes to %#x, the first to %#x", i, p, at[0])
		}
	}
}

type readerFunc func(p []byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

func FuzzChunks(f *testing.F) {
	f.Add([]byte("a\nbb\n\nccc"), 2, 3)
	f.Add([]byte("行行行行\nx\n"), 4, 1)
	f.Fuzz(func(t *testing.T, data []byte, limit, appetite int) {
		if limit < 4 || limit > 1000 || appetite < 1 || appetite > 1000 {
			return
		}
		o := Options{MaxLine: limit, ChunkSize: 16}
		var got []string
		err := chunks(context.Background(), bytes.NewReader(data), "x", 0, asIs, o, func(c *Chunk) (int, error) {
			at, n := 0, 0
			for at < len(c.Data) && (c.Final || n < appetite) {
				end := bytes.IndexByte(c.Data[at:], '\n') + 1
				if end == 0 {
					end = len(c.Data) - at
				}
				line := c.Data[at : at+end]
				place := c.At(at)
				if !bytes.HasPrefix(data[place:], bytes.TrimSuffix(line, []byte("\n"))) || place > 0 && data[place-1] != '\n' {
					t.Fatalf("line %q is said to be at %d of %q", line, place, data)
				}
				if len(bytes.TrimSuffix(line, []byte("\n"))) > limit {
					t.Fatalf("line of %d bytes, limit %d", len(line), limit)
				}
				got = append(got, string(line))
				at += end
				n++
			}
			return at, nil
		})
		if err != nil {
			t.Fatal(err)
		}
		if want := bytes.Count(data, []byte("\n")); len(got) != want && (len(got) != want+1 || data[len(data)-1] == '\n') {
			t.Fatalf("%d lines of %q, want %d", len(got), data, want)
		}
	})
}

// TestPartsOfLastLine: a last line without a newline, in which a part ends, is that part's.
func TestPartsOfLastLine(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.log")
	data := bytes.Repeat([]byte("a line of a log\n"), largeSize/16)
	for i := 2*PartSize - 1000; i < len(data); i++ {
		data[i] = 'x'
	}
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	p := OpenParts(File{Path: path, Size: int64(len(data))}, Options{MaxLine: largeSize})
	if p == nil {
		t.Fatal("not read in parts")
	}
	defer p.Close()
	var all []byte
	for from := int64(0); from < p.Size; from += PartSize {
		part, _, _, err := p.Read(from, from+PartSize, nil)
		if err != nil {
			t.Errorf("the part from %d: %v", from, err)
		}
		all = append(all, part...)
	}
	if !bytes.Equal(all, data) {
		t.Errorf("%d bytes in parts, not %d", len(all), len(data))
	}
}

// TestCutWhileRead: a file that is cut while it is read in parts ends them, and nothing
// else.
func TestCutWhileRead(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.log")
	if err := os.WriteFile(path, bytes.Repeat([]byte("a line of a log\n"), largeSize/16), 0o600); err != nil {
		t.Fatal(err)
	}
	p := OpenParts(File{Path: path, Size: largeSize}, Options{MaxLine: 1 << 10})
	if p == nil {
		t.Fatal("not read in parts")
	}
	defer p.Close()
	for _, size := range []int64{2*PartSize + 10, PartSize - 10, 100, 0} {
		if err := os.Truncate(path, size); err != nil {
			t.Fatal(err)
		}
		all := int64(0)
		for from := int64(0); from < p.Size; from += PartSize {
			data, start, _, err := p.Read(from, from+PartSize, nil)
			if err != nil || len(data) > 0 && start != all {
				t.Errorf("cut to %d: the part from %d is %d bytes at %d, %v", size, from, len(data), start, err)
			}
			all += int64(len(data))
		}
		if all != size {
			t.Errorf("cut to %d: %d bytes in parts", size, all)
		}
	}
}
