package backup

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/lifeboat-backup/lifeboat/internal/archive"
	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/failure"
	"github.com/lifeboat-backup/lifeboat/internal/repository"
	"github.com/lifeboat-backup/lifeboat/internal/store"
)

// AbandonRun deletes the snapshots of a run that ended without cleaning up.
type AbandonRun func(ctx context.Context, ref contract.BackupRef) error

// takeOver succeeds if the claim is our own, from an earlier attempt, or that of a
// run which is known to have ended without cleaning up.
// What that run has left frozen is thawed, and its snapshots are deleted.
func (b *Service) takeOver(ctx context.Context, st store.Store, name string, mine repository.NameLock, location string, abandon AbandonRun) error {
	var holder repository.NameLock
	err := repository.GetJSON(ctx, st, archive.Claim(name), &holder)
	switch {
	case errors.Is(err, store.ErrNotFound): // let go in between
		return fmt.Errorf("claim %s: released while it was read; trying again", name)
	case err != nil:
		return err
	case holder.UID == mine.UID:
		return nil
	}
	closed, err := b.Runs.Closed(ctx, holder.Run.WorkflowID, holder.Run.RunID)
	if err != nil {
		return fmt.Errorf("look up run %s that holds the name %s: %w", holder.Run.WorkflowID, name, err)
	}
	if !closed {
		return failure.Exists("name: backup %q is being made by workflow %s (run %s) of cluster %s since %s; follow that one, choose another name, or, if that run's Temporal is gone for good, remove %s from the bucket",
			name, holder.Run.WorkflowID, holder.Run.RunID, holder.Run.Cluster, holder.Run.Started.UTC().Format(time.RFC3339), archive.Claim(name))
	}
	if err := abandon(ctx, contract.BackupRef{Name: name, UID: holder.UID, Location: location}); err != nil {
		return fmt.Errorf("clean up after ended run %s: %w", holder.Run.WorkflowID, err)
	}
	if err := repository.NewStaging(st, holder.UID).Clear(ctx); err != nil {
		return err
	}
	if err := st.Delete(ctx, archive.Claim(name)); err != nil {
		return fmt.Errorf("release the claim of ended run %s: %w", holder.Run.WorkflowID, err)
	}
	return fmt.Errorf("claim %s: released an ended run's claim; trying again", name)
}
