//go:build stack

package chaos

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/client"

	"github.com/lifeboat-backup/lifeboat/internal/contract"
)

// longestStop is how long a worker may take to end that has work: a good deal less than a pod's
// grace period of 30 s.
const longestStop = 12 * time.Second

// TestStopped replaces the worker as a rolling update does, a new one beside the old before that
// is asked to end, in the midst of activities whose requests nobody answers. The new one goes on
// at the watermark at once, not when heartbeats are missed, and nothing but the unit that was on
// its way is sent twice.
func TestStopped(t *testing.T) {
	t.Parallel()
	recordings(t)
	var jobs []job
	for _, a := range []string{"ExportShard", "SealBackup", "VerifyBackup", "CommitBackup"} {
		p, err := undisturbed.backup.during(a, Before)
		if err != nil {
			t.Fatal(err)
		}
		jobs = append(jobs, job{"backup/" + a, func(ctx context.Context, l *lane) error {
			name, _ := l.names("backup")
			var res contract.BackupResult
			if err := l.disturb(ctx, p, l.startBackup(name, bulkSpec()), l.replaced(ctx, p), &res); err != nil {
				return err
			}
			return errors.Join(l.sameBackup(ctx, name, res), l.handedOver(ctx, contract.BackupID(l.Cluster, name), p.activity), l.chunksSentOnce())
		}})
	}
	for _, a := range []string{"ApplyTask", "FinishRestore"} {
		p, err := undisturbed.restore.during(a, Before)
		if err != nil {
			t.Fatal(err)
		}
		jobs = append(jobs, job{"restore/" + a, func(ctx context.Context, l *lane) error {
			name, target := l.names("restore")
			if err := l.clearCluster(ctx); err != nil {
				return err
			}
			var res contract.RestoreResult
			if err := l.disturb(ctx, p, l.startRestore(name, target), l.replaced(ctx, p), &res); err != nil {
				return err
			}
			return errors.Join(l.sameRestore(ctx, target, res), l.handedOver(ctx, contract.RestoreID(l.Cluster, name), p.activity))
		}})
	}
	each(t, jobs)
}

// replaced starts another worker, then asks the first to end, and holds its time against
// longestStop.
func (l *lane) replaced(ctx context.Context, p point) func(client.WorkflowRun) (bool, error) {
	return func(client.WorkflowRun) (bool, error) {
		old := l.current()
		if err := l.start(ctx); err != nil {
			return true, err
		}
		begin := time.Now()
		old.Stop()
		if took := time.Since(begin); took > longestStop {
			return true, fmt.Errorf("the worker took %s to stop in %s", took, p.activity)
		}
		return true, nil
	}
}

// handedOver fails if an activity was not given to another worker by the one that stopped.
func (l *lane) handedOver(ctx context.Context, workflow, activity string) error {
	names := map[int64]string{}
	var ends []string
	history := l.Temporal.GetWorkflowHistory(ctx, workflow, "", false, enumspb.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT)
	for history.HasNext() {
		e, err := history.Next()
		if err != nil {
			return err
		}
		if a := e.GetActivityTaskScheduledEventAttributes(); a != nil {
			names[e.GetEventId()] = a.GetActivityType().GetName()
		}
		if a := e.GetActivityTaskStartedEventAttributes(); a.GetAttempt() > 1 && names[a.GetScheduledEventId()] == activity {
			ends = append(ends, fmt.Sprintf("attempt %d after %s", a.GetAttempt(), a.GetLastFailure().GetMessage()))
			if a.GetLastFailure().GetApplicationFailureInfo().GetType() == contract.ErrTypeStopping && a.GetAttempt() == 2 {
				return nil
			}
		}
	}
	return fmt.Errorf("%s was not handed over: %v", activity, ends)
}

// chunksSentOnce fails if more than the one chunk that was on its way was sent twice.
func (l *lane) chunksSentOnce() error {
	sent, twice := map[string]int{}, []string{}
	for _, c := range l.s3.Calls() {
		if strings.HasPrefix(c.Sig, "PUT ") && strings.Contains(c.Sig, "-ATTEMPT") {
			if sent[c.Sig]++; sent[c.Sig] == 2 {
				twice = append(twice, c.Sig)
			}
		}
	}
	if len(sent) == 0 {
		return errors.New("no chunk was sent")
	}
	if len(twice) > 1 {
		return fmt.Errorf("sent twice: %v", twice)
	}
	return nil
}
