//go:build stack

package chaos

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.temporal.io/sdk/client"

	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/test/harness"
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
		{chunk.String(), func(ctx context.Context, l *lane) error { return l.frozenBackup(ctx, chunk) }},
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

// TestFrozenAtStaged does so at each write of a backup to its staging folder, without LIFEBOAT_SOAK at
// the last one: whatever key it is that lands late, nothing of it is in the backup.
func TestFrozenAtStaged(t *testing.T) {
	t.Parallel()
	recordings(t)
	staged := undisturbed.backup.writes("/staging/")
	if len(staged) < 5 {
		t.Fatalf("only %d writes were staged in the undisturbed run", len(staged))
	}
	var jobs []job
	for _, p := range staged[max(0, len(staged)-sampled(1)):] {
		jobs = append(jobs, job{p.String(), func(ctx context.Context, l *lane) error { return l.frozenBackup(ctx, p) }})
	}
	each(t, jobs)
}

// frozenBackup freezes the worker in a backup, which is as if nothing had happened.
func (l *lane) frozenBackup(ctx context.Context, at point) error {
	name, _ := l.names("backup")
	var res contract.BackupResult
	if err := l.frozen(ctx, at, l.startBackup(name, bulkSpec()), &res); err != nil {
		return err
	}
	got, err := l.content(ctx, name)
	if err != nil {
		return err
	}
	return errors.Join(backedUp(res), undisturbed.content.differs(got))
}

// TestFrozenVolumes does so in backups of volumes, by both paths. Where the process goes on when
// another worker has its activities, the backup is as if nothing had happened; where it goes on when
// the run is over, it sends nothing any more that changes the bucket, the cluster or the account.
func TestFrozenVolumes(t *testing.T) {
	t.Parallel()
	var jobs []job
	for path, points := range map[string][]volumePoint{
		"native": {edge("SnapshotVolumes", true, Before), edge("FinishVolumes", true, Before)},
		"mixed":  {write("POST", "volumesnapshots", false, Before), write("PATCH", "volumesnapshotcontents", false, Before)},
	} {
		for _, p := range points {
			jobs = append(jobs, volumesAt(path+", "+p.name, path, p, freeze))
		}
	}
	for path, activities := range map[string][]string{"native": {"SnapshotVolumes", "FinishVolumes"}, "mixed": {"SnapshotVolumes", "CommitBackup"}} {
		for _, a := range activities {
			p := edge(a, false, Before)
			jobs = append(jobs, job{path + ", " + p.name + ", late", func(ctx context.Context, l *lane) error { return l.frozenToTheEnd(ctx, path, p) }})
		}
	}
	each(t, jobs)
}

// awake is how long a process is watched that goes on: its next heartbeat, which tells it that it was
// taken for dead, comes after 3 s.
const awake = 5 * time.Second

// frozenToTheEnd freezes the worker of a backup of volumes until another one has ended the run.
func (l *lane) frozenToTheEnd(ctx context.Context, path string, at volumePoint) error {
	var res contract.BackupResult
	var first *harness.Worker
	var woken time.Time
	name, err := l.struckVolumes(ctx, path, at, func(ctx context.Context, l *lane, _ point, run client.WorkflowRun) (bool, error) {
		first = l.current()
		if err := syscall.Kill(first.PID(), syscall.SIGSTOP); err != nil {
			return false, fmt.Errorf("stop the worker's process: %w", err)
		}
		err := errors.Join(l.start(ctx), run.Get(ctx, nil))
		l.current().Kill() // what is sent from now on, the first one sends
		woken = time.Now()
		return false, errors.Join(err, syscall.Kill(first.PID(), syscall.SIGCONT))
	}, &res)
	if err != nil {
		return err
	}
	time.Sleep(awake)
	sent, err := l.changesSince(ctx, woken)
	if err == nil && len(sent) > 0 {
		err = fmt.Errorf("sent after %s: %q", woken, sent)
	}
	first.Kill()
	return errors.Join(err, l.start(ctx), l.sameVolumes(ctx, name, l.disks.usual[path].outcome, res))
}

// changesSince are the requests that were sent since a time and may change what a backup of the
// lane consists of.
func (l *lane) changesSince(ctx context.Context, since time.Time) (sent []string, err error) {
	for _, c := range l.calls() {
		changes := !strings.HasPrefix(c.Sig, "GET ") && !strings.HasPrefix(c.Sig, "HEAD ")
		ofBackup := slices.ContainsFunc([]string{"staging/", "backups/", "claims/", "catalog/", "volumesnapshot"}, func(part string) bool { return strings.Contains(c.Sig, part) })
		if c.At.After(since) && changes && ofBackup {
			sent = append(sent, c.Sig)
		}
	}
	calls, err := shared.EBS.Audit(ctx, "", since)
	for _, c := range calls {
		text := fmt.Sprint(c.Params)
		mine := slices.ContainsFunc(slices.Collect(maps.Values(l.disks.byClaim)), func(disk string) bool { return strings.Contains(text, disk) })
		if mine && !strings.HasPrefix(c.Action, "Describe") {
			sent = append(sent, c.Action+" "+text)
		}
	}
	return sent, err
}

// write is the first write of an activity whose key has a part, before it reaches the store.
func (t *trace) write(activity, part string) (point, error) {
	for _, p := range t.writes(part) {
		if p.activity == activity {
			return p, nil
		}
	}
	return point{}, fmt.Errorf("no write of %s to *%s* in the undisturbed run", activity, part)
}

// writes are all writes of a run whose key has a part, before they reach the store.
func (t *trace) writes(part string) (all []point) {
	for _, s := range t.spans {
		for _, c := range t.within(s) {
			p := point{s.activity, c.Side, c.Sig, c.Nth, Before}
			known := func(o point) bool { return o.sig == p.sig && o.nth == p.nth && o.side == p.side }
			if c.Side == "s3" && strings.HasPrefix(c.Sig, "PUT ") && strings.Contains(c.Sig, part) && !slices.ContainsFunc(all, known) {
				all = append(all, p)
			}
		}
	}
	return all
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
