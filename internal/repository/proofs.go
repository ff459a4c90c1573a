package repository

import (
	"context"
	"fmt"
	"time"

	"github.com/lifeboat-backup/lifeboat/internal/archive/layout"
	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/store"
)

// NoLevel stands for no level in a key.
const NoLevel = "none"

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
	err := st.ListAfter(ctx, layout.RehearsalRoot, layout.RehearsalDir(from), func(i store.Info) error {
		backup, uid, version, level, ok := layout.ParseRehearsalKey(i.Key)
		switch {
		case ok && to != "" && backup+"/" > to+"/":
			return errPageFull
		case !ok || version != "" || !isLevel(level) || !i.Modified.After(out[backup].At):
			return nil
		case level == NoLevel:
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
	case NoLevel, contract.LevelBytes, contract.LevelAccepted, contract.LevelEqual:
		return true
	}
	return false
}
