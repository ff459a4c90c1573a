//go:build stack

package chaos

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"

	"github.com/lifeboat-backup/lifeboat/internal/contract"
)

// TestTerminateVolumes ends a run from outside when it has taken snapshots: the next
// backup of that name deletes them, and is as if there had been no other.
func TestTerminateVolumes(t *testing.T) {
	t.Parallel()
	var jobs []job
	for path := range volumePaths {
		for _, at := range []volumePoint{edge("CheckVolumes", false, Before), edge("FinishVolumes", false, Before), edge("VerifyBackup", false, Before)} {
			jobs = append(jobs, job{path + ", " + at.name, func(ctx context.Context, l *lane) error { return l.terminatedVolumes(ctx, path, at) }})
		}
	}
	each(t, jobs)
}

func (l *lane) terminatedVolumes(ctx context.Context, path string, at volumePoint) error {
	u, err := l.usualVolumes(ctx, path)
	if err != nil {
		return err
	}
	p, err := at.find(u.trace)
	if err != nil {
		return err
	}
	name, _ := l.names("backup")
	l.hideDisks(name)
	err = l.disturb(ctx, p, l.startBackup(name, l.volumeSpec(path)), func(run client.WorkflowRun) (bool, error) {
		err := l.Temporal.TerminateWorkflow(ctx, run.GetID(), run.GetRunID(), "test")
		return true, errors.Join(err, l.givenUp(ctx, p))
	}, nil)
	var ended *temporal.TerminatedError
	if !errors.As(err, &ended) {
		return fmt.Errorf("the run ended otherwise than terminated: %w", err)
	}
	l.arm(nil)
	var res contract.BackupResult
	run, err := l.startBackup(name, l.volumeSpec(path))(ctx)
	if err == nil {
		err = run.Get(ctx, &res)
	}
	if err != nil {
		return fmt.Errorf("a later backup of that name: %w", err)
	}
	return l.sameVolumes(ctx, name, l.disks.usual[path].outcome, res)
}
