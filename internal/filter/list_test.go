package filter

import (
	"strings"
	"testing"

	"github.com/lifeboat-backup/lifeboat/internal/glob"
)

func FuzzValidateNamespaces(f *testing.F) {
	for _, s := range []string{"a", "*", "team-*", "[", "a b", "A", "", "x[a-z]"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, entry string) {
		if len(checkNamespaces("p", []string{entry})) == 0 && glob.CheckFilter(entry) != nil {
			t.Fatalf("%q passes validation but is malformed", entry)
		}
	})
}

func BenchmarkIncludeNamespaceAmongThousand(b *testing.B) {
	l := newList(strings.Fields(strings.Repeat("x ", 1)))
	for i := range 1000 {
		l.Names = append(l.Names, "team-"+strings.Repeat("a", i%7)+string(rune('a'+i%26)))
	}
	l = l.withSortedNames()
	b.ReportAllocs()
	for b.Loop() {
		l.hasEntryFor("team-zzz")
	}
}
