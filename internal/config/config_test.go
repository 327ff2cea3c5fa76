package config

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"
)

// TestReference: configs/imwatch.yaml loads, is the default, and names every key.
func TestReference(t *testing.T) {
	const path = "../../configs/imwatch.yaml"
	c, problems := Load(path)
	for _, p := range problems {
		t.Error(p)
	}
	c.Sources, c.Mute, c.Redact, c.Sinks, c.Rules.Dirs, c.Codes.Dirs = nil, nil, nil, nil, nil, nil // empty lists
	if !reflect.DeepEqual(c, Default()) {
		t.Errorf("the reference loads as %+v, the default is %+v", c, Default())
	}
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, key := range keys(reflect.TypeFor[Config]()) {
		if !strings.Contains(string(data), key+":") {
			t.Errorf("%s does not show the key %s", path, key)
		}
	}
	// The commented example, uncommented, loads too.
	text := strings.NewReplacer("sources: []", "sources:", "mute: []", "mute:", "sinks: []", "sinks:", "\n#  ", "\n  ").Replace(string(data))
	example := filepath.Join(t.TempDir(), "imwatch.yaml")
	if err := os.WriteFile(example, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	c, problems = Load(example)
	for _, p := range problems {
		t.Error(p)
	}
	if len(c.Sources) != 1 || len(c.Mute) != 1 || len(c.Sinks) != 10 || c.Sinks[1].MaxBytes != 100<<20 {
		t.Errorf("the examples load as %d sources, %d mutes and sinks %+v", len(c.Sources), len(c.Mute), c.Sinks)
	}
}

// keys returns every YAML key of a struct and of the structs in it.
func keys(t reflect.Type) (list []string) {
	for t.Kind() == reflect.Slice || t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if t.Kind() != reflect.Struct {
		return nil
	}
	for i := range t.NumField() {
		if tag := t.Field(i).Tag.Get("yaml"); tag != "" && tag != "-" {
			list = append(list, tag)
			list = append(list, keys(t.Field(i).Type)...)
		}
	}
	return list
}

// TestComplaints: each names the file, the line, the problem and what to do.
func TestComplaints(t *testing.T) {
	const source = "version: 1\nsources:\n  - name: a\n    paths: [/x]\n"
	for _, test := range []struct{ name, yaml, want string }{
		{"unknown key", "version: 1\nsorces: []\n", `imwatch.yaml:2:1: unknown key "sorces"`},
		{"version", "version: 2\n", "imwatch.yaml:1:10: version is 2"},
		{"language", "version: 1\nlanguage: fr\n", `imwatch.yaml:2:11: language is "fr"`},
		{"no paths", "version: 1\nsources:\n  - name: a\n", "imwatch.yaml:3:5: source 1 has no name or no paths"},
		{"twice", source + "  - name: a\n    paths: [/y]\n", "imwatch.yaml:5:11: source a stands here twice"},
		{"confidence", source + "    min_confidence: sure\n", `imwatch.yaml:5:21: min_confidence is "sure"`},
		{"encoding", source + "    encoding: latin1\n", `imwatch.yaml:5:15: encoding is "latin1"`},
		{"time zone", source + "    timezone: Asia/Nowhere\n", "imwatch.yaml:5:15: timezone: unknown time zone Asia/Nowhere"},
		{"line length", source + "    max_line_bytes: -1\n", "imwatch.yaml:5:21: max_line_bytes is negative"},
		{"mute without reason", "version: 1\nmute:\n  - code: easemob-web/206\n", "imwatch.yaml:3:5: a mute without code, reason or until"},
		{"mute until never", "version: 1\nmute:\n  - {code: easemob-web/206, reason: x, until: never}\n", `imwatch.yaml:3:47: until "never" is no time`},
		{"mute of no family", "version: 1\nmute:\n  - {code: \"206\", reason: x, until: \"2026-12-31\"}\n", `imwatch.yaml:3:12: mute: "206" is no family/code`},
		{"redact", "version: 1\nredact: ['(']\n", "imwatch.yaml:2:10: redact: missing closing ): `(`"},
		{"duration", "version: 1\nstorm: {window: soon}\n", `imwatch.yaml:2:17: "soon" is no duration`},
		{"size", "version: 1\nstore: {max_bytes: much}\n", `imwatch.yaml:2:20: "much" is no size`},
		{"small store", "version: 1\nstore: {max_bytes: 1MiB}\n", "store: max_bytes is less than 16 MiB"},
		{"sink type", "version: 1\nsinks: [{type: pigeon}]\n", `type is "pigeon"`},
		{"sink twice", "version: 1\nsinks: [{type: stdout}, {type: stdout}]\n", "sink stdout stands here twice"},
		{"file without path", "version: 1\nsinks: [{type: file}]\n", "sink file has no path"},
		{"a key of another type", "version: 1\nsinks:\n  - type: file\n    path: /x\n    url: http://x/\n", `imwatch.yaml:5:5: a file sink has no key "url"`},
		{"a sink's unknown key", "version: 1\nsinks:\n  - type: loki\n    urll: http://x/\n", `imwatch.yaml:4:5: unknown key "urll"`},
		{"a sink's name", "version: 1\nsinks: [{type: stdout, name: ../x}]\n", `imwatch.yaml:2:30: name is "../x"`},
		{"no url", "version: 1\nsinks:\n  - type: loki\n", "imwatch.yaml:3:11: sink loki has no url"},
		{"bad url", "version: 1\nsinks:\n  - type: loki\n    url: loki:3100\n", "imwatch.yaml:4:10: url is no address"},
		{"a password in a url", "version: 1\nsinks:\n  - type: http\n    url: https://me:pw@x/\n", "imwatch.yaml:4:10: url has a user or a password"},
		{"a url that is a secret", "version: 1\nsinks:\n  - type: http\n    url: https://oapi.dingtalk.com/robot/send?access_token=1\n", "imwatch.yaml:4:10: whoever reads this url"},
		{"two urls", "version: 1\nsinks:\n  - type: http\n    url: https://x/\n    url_env: X\n", "imwatch.yaml:4:10: sink http has its url twice"},
		{"a secret header", "version: 1\nsinks:\n  - type: http\n    url: https://x/\n    headers: {authorization: Bearer x}\n", "headers: authorization is a secret"},
		{"auth without scheme", "version: 1\nsinks:\n  - type: http\n    url: https://x/\n    auth: {file: /x}\n", "imwatch.yaml:5:12: auth has no scheme"},
		{"auth without secret", "version: 1\nsinks:\n  - type: http\n    url: https://x/\n    auth: {scheme: bearer}\n", "imwatch.yaml:5:12: auth needs file or env"},
		{"auth of another type", "version: 1\nsinks:\n  - type: loki\n    url: https://x/\n    auth: {scheme: apikey, env: X}\n", `imwatch.yaml:5:20: auth.scheme is "apikey"`},
		{"auth without a name", "version: 1\nsinks:\n  - type: loki\n    url: https://x/\n    auth: {scheme: basic, env: X}\n", "auth: username goes with basic"},
		{"auth in the clear", "version: 1\nsinks:\n  - type: loki\n    url: http://x.example/\n    auth: {scheme: bearer, env: X}\n", "imwatch.yaml:4:10: auth would send a secret in the clear"},
		{"tls without a key", "version: 1\nsinks:\n  - type: http\n    url: https://x/\n    tls:\n      cert_file: /dev/null\n", "imwatch.yaml:6:7: tls: cert_file and key_file go together"},
		{"tls in the clear", "version: 1\nsinks:\n  - type: http\n    url: http://x/\n    tls: {server_name: y}\n", "tls stands beside an http:// url"},
		{"no authority", "version: 1\nsinks:\n  - type: http\n    url: https://x/\n    tls: {ca_file: /nowhere.pem}\n", "imwatch.yaml:5:20: tls: ca_file: no such file: /nowhere.pem"},
		{"template and lines", "version: 1\nsinks:\n  - type: http\n    url: https://x/\n    format: ndjson\n    template: slack\n", "imwatch.yaml:5:13: a template makes one request of each event"},
		{"bad template", "version: 1\nsinks:\n  - type: http\n    url: https://x/\n    template: '{{.Colour}}'\n", "imwatch.yaml:5:15: template: template"},
		{"a signature of nothing", "version: 1\nsinks:\n  - type: http\n    url: https://x/\n    auth: {scheme: feishu, env: X}\n", "scheme feishu signs the messages of template: feishu"},
		{"small batch", "version: 1\nsinks:\n  - type: http\n    url: https://x/\n    batch: {bytes: 1KiB}\n", "imwatch.yaml:5:20: batch: bytes is less than 16 KiB"},
		{"retry backwards", "version: 1\nsinks:\n  - type: http\n    url: https://x/\n    retry: {first: 1m, last: 1s}\n", "imwatch.yaml:5:13: retry: a value is negative"},
		{"no brokers", "version: 1\nsinks: [{type: kafka, topic: x}]\n", "sink kafka has no brokers"},
		{"no address", "version: 1\nsinks: [{type: syslog}]\n", "sink syslog has no address"},
		{"syslog without a scheme", "version: 1\nsinks:\n  - type: syslog\n    address: host:514\n", `imwatch.yaml:4:14: address: "host:514" does not begin with unix://, udp://, tcp:// or tls://`},
		{"syslog with tls in the clear", "version: 1\nsinks:\n  - type: syslog\n    address: tcp://host\n    tls: {server_name: y}\n", "imwatch.yaml:5:11: tls stands beside an address that is not tls://"},
		{"facility", "version: 1\nsinks:\n  - type: syslog\n    address: tcp://host\n    facility: local8\n", `imwatch.yaml:5:15: facility is "local8"`},
		{"app name", "version: 1\nsinks:\n  - type: syslog\n    address: tcp://host\n    app_name: im watch\n", `imwatch.yaml:5:15: app_name is "im watch"`},
		{"journal at a host", "version: 1\nsinks:\n  - type: journald\n    address: host:1\n", `imwatch.yaml:4:14: address is "host:1", which is no whole path of a socket`},
		{"a path of gRPC", "version: 1\nsinks:\n  - type: otlp\n    url: http://localhost:4317/v1/logs\n    protocol: grpc\n", "imwatch.yaml:4:10: url has a path, and protocol is grpc"},
		{"zstd of gRPC", "version: 1\nsinks:\n  - type: otlp\n    url: http://localhost:4317\n    protocol: grpc\n    compression: zstd\n", "imwatch.yaml:6:18: compression is zstd, and protocol is grpc"},
		{"subjects", "version: 1 # keep\nsubjects: keeep\n", `imwatch.yaml:2:11: subjects is "keeep"`},
		{"start", source + "    start_at: middle\n", `imwatch.yaml:5:15: start_at is "middle"`},
		{"no name", "version: 1\nsources:\n  - name: a\n    paths: [/x]\n  - paths: [/y]\n", "imwatch.yaml:5:5: source 2 has no name"},
		{"rotation", source + "    rotate_wait: -1s\n", "imwatch.yaml:5:18: rotate_wait is negative"},
		{"state", "version: 1\nstate_dir: ''\n", "imwatch.yaml:2:12: state_dir is empty"},
		{"address", "version: 1\nlisten: 9610\n", `imwatch.yaml:2:9: listen "9610" is no address`},
		{"storm", "version: 1\nstorm:\n  first: 0\n", "imwatch.yaml:3:3: storm: window is negative or first is less than 1"},
		{"a text for a list", "version: 1\nsources: here\n", "imwatch.yaml:2:10: "},
		{"a text for a number", source + "    max_line_bytes: many\n", "imwatch.yaml:5:21: "},
		{"a list that does not end", "version: 1\nredact: [a\n", "imwatch.yaml:"},
		{"a tab", "version: 1\nstore:\n\tmax_age: 1d\n", "imwatch.yaml:3:"},
		{"a key twice", "version: 1\nlanguage: en\nlanguage: zh\n", "imwatch.yaml:3:1: "},
		{"listen to all", "version: 1\nlisten: \":9610\"\n", "imwatch.yaml:2:9: listen \":9610\" is no address"},
		{"missing", "", "no such file"},
	} {
		t.Run(test.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "imwatch.yaml")
			if test.yaml != "" {
				if err := os.WriteFile(path, []byte(test.yaml), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			_, problems := Load(path)
			if len(problems) != 1 {
				t.Fatalf("problems %v, want one", problems)
			}
			if said := problems[0].Error(); !strings.Contains(said, test.want) || !strings.Contains(said, "hint: ") {
				t.Errorf("got %s\nwant %s and a hint", said, test.want)
			}
			if test.yaml != "" && (problems[0].Line == 0 || problems[0].Column == 0) {
				t.Errorf("no line or column in %s", problems[0].Error())
			}
		})
	}
}

// TestMerge: files of conf.d come in lexical order; relative directories are
// meant from their file.
func TestMerge(t *testing.T) {
	dir := files(t, map[string]string{
		"imwatch.yaml":     "version: 1\nlanguage: zh\nrules: {dirs: [mine]}\nsources: [{name: a, paths: [/a]}]\n",
		"conf.d/20-b.yaml": "language: both\nsources: [{name: b, paths: [/b]}]\n",
		"conf.d/10-c.yaml": "language: en\ncodes: {dirs: [/codes]}\n",
	})
	c, problems := Load(filepath.Join(dir, "imwatch.yaml"))
	if len(problems) > 0 || c.Language != "both" || len(c.Sources) != 2 || c.Sources[1].Name != "b" {
		t.Errorf("got %+v, %v", c, problems)
	}
	if c.Rules.Dirs[0] != filepath.Join(dir, "mine") || c.Codes.Dirs[0] != "/codes" {
		t.Errorf("rules %v, codes %v", c.Rules.Dirs, c.Codes.Dirs)
	}
}

func TestMute(t *testing.T) {
	m := Mute{Code: "easemob-web/206", Reason: "x", Until: "2026-12-31"}
	for when, want := range map[string]bool{"2026-12-31T23:59:59": true, "2027-01-01T00:00:01": false} {
		now, err := time.ParseInLocation("2006-01-02T15:04:05", when, time.Local)
		if err != nil {
			t.Fatal(err)
		}
		if m.Active("easemob-web/206", "a", now) != want {
			t.Errorf("at %s active is %v", when, !want)
		}
		if m.Active("easemob-web/207", "a", now) {
			t.Error("mutes another code")
		}
	}
	m.Source = "b"
	if m.Active("easemob-web/206", "a", time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)) {
		t.Error("mutes another source")
	}
}

// TestTwiceInTwoFiles: what conf.d adds has names of its own too.
func TestTwiceInTwoFiles(t *testing.T) {
	dir := files(t, map[string]string{
		"imwatch.yaml":     "version: 1\nsources: [{name: a, paths: [/a]}]\nsinks: [{type: stdout}]\n",
		"conf.d/more.yaml": "sources: [{name: a, paths: [/b]}]\nsinks: [{type: stdout}]\n",
	})
	_, problems := Load(filepath.Join(dir, "imwatch.yaml"))
	if len(problems) != 2 || !strings.Contains(problems[0].Error(), "more.yaml:1:18: source a stands here twice") || !strings.Contains(problems[1].Error(), "more.yaml:2:16: sink stdout stands here twice") {
		t.Errorf("problems %v", problems)
	}
}

// files writes files into a directory of their own.
func files(t *testing.T, texts map[string]string) (dir string) {
	t.Helper()
	dir = t.TempDir()
	for name, text := range texts {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}
