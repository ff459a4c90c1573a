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

// ListProofs says what is proven of the backups of a location, by name. It reads no document.
// A page of a Listing says it of its backups.
func ListProofs(ctx context.Context, st store.Store) (map[string]Proof, error) {
	ahead, err := readAhead(ctx, st, layout.RehearsalRoot, "")
	if err != nil {
		return nil, fmt.Errorf("list rehearsals: %w", err)
	}
	return proofsOf(ctx, st, ahead, "")
}

// proofsOf takes what is proven of the backups up to the name last.
func proofsOf(ctx context.Context, st store.Store, ahead keysAhead, last string) (map[string]Proof, error) {
	out := map[string]Proof{}
	err := ahead.each(ctx, st, func(i store.Info) error {
		backup, uid, version, level, ok := layout.ParseRehearsalKey(i.Key)
		switch {
		case ok && last != "" && backup+"/" > last+"/":
			return errPageFull
		case !ok || version != "" || !isLevel(level) || !i.Modified.After(out[backup].At):
			return nil
		case level == NoLevel:
			level = ""
		}
		out[backup] = Proof{UID: uid, Level: level, At: i.Modified}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("list rehearsals: %w", err)
	}
	return out, nil
}

// markProofs notes in entries what is proven of their backups; that of an earlier backup of a
// name says nothing.
func markProofs(entries []BackupEntry, proofs map[string]Proof) {
	for i := range entries {
		if p := proofs[entries[i].Name]; p.UID == entries[i].UID {
			entries[i].Proof = p
		}
	}
}

func isLevel(level string) bool {
	switch level {
	case NoLevel, contract.LevelBytes, contract.LevelAccepted, contract.LevelEqual:
		return true
	}
	return false
}
