// Package deletion deletes a backup, ours or Velero's, with its snapshots.
//
//   - delete.go: the plan and its tombstone first, the files last.
//   - find.go, read.go: which snapshots a backup says are its own.
//   - expired.go: all of that at once.
//   - snapshots.go: has them deleted by the drivers of volume.Deleter.
//
// The order makes every step repeatable and leaves no half backup behind: a tombstone
// that names the snapshots is written; the Backup document is removed, from when on no
// reader finds the backup; then snapshots, files, and the tombstone. A damaged backup is
// deleted too: what cannot be read is told in the plan.
package deletion

import (
	"context"
	"errors"
	"fmt"
	"slices"

	velerov1 "github.com/vmware-tanzu/velero/pkg/apis/velero/v1"

	"github.com/lifeboat-backup/lifeboat/internal/archive"
	"github.com/lifeboat-backup/lifeboat/internal/archive/layout"
	"github.com/lifeboat-backup/lifeboat/internal/binding"
	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/failure"
	"github.com/lifeboat-backup/lifeboat/internal/heartbeat"
	"github.com/lifeboat-backup/lifeboat/internal/kube"
	"github.com/lifeboat-backup/lifeboat/internal/repository"
	"github.com/lifeboat-backup/lifeboat/internal/repository/beside"
	"github.com/lifeboat-backup/lifeboat/internal/store"
	"github.com/lifeboat-backup/lifeboat/internal/volume"
	"github.com/lifeboat-backup/lifeboat/internal/volume/location"
)

// errNoBackup says that there is neither a backup of the name nor the tombstone of one.
var errNoBackup = errors.New("no backup")

// Runner deletes backups.
type Runner struct {
	Kube      *kube.Client
	Locations *repository.Locations
	Snapshots *location.Set // tells where a snapshot is of which a damaged backup does not say it
	Deleters  map[volume.Method]volume.Deleter
}

// PlanDelete finds the backup and its snapshots and writes its tombstone. Nothing is
// written if a snapshot lies where this worker cannot delete it. It may repeat, also
// after the backup's document is gone.
func (b *Runner) PlanDelete(ctx context.Context, in contract.DeleteBackupInput) (contract.DeletePlan, error) {
	bsl, st, err := b.openForDeletion(ctx, in)
	if err != nil {
		return contract.DeletePlan{}, err
	}
	plan := contract.DeletePlan{Name: in.Name, Location: bsl.Name}
	var doc velerov1.Backup
	err = repository.GetJSON(ctx, st, layout.Backup{Name: in.Name}.Metadata(), &doc)
	if errors.Is(err, store.ErrNotFound) {
		return b.resumePlan(ctx, bsl, st, in, plan)
	}
	if err != nil {
		return plan, err
	}
	unknown, err := b.checkDeletable(ctx, st, in, &doc)
	if err != nil {
		return plan, err
	}
	t, err := b.newTombstone(ctx, st, &doc, in.Name, unknown)
	if err != nil {
		return plan, err
	}
	if err := b.fillPlan(ctx, bsl, st, t, &plan); err != nil {
		return plan, err
	}
	return plan, t.Write(ctx, st)
}

// checkDeletable fails for a backup that is another cluster's to delete, is wanted, or is locked. It
// returns what of the locks could not be seen.
func (b *Runner) checkDeletable(ctx context.Context, st store.Store, in contract.DeleteBackupInput, doc *velerov1.Backup) (unknown []string, err error) {
	entry := repository.EntryOf(doc, 0)
	if err := b.checkMaker(ctx, st, in, entry.UID, entry.Cluster); err != nil {
		return nil, err
	}
	if err := checkWanted(ctx, st, in, doc); err != nil {
		return nil, err
	}
	return checkUnlocked(ctx, st, in.Name)
}

// newTombstone names what goes with a backup, and what an earlier tombstone of it named.
func (b *Runner) newTombstone(ctx context.Context, st store.Store, doc *velerov1.Backup, name string, unknown []string) (t beside.Tombstone, err error) {
	t = beside.Tombstone{Name: name, UID: string(doc.UID), Ended: repository.EntryOf(doc, 0).Completed}
	if t.Snapshots, err = b.findSnapshots(ctx, st, name, doc); err != nil {
		return t, fmt.Errorf("find the snapshots of backup %s: %w", name, err)
	}
	if err := t.Inherit(ctx, st); err != nil {
		return t, err
	}
	t.Snapshots.Unread = append(t.Snapshots.Unread, unknown...)
	return t, nil
}

