package repository

import (
	"context"
	"errors"
	"slices"

	velerov1 "github.com/vmware-tanzu/velero/pkg/apis/velero/v1"

	"github.com/lifeboat-backup/lifeboat/internal/archive/layout"
	"github.com/lifeboat-backup/lifeboat/internal/store"
)

// IsLost tells that somebody has deleted the document of a backup of ours: files of it are there
// that no run writes and no deletion removes. Marks of both are looked for while there is no
// document yet, or any more, and the files and the document after them: a deletion removes its
// mark last, and a run its own after the document is there.
func IsLost(ctx context.Context, st store.Store, name string) (bool, error) {
	l := layout.Backup{Name: name}
	for _, key := range []string{l.Metadata(), layout.NameLock(name), layout.Tombstone(name)} {
		if found, err := exists(ctx, st, key); found || err != nil {
			return false, err
		}
	}
	hasManifest, err := exists(ctx, st, l.Manifest())
	if err != nil {
		return false, err
	}
	hasIndex, err := exists(ctx, st, l.Index())
	if err != nil || !hasManifest && !hasIndex {
		return false, err
	}
	committed, err := exists(ctx, st, l.Metadata())
	return !committed && err == nil, err
}

func exists(ctx context.Context, st store.Store, key string) (bool, error) {
	_, err := st.Head(ctx, key)
	if errors.Is(err, store.ErrNotFound) {
		return false, nil
	}
	return err == nil, err
}

// lostEntries are the entries of those of names that have lost their document, as a verification
// has found. What they tell is in the manifest, as far as that can be read.
func (l *Listing) lostEntries(ctx context.Context, names []string, docs map[string]*velerov1.Backup, found verdicts) (lost []BackupEntry, err error) {
	corrupt := map[string]bool{}
	for of, verdict := range found {
		corrupt[of[0]] = corrupt[of[0]] || verdict.Corrupt
	}
	for _, name := range names {
		if docs[name] != nil || !corrupt[name] {
			continue
		}
		if is, err := IsLost(ctx, l.Store, name); err != nil {
			return nil, err
		} else if !is {
			continue
		}
		m, err := ReadManifest(ctx, l.Store, name)
		if err != nil && !IsUnreadable(err) {
			return nil, err
		}
		lost = append(lost, BackupEntry{Name: name, UID: m.UID, Started: m.Created.UTC(), Cluster: m.Cluster, Ours: true})
	}
	found.mark(lost)
	return slices.DeleteFunc(lost, func(e BackupEntry) bool { return !e.Corrupt }), nil
}
