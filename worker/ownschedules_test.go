package main

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
)

// TestOwnSchedulesAreKept: a schedule of the product's own that Temporal has lost is made again, one that
// could not be made is tried again, and one that is not wanted is removed whenever it is there. A cause is told
// once.
func TestOwnSchedulesAreKept(t *testing.T) {
	there, puts := map[string]bool{}, map[string]int{}
	var refused, away error
	put := func(id string) func(context.Context) error {
		return func(context.Context) error {
			puts[id]++
			there[id] = refused == nil
			return refused
		}
	}
	remove := func(context.Context) error {
		puts["none"]++
		there["none"] = there["none"] && refused != nil
		return refused
	}
	o := &ownedSchedules{
		all:     []*ownSchedule{{id: "gc", put: put("gc"), wanted: true, without: "nothing is collected", hint: "run gc"}, {id: "none", put: remove, without: "still runs"}},
		isThere: func(_ context.Context, id string) (bool, error) { return there[id], away },
	}
	var text bytes.Buffer
	log := slog.New(slog.NewTextHandler(&text, nil))
	look := func(what string, gc, none, told int) {
		t.Helper()
		o.keep(t.Context(), log)
		if puts["gc"] != gc || puts["none"] != none || strings.Count(text.String(), "nothing is collected") != told {
			t.Errorf("%s: %v\n%s", what, puts, &text)
		}
	}
	refused = errors.New("permission denied")
	look("refused", 1, 1, 1)
	look("refused again", 2, 2, 1)
	refused = nil
	look("allowed", 3, 3, 1)
	look("it is there", 3, 3, 1)
	there["gc"], away = false, errors.New("unavailable")
	look("Temporal does not answer", 3, 3, 1)
	away = nil
	look("Temporal has lost it", 4, 3, 1)
	there["none"] = true
	look("another worker has made it", 4, 4, 1)
	refused, there["gc"] = errors.New("permission denied"), false
	look("refused anew", 5, 4, 2)
}