// openForDeletion opens the location to delete from.
func (b *Runner) openForDeletion(ctx context.Context, in contract.DeleteBackupInput) (*velerov1.BackupStorageLocation, store.Store, error) {
	if err := archive.ValidateBackupName(in.Name); err != nil {
		return nil, nil, failure.Invalid("name: %w", err)
	}
	location, err := b.findLocation(ctx, in)
	if err != nil {
		return nil, nil, err
	}
	return b.Locations.Writable(ctx, location)
}

// findLocation is the location to delete from: the named one, or the only one that has the
// backup or its tombstone. While any of several cannot be read it is not known to be
// the only one, and nothing is deleted.
func (b *Runner) findLocation(ctx context.Context, in contract.DeleteBackupInput) (string, error) {
	if in.Location != "" || len(b.Locations.Config().BackupStorageLocations) == 1 {
		return in.Location, nil
	}
	all, err := repository.AskAll(ctx, b.Locations, "", repository.DocumentTimeout, func(ctx context.Context, a repository.Answer[[]byte]) ([]byte, error) {
		// Not Head, which cannot tell a missing bucket from a missing object.
		doc, err := repository.GetBytes(ctx, a.Store, layout.Backup{Name: in.Name}.Metadata())
		if errors.Is(err, store.ErrNotFound) {
			doc, err = repository.GetBytes(ctx, a.Store, layout.Tombstone(in.Name))
		}
		return doc, err
	})
	if err != nil {
		return "", err
	}
	found, unread, err := repository.ExactlyOne(all, repository.QueryByName("backup", in.Name))
	if failure.TypeOf(err) == contract.ErrTypeNotFound {
		if found, ok, err := b.findVanished(ctx, in); ok || err != nil {
			return found, err
		}
	}
	switch {
	case err != nil && failure.TypeOf(err) != "":
		return "", err
	case err != nil:
		return "", failure.Unusable("%w; say in which location it lies with --storage-location", err)
	case len(unread) > 0:
		return "", failure.Unusable("name: backup %q lies in storage location %s, but %s may have another of the name and could not be read (%s): say which one with --storage-location",
			in.Name, found.Location.Name, unread[0].Name, unread[0].Message)
	}
	return found.Location.Name, nil
}

// findVanished is the only location that remembers a backup of the name, whose document is in none.
func (b *Runner) findVanished(ctx context.Context, in contract.DeleteBackupInput) (location string, ok bool, err error) {
	if in.UID != "" || !in.ExpiredAt.IsZero() {
		return "", false, nil
	}
	all, err := repository.AskAll(ctx, b.Locations, "", repository.DocumentTimeout, func(ctx context.Context, a repository.Answer[string]) (string, error) {
		known, err := readVanished(ctx, a.Store, in.Name)
		return known.UID, err
	})
	if err != nil {
		return "", false, err
	}
	found, _, err := repository.ExactlyOne(all, repository.QueryByName("backup", in.Name))
	if failure.TypeOf(err) == contract.ErrTypeNotFound {
		return "", false, nil
	}
	if err != nil {
		return "", false, err
	}
	return found.Location.Name, true, nil
}

// readVanished is what a location remembers of a backup that it does not list; store.ErrNotFound
// where that is nothing.
func readVanished(ctx context.Context, st store.Store, name string) (beside.KnownBackup, error) {
	seen, err := beside.ReadSeen(ctx, st)
	if err != nil {
		return beside.KnownBackup{}, err
	}
	missing := seen.Missing(nil, nil)
	if i := slices.IndexFunc(missing, func(k beside.KnownBackup) bool { return k.Name == name }); i >= 0 {
		return missing[i], nil
	}
	return beside.KnownBackup{}, fmt.Errorf("backup %s: %w", name, store.ErrNotFound)
}

// resumePlan goes on with a deletion that had begun.
func (b *Runner) resumePlan(ctx context.Context, bsl *velerov1.BackupStorageLocation, st store.Store, in contract.DeleteBackupInput, plan contract.DeletePlan) (contract.DeletePlan, error) {
	t, err := beside.ReadTombstone(ctx, st, plan.Name)
	switch {
	case errors.Is(err, store.ErrNotFound):
		t, err = b.buryVanished(ctx, st, in)
	case err == nil:
		err = b.checkMaker(ctx, st, in, t.UID, "")
	}
	if errors.Is(err, errNoBackup) {
		return plan, failure.NotFound("name: %w %q in location %s; `lifeboat backup get` lists them", errNoBackup, plan.Name, plan.Location)
	}
	if err != nil {
		return plan, err
	}
	err = b.fillPlan(ctx, bsl, st, t, &plan)
	return plan, err
}

