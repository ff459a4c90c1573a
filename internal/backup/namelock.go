package backup

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/lifeboat-backup/lifeboat/internal/archive/layout"
	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/failure"
	"github.com/lifeboat-backup/lifeboat/internal/repository"
	"github.com/lifeboat-backup/lifeboat/internal/store"
)

// AbandonRun deletes the snapshots of a run that ended without cleaning up.
type AbandonRun func(ctx context.Context, ref contract.BackupRef) error

// lockName makes this run the only writer of the backup of that name. A finished backup, or
// one that another run is still making, is AlreadyExists and names that run.
func (s *Service) lockName(ctx context.Context, st store.Store, in contract.PrepareBackupInput, abandon AbandonRun) error {
	name := in.Backup.Name
	if err := repository.CheckNameFree(ctx, st, name); err != nil {
		return err
	}
	mine := repository.NameLock{UID: in.UID, Run: in.Run}
	if err := s.acquireNameLock(ctx, st, name, mine, in.Backup.Spec.StorageLocation, abandon); err != nil {
		return err
	}
	// Another run may have committed a backup of this name and released the name lock
	// after the first check and before this run acquired it.
	if err := repository.CheckNameFree(ctx, st, name); err != nil {
		return errors.Join(err, repository.ReleaseName(ctx, st, name, in.UID))
	}
	return repository.ClearBackupFiles(ctx, st, name, in.UID, repository.PlanFile)
}

// acquireNameLock returns once the name lock is this run's, be it from an earlier attempt.
// The lock of a run that is known to have ended without cleaning up is taken over, by one run
// if several try.
func (s *Service) acquireNameLock(ctx context.Context, st store.Store, name string, mine repository.NameLock, location string, abandon AbandonRun) error {
	for {
		holder, etag, err := tryNameLock(ctx, st, name, mine)
		if err != nil {
			return err
		}
		switch holder.UID {
		case mine.UID:
			return nil
		case "": // it was released between the attempt and the look at its holder
			continue
		}
		if err := s.checkRunEnded(ctx, name, holder.Run); err != nil {
			return err
		}
		if err := clearEndedRun(ctx, st, contract.BackupRef{Name: name, UID: holder.UID, Location: location}, holder.Run, abandon); err != nil {
			return err
		}
		err = repository.TakeName(ctx, st, name, mine, etag)
		if !errors.Is(err, store.ErrChanged) {
			return err
		} // another run was faster to take it over
	}
}

// tryNameLock returns the holder of the name lock and the lock's ETag: mine if it was free, and
// one without UID if it was released before its holder could be read.
func tryNameLock(ctx context.Context, st store.Store, name string, mine repository.NameLock) (holder repository.NameLock, etag string, err error) {
	err = repository.AcquireName(ctx, st, name, mine)
	if err == nil {
		return mine, "", nil
	}
	if !errors.Is(err, store.ErrExists) {
		return holder, "", err
	}
	etag, err = repository.GetVersion(ctx, st, layout.NameLock(name), &holder)
	if errors.Is(err, store.ErrNotFound) {
		return repository.NameLock{}, "", nil
	}
	if err == nil && holder.UID == "" {
		err = fmt.Errorf("name lock %s: it names no holder", layout.NameLock(name))
	}
	return holder, etag, err
}

// checkRunEnded fails with AlreadyExists while the run that holds the name may be alive.
func (s *Service) checkRunEnded(ctx context.Context, name string, run contract.Run) error {
	closed, err := s.Runs.Closed(ctx, run)
	if err != nil {
		return fmt.Errorf("look up run %s that holds the name %s: %w", run.WorkflowID, name, err)
	}
	if closed {
		return nil
	}
	return failure.Exists("name: backup %q is being made by workflow %s (run %s) of cluster %s since %s; follow that one, choose another name, or, if that run's Temporal is gone for good, remove %s from the bucket",
		name, run.WorkflowID, run.RunID, run.Cluster, run.Started.UTC().Format(time.RFC3339), layout.NameLock(name))
}

// clearEndedRun unquiesces the pods of an ended run, deletes its snapshots and its staging.
// Its name lock is taken over after that: who finds it still there can repeat all of it.
func clearEndedRun(ctx context.Context, st store.Store, ref contract.BackupRef, run contract.Run, abandon AbandonRun) error {
	if err := abandon(ctx, ref); err != nil {
		return fmt.Errorf("clean up after ended run %s: %w", run.WorkflowID, err)
	}
	return repository.NewStaging(st, ref.UID).Clear(ctx)
}
