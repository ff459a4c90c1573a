package repository

import (
	"context"
	"errors"
	"fmt"
	"path"
	"strings"
	"time"

	"github.com/lifeboat-backup/lifeboat/internal/archive"
	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/store"
)

// WriteRehearsal writes what a rehearsal has found, in place of what one before it has. It may
// repeat.
func WriteRehearsal(ctx context.Context, st store.Store, r contract.RehearsalResult) error {
	return PutJSON(ctx, st, archive.RehearsalKey(r.Backup, r.UID, r.Asked), r, store.PutOptions{})
}

// rehearsalsShown bounds the versions of Kubernetes of which a reader is told.
const rehearsalsShown = 10

// ReadRehearsals reads what rehearsals of the backup of that UID have found: that in the
// worker's own version first. One that does not decode is left out, since it can be made anew.
func ReadRehearsals(ctx context.Context, st store.Store, backup, uid string) ([]contract.RehearsalResult, error) {
	var keys []string
	err := st.List(ctx, archive.RehearsalDir(backup)+uid, func(i store.Info) error {
		if len(keys) < rehearsalsShown {
			keys = append(keys, i.Key)
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("list the rehearsals of backup %s: %w", backup, err)
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
		case r.Asked == "":
			out = append([]contract.RehearsalResult{r}, out...)
		default:
			out = append(out, r)
		}
	}
	return out, nil
}

// RehearsalTime says when a backup was rehearsed last, in the worker's own version of Kubernetes.
type RehearsalTime struct {
	UID string // of the backup
	At  time.Time
}

// ListRehearsals says when each backup of a location was rehearsed, by name. It reads no
// document.
func ListRehearsals(ctx context.Context, st store.Store) (map[string]RehearsalTime, error) {
	out := map[string]RehearsalTime{}
	err := st.List(ctx, archive.RehearsalRoot, func(i store.Info) error {
		dir, file := path.Split(strings.TrimPrefix(i.Key, archive.RehearsalRoot))
		uid, ok := strings.CutSuffix(file, ".json")
		if ok && !strings.Contains(uid, "+") && i.Modified.After(out[strings.TrimSuffix(dir, "/")].At) {
			out[strings.TrimSuffix(dir, "/")] = RehearsalTime{UID: uid, At: i.Modified}
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("list rehearsals: %w", err)
	}
	return out, nil
}
