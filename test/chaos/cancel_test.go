//go:build stack

package chaos

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"

	"github.com/lifeboat-backup/lifeboat/internal/archive/layout"
	"github.com/lifeboat-backup/lifeboat/internal/contract"
)

// lastPhases are those in which a cancel comes too late.
var lastPhases = []string{"CommitBackup", "FinishRestore"}

// TestCancel cancels a run in activities of which each leaves something else behind:
// either it completes, or nothing of it is left and the name is free. That a cancel in
// any activity leads to the clean-up is for package workflows to show.
func TestCancel(t *testing.T) {
	t.Parallel()
	recordings(t)
	var jobs []job
	for _, a := range []string{"PrepareBackup", "ExportShard", "SealBackup", "VerifyBackup", "CommitBackup"} {
		p, err := undisturbed.backup.during(a, Before)
		if err != nil {
			t.Fatal(err)
		}
		jobs = append(jobs, job{a, func(ctx context.Context, l *lane) error { return l.cancelledBackup(ctx, p) }})
	}
	for _, a := range []string{"OpenArchive", "ApplyTask", "RelinkOwners", "FinishRestore"} {
		p, err := undisturbed.restore.during(a, Before)
		if err != nil {
			t.Fatal(err)
		}
		jobs = append(jobs, job{a, func(ctx context.Context, l *lane) error { return l.cancelledRestore(ctx, p) }})
	}
	jobs = append(jobs, job{"while heartbeats fail", cancelledUnheard})
	each(t, jobs)
}

// cancelledUnheard cuts Temporal off just when an activity is to be told of the
// cancel: the activity ends with a failure, the run has been cancelled all the same.
func cancelledUnheard(ctx context.Context, l *lane) error {
	name, _ := l.names("backup")
	p, err := undisturbed.backup.during("ExportShard", Before)
	if err != nil {
		return err
	}
	err = l.disturb(ctx, p, l.startBackup(name, bulkSpec()), func(run client.WorkflowRun) (bool, error) {
		if err := l.Temporal.CancelWorkflow(ctx, run.GetID(), run.GetRunID()); err != nil {
			return true, err
		}
		if err := l.cancelRequested(ctx, run); err != nil {
			return true, err
		}
		l.temporalLine.Cut()
		return true, errors.Join(l.givenUp(ctx, p), l.temporalLine.Heal())
	}, nil)
	return errors.Join(l.canceled(ctx, contract.BackupID(l.Cluster, name), err), l.leftovers(ctx), l.absent(ctx, layout.BackupDir(name)))
}

// cancelRequested waits until Temporal knows that activities are to be told.
func (l *lane) cancelRequested(ctx context.Context, run client.WorkflowRun) error {
	events := l.Temporal.GetWorkflowHistory(ctx, run.GetID(), run.GetRunID(), true, enums.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT)
	for events.HasNext() {
		e, err := events.Next()
		if err != nil {
			return err
		}
		if e.GetEventType() == enums.EVENT_TYPE_ACTIVITY_TASK_CANCEL_REQUESTED {
			return nil
		}
	}
	return errors.New("the run ended before an activity was asked to stop")
}

func (l *lane) cancelledBackup(ctx context.Context, p point) error {
	name, _ := l.names("backup")
	var res contract.BackupResult
	err := l.struck(ctx, p, l.startBackup(name, bulkSpec()), cancel, &res)
	if slices.Contains(lastPhases, p.activity) {
		if err != nil {
			return err
		}
		return l.sameBackup(ctx, name, res)
	}
	err = errors.Join(l.canceled(ctx, contract.BackupID(l.Cluster, name), err), l.leftovers(ctx), l.absent(ctx, layout.BackupDir(name)))
	if err != nil {
		return err
	}
	return l.againBackup(ctx, name)
}

// againBackup takes a backup of a name that an earlier run has left.
func (l *lane) againBackup(ctx context.Context, name string) error {
	l.arm(nil)
	if err := l.backup(ctx, name, bulkSpec()); err != nil {
		return fmt.Errorf("a later backup of that name: %w", err)
	}
	return l.sameBackup(ctx, name, contract.BackupResult{Phase: "Completed"})
}

