//go:build stack

package volumes

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	velerov1 "github.com/vmware-tanzu/velero/pkg/apis/velero/v1"

	"github.com/lifeboat-backup/lifeboat/test/stack"
	"github.com/lifeboat-backup/lifeboat/test/stack/ebssim"
)

// inStrictAccount is a Lifeboat on a stack that asks for nothing fast: an account that shows for
// seconds what was not and hides what was made, with AWS's limits, detachments and snapshots of
// others, and a cluster whose controllers work as they are shipped. The stack fails the test if a
// snapshot of another is changed.
func (l *lab) inStrictAccount(t *testing.T) *lab {
	t.Helper()
	cluster := stack.Run(t, stack.Options{Kwok: true, EBS: true})
	strict := &lab{Lab: l.Lab, ebs: cluster.EBS}
	env := append(cluster.EBS.Environment(), "AWS_CLUSTER_NAME="+awsCluster)
	strict.Lab = l.On(t, cluster, strict.drillOptions(t, "strict"), env...)
	return strict
}

// TestStrictAccount: in an account and a cluster as AWS's, volumes of both drivers and of both paths
// are backed up, drilled, lost, restored, and their snapshots deleted, by hand and by a collection.
// Nothing is made twice, and nothing is left.
func TestStrictAccount(t *testing.T) {
	t.Parallel()
	l := shared.inStrictAccount(t)
	now, drills := stack.EBSClassNow, &sync.Mutex{}
	ways := map[string]strictWay{
		"csi": {lab: l, class: now, drills: drills}, "auto": {lab: l, class: stack.AutoMode(now)},
		"native": {lab: l, locations: []string{location}, drills: drills}, // of a pod, whose volumes have one moment
	}
	allWell := t.Run("way", func(t *testing.T) {
		for name, w := range ways {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				w.run(t, name)
			})
		}
	})
	if !allWell {
		return // what they have left tells nothing
	}
	for name := range ways {
		if _, err := l.Run(t.Context(), "backup", "set-expiry", name+"-late", "0s"); err != nil {
			t.Fatal(err)
		}
	}
	out, err := l.Run(t.Context(), "gc", "run")
	if want := fmt.Sprintf("%d expired backups deleted", len(ways)); err != nil || !strings.Contains(out, want) {
		t.Errorf("%v\n%s", err, out)
	}
	eventually(t, "no snapshot is left", func() error {
		state, err := l.ebs.State(t.Context())
		left := slices.DeleteFunc(state.Snapshots, func(s ebssim.SnapshotState) bool { return s.Where != "" })
		if err == nil && len(left) > 0 {
			err = fmt.Errorf("%+v", left)
		}
		return err
	})
}

// strictWay is a driver, by the class of its volumes, or those of a pod, and a path.
type strictWay struct {
	*lab
	class     string
	locations []string
	drills    *sync.Mutex // a cluster has one drill at a time; nil: none
}

func (w strictWay) run(t *testing.T, name string) {
	ns, claims := w.namespace(t, "strict-"+name), []string{"data-00", "data-01"}
	if w.class != "" {
		w.manyClaims(t, ns, w.class, len(claims))
	} else {
		w.pod(t, ns, "db", nil, claims...)
		for _, claim := range claims {
			if err := writeFile(w.file(t, ns, claim), claim); err != nil {
				t.Fatal(err)
			}
		}
	}
	spec := velerov1.BackupSpec{IncludedNamespaces: []string{ns}, VolumeSnapshotLocations: w.locations}
	disks := w.disks(t, ns, claims...)
	w.backup(t, name, "Completed", spec)
	w.complete(t, disks, len(claims))
	phase := "Completed"
	if w.class == "" { // the volumes of a frozen pod get their own tags later
		phase = "PartiallyFailed" // the hook fails
		w.kubectl(t, "", "annotate", "pod", "db", "-n", ns, "pre.hook.backup.velero.io/command=freeze", "pre.hook.backup.velero.io/container="+noContainer, "pre.hook.backup.velero.io/on-error=Continue")
	}
	w.backup(t, name+"-late", phase, spec)
	w.complete(t, disks, 2*len(claims))
	if w.drills != nil {
		w.oneDrill(t, name)
	}
	w.deleteNamespace(t, ns)
	w.restore(t, input(name, name, ns, nil))
	for _, claim := range claims {
		if got := w.content(t, ns, claim); got != claim {
			t.Errorf("%s holds %q", claim, got)
		}
	}
	if _, err := w.Run(t.Context(), "backup", "delete", name, "--confirm"); err != nil {
		t.Fatal(err)
	}
	eventually(t, "its snapshots are gone", func() error {
		if left := w.snapshots(t, disks); len(left) != len(claims) {
			return fmt.Errorf("%s", left)
		}
		return nil
	})
}

// complete wants so many snapshots of volumes, each complete.
func (l *lab) complete(t *testing.T, disks []string, n int) {
	t.Helper()
	all := l.snapshotsOf(t, disks...)
	if len(all) != n || slices.ContainsFunc(all, func(s ebssim.SnapshotState) bool { return s.State != "completed" }) {
		t.Errorf("want %d complete snapshots, there are %+v", n, all)
	}
}

// oneDrill runs a drill when no other runs.
func (w strictWay) oneDrill(t *testing.T, name string) {
	t.Helper()
	w.drills.Lock()
	defer w.drills.Unlock()
	w.runDrill(t, name, name)
}
