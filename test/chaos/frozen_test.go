//go:build stack

package chaos

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.temporal.io/sdk/client"

	"github.com/lifeboat-backup/lifeboat/internal/contract"
)

// TestFrozenWorker stops a worker's process in the midst of a write, until another worker has
// taken its activities over, and lets it go on: the write lands late, and the process works on
// until it learns that it was taken for dead. The run is as if nothing had happened.
func TestFrozenWorker(t *testing.T) {
	t.Parallel()
	recordings(t)
	chunk, err := undisturbed.backup.write(contract.ExportShard.Name, "/shard-")
	if err != nil {
		t.Fatal(err)
	}
	records, err := undisturbed.restore.write(contract.ApplyTask.Name, "/records/")
	if err != nil {
		t.Fatal(err)
	}
	each(t, []job{
		{chunk.String(), func(ctx context.Context, l *lane) error {
			name, _ := l.names("backup")
			var res contract.BackupResult
			if err := l.frozen(ctx, chunk, l.startBackup(name, bulkSpec()), &res); err != nil {
				return err
			}
			got, err := l.content(ctx, name)
			if err != nil {
				return err
			}
			return errors.Join(backedUp(res), undisturbed.content.differs(got))
		}},
		{records.String(), func(ctx context.Context, l *lane) error {
			name, target := l.names("restore")
			if err := l.clearCluster(ctx); err != nil {
				return err
			}
			var res contract.RestoreResult
			if err := l.frozen(ctx, records, l.startRestore(name, target), &res); err != nil {
				return err
			}
			return errors.Join(sameCounts(res, undisturbed.result), l.restored(ctx, target))
		}},
	})
}

// write is the first write of an activity whose key has a part, before it reaches the store.
func (t *trace) write(activity, part string) (point, error) {
	for _, s := range t.spans {
		if s.activity != activity {
			continue
		}
		for _, c := range t.within(s) {
			if c.Side == "s3" && strings.HasPrefix(c.Sig, "PUT ") && strings.Contains(c.Sig, part) {
				return point{activity, c.Side, c.Sig, c.Nth, Before}, nil
			}
		}
	}
	return point{}, fmt.Errorf("no write of %s to *%s* in the undisturbed run", activity, part)
}

// freeze stops the worker's process until another worker has all of its activities. The
// request that is held goes on with it.
func freeze(ctx context.Context, l *lane, _ point, run client.WorkflowRun) (bool, error) {
	frozen := l.current()
	if err := syscall.Kill(frozen.PID(), syscall.SIGSTOP); err != nil {
		return false, fmt.Errorf("stop the worker's process: %w", err)
	}
	return false, errors.Join(l.start(ctx), l.takenOver(ctx, run), syscall.Kill(frozen.PID(), syscall.SIGCONT))
}

// frozen is struck by freeze. What the late writes of the process have left in staging, where
// the run is over, goes.
func (l *lane) frozen(ctx context.Context, p point, start starter, result any) error {
	first := l.current()
	err := l.struck(ctx, p, start, freeze, result)
	first.Kill()
	_, cleared := l.Store.DeletePrefix(ctx, "plugins/lifeboat/staging/")
	return errors.Join(err, cleared)
}

// takenOver waits until no activity of a run is at its first attempt.
func (l *lane) takenOver(ctx context.Context, run client.WorkflowRun) error {
	for {
		about, err := l.Temporal.DescribeWorkflow(ctx, run.GetID(), run.GetRunID())
		if err != nil {
			return err
		}
		first := false
		for _, a := range about.RawResponse.GetPendingActivities() {
			first = first || a.GetAttempt() < 2
		}
		if !first {
			return nil
		}
		select {
		case <-time.After(100 * time.Millisecond):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
