package ebs

import (
	"context"
	"sync"

	"golang.org/x/sync/semaphore"
)

// lookups lets callers that ask the same question at about the same time share
// one answer: of three hundred volumes of a run, each looks for its snapshot,
// and two lists answer them all. An answer is shared only with who asked before
// the list began, so that nobody gets one older than the question.
type lookups[T any] struct {
	mu   sync.Mutex
	keys map[string]*lookup[T]
}

type lookup[T any] struct {
	lock   *semaphore.Weighted // of who lists
	users  int                 // guarded by lookups.mu
	begun  int                 // lists begun; guarded by lookups.mu
	answer T                   // of the last list, guarded by lock
	number int                 // of the last list that answered, guarded by lock
}

func newLookups[T any]() *lookups[T] { return &lookups[T]{keys: map[string]*lookup[T]{}} }

// shareAnswer returns what list says about the key.
func (l *lookups[T]) shareAnswer(ctx context.Context, key string, list func(context.Context) (T, error)) (T, error) {
	u, asked := l.joinLookup(key)
	defer l.partLookup(key, u)
	var none T
	if err := u.lock.Acquire(ctx, 1); err != nil {
		return none, err
	}
	defer u.lock.Release(1)
	if u.number > asked {
		return u.answer, nil
	}
	number := l.beginList(u)
	answer, err := list(ctx)
	if err != nil {
		return none, err
	}
	u.answer, u.number = answer, number
	return answer, nil
}

func (l *lookups[T]) joinLookup(key string) (*lookup[T], int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	u := l.keys[key]
	if u == nil {
		u = &lookup[T]{lock: semaphore.NewWeighted(1)}
		l.keys[key] = u
	}
	u.users++
	return u, u.begun
}

func (l *lookups[T]) beginList(u *lookup[T]) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	u.begun++
	return u.begun
}

func (l *lookups[T]) partLookup(key string, u *lookup[T]) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if u.users--; u.users == 0 {
		delete(l.keys, key)
	}
}
