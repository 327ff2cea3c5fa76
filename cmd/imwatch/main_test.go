package main

import (
	"flag"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

func TestMain(m *testing.M) {
	testscript.Main(tests{m}, map[string]func(){"imwatch": func() { os.Exit(process()) }})
}

// tests are run with what suits programs of their own, of which they start
// hundreds and for which they mostly wait.
type tests struct{ *testing.M }

func (m tests) Run() int {
	flag.Parse()
	if f := flag.Lookup("test.parallel"); f.Value.String() == f.DefValue && runtime.GOMAXPROCS(0) < 4 {
		f.Value.Set("4")
	}
	// Under the race detector each would sleep for a second at its end, for
	// goroutines that go on: after process nothing does.
	if os.Getenv("GORACE") == "" {
		os.Setenv("GORACE", "atexit_sleep_ms=50")
	}
	return m.M.Run()
}

// TestScript runs testdata/script: the commands as a user types them. A new case
// is a new file.
func TestScript(t *testing.T) {
	t.Parallel()
	repository, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script",
		Setup: func(e *testscript.Env) error {
			e.Setenv("LANG", "C")
			e.Setenv("TZ", "UTC")
			e.Setenv("REPO", repository)
			e.Setenv("GORACE", os.Getenv("GORACE"))
			return nil
		},
	})
}

// layers are the packages from the top down, as the architecture says: one
// imports only from lines below its own.
var layers = [][]string{
	{"cmd/imwatch"},
	{"internal/workload/generate", "internal/workload/patterns"},
	{"internal/pipeline"},
	{"internal/config"},
	{"internal/web"},
	{"internal/sink"},
	{"internal/report"},
	{"internal/annotator"},
	{"internal/store"},
	{"internal/resolver"},
	{"internal/tailer", "internal/reader"},
	{"internal/finding"},
	{"internal/redact", "internal/linetime", "internal/terminal", "internal/workload"},
	{"scanner"},
	{"scanner/regex"},
	{"scanner/sieve"},
	{"scanner/plan"},
	{"rules"},
	{"codes"},
	{"configs"},
}

// onlyIn names who alone may import a package.
var onlyIn = map[string]string{"github.com/fsnotify/fsnotify": "internal/tailer", "github.com/nxadm/tail": "internal/tailer", "go.etcd.io/bbolt": "internal/store"}

// TestImports holds every import against the layers.
func TestImports(t *testing.T) {
	const module = "github.com/imwatch/imwatch/"
	layer := func(pkg string) int {
		if i := slices.IndexFunc(layers, func(l []string) bool { return slices.Contains(l, pkg) }); i >= 0 {
			return i
		}
		return slices.IndexFunc(layers, func(l []string) bool {
			return slices.ContainsFunc(l, func(p string) bool { return pkg == p || strings.HasPrefix(pkg, p+"/") })
		})
	}
	files := 0
	err := filepath.WalkDir("../..", func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() && (d.Name() == "node_modules" || d.Name() == ".git") {
			if err == nil {
				err = filepath.SkipDir
			}
			return err
		}
		rel, _ := filepath.Rel("../..", path)
		if !strings.HasSuffix(rel, ".go") || strings.HasSuffix(rel, "_test.go") || strings.HasPrefix(rel, "codes/internal/") || strings.HasPrefix(rel, "rules/internal/") || strings.HasPrefix(rel, "systemd/") {
			return nil
		}
		files++
		pkg := filepath.ToSlash(filepath.Dir(rel))
		at := layer(pkg)
		if at < 0 {
			t.Errorf("package %s has no place in the layers", pkg)
		}
		f, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ImportsOnly)
		if err != nil {
			return err
		}
		pure := at >= layer("scanner")
		for _, imp := range f.Imports {
			name, err := strconv.Unquote(imp.Path.Value)
			if err != nil {
				return err
			}
			if owner := onlyIn[name]; owner != "" && pkg != owner {
				t.Errorf("%s imports %s, which only %s may", rel, name, owner)
			}
			if pure && slices.Contains([]string{"os", "time", "log", "log/slog", "context", "net/http", "github.com/rs/zerolog"}, name) {
				t.Errorf("%s imports %s: the core has no clock, log or I/O", rel, name)
			}
			if of, ours := strings.CutPrefix(name, module); ours && of != pkg && layer(of) <= at && !(layer(of) == at && strings.HasPrefix(of, "internal/sink")) {
				t.Errorf("%s imports %s, which stands above or beside it", rel, of)
			}
		}
		return nil
	})
	if err != nil || files < 30 {
		t.Fatalf("%d files: %v", files, err)
	}
}
