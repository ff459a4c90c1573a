package repository

import (
	"context"
	"fmt"
	"time"

	velerov1 "github.com/vmware-tanzu/velero/pkg/apis/velero/v1"
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
	short, cancel := context.WithTimeout(ctx, reachTimeout)
	defer cancel()
	st, err := l.probe(short, *bsl)
	if err == nil {
		_, err = st.Dirs(short, "")
	}
	if err != nil && short.Err() != nil && ctx.Err() == nil {
		return fmt.Errorf("the object store does not answer within %s", reachTimeout)
	}
	return err
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
			a.Err = err
		}
	default:
	}
	return a
}
