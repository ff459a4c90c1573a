package repository_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/lifeboat-backup/lifeboat/internal/repository"
	"github.com/lifeboat-backup/lifeboat/internal/store"
	"github.com/lifeboat-backup/lifeboat/internal/store/memstore"
)

// TestLatestAttemptCounts: whichever write lands last, the document of the attempt that began
// last is read, and only those of the name that is asked for.
func TestLatestAttemptCounts(t *testing.T) {
	began := time.Now()
	attempt := func(after time.Duration, number int32) context.Context {
		return repository.WithAttempt(t.Context(), began.Add(after), number)
	}
	stage := repository.NewStaging(memstore.New(), "uid")
	var got string
	if err := stage.GetLatest(t.Context(), "a.json", &got); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("of none: %q, %v", got, err)
	}
	for _, w := range []struct {
		ctx        context.Context
		name, text string
	}{
		{t.Context(), "a.json", "a worker of old"},
		{attempt(time.Minute, 1), "a.json", "a run that was reset"},
		{attempt(12*time.Second, 2), "a.json", "the second"},
		{attempt(0, 1), "a.json", "the first, late"},
		{attempt(time.Hour, 9), "a.json-b.json", "another document"},
		{attempt(time.Hour, 9), "b.json", "another document"},
	} {
		if err := stage.PutLatest(w.ctx, w.name, w.text); err != nil {
			t.Fatal(err)
		}
	}
	if err := stage.GetLatest(t.Context(), "a.json", &got); err != nil || got != "a run that was reset" {
		t.Errorf("%q, %v", got, err)
	}
	names, err := stage.LatestNames(t.Context(), "")
	if err != nil || len(names) != 3 || !slices.IsSorted(names[1:]) {
		t.Errorf("%q, %v", names, err)
	}
	if err := stage.PutLatest(attempt(time.Minute, 1), "a.json", "again"); err != nil {
		t.Fatal(err)
	}
	if err := stage.GetLatest(t.Context(), "a.json", &got); err != nil || got != "again" {
		t.Errorf("a repeat by the same attempt: %q, %v", got, err)
	}
}
