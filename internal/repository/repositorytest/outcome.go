package repositorytest

import (
	"strings"
	"testing"

	"github.com/lifeboat-backup/lifeboat/internal/failure"
)

// Outcome is that of a search for the location of a backup.
type Outcome struct {
	Place       string // "" for an error
	words, kind string
}

// FoundIn is the outcome that a location is found.
func FoundIn(place string) Outcome { return Outcome{Place: place} }

// Refused is the outcome that the search ends in an error with these words, of this type.
func Refused(words, kind string) Outcome { return Outcome{words: words, kind: kind} }

// Check holds what a search has found against the outcome.
func (o Outcome) Check(t *testing.T, place string, err error) {
	t.Helper()
	switch {
	case o.words == "" && (err != nil || place != o.Place):
		t.Errorf("in %q, %v; want %q", place, err, o.Place)
	case o.words != "" && (err == nil || !strings.Contains(err.Error(), o.words) || failure.TypeOf(err) != o.kind):
		t.Errorf("%s %v\nwant %s %s", failure.TypeOf(err), err, o.kind, o.words)
	}
}
