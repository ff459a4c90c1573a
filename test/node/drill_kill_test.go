//go:build stack

package node

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/drill/evidence"
	"github.com/lifeboat-backup/lifeboat/internal/repository/drills"
)

// hookAfterRestore is a command in the restored database.
const hookAfterRestore = `        post.hook.restore.velero.io/container: postgres
        post.hook.restore.velero.io/command: '["psql", "--quiet", "-c", "ANALYZE"]'
`

// dataActivities are those of a drill that only data and hooks have, in their order, by the path of
// the data; test/drill has the others.
func dataActivities() map[string][]string {
	return map[string][]string{
		"native": {contract.RestoreVolumes.Name, contract.RelinkOwners.Name, contract.RunRestoreHooks.Name, contract.ReadDrillVolumes.Name},
		"csi":    {contract.RunRestoreHooks.Name, contract.PatchVolumes.Name},
	}
}

// TestDrillKilled kills the worker of a drill with SIGKILL in each activity that data and hooks have,
// and cancels one in each: the first proves all of the bookstore all the same, the others leave
// evidence, and nothing is left in the cluster and in EC2.
func TestDrillKilled(t *testing.T) {
	t.Parallel()
	b := startBookstore(t, "killed", hookAfterRestore)
	replaceWorker := func() error {
		b.worker.Kill()
		b.startWorker(t) // which is to outlive the part of the test that asks for it
		return nil
	}
	for path, activities := range dataActivities() {
		b.backup(t, path, paths()[path])
		before := b.disks(t)
		t.Run(path+" killed", func(t *testing.T) {
			killed, err := b.struck(t, path, activities, replaceWorker)
			if err != nil || !slices.Equal(killed, activities) {
				t.Fatalf("killed in %q, want %q: %v", killed, activities, err)
			}
			checkProven(t, b.newest(t))
			b.checkGone(t, before)
		})
		for _, activity := range activities {
			t.Run(path+" cancelled in "+activity, func(t *testing.T) {
				done, err := b.struck(t, path, []string{activity}, func() error {
					return b.Temporal.CancelWorkflow(t.Context(), contract.DrillID(b.Cluster), "")
				})
				if err == nil || len(done) == 0 {
					t.Errorf("ends well, and was cancelled in %q", done)
				}
				p := b.newest(t)
				if claim, err := json.Marshal(p.Claim); err != nil || !strings.Contains(string(claim), `"ABORTED"`) || p.Teardown.Outcome != evidence.TeardownComplete {
					t.Errorf("%s, %+v", claim, p.Teardown)
				}
				b.checkGone(t, before)
			})
		}
	}
}

// struck runs a drill, and does something in each of some activities.
func (b *bookstore) struck(t *testing.T, backup string, activities []string, do func() error) ([]string, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	if out, err := b.Run(ctx, "drill", "run", "-f", b.document(t, backup)); err != nil {
		t.Fatal(err, out)
	}
	id := contract.DrillID(b.Cluster)
	done, err := b.AtEach(ctx, id, activities, do)
	if err == nil {
		err = b.Temporal.GetWorkflow(ctx, id, "").Get(ctx, nil)
	}
	return done, err
}

// newest is the evidence of the last drill.
func (b *bookstore) newest(t *testing.T) evidence.Predicate {
	t.Helper()
	last, err := drills.Last(t.Context(), b.Store, b.Cluster)
	if err != nil || last == nil {
		t.Fatalf("the evidence: %v, %v", last, err)
	}
	return last.Evidence.Statement.Predicate
}

// checkGone wants nothing of a drill to be left in the cluster and in EC2.
func (b *bookstore) checkGone(t *testing.T, before []string) {
	t.Helper()
	if left := b.left(t); len(left) > 0 {
		t.Errorf("left: %q", left)
	}
	if after := b.disks(t); !slices.Equal(after, before) {
		t.Errorf("EC2 has %q, and had %q", after, before)
	}
}
