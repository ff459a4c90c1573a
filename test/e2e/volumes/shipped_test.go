//go:build stack

package volumes

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	velerov1 "github.com/vmware-tanzu/velero/pkg/apis/velero/v1"

	"github.com/lifeboat-backup/lifeboat/internal/backup/quiesce"
	"github.com/lifeboat-backup/lifeboat/internal/repository"
	"github.com/lifeboat-backup/lifeboat/internal/store"
	"github.com/lifeboat-backup/lifeboat/test/harness"
	"github.com/lifeboat-backup/lifeboat/test/stack"
	"github.com/lifeboat-backup/lifeboat/test/stack/ebssim"
)

// TestShippedRates: in a cluster whose snapshot controller and sidecar work at the rates of their
// charts, 20 volumes are backed up by the driver. The controller's 5 requests a second set the
// pace, and EC2 is asked whether the snapshots are complete: the sidecar asks ever later.
func TestShippedRates(t *testing.T) {
	t.Parallel()
	l := shared.atShippedRates(t, "shipped")
	ns := l.namespace(t, "shipped")
	claims := l.manyClaims(t, ns, stack.EBSClassNow, 20)
	began := time.Now()
	l.backup(t, "shipped", "Completed", velerov1.BackupSpec{IncludedNamespaces: []string{ns}})
	t.Logf("%d volumes in %s", len(claims), time.Since(began).Round(100*time.Millisecond))
	for _, disk := range l.disks(t, ns, claims...) {
		made := slices.DeleteFunc(l.snapshotsOf(t, disk), func(s ebssim.SnapshotState) bool { return s.State != "completed" })
		if len(made) != 1 {
			t.Errorf("%s has %d complete snapshots", disk, len(made))
		}
	}
}

// atShippedRates is a cluster whose snapshot controller and sidecar work as they are shipped, with a
// Lifeboat.
func (l *lab) atShippedRates(t *testing.T, name string) *lab {
	t.Helper()
	cluster := stack.Run(t, stack.Options{Kwok: true, EBS: true, EBSFrom: l.ebs})
	return &lab{Lab: l.On(t, cluster, harness.Options{Cluster: name, Edit: withVolumes(l.ebs)}), ebs: l.ebs, ec2: l.ec2}
}

// longestFreeze is how long a pod may be frozen, at 5 requests a second of the snapshot controller.
const longestFreeze = 10 * time.Second

// TestFrozenAtShippedRates: sixteen applications of five volumes each are backed up by the driver at
// the shipped rates, in the suite four of two: none is frozen for longer than longestFreeze.
func TestFrozenAtShippedRates(t *testing.T) {
	t.Parallel()
	l := shared.atShippedRates(t, "freeze")
	ns := l.namespace(t, "freeze")
	pods, each := sample(4, 16), sample(2, 5)
	for p := range pods {
		var claims []string
		for c := range each {
			claims = append(claims, fmt.Sprintf("data-%02d-%d", p, c))
		}
		l.pod(t, ns, fmt.Sprintf("db-%02d", p), preHook(noContainer, "Continue"), claims...)
	}
	run := l.startBackup(t, "freeze", velerov1.BackupSpec{IncludedNamespaces: []string{ns}})
	freezes := l.watchFreezes(t, run.GetRunID(), pods)
	if err := run.Get(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	slices.Sort(freezes)
	longest := freezes[len(freezes)-1]
	t.Logf("%d pods of %d volumes: frozen for %s in the median, %s at the longest", pods, each,
		freezes[len(freezes)/2].Round(10*time.Millisecond), longest.Round(10*time.Millisecond))
	if longest > longestFreeze {
		t.Errorf("frozen for %s: %v", longest, freezes)
	}
}

// watchFreezes looks at the journals of a run's units until all were frozen and thawed, and returns
// how long each was.
func (l *lab) watchFreezes(t *testing.T, uid string, units int) (took []time.Duration) {
	t.Helper()
	since, thawed := map[int]time.Time{}, map[int]bool{}
	for end := time.Now().Add(5 * patience); len(thawed) < units; {
		if time.Now().After(end) {
			t.Fatalf("%d of %d units were frozen and thawed", len(thawed), units)
		}
		for unit := range units {
			if thawed[unit] {
				continue
			}
			var j quiesce.Journal
			err := repository.NewStaging(l.Store, uid).GetLatest(t.Context(), repository.QuiesceJournalFile(unit), &j)
			if errors.Is(err, store.ErrNotFound) {
				continue
			}
			if err != nil {
				t.Fatal(err)
			}
			if since[unit].IsZero() {
				since[unit] = time.Now()
			}
			if j.Unquiesced {
				thawed[unit] = true
				took = append(took, time.Since(since[unit]))
			}
		}
		time.Sleep(20 * time.Millisecond)
	}
	return took
}