// buryVanished begins the deletion of a backup that was listed before and whose document is gone
// though nobody deleted it: a person who names it says that it went on purpose. Its snapshots are
// orphans from then on, since nothing is left that names them.
func (b *Runner) buryVanished(ctx context.Context, st store.Store, in contract.DeleteBackupInput) (beside.Tombstone, error) {
	if in.UID != "" || !in.ExpiredAt.IsZero() {
		return beside.Tombstone{}, errNoBackup
	}
	known, err := readVanished(ctx, st, in.Name)
	if errors.Is(err, store.ErrNotFound) {
		return beside.Tombstone{}, errNoBackup
	}
	if err != nil {
		return beside.Tombstone{}, err
	}
	if err := b.checkCluster(in, known.Cluster); err != nil {
		return beside.Tombstone{}, err
	}
	if _, err := checkHold(ctx, st, in.Name, known.UID); err != nil {
		return beside.Tombstone{}, err
	}
	t := beside.Tombstone{Name: in.Name, UID: known.UID}
	t.Snapshots.Unread = []string{"its snapshots: the files that name them are gone; 'lifeboat gc run' removes them as orphans, 'lifeboat gc plan' shows them"}
	return t, repository.PutJSON(ctx, st, layout.Tombstone(t.Name), t, store.PutOptions{IfAbsent: true})
}

// fillPlan says in plan what there is to delete, and binds the deletion.
func (b *Runner) fillPlan(ctx context.Context, bsl *velerov1.BackupStorageLocation, st store.Store, t beside.Tombstone, plan *contract.DeletePlan) error {
	keys, err := listFiles(ctx, st, t.Name)
	if err != nil {
		return err
	}
	plan.UID, plan.Files = t.UID, len(keys)
	plan.Snapshots, plan.Unread = t.Snapshots.Count(), cutLines(t.Snapshots.Unread, "lines")
	plan.Binding, err = binding.Begin(ctx, b.Kube, b.Locations, bsl, st)
	return err
}

