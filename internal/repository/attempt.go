package repository

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/lifeboat-backup/lifeboat/internal/store"
)

// attemptKey is the key of the running attempt in a context.
type attemptKey struct{}

// WithAttempt says which attempt of an activity a context belongs to: its number, and when the
// server of Temporal let it begin. Later attempts began later, those of other activities and of
// a run that was reset among them.
func WithAttempt(ctx context.Context, began time.Time, number int32) context.Context {
	return context.WithValue(ctx, attemptKey{}, fmt.Sprintf("%s-%05d", began.UTC().Format("20060102T150405.000000000"), number))
}

// attemptMark stands between the name of a document and the attempt that wrote it. No name of a
// Kubernetes object has it.
const attemptMark = "_"

// PutLatest writes a document of which several attempts may write one each. That of the latest
// counts, whichever lands last: one that was taken for dead writes over none of another. A
// repeat by the same attempt overwrites.
func (s Staging) PutLatest(ctx context.Context, name string, doc any) error {
	if attempt, _ := ctx.Value(attemptKey{}).(string); attempt != "" {
		name += attemptMark + attempt
	}
	return s.Put(ctx, name, doc)
}

// GetLatest reads a document that PutLatest has written; store.ErrNotFound if none has.
func (s Staging) GetLatest(ctx context.Context, name string, doc any) error {
	names, err := s.LatestNames(ctx, name)
	if err != nil {
		return err
	}
	for _, found := range names {
		if document, _, _ := strings.Cut(found, attemptMark); document == name {
			return s.Get(ctx, found, doc)
		}
	}
	return fmt.Errorf("read %s: %w", s.Key(name), store.ErrNotFound)
}

// LatestNames are the names by which to Get the documents that begin with a prefix, in order,
// of each that of the latest attempt.
func (s Staging) LatestNames(ctx context.Context, prefix string) ([]string, error) {
	var names []string
	position := map[string]int{} // by document
	err := s.Store.List(ctx, s.Key(prefix), func(i store.Info) error {
		name := strings.TrimPrefix(i.Key, s.dir)
		document, _, _ := strings.Cut(name, attemptMark)
		if at, known := position[document]; known {
			names[at] = name // attempts are listed in their order
			return nil
		}
		position[document] = len(names)
		names = append(names, name)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("list %s: %w", s.Key(prefix), err)
	}
	return names, nil
}
