package show

import "testing"

// What comes out of a bucket cannot move a terminal's cursor; an error of several lines keeps them.
func TestCleanLines(t *testing.T) {
	for in, want := range map[string]string{
		"":                         "",
		"one\ntwo":                 "one\ntwo",
		"read a\x1b[31m\tb\r\x00c": "read a[31m bc",
		"schlüssel …":              "schlüssel …",
	} {
		if got := CleanLines(in); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}
