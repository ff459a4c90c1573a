package glob

import (
	"errors"
	"path"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

func TestMatchFilter(t *testing.T) {
	for _, c := range []struct {
		pattern, name string
		want          bool
	}{
		{"team-*", "team-a", true},
		{"team-*", "team-", true},
		{"team-*", "steam-a", false},
		{"*-prod", "shop-prod", true},
		{"*-prod", "shop-prod-2", false},
		{"a*b*c", "axxbyyc", true},
		{"a*b*c", "axxbyy", false},
		{"*", "anything/at.all", true},
		{"*", "", true},
		{"?", "a", true},
		{"?", "", false},
		{"?", "é", true},
		{"n?-1", "ns-1", true},
		{"ns-[abc]", "ns-b", true},
		{"ns-[abc]", "ns-d", false},
		{"ns-[a-c]", "ns-b", true},
		{"ns-[a-c]", "ns--", false},
		{"ns-[a-c0-9]", "ns-7", true},
		{"ns-[-a]", "ns--", true},
		{"ns-[a-]", "ns--", true},
		{"[a-c][0-9]*", "b7-x", true},
		{"a.b", "a.b", true},
		{"a.b", "axb", false}, // '.' is no wildcard
		{"*.example.com", "widgets.example.com", true},
		{"*.example.com", "pods", false},
		{"a", "ab", false},
		{"ab", "a", false},
		{"", "", true},
		{"", "a", false},
		{"ns-[abc", "ns-a", false}, // malformed patterns match nothing
		{"a**", "a", false},
		{"{a,b}", "a", false},
		{"[!a]", "b", false},
	} {
		if got := MatchFilter(c.pattern, c.name); got != c.want {
			t.Errorf("MatchFilter(%q, %q) = %v", c.pattern, c.name, got)
		}
	}
}

func TestCheckFilter(t *testing.T) {
	for pattern, want := range map[string]error{
		"plain": nil, "*": nil, "a*": nil, "?": nil, "[abc]": nil, "[a-z]x[0-9]": nil, "*a*b*": nil,
		"a|b": errUnsupported, "(a)": errUnsupported, "!a": errUnsupported, "{a,b}": errUnsupported,
		"a,b": errUnsupported, "[!a]": errUnsupported,
		"**": errDoubleStar, "a**b": errDoubleStar,
		"[]": errEmptyClass, "a[]b": errEmptyClass,
		"[": errUnclosed, "a[bc": errUnclosed, "[a]b[": errUnclosed,
		"]": errUnopened, "a]": errUnopened, "[a]]": errUnopened,
	} {
		if got := CheckFilter(pattern); !errors.Is(got, want) {
			t.Errorf("CheckFilter(%q) = %v, want %v", pattern, got, want)
		}
	}
}

// A pattern of many stars must not take exponential time.
func TestMatchFilterIsNotExponential(t *testing.T) {
	pattern := strings.Repeat("a*", 60) + "b"
	start := time.Now()
	if MatchFilter(pattern, strings.Repeat("a", 20_000)) {
		t.Error("matched")
	}
	if d := time.Since(start); d > 2*time.Second {
		t.Errorf("took %s", d)
	}
}

// Where the dialects agree (no '/', no escape, no negation), MatchFilter must
// answer as path.Match does.
func FuzzMatchFilter(f *testing.F) {
	for _, s := range [][2]string{
		{"team-*", "team-a"},
		{"n?-[a-c]", "ns-b"},
		{"*a*b*", "xaybz"},
		{"[a-c][x-z]", "by"},
		{"[ab", "a"},
		{"**", "a"},
		{"é?", "éa"},
		{"*é", "aé"},
		{"[é-ü]", "ö"},
		{"a*a*a*b", "aaaaaaaa"},
	} {
		f.Add(s[0], s[1])
	}
	f.Fuzz(func(t *testing.T, pattern, name string) {
		got := MatchFilter(pattern, name)
		if CheckFilter(pattern) != nil {
			if got {
				t.Fatalf("the malformed pattern %q matches %q", pattern, name)
			}
			return
		}
		want, err := path.Match(pattern, name)
		if err != nil || !utf8.ValidString(pattern) || !utf8.ValidString(name) || strings.ContainsAny(pattern, `\^/`) || strings.Contains(name, "/") {
			return
		}
		if got != want {
			t.Fatalf("MatchFilter(%q, %q) = %v, path.Match says %v", pattern, name, got, want)
		}
	})
}
