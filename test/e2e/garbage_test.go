//go:build stack

package e2e

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"go.temporal.io/api/serviceerror"

	"github.com/lifeboat-backup/lifeboat/internal/archive/layout"
	"github.com/lifeboat-backup/lifeboat/internal/config"
	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/store"
	"github.com/lifeboat-backup/lifeboat/test/harness"
)

// TestGarbage: expired backups go, by hand and by the schedule; one that is held, and the
// last good one of a schedule, stay until nothing speaks for them. Of two clusters that share a prefix each
// collects its own.
func TestGarbage(t *testing.T) {
	t.Parallel()
	l := shared
	ns := l.namespaces(t, "gc").Replace("<gc>")
	l.apply(t, fmt.Sprintf("{apiVersion: v1, kind: Namespace, metadata: {name: %s}}\n---\n{apiVersion: v1, kind: ConfigMap, metadata: {name: c, namespace: %s}, data: {k: v}}", ns, ns))
	h := l.Beside(t, harness.Options{Cluster: "gc"}).Harness
	for _, args := range [][]string{{"free"}, {"held"}, {"last", "--labels", "velero.io/schedule-name=nightly"}, {"later"}} {
		ask(t, h, 0, nil, append([]string{"backup", "create", "--include-namespaces", ns, "--wait"}, args...)...)
	}
	for _, name := range []string{"free", "held", "last"} {
		ask(t, h, 0, []string{`expires at`}, "backup", "set-expiry", name, "0s")
	}
	ask(t, h, 0, []string{"it is held: audit"}, "backup", "hold", "held", "--reason", "audit")
	ask(t, h, 0, []string{"(held)"}, "backup", "get", "held")
	ask(t, h, 0, []string{"Held:", "audit", "as it was set since"}, "backup", "describe", "held")
	ask(t, h, 2, []string{"backup held is held: audit; 'lifeboat backup release held' ends that"}, "backup", "delete", "held", "--confirm")
	other := l.Beside(t, harness.Options{Cluster: "gc-other", Prefix: h.Cluster}).Harness // in the same place
	ask(t, other, 0, nil, "backup", "create", "theirs", "--include-namespaces", ns, "--wait")
	ask(t, other, 0, nil, "backup", "set-expiry", "theirs", "0s")
	checkPlan(t, h, "free", "held: audit", "among the last 1 good backups of schedule nightly", "made by cluster "+other.Cluster)

	ask(t, h, 0, []string{"1 expired backup deleted"}, "gc", "run")
	if got := stored(t, h, "free", "held", "last", "later", "theirs"); got != "held last later theirs" {
		t.Fatalf("stored: %s", got)
	}
	ask(t, other, 0, []string{"1 expired backup deleted"}, "gc", "run")
	if got := stored(t, h, "held", "last", "later", "theirs"); got != "held last later" {
		t.Fatalf("stored after the collection of the other cluster: %s", got)
	}
	ask(t, h, 0, nil, "backup", "release", "held")
	ask(t, h, 0, []string{"1 expired backup deleted"}, "gc", "run")
	if got := stored(t, h, "free", "held", "last", "later"); got != "last later" {
		t.Fatalf("stored: %s", got)
	}
	ask(t, h, 0, []string{"0 expired backups deleted with 0 files and 0 snapshots; 1 expired backup left"}, "gc", "run")
	// There is no schedule "nightly": its floor ends where somebody names the backup.
	ask(t, h, 0, nil, "backup", "delete", "last", "--confirm")
	if got := stored(t, h, "last", "later"); got != "later" {
		t.Errorf("stored: %s", got)
	}
}

// TestGarbageSchedule: a worker that is not told otherwise deletes what has expired. One that is
// told to do so by hand only removes what an earlier one has scheduled.
func TestGarbageSchedule(t *testing.T) {
	t.Parallel()
	l := shared
	ns := l.namespaces(t, "gcs").Replace("<gcs>")
	l.apply(t, fmt.Sprintf("{apiVersion: v1, kind: Namespace, metadata: {name: %s}}", ns))
	h := l.Beside(t, harness.Options{Cluster: "gcs"}).Harness
	ask(t, h, 0, nil, "backup", "create", "old", "--include-namespaces", ns, "--wait")
	ask(t, h, 0, nil, "backup", "set-expiry", "old", "0s")
	scheduled := l.Beside(t, harness.Options{Cluster: "gcs", Edit: func(c *config.Config) { c.Retention.Manual, c.Verification.Manual = false, false }})
	for end := time.Now().Add(time.Minute); stored(t, scheduled.Harness, "old") != ""; time.Sleep(time.Second) {
		if time.Now().After(end) {
			t.Fatal("the expired backup is still there after a minute")
		}
	}
	own := []string{contract.GarbageScheduleID(h.Cluster), contract.VerificationScheduleID(h.Cluster)}
	for _, id := range own {
		if _, err := h.Temporal.ScheduleClient().GetHandle(t.Context(), id).Describe(t.Context()); err != nil {
			t.Error(err)
		}
	}
	scheduled.Worker.Kill() // it would make them again
	l.Beside(t, harness.Options{Cluster: "gcs"})
	for _, id := range own {
		var missing *serviceerror.NotFound
		if _, err := h.Temporal.ScheduleClient().GetHandle(t.Context(), id).Describe(t.Context()); !errors.As(err, &missing) {
			t.Errorf("schedule %s is still there: %v", id, err)
		}
	}
}

// TestPlanOfAKilledWorker: Temporal lists a worker for a while after it was killed. A plan is not
// begun for it to make: the worker of another cluster is asked, and the user is told so.
func TestPlanOfAKilledWorker(t *testing.T) {
	t.Parallel()
	l := shared.Beside(t, harness.Options{Cluster: "killed"})
	l.Worker.Kill()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for _, args := range [][]string{{"gc", "plan"}, {"backup", "get", "--all-clusters"}} {
		began := time.Now()
		res, err := l.CLI(ctx, args...)
		want := fmt.Sprintf("cluster %s has no worker that answers: the worker of cluster", l.Cluster)
		// The other worker may not have the place of this cluster, and refuses the name then.
		if err != nil || ctx.Err() != nil || !strings.Contains(res.Err, want) {
			t.Errorf("%v after %s: code %d, %v\n%s%s", args, time.Since(began), res.Code, err, res.Out, res.Err)
		}
	}
}

// stored are those of the names that have a document.
func stored(t *testing.T, h *harness.Harness, names ...string) (found string) {
	t.Helper()
	for _, name := range names {
		_, err := h.Store.Head(context.Background(), layout.Backup{Name: name}.Metadata())
		switch {
		case err == nil && found == "":
			found = name
		case err == nil:
			found += " " + name
		case !errors.Is(err, store.ErrNotFound):
			t.Fatal(err)
		}
	}
	return found
}

// checkPlan wants one backup that goes, and reasons of those that stay.
func checkPlan(t *testing.T, h *harness.Harness, goes string, reasons ...string) {
	t.Helper()
	var plan contract.GarbagePlan
	if err := json.Unmarshal([]byte(ask(t, h, 0, reasons, "gc", "plan", "-o", "json").Out), &plan); err != nil {
		t.Fatal(err)
	}
	if len(plan.Delete) != 1 || plan.Delete[0].Name != goes || len(plan.Keep) != len(reasons) {
		t.Errorf("%+v", plan)
	}
}
