package modify

import (
	"reflect"
	"strings"
	"testing"
)

func TestValues(t *testing.T) {
	for text, want := range map[string]any{
		"":              "",
		"gp3":           "gp3",
		"3":             int64(3),
		"-1.5":          -1.5,
		"1e3":           float64(1000),
		"true":          true,
		"null":          nil,
		`"3"`:           "3",
		`"true"`:        "true",
		`"null"`:        "null",
		"True":          "True",
		"007":           "007",
		"0x10":          "0x10",
		"10Gi":          "10Gi",
		`{"a":[1,"b"]}`: map[string]any{"a": []any{int64(1), "b"}},
		"[]":            []any{},
		`say "hi"`:      `say "hi"`,
		`a\nb`:          "a\nb", // as Velero has it
		`C:\dir`:        `C:\dir`,
		`"`:             `"`,
		"two\nlines":    "two\nlines",
	} {
		if got, err := parseValue(text); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%q: %#v, %v", text, got, err)
		}
	}
	for _, text := range []string{"{", "[1,", `{"a":}`, "[a, b]"} {
		if got, err := parseValue(text); err == nil || !strings.Contains(err.Error(), "quotes") {
			t.Errorf("%q: %v, %v", text, got, err)
		}
	}
}

func TestPointers(t *testing.T) {
	for text, want := range map[string][]string{
		"/a": {"a"}, "/": {""}, "/a/0/-": {"a", "0", "-"}, "/a~1b/c~0d~01": {"a/b", "c~d~1"},
	} {
		if got, err := parsePointer(text); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%q: %q %v", text, got, err)
		}
	}
	for text, words := range map[string]string{"": "is empty", "spec/replicas": "begins with a slash", strings.Repeat("/a", maxSteps+1): "at most"} {
		if got, err := parsePointer(text); err == nil || !strings.Contains(err.Error(), words) {
			t.Errorf("%.20q: %q %v", text, got, err)
		}
	}
}
