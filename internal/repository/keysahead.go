package repository

import (
	"context"

	"github.com/lifeboat-backup/lifeboat/internal/store"
)

// keysPerRequest is how many keys a request of the store names.
const keysPerRequest = 1000

// keysAhead are the first keys of a directory behind a start, as many as a request names. They
// are read before it is known up to where the directory is wanted, so that what a page of
// backups needs is read at the same time.
type keysAhead struct {
	root string
	keys []store.Info
}

func readAhead(ctx context.Context, st store.Store, root, start string) (keysAhead, error) {
	ahead := keysAhead{root: root}
	err := st.ListAfter(ctx, root, start, func(i store.Info) error {
		if ahead.keys = append(ahead.keys, i); len(ahead.keys) == keysPerRequest {
			return errPageFull
		}
		return nil
	})
	return ahead, noPageFull(err)
}

// each hands over the keys, and those behind them, until take returns errPageFull.
func (k keysAhead) each(ctx context.Context, st store.Store, take func(store.Info) error) error {
	for _, i := range k.keys {
		if err := take(i); err != nil {
			return noPageFull(err)
		}
	}
	if len(k.keys) < keysPerRequest {
		return nil
	}
	return noPageFull(st.ListAfter(ctx, k.root, k.keys[len(k.keys)-1].Key, take))
}
