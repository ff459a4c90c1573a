//go:build stack

package chaos

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/client"

	"github.com/lifeboat-backup/lifeboat/internal/config"
	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/temporal"
	"github.com/lifeboat-backup/lifeboat/test/harness"
)

// buildsOfWorker are two builds of the worker under test that differ in their version alone.
func buildsOfWorker(t *testing.T) [2]string {
	t.Helper()
	var out [2]string
	for i, version := range []string{"v9.0.0", "v9.1.0"} {
		b, err := harness.Build(t.Context(), t.TempDir(), "-ldflags", "-X main.version="+version)
		if err != nil {
			t.Fatal(err)
		}
		out[i] = filepath.Clean(b.Worker)
	}
	return out
}

// TestRollingUpdate replaces the workers of one version by those of another in the midst of a
// backup and of a restore, forward and back, gracefully and not, and in the end by workers without
// versions: each run ends, on the workers that are left, and new ones begin there.
func TestRollingUpdate(t *testing.T) {
	t.Parallel()
	recordings(t)
	builds := buildsOfWorker(t)
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
	defer cancel()
	l, err := newLane(ctx, "v"+tag, func(c *config.Config) {
		withSnapshots(c)
		c.Temporal.WorkerVersioning = true
	})
	if err != nil {
		t.Fatal(err)
	}
	defer l.close()
	conn, err := temporal.Connect(ctx, temporal.Options{Address: shared.Temporal.Address})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	u := &update{lane: l, client: conn.ForCluster(l.Cluster)}
	if err := u.first(ctx, builds[0]); err != nil {
		t.Fatal(err)
	}
	stop := func(w *harness.Worker) { w.Stop() }
	kill := func(w *harness.Worker) { w.Kill() }
	for _, step := range []struct {
		name string
		do   func() error
	}{
		{"forward in a backup", func() error { return u.backup(ctx, "ExportShard", builds[1], "v9.1.0", stop) }},
		{"back in a restore", func() error { return u.restore(ctx, "ApplyTask", builds[0], "v9.0.0", stop) }},
		{"forward, the old one killed", func() error { return u.backup(ctx, "SealBackup", builds[1], "v9.1.0", kill) }},
		{"without versions", func() error {
			if err := l.Reconfigure(func(c *config.Config) { c.Temporal.WorkerVersioning = false }); err != nil {
				return err
			}
			return u.backup(ctx, "ExportShard", builds[1], "", stop)
		}},
	} {
		begin := time.Now()
		if err := step.do(); err != nil {
			t.Fatalf("%s: %v\nworker: %s", step.name, err, lastLines(l.current().Log(), 12))
		}
		t.Logf("%s: %.1f s", step.name, time.Since(begin).Seconds())
	}
}

// update is a lane whose workers change their version.
type update struct {
	*lane
	client *temporal.Client
}

// first replaces the lane's first worker, which has no version of its own.
func (u *update) first(ctx context.Context, binary string) error {
	old := u.current()
	u.binary = binary
	if err := u.start(ctx); err != nil {
		return err
	}
	old.Stop()
	return u.awaitCurrent(ctx, "v9.0.0")
}

// awaitCurrent waits until what is new goes to a build's workers.
func (u *update) awaitCurrent(ctx context.Context, build string) error {
	var last temporal.Version
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(100 * time.Millisecond) {
		v, err := u.client.CurrentVersion(ctx)
		if err != nil {
			return err
		}
		if last = v; v.Build == build {
			return nil
		}
	}
	return fmt.Errorf("new work goes to build %q of %q, not to %q", last.Build, last.Deployment, build)
}

// replace starts a worker of another build, waits until it has taken over, sees that the run has
// stayed with its own version until then, and ends the old worker.
func (u *update) replace(ctx context.Context, binary, build string, end func(*harness.Worker)) func(client.WorkflowRun) (bool, error) {
	return func(run client.WorkflowRun) (bool, error) {
		old := u.current()
		u.binary = binary
		before, err := u.versionOf(ctx, run.GetID())
		if err != nil {
			return true, err
		}
		if err := errors.Join(u.start(ctx), u.awaitCurrent(ctx, build)); err != nil {
			return true, err
		}
		after, err := u.versionOf(ctx, run.GetID())
		if err != nil {
			return true, err
		}
		if before == build || after != before {
			return true, fmt.Errorf("the run was of build %q, and is of %q while its workers run", before, after)
		}
		end(old)
		return true, nil
	}
}

// versionOf is the build of the workers that a run is pinned to, or that had it last.
func (u *update) versionOf(ctx context.Context, id string) (string, error) {
	res, err := u.Temporal.DescribeWorkflow(ctx, id, "")
	if err != nil {
		return "", err
	}
	v := res.RawResponse.GetWorkflowExecutionInfo().GetVersioningInfo()
	if v.GetVersioningOverride() == nil && v.GetBehavior() != enumspb.VERSIONING_BEHAVIOR_PINNED && v.GetDeploymentVersion() != nil {
		return "", fmt.Errorf("%s is not pinned: %v", id, v)
	}
	return v.GetDeploymentVersion().GetBuildId(), nil
}

// ranOn fails where a run has not ended on the workers of a build.
func (u *update) ranOn(ctx context.Context, id, build string) error {
	got, err := u.versionOf(ctx, id)
	if err == nil && got != build {
		err = fmt.Errorf("%s ended on build %q, not on %q", id, got, build)
	}
	return err
}

func (u *update) backup(ctx context.Context, activity, binary, build string, end func(*harness.Worker)) error {
	p, err := undisturbed.backup.during(activity, Before)
	if err != nil {
		return err
	}
	u.runs++
	name, _ := u.names("backup")
	var res contract.BackupResult
	if err := u.disturb(ctx, p, u.startBackup(name, bulkSpec()), u.replace(ctx, binary, build, end), &res); err != nil {
		return err
	}
	u.arm(nil)
	if err := errors.Join(u.ranOn(ctx, contract.BackupID(u.Cluster, name), build)); err != nil {
		return err
	}
	got, err := u.content(ctx, name)
	if err != nil {
		return err
	}
	return errors.Join(backedUp(res), undisturbed.content.differs(got), u.newRuns(ctx, name, build))
}

// newRuns fails where what is begun now does not end on workers of a build: a deletion and a read.
func (u *update) newRuns(ctx context.Context, backup, build string) error {
	run, err := u.startDelete(backup)(ctx)
	if err != nil {
		return err
	}
	if err := run.Get(ctx, &contract.DeleteResult{}); err != nil {
		return err
	}
	_, read := u.client.Read(ctx, contract.ReadInput{Verb: contract.ReadLocations})
	return errors.Join(read, u.ranOn(ctx, run.GetID(), build))
}

func (u *update) restore(ctx context.Context, activity, binary, build string, end func(*harness.Worker)) error {
	p, err := undisturbed.restore.during(activity, Before)
	if err != nil {
		return err
	}
	u.runs++
	name, target := u.names("restore")
	if err := u.clearCluster(ctx); err != nil {
		return err
	}
	var res contract.RestoreResult
	if err := u.disturb(ctx, p, u.startRestore(name, target), u.replace(ctx, binary, build, end), &res); err != nil {
		return err
	}
	u.arm(nil)
	return errors.Join(u.sameRestore(ctx, target, res), u.ranOn(ctx, contract.RestoreID(u.Cluster, name), build))
}
