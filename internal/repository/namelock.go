package repository

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/lifeboat-backup/lifeboat/internal/archive/layout"
	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/failure"
	"github.com/lifeboat-backup/lifeboat/internal/store"
)

// CheckNameFree fails if a backup of that name is committed, or is being deleted: the deletion
// would take the new one's files with it.
func CheckNameFree(ctx context.Context, st store.Store, name string) error {
	info, err := st.Head(ctx, layout.Backup{Name: name}.Metadata())
	switch {
	case errors.Is(err, store.ErrNotFound):
		return checkNotBeingDeleted(ctx, st, name)
	case err != nil:
		return fmt.Errorf("look for backup %s: %w", name, err)
	}
	return failure.Exists("name: backup %q already exists, completed %s; choose another name or delete it first",
		name, info.Modified.UTC().Format(time.RFC3339))
}

func checkNotBeingDeleted(ctx context.Context, st store.Store, name string) error {
	_, err := st.Head(ctx, layout.Tombstone(name))
	switch {
	case errors.Is(err, store.ErrNotFound):
		return nil
	case err != nil:
		return fmt.Errorf("look for a deletion of backup %s: %w", name, err)
	}
	return failure.Exists("name: an earlier backup %q is being deleted; wait until it is gone, finish it with `lifeboat backup delete %s`, or choose another name", name, name)
}

// ClearBackupFiles removes files that an uncommitted run of this name left behind, while the
// run uid holds the name, so that nobody is writing them, and has no such file in staging: "" is
// any. Both are looked at last, for an attempt that was taken for dead may come here late, when
// another run has the name or another attempt of its own has gone on.
func ClearBackupFiles(ctx context.Context, st store.Store, name, uid, unless string) error {
	var keys []string
	err := st.List(ctx, layout.BackupDir(name), func(i store.Info) error {
		if store.CheckKey(i.Key) == nil { // what Lifeboat writes has no other
			keys = append(keys, i.Key)
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("list leftovers of %s: %w", name, err)
	}
	if unless != "" {
		if _, err := st.Head(ctx, NewStaging(st, uid).Key(unless)); !errors.Is(err, store.ErrNotFound) {
			return err
		}
	}
	if held, err := HoldsName(ctx, st, name, uid); !held {
		return err
	}
	if err := AbortUploads(ctx, st, layout.BackupDir(name)); err != nil {
		return err
	}
	if err := st.Delete(ctx, keys...); err != nil {
		return fmt.Errorf("clear leftovers of %s: %w", name, err)
	}
	return nil
}

// NameLock is who is writing a backup. It is put with If-None-Match before anything
// else and removed after the commit or the clean-up, so that two runs never write
// below one backup's directory, even from two Temporal servers.
type NameLock struct {
	UID string       `json:"uid"`
	Run contract.Run `json:"run"`
}

// AcquireName puts the name lock, or fails with store.ErrExists if a run holds it already.
func AcquireName(ctx context.Context, st store.Store, name string, lock NameLock) error {
	return PutJSON(ctx, st, layout.NameLock(name), lock, store.PutOptions{IfAbsent: true})
}

// TakeName puts the name lock in place of the one with that ETag, which an ended run has left.
// It fails with store.ErrChanged if another run was faster.
func TakeName(ctx context.Context, st store.Store, name string, lock NameLock, etag string) error {
	return PutJSON(ctx, st, layout.NameLock(name), lock, store.PutOptions{IfMatch: etag})
}

// HoldsName tells whether uid holds the name.
func HoldsName(ctx context.Context, st store.Store, name, uid string) (bool, error) {
	var holder NameLock
	err := GetJSON(ctx, st, layout.NameLock(name), &holder)
	if errors.Is(err, store.ErrNotFound) {
		return false, nil
	}
	return err == nil && holder.UID == uid, err
}

// ReleaseName lets the name go if uid holds it. It may repeat.
func ReleaseName(ctx context.Context, st store.Store, name, uid string) error {
	var holder NameLock
	etag, err := GetVersion(ctx, st, layout.NameLock(name), &holder)
	if errors.Is(err, store.ErrNotFound) || err == nil && holder.UID != uid {
		return nil
	}
	if err == nil {
		err = st.DeleteMatching(ctx, layout.NameLock(name), etag)
	}
	if err != nil && !errors.Is(err, store.ErrChanged) { // another run has it by now
		return fmt.Errorf("release the name lock on %s: %w", name, err)
	}
	return nil
}
