package hook

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
)

func TestParseCommand(t *testing.T) {
	for _, c := range []struct {
		in    string
		want  []string
		wrong string
	}{
		{"", nil, ""},
		{"/bin/sync", []string{"/bin/sync"}, ""},
		{"fsfreeze -f /data", []string{"fsfreeze -f /data"}, ""},
		{`["/bin/sh","-c","psql -c \"CHECKPOINT\""]`, []string{"/bin/sh", "-c", `psql -c "CHECKPOINT"`}, ""},
		{`["a"] `, []string{"a"}, ""},
		{" [\"a\"]", []string{` ["a"]`}, ""},
		{"[]", []string{"[]"}, "empty list"},
		{"[ -f /data ]", []string{"[ -f /data ]"}, "not a JSON list"},
		{"[", []string{"["}, "not a JSON list"},
		{`["sh", 7]`, []string{`["sh", 7]`}, "holds a number"},
		{`["sh", {"password":"hunter2"}]`, []string{`["sh", {"password":"hunter2"}]`}, "holds a object"},
		{`["sh"] hunter2`, []string{`["sh"] hunter2`}, "at byte"},
	} {
		got, err := parseCommand(c.in)
		if !slices.Equal(got, c.want) {
			t.Errorf("%q is read as %q, want %q", c.in, got, c.want)
		}
		if (err == nil) != (c.wrong == "") || err != nil && !strings.Contains(err.Error(), c.wrong) {
			t.Errorf("%q: error %v, want %q", c.in, err, c.wrong)
		}
		if err != nil && strings.Contains(err.Error(), "hunter2") {
			t.Errorf("the error quotes the command: %v", err)
		}
	}
}

// FuzzParseCommand: any text gives words unless it is empty, and whatever is a
// JSON list of strings gives just those.
func FuzzParseCommand(f *testing.F) {
	for _, s := range []string{"", "[", "[]", `["a","b"]`, `[null]`, "/bin/true", `["\ud800"]`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		got, err := parseCommand(text)
		if (len(got) == 0) != (text == "") {
			t.Fatalf("%q gave %q", text, got)
		}
		var list []string
		if json.Unmarshal([]byte(text), &list) == nil && len(list) > 0 && text[0] == '[' {
			if err != nil || !slices.Equal(got, list) {
				t.Fatalf("%q gave %q, %v", text, got, err)
			}
			return
		}
		if text != "" && !slices.Equal(got, []string{text}) {
			t.Fatalf("%q gave %q", text, got)
		}
		encoded, _ := json.Marshal([]string{text, "x"})
		if strings.ToValidUTF8(text, "") == text {
			if got, err = parseCommand(string(encoded)); err != nil || !slices.Equal(got, []string{text, "x"}) {
				t.Fatalf("%s came back as %q, %v", encoded, got, err)
			}
		}
	})
}
