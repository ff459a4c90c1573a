package repository

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/lifeboat-backup/lifeboat/internal/archive"
	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/store"
)

// noLevel stands for no level in a key.
const noLevel = "none"

// WriteRehearsal writes what a rehearsal has found, in place of what one before it has. It may
// repeat.
func WriteRehearsal(ctx context.Context, st store.Store, r contract.RehearsalResult) error {
	written := archive.RehearsalKey(r.Backup, r.UID, r.Asked, cmp.Or(r.Level, noLevel))
	if err := PutJSON(ctx, st, written, r, store.PutOptions{}); err != nil {
		return err
	}
	keys, err := rehearsalKeys(ctx, st, r.Backup, r.UID)
	if err != nil {
		return err
	}
	for _, key := range keys {
		_, _, version, _, _ := archive.ParseRehearsalKey(key)
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
	err = st.List(ctx, archive.RehearsalDir(backup), func(i store.Info) error {
		if _, of, _, _, ok := archive.ParseRehearsalKey(i.Key); ok && of == uid && len(found) < rehearsalsRead {
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
		err := GetJSON(ctx, st, key, &r)
		switch {
		case errors.Is(err, archive.ErrCorrupt), errors.Is(err, archive.ErrHostile), errors.Is(err, store.ErrNotFound):
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

// Proof says at what level a backup was proven last, in the worker's own version of Kubernetes,
// and when.
type Proof struct {
	UID   string // of the backup
	Level string // "" is none
	At    time.Time
}

// ListProofs says what is proven of the backups of a location from one name to another, in the
// order of their keys, by name. It reads no document.
func ListProofs(ctx context.Context, st store.Store, from, to string) (map[string]Proof, error) {
	out := map[string]Proof{}
	err := st.ListAfter(ctx, archive.RehearsalRoot, archive.RehearsalDir(from), func(i store.Info) error {
		backup, uid, version, level, ok := archive.ParseRehearsalKey(i.Key)
		switch {
		case ok && to != "" && backup+"/" > to+"/":
			return errPageFull
		case !ok || version != "" || !isLevel(level) || !i.Modified.After(out[backup].At):
			return nil
		case level == noLevel:
			level = ""
		}
		out[backup] = Proof{UID: uid, Level: level, At: i.Modified}
		return nil
	})
	if err = noPageFull(err); err != nil {
		return nil, fmt.Errorf("list rehearsals: %w", err)
	}
	return out, nil
}

func isLevel(level string) bool {
	switch level {
	case noLevel, contract.LevelBytes, contract.LevelAccepted, contract.LevelEqual:
		return true
	}
	return false
}