// listFiles lists the keys of a backup, the commit marker first.
func listFiles(ctx context.Context, st store.Store, backup string) ([]string, error) {
	marker := layout.Backup{Name: backup}.Metadata()
	var keys []string
	err := st.List(ctx, layout.BackupDir(backup), func(i store.Info) error {
		if i.Key == marker {
			keys = slices.Insert(keys, 0, i.Key)
		} else {
			keys = append(keys, i.Key)
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("list files of %s: %w", backup, err)
	}
	return keys, nil
}

// checkUnlocked fails while a retention lock or a legal hold protects the document or the
// tarball of a backup: a bucket with versions would hide them, and their snapshots would be
// lost. A backup without a document is being deleted already. unknown says that the
// credentials may not know of locks.
func checkUnlocked(ctx context.Context, st store.Store, backup string) (unknown []string, err error) {
	l := layout.Backup{Name: backup}
	for _, key := range []string{l.Metadata(), l.Tarball()} {
		_, err := st.CheckUnlocked(ctx, key)
		switch {
		case errors.Is(err, store.ErrNotFound) && key == l.Metadata():
			return nil, nil
		case err == nil, errors.Is(err, store.ErrNotFound):
		case errors.Is(err, store.ErrLocked):
			return nil, lockedError(backup, err)
		case errors.Is(err, store.ErrLockUnknown):
			return []string{fmt.Sprintf("files under a retention lock or a legal hold, if there are any: the bucket keeps versions, and the location's credentials may not read locks (allow s3:GetObjectRetention and s3:GetObjectLegalHold): %v", err)}, nil
		default:
			return nil, fmt.Errorf("look for a retention lock of backup %s: %w", backup, err)
		}
	}
	return nil, nil
}

func lockedError(backup string, err error) error {
	return failure.Locked("backup %s is under a retention lock, nothing was deleted; delete it when the lock has ended: %w", backup, err)
}

// removeMarker removes the commit marker: from then on the backup does not exist. One under
// a retention lock stays, and with it all of the backup. replaced says that another backup of
// the name is there by now, which stays: Velero makes one while this one is deleted, and so
// does anybody before an attempt that was taken for dead goes on. It may repeat.
func removeMarker(ctx context.Context, st store.Store, in contract.DeletePlan) (replaced bool, err error) {
	var doc velerov1.Backup
	etag, err := repository.GetVersion(ctx, st, layout.Backup{Name: in.Name}.Metadata(), &doc)
	switch {
	case errors.Is(err, store.ErrNotFound):
		return false, repository.ForgetBackup(ctx, st, in.Name)
	case err == nil && in.UID != "" && string(doc.UID) != in.UID:
		return true, nil
	case err != nil && !archive.IsDamaged(err):
		return false, err
	}
	if _, err = checkUnlocked(ctx, st, in.Name); err == nil {
		err = repository.ForgetBackup(ctx, st, in.Name)
	}
	if err == nil {
		err = deleteDocument(ctx, st, in.Name, etag)
	}
	if errors.Is(err, store.ErrLocked) {
		err = errors.Join(err, beside.RemoveTombstone(ctx, st, in.Name, in.UID))
	}
	return errors.Is(err, store.ErrChanged), ignoreChanged(err)
}

func ignoreChanged(err error) error {
	if errors.Is(err, store.ErrChanged) {
		return nil
	}
	return err
}

func deleteDocument(ctx context.Context, st store.Store, backup, etag string) error {
	err := st.DeleteMatching(ctx, layout.Backup{Name: backup}.Metadata(), etag)
	if errors.Is(err, store.ErrLocked) {
		return lockedError(backup, err)
	}
	if err != nil {
		return fmt.Errorf("delete the document of %s: %w", backup, err)
	}
	return nil
}

// DeleteFiles removes the commit marker first, so that no reader finds a backup of
// which half is gone, then the rest, then the tombstone. Files under a retention
// lock are reported, not an error. It may repeat.
func (b *Runner) DeleteFiles(ctx context.Context, p *heartbeat.Recorder, in contract.DeletePlan) (contract.DeleteResult, error) {
	st, err := b.open(ctx, in)
	if err != nil {
		return contract.DeleteResult{}, err
	}
	res := contract.DeleteResult{Name: in.Name}
	replaced, err := removeMarker(ctx, st, in)
	if err != nil {
		return res, err
	}
	if replaced {
		res.Retained = []string{"files of backup " + in.Name + ": another backup of the name was made meanwhile"}
		return res, beside.RemoveTombstone(ctx, st, in.Name, in.UID)
	}
	keys, err := listFiles(ctx, st, in.Name)
	if err != nil {
		return res, err
	}
	for _, f := range keys {
		err := deleteFile(ctx, st, in.Name, f)
		switch {
		case errors.Is(err, store.ErrLocked):
			res.Retained = append(res.Retained, f+": "+err.Error())
		case err != nil:
			return res, fmt.Errorf("delete %s: %w", f, err)
		default:
			p.Count(1, 0)
		}
	}
	res.Files = in.Files - len(res.Retained) // an earlier attempt may have removed some
	if _, err := st.Head(ctx, layout.Tombstone(in.Name)); err != nil {
		return res, store.IgnoreNotFound(err) // it has ended elsewhere: what lies beside may be of a new backup
	}
	if err := errors.Join(beside.ForgetDeletion(ctx, st, in.Name), beside.CountDeletion(ctx, st, in.UID)); err != nil {
		return res, err
	}
	return res, beside.RemoveTombstone(ctx, st, in.Name, in.UID)
}

// deleteFile deletes a file of a backup that has a tombstone. Without one the deletion has
// ended elsewhere, and the file may be one of a new backup.
func deleteFile(ctx context.Context, st store.Store, backup, key string) error {
	file, err := st.CheckUnlocked(ctx, key)
	if err == nil || errors.Is(err, store.ErrLockUnknown) {
		_, err = st.Head(ctx, layout.Tombstone(backup))
	}
	if err == nil {
		err = st.DeleteMatching(ctx, key, file.ETag)
	}
	return store.IgnoreNotFound(ignoreChanged(err))
}

// open opens the location of a deletion, which has to be where it began.
func (b *Runner) open(ctx context.Context, in contract.DeletePlan) (store.Store, error) {
	if err := b.Locations.CheckPlace(in.Location, in.Binding.Place); err != nil {
		return nil, err
	}
	_, st, err := b.Locations.Writable(ctx, in.Location)
	return st, err
}
