package beside

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/lifeboat-backup/lifeboat/internal/archive"
	"github.com/lifeboat-backup/lifeboat/internal/archive/layout"
	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/repository"
	"github.com/lifeboat-backup/lifeboat/internal/store"
)

// WriteRehearsal writes what a rehearsal has found, in place of what one before it has. It may
// repeat.
func WriteRehearsal(ctx context.Context, st store.Store, r contract.RehearsalResult) error {
	written := layout.RehearsalKey(r.Backup, r.UID, r.Asked, cmp.Or(r.Level, repository.NoLevel))
	if err := repository.PutJSON(ctx, st, written, r, store.PutOptions{}); err != nil {
		return err
	}
	keys, err := rehearsalKeys(ctx, st, r.Backup, r.UID)
	if err != nil {
		return err
	}
	for _, key := range keys {
		_, _, version, _, _ := layout.ParseRehearsalKey(key)
		if key == written || version != r.Asked {
			continue
		}
		if err := st.Delete(ctx, key); err != nil && !errors.Is(err, store.ErrLocked) {
			return fmt.Errorf("remove %s: %w", key, err)
		}
	}
	return nil
}

// rehearsalsRead bounds how many documents of one backup are read: of a few versions of
// Kubernetes.
const rehearsalsRead = 20

// rehearsalKeys are the keys of the documents of the backup of that UID, newest first.
func rehearsalKeys(ctx context.Context, st store.Store, backup, uid string) (keys []string, err error) {
	var found []store.Info
	err = st.List(ctx, layout.RehearsalDir(backup), func(i store.Info) error {
		if _, of, _, _, ok := layout.ParseRehearsalKey(i.Key); ok && of == uid && len(found) < rehearsalsRead {
			found = append(found, i)
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("list the rehearsals of backup %s: %w", backup, err)
	}
	slices.SortStableFunc(found, func(a, b store.Info) int { return b.Modified.Compare(a.Modified) })
	for _, i := range found {
		keys = append(keys, i.Key)
	}
	return keys, nil
}

// ReadRehearsals reads what rehearsals of the backup of that UID have found, one of each
// version of Kubernetes, that in the worker's own first. One that does not decode is left out,
// since it can be made anew.
func ReadRehearsals(ctx context.Context, st store.Store, backup, uid string) ([]contract.RehearsalResult, error) {
	keys, err := rehearsalKeys(ctx, st, backup, uid)
	if err != nil {
		return nil, err
	}
	var out []contract.RehearsalResult
	for _, key := range keys {
		var r contract.RehearsalResult
		err := repository.GetJSON(ctx, st, key, &r)
		switch {
		case archive.IsDamaged(err), errors.Is(err, store.ErrNotFound):
			continue
		case err != nil:
			return nil, err
		case r.UID != uid || r.Backup != backup:
			continue
		case slices.ContainsFunc(out, func(o contract.RehearsalResult) bool { return o.Asked == r.Asked }):
			continue
		}
		out = append(out, r)
	}
	slices.SortStableFunc(out, func(a, b contract.RehearsalResult) int { return cmp.Compare(a.Asked, b.Asked) })
	return out, nil
}
