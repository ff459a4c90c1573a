//go:build stack

package chaos

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"go.temporal.io/sdk/client"

	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/test/stack"
)

// How long a line is cut. The clients try one call again for some 25 to 30 s: one
// outage is over before they give up, the other is not.
const (
	outage     = 20 * time.Second
	longOutage = 40 * time.Second
)

// worst is what is done to a run that is held.
type worst func(ctx context.Context, l *lane) error

// during makes a scenario of a backup or restore that is struck in an activity.
func during(t *testing.T, activity string, moment Moment, what string, do worst) job {
	t.Helper()
	restore := true
	p, err := undisturbed.restore.during(activity, moment)
	if err != nil {
		restore = false
		p, err = undisturbed.backup.during(activity, moment)
	}
	if err != nil {
		t.Fatal(err)
	}
	return job{what + "/" + activity, func(ctx context.Context, l *lane) error {
		act := func(client.WorkflowRun) (bool, error) { return true, do(ctx, l) }
		if restore {
			return l.struckRestore(ctx, p, act)
		}
		return l.struckBackup(ctx, p, act)
	}}
}

func (l *lane) struckBackup(ctx context.Context, p point, act func(client.WorkflowRun) (bool, error)) error {
	name, _ := l.names("backup")
	var res contract.BackupResult
	if err := l.disturb(ctx, p, l.startBackup(name, bulkSpec()), act, &res); err != nil {
		return err
	}
	return l.sameBackup(ctx, name, res)
}

func (l *lane) struckRestore(ctx context.Context, p point, act func(client.WorkflowRun) (bool, error)) error {
	name, target := l.names("restore")
	if err := l.clearCluster(ctx); err != nil {
		return err
	}
	var res contract.RestoreResult
	if err := l.disturb(ctx, p, l.startRestore(name, target), act, &res); err != nil {
		return err
	}
	return l.sameRestore(ctx, target, res)
}

// cut is a worst that cuts a line for some time.
func cut(line func(*lane) *stack.Proxy, d time.Duration) worst {
	return func(ctx context.Context, l *lane) error {
		line(l).Cut()
		select {
		case <-ctx.Done():
		case <-time.After(d):
		}
		return line(l).Heal()
	}
}

// TestOutages stops the worker as a rollout does, and cuts the object store, the API
// server and Temporal off, in the midst of activities.
func TestOutages(t *testing.T) {
	t.Parallel()
	recordings(t)
	var jobs []job
	for _, a := range []string{"ExportShard", "SealBackup", "CommitBackup", "ApplyTask", "FinishRestore"} {
		jobs = append(jobs, during(t, a, Before, "SIGTERM", func(ctx context.Context, l *lane) error {
			l.current().Stop()
			return l.start(ctx)
		}))
	}
	s3 := func(l *lane) *stack.Proxy { return l.s3Line }
	api := func(l *lane) *stack.Proxy { return l.apiLine }
	for _, a := range []string{"ExportShard", "ApplyTask"} {
		jobs = append(jobs,
			during(t, a, After, "no object store for long", cut(s3, longOutage)),
			during(t, a, After, "no API server for long", cut(api, longOutage)))
	}
	for _, a := range []string{"PrepareBackup", "SealBackup", "VerifyBackup", "CommitBackup", "OpenArchive", "FinishRestore"} {
		jobs = append(jobs, during(t, a, After, "no object store", cut(s3, outage)))
	}
	for _, a := range []string{"PrepareBackup", "ExportRelated", "PlanRestore", "RelinkOwners"} {
		jobs = append(jobs, during(t, a, After, "no API server", cut(api, outage)))
	}
	for _, a := range []string{"ExportShard", "SealBackup", "ApplyTask"} {
		jobs = append(jobs, during(t, a, After, "no Temporal", cut(func(l *lane) *stack.Proxy { return l.temporalLine }, outage)))
	}
	each(t, jobs)
}

// together holds a run on every lane, each in another activity, strikes once, and
// lets all go on.
func together(t *testing.T, what string, moment Moment, activities []string, strike func(context.Context) error) {
	t.Helper()
	var arrived sync.WaitGroup
	struck := make(chan struct{})
	var failure error
	var jobs []job
	for _, a := range activities {
		arrived.Add(1)
		var once sync.Once
		j := during(t, a, moment, what, func(ctx context.Context, _ *lane) error {
			once.Do(arrived.Done)
			select {
			case <-struck:
				return failure
			case <-ctx.Done():
				return ctx.Err()
			}
		})
		do := j.do
		j.do = func(ctx context.Context, l *lane) error {
			defer once.Do(arrived.Done) // one that never got there must not keep the others
			return do(ctx, l)
		}
		jobs = append(jobs, j)
	}
	if len(jobs) > laneCount {
		t.Fatalf("%d runs do not fit on %d lanes", len(jobs), laneCount)
	}
	go func() {
		defer close(struck)
		arrived.Wait()
		ctx, cancel := context.WithTimeout(context.Background(), 3*time.Minute)
		defer cancel()
		if err := strike(ctx); err != nil {
			failure = fmt.Errorf("%s: %w", what, err)
		}
	}()
	each(t, jobs)
}

// TestTemporalRestarts kills Temporal while runs are at work, and starts it again.
func TestTemporalRestarts(t *testing.T) {
	recordings(t)
	together(t, "Temporal restarts", After,
		[]string{"PrepareBackup", "ExportShard", "SealBackup", "CommitBackup", "PlanRestore", "ApplyTask", "RelinkOwners", "FinishRestore"},
		func(ctx context.Context) error { return shared.Restart(ctx, "temporal") })
}

// TestAPIServerRestarts kills the API server while runs are at work, and starts it
// again after they have noticed.
func TestAPIServerRestarts(t *testing.T) {
	recordings(t)
	together(t, "API server restarts", Before,
		[]string{"PrepareBackup", "ExportShard", "ExportRelated", "PlanRestore", "ApplyTask", "AwaitCRDs", "RelinkOwners"},
		func(ctx context.Context) error {
			return errors.Join(shared.Kill(ctx, "apiserver"), shared.Resume(ctx, "apiserver"))
		})
}
