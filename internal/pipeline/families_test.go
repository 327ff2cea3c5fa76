package pipeline

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/imwatch/imwatch/codes"
)

// TestSharedNumbers: a number that the Web SDKs and the native ones share is
// read by what the line says of its writer. A line that says nothing is told as
// undecided, unless the source's families decide.
func TestSharedNumbers(t *testing.T) {
	cat := codes.Embedded()
	o := options(t)
	scanLine := func(line string, families ...string) (list []string, undecided int) {
		o.Default.Families = families
		return scanLine(t, o, line)
	}
	shared := 0
	for _, code := range cat.Codes("easemob-web") {
		web, native := cat.Entry("easemob-web", code, ""), cat.Entry("easemob-native", code, "")
		if native == nil || web.Status || native.Status {
			continue
		}
		shared++
		for _, test := range []struct{ line, family string }{
			{"09:00:00:120 IM SDK [error]:  login failed e { type: %s, message: 'x', data: undefined }", "easemob-web"},
			{"Agora-chat.js:1 onError {type: %s, message: 'x'}", "agora-chat-web"},
			{"E/Login: com.hyphenate.exceptions.HyphenateException: x, errorCode: %s", "easemob-native"},
			{"E/Login: io.agora.chat AgoraChatError code: %s errorDescription: x", "agora-chat-native"},
		} {
			if cat.Entry(test.family, code, "") == nil {
				continue // Agora lacks it
			}
			list, _ := scanLine(fmt.Sprintf(test.line, code))
			if len(list) != 1 || list[0] != test.family+"/"+code {
				t.Errorf(test.line+": got %v, want %s/%s", code, list, test.family, code)
			}
		}
		const bare = "E/Login: onError(%s, \"Something\")"
		if list, undecided := scanLine(fmt.Sprintf(bare, code)); len(list) != 0 || undecided != 1 {
			t.Errorf(bare+": got %v and %d undecided, want one undecided", code, list, undecided)
		}
		if list, _ := scanLine(fmt.Sprintf(bare, code), "easemob-native"); len(list) != 1 || list[0] != "easemob-native/"+code {
			t.Errorf(bare+" with --families easemob-native: got %v", code, list)
		}
		const object = "{ type: %s }"
		if list, undecided := scanLine(fmt.Sprintf(object, code)); len(list) != 0 || undecided != 1 {
			t.Errorf(object+": got %v and %d undecided, want one undecided", code, list, undecided)
		}
		if list, _ := scanLine(fmt.Sprintf(object, code), "agora-chat-web"); cat.Has("agora-chat-web", code) && (len(list) != 1 || list[0] != "agora-chat-web/"+code) {
			t.Errorf(object+" with --families agora-chat-web: got %v", code, list)
		}
	}
	if shared < 40 {
		t.Errorf("%d shared numbers, want at least 40", shared)
	}
	t.Logf("%d shared numbers", shared)
}

// scanLine scans a file of one line and returns family/code of each finding and
// how many candidates nothing proved.
func scanLine(t *testing.T, o ScanOptions, line string) (list []string, undecided int) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "a.log")
	if err := os.WriteFile(path, []byte(line+"\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	found, report := scanAll(t, o, path)
	for i := range found {
		list = append(list, found[i].Family+"/"+found[i].Code)
	}
	for _, u := range report.Undecided {
		undecided += u.Count
	}
	return list, undecided
}