func (l *lane) cancelledRestore(ctx context.Context, p point) error {
	name, target := l.names("restore")
	if err := l.clearCluster(ctx); err != nil {
		return err
	}
	var res contract.RestoreResult
	err := l.struck(ctx, p, l.startRestore(name, target), cancel, &res)
	if slices.Contains(lastPhases, p.activity) {
		if err != nil {
			return err
		}
		return l.sameRestore(ctx, target, res)
	}
	err = errors.Join(l.canceled(ctx, contract.RestoreID(l.Cluster, name), err), l.leftovers(ctx), l.absent(ctx, layout.Restore{Name: name}.Dir()))
	if err != nil {
		return err
	}
	run, err := l.startRestore(name, target)(ctx)
	if err != nil {
		return err
	}
	if err := run.Get(ctx, &res); err != nil {
		return fmt.Errorf("a later restore of that name: %w", err)
	}
	return errors.Join(l.leftovers(ctx), l.restored(ctx, target))
}

// canceled says whether a run ended as cancelled.
func (l *lane) canceled(ctx context.Context, id string, err error) error {
	if !temporal.IsCanceledError(err) {
		return fmt.Errorf("the run ended otherwise than cancelled: %w", err)
	}
	desc, err := l.Temporal.DescribeWorkflow(ctx, id, "")
	if err != nil {
		return err
	}
	if s := desc.RawResponse.GetWorkflowExecutionInfo().GetStatus(); s != enums.WORKFLOW_EXECUTION_STATUS_CANCELED {
		return fmt.Errorf("status is %s", s)
	}
	return nil
}

// TestTerminate ends a run from outside, which lets it clean up nothing: the next
// backup of that name takes its claim over and clears up after it.
func TestTerminate(t *testing.T) {
	t.Parallel()
	recordings(t)
	var jobs []job
	for _, a := range []string{"PrepareBackup", "ExportShard", "SealBackup", "VerifyBackup"} {
		p, err := undisturbed.backup.during(a, Before)
		if err != nil {
			t.Fatal(err)
		}
		jobs = append(jobs, job{a, func(ctx context.Context, l *lane) error { return l.terminated(ctx, p) }})
	}
	jobs = append(jobs, job{"name of a backup that is being deleted", func(ctx context.Context, l *lane) error { return l.reusedTooSoon(ctx) }})
	each(t, jobs)
}

func (l *lane) terminated(ctx context.Context, p point) error {
	name, _ := l.names("backup")
	if err := wasTerminated(l.struck(ctx, p, l.startBackup(name, bulkSpec()), terminate, nil)); err != nil {
		return err
	}
	return l.againBackup(ctx, name)
}

// givenUp waits until the worker has noticed and dropped the request that is held.
func (l *lane) givenUp(ctx context.Context, p point) error {
	for _, c := range l.calls() {
		if p.is(c, p.moment) {
			select {
			case <-c.Gone:
				return nil
			case <-ctx.Done():
				return fmt.Errorf("the worker goes on with a terminated run: %w", ctx.Err())
			}
		}
	}
	return errors.New("the held request was not seen")
}

// reusedTooSoon starts a backup of a name whose deletion is under way.
func (l *lane) reusedTooSoon(ctx context.Context) error {
	name, _ := l.names("backup")
	if err := l.backup(ctx, name, bulkSpec()); err != nil {
		return err
	}
	p, err := undisturbed.delete.during("DeleteFiles", After)
	if err != nil {
		return err
	}
	err = l.disturb(ctx, p, l.startDelete(name), func(client.WorkflowRun) (bool, error) {
		err := l.backup(ctx, name, bulkSpec())
		var refused *temporal.ApplicationError
		if !errors.As(err, &refused) || refused.Type() != contract.ErrTypeExists || !strings.Contains(refused.Message(), "is being deleted") {
			return false, fmt.Errorf("a backup of that name: %w", err)
		}
		return false, nil
	}, nil)
	return errors.Join(err, l.leftovers(ctx), l.absent(ctx, layout.BackupDir(name)), l.againBackup(ctx, name))
}
