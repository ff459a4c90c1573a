package repository

import (
	"context"
	"errors"
	"fmt"
	"time"

	velerov1 "github.com/vmware-tanzu/velero/pkg/apis/velero/v1"

	"github.com/lifeboat-backup/lifeboat/internal/archive/layout"
	"github.com/lifeboat-backup/lifeboat/internal/store"
)

// Somebody who waits is told within 5 s what does not answer: a question without an answer
// after reachDelay has the location tried, which may take reachTimeout.
const (
	reachDelay   = time.Second
	reachTimeout = 3 * time.Second
)

// Reach asks a location for its root directories, once, as Velero's validation does: the
// error says at once why it cannot be used. Its credentials are read anew.
func (l *Locations) Reach(ctx context.Context, bsl *velerov1.BackupStorageLocation) error {
	return l.try(ctx, bsl, func(context.Context, store.Store) error { return nil })
}

// Validate is Reach, and also reads a byte of a backup, if there is one: who may list need not
// be able to read, and what is in an archive tier is listed all the same.
func (l *Locations) Validate(ctx context.Context, bsl *velerov1.BackupStorageLocation) error {
	return l.try(ctx, bsl, readAnyBackup)
}

func readAnyBackup(ctx context.Context, st store.Store) error {
	var first string
	err := st.DirsAfter(ctx, layout.BackupsDir, "", func(name string) error {
		first = name
		return errPageFull
	})
	err = noPageFull(err)
	key := layout.Backup{Name: first}.Metadata()
	if err != nil || first == "" || store.CheckKey(key) != nil {
		return err
	}
	body, err := st.GetRange(ctx, key, 0, 1)
	if errors.Is(err, store.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	return body.Close()
}

// try asks a location for its root directories, and then what more there is to ask.
func (l *Locations) try(ctx context.Context, bsl *velerov1.BackupStorageLocation, more func(context.Context, store.Store) error) error {
	short, cancel := context.WithTimeout(ctx, reachTimeout)
	defer cancel()
	st, err := l.probe(short, *bsl)
	if err == nil {
		_, err = st.Dirs(short, "")
	}
	if err == nil {
		err = more(short, st)
	}
	if err != nil && short.Err() != nil && ctx.Err() == nil {
		return fmt.Errorf("%w within %s", store.ErrNoAnswer, reachTimeout)
	}
	return err
}

// outOfReach is the cause why a location could not be tried at all.
type outOfReach struct{ error }

func (o *outOfReach) Unwrap() error { return o.error }

// IsOutOfReach tells that a location was given up on after seconds, since it cannot be reached.
// Who waits is better told so than made to wait for another try.
func IsOutOfReach(err error) bool {
	var o *outOfReach
	return errors.As(err, &o)
}

// withReach gives up on ask when the location turns out to be out of reach meanwhile.
func withReach[T any](ctx context.Context, l *Locations, bsl *velerov1.BackupStorageLocation, ask func(context.Context) Answer[T]) Answer[T] {
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	out := make(chan error, 1)
	go func() {
		select {
		case <-ctx.Done():
		case <-time.After(reachDelay):
			if err := l.Reach(ctx, bsl); err != nil && ctx.Err() == nil {
				out <- err
				stop(err)
			}
		}
	}()
	a := ask(ctx)
	select {
	case err := <-out:
		if a.Err != nil {
			a.Err = &outOfReach{err}
		}
	default:
	}
	return a
}
