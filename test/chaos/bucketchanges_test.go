//go:build stack

package chaos

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"

	velerov1 "github.com/vmware-tanzu/velero/pkg/apis/velero/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"

	"github.com/lifeboat-backup/lifeboat/internal/archive/layout"
	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/store"
)

// TestBucketChanges meddles with the working space in the bucket while a run is at
// work, as other runs and crashes do.
func TestBucketChanges(t *testing.T) {
	t.Parallel()
	recordings(t)
	each(t, []job{
		{"another run holds the name lock", nameLockLost},
		{"half of staging was cleared", halfCleared},
		{"a dry run is killed once its plan is written", func(ctx context.Context, l *lane) error {
			return l.killedDryRun(ctx, "PUT LANE/plugins/lifeboat/plans/NAME.json.gz")
		}},
		{"a dry run is killed once staging is cleared", func(ctx context.Context, l *lane) error {
			return l.killedDryRun(ctx, "POST /"+shared.S3.Bucket+"?delete=")
		}},
		{"uploads may not be listed", listingDenied},
	})
}

// nameLockLost: a run whose name lock was taken over writes no backup and touches nothing of
// the new holder's.
func nameLockLost(ctx context.Context, l *lane) error {
	name, _ := l.names("backup")
	p, err := undisturbed.backup.during("VerifyBackup", Before)
	if err != nil {
		return err
	}
	theirs, err := json.Marshal(m{"uid": "theirs"})
	if err != nil {
		return err
	}
	err = l.disturb(ctx, p, l.startBackup(name, bulkSpec()), func(client.WorkflowRun) (bool, error) {
		return false, l.Store.Put(ctx, layout.NameLock(name), theirs, store.PutOptions{})
	}, nil)
	var refused *temporal.ApplicationError
	if !errors.As(err, &refused) || refused.Type() != contract.ErrTypeExists {
		return fmt.Errorf("a run that lost its name lock: %w", err)
	}
	if _, err := l.Store.Head(ctx, layout.Backup{Name: name}.Metadata()); !errors.Is(err, store.ErrNotFound) {
		return fmt.Errorf("it committed: %w", err)
	}
	if _, err := l.Store.Head(ctx, layout.Backup{Name: name}.Tarball()); err != nil {
		return fmt.Errorf("it removed files of the new holder: %w", err)
	}
	if err := l.Store.Delete(ctx, layout.NameLock(name)); err != nil {
		return fmt.Errorf("it removed the name lock of the new holder: %w", err)
	}
	return l.leftovers(ctx)
}

// halfCleared: a worker dies while it clears staging after the commit.
func halfCleared(ctx context.Context, l *lane) error {
	name, _ := l.names("backup")
	p := point{"CommitBackup", "s3", "POST /" + shared.S3.Bucket + "?delete=", 1, Before}
	var res contract.BackupResult
	err := l.disturb(ctx, p, l.startBackup(name, bulkSpec()), func(run client.WorkflowRun) (bool, error) {
		l.current().Kill()
		gone := l.Store.Delete(ctx, layout.Staging(run.GetRunID())+"plan.json")
		return true, errors.Join(gone, l.start(ctx))
	}, &res)
	if err != nil {
		return err
	}
	return l.sameBackup(ctx, name, res)
}

func (l *lane) killedDryRun(ctx context.Context, sig string) error {
	name, target := l.names("restore")
	start := l.execute(contract.RestoreID(l.Cluster, name), contract.RestoreWorkflow, contract.RestoreInput{
		Name: name, DryRun: true, Spec: velerov1.RestoreSpec{BackupName: "base", NamespaceMapping: map[string]string{l.source(): target}},
	})
	var res contract.RestoreResult
	if err := l.struck(ctx, point{"FinishRestore", "s3", sig, 1, After}, start, kill, &res); err != nil {
		return err
	}
	if res.Phase != "Completed" || !res.DryRun || res.Counts.Created == 0 {
		return fmt.Errorf("dry run is %s: %+v %v", res.Phase, res.Counts, res.Reasons)
	}
	_, err := l.Store.Head(ctx, layout.PlanKey(name))
	return errors.Join(err, l.leftovers(ctx))
}

// listingDenied: Velero's IAM policy lets nobody list uploads. Backups go on without,
// and what ends early still lets its name go.
func listingDenied(ctx context.Context, l *lane) error {
	name, _ := l.names("backup")
	deny := func(c Call, at Moment) *Answer {
		if at == Before && strings.HasPrefix(c.Sig, "GET ") && strings.Contains(c.Sig, "uploads=") {
			return &denied
		}
		return nil
	}
	p, err := undisturbed.backup.during("ExportShard", Before)
	if err != nil {
		return err
	}
	held := make(chan struct{})
	l.arm(func(c Call, at Moment) *Answer {
		if p.is(c, at) {
			close(held)
			<-c.Gone
		}
		return deny(c, at)
	})
	run, err := l.startBackup(name, bulkSpec())(ctx)
	if err != nil {
		return err
	}
	select {
	case <-held:
	case <-ctx.Done():
		return ctx.Err()
	}
	if err := l.Temporal.CancelWorkflow(ctx, run.GetID(), run.GetRunID()); err != nil {
		return err
	}
	if err := l.canceled(ctx, run.GetID(), run.Get(ctx, nil)); err != nil {
		return err
	}
	if err := errors.Join(l.leftovers(ctx), l.absent(ctx, layout.BackupDir(name))); err != nil {
		return err
	}
	return l.refusedBackup(ctx, deny)
}

var denied = Answer{
	Status: http.StatusForbidden, Header: http.Header{"Content-Type": {"application/xml"}},
	Body: `<?xml version="1.0"?><Error><Code>AccessDenied</Code><Message>Access Denied.</Message></Error>`,
}
