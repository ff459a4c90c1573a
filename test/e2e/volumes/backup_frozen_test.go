//go:build stack

package volumes

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	velerov1 "github.com/vmware-tanzu/velero/pkg/apis/velero/v1"

	"github.com/lifeboat-backup/lifeboat/internal/aws/ebs"
	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/test/stack"
	"github.com/lifeboat-backup/lifeboat/test/stack/ebssim"
)

// A hook that cannot run fails at once; on a fake node every hook fails, in time.
const noContainer = "nobody"

func preHook(container, onError string) map[string]string {
	return map[string]string{
		"pre.hook.backup.velero.io/command":   `["/bin/sh", "-c", "freeze"]`,
		"pre.hook.backup.velero.io/container": container,
		"pre.hook.backup.velero.io/on-error":  onError,
	}
}

// pod makes one that mounts claims, and waits until EC2 has their volumes on one
// instance. It returns the volumes in the order of the claims.
func (l *lab) pod(t *testing.T, ns, name string, notes map[string]string, claims ...string) (disks []string) {
	t.Helper()
	return l.podOn(t, nil, ns, name, notes, claims...)
}

// podOn is pod on the nodes that a selector names.
func (l *lab) podOn(t *testing.T, nodes map[string]string, ns, name string, notes map[string]string, claims ...string) (disks []string) {
	t.Helper()
	docs := []any{}
	var volumes, mounts []any
	for _, c := range claims {
		docs = append(docs, map[string]any{
			"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": map[string]any{"name": c, "namespace": ns},
			"spec": map[string]any{
				"storageClassName": stack.EBSClass, "accessModes": []string{"ReadWriteOnce"},
				"resources": map[string]any{"requests": map[string]any{"storage": "1Gi"}},
			},
		})
		volumes = append(volumes, map[string]any{"name": c, "persistentVolumeClaim": map[string]any{"claimName": c}})
		mounts = append(mounts, map[string]any{"name": c, "mountPath": "/" + c})
	}
	docs = append(docs, map[string]any{
		"apiVersion": "v1", "kind": "Pod", "metadata": map[string]any{"name": name, "namespace": ns, "annotations": notes},
		"spec": map[string]any{"nodeSelector": nodes, "volumes": volumes, "containers": []any{map[string]any{"name": "main", "image": "x", "volumeMounts": mounts}}},
	})
	l.kubectl(t, toJSON(t, map[string]any{"apiVersion": "v1", "kind": "List", "items": docs}), "apply", "-f", "-")
	for _, c := range claims {
		disks = append(disks, l.disk(t, ns, c))
	}
	l.kubectl(t, "", "wait", "--for=condition=Ready", "pod/"+name, "-n", ns, "--timeout="+patience.String())
	l.attached(t, disks)
	return disks
}

func (l *lab) attached(t *testing.T, disks []string) {
	t.Helper()
	eventually(t, "volumes are attached", func() error {
		state, err := l.ebs.State(t.Context())
		if err != nil {
			return err
		}
		on := map[string]string{} // instances by volume
		for _, v := range state.Volumes {
			on[v.ID] = strings.Join(slices.Sorted(maps.Keys(v.Attached)), " ")
		}
		for _, d := range disks {
			if on[d] == "" || on[d] != on[disks[0]] {
				err = errors.Join(err, fmt.Errorf("%s is on %q", d, on[d]))
			}
		}
		return err
	})
}

// oneMoment fails the test unless there is one complete snapshot of each volume, all
// of the same moment.
func (l *lab) oneMoment(t *testing.T, disks []string) {
	t.Helper()
	all := l.snapshotsOf(t, disks...)
	if len(all) != len(disks) {
		t.Fatalf("%d snapshots of %d volumes", len(all), len(disks))
	}
	for _, s := range all {
		if !s.Started.Equal(all[0].Started) || s.State != "completed" || s.Tags[ebs.TagPV] == "" {
			t.Errorf("%+v, the first is of %s", s, all[0].Started)
		}
	}
}

// TestOneMoment takes the volumes of a pod by one call, with and without a hook.
func TestOneMoment(t *testing.T) {
	t.Parallel()
	l := shared
	for name, notes := range map[string]map[string]string{"loose": nil, "hooked": preHook(noContainer, "Continue")} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ns := l.namespace(t, "moment-"+name)
			disks := l.pod(t, ns, "db", notes, "data", "wal", "logs")
			since := time.Now()
			phase := map[bool]string{true: "Completed", false: "PartiallyFailed"}[notes == nil]
			res := l.backup(t, ns, phase, velerov1.BackupSpec{IncludedNamespaces: []string{ns}, VolumeSnapshotLocations: []string{location}})
			if res.Volumes != 3 || notes != nil && !has(res.Reasons, "HOOK_FAILED", ns+"/db", noContainer) {
				t.Errorf("%+v", res)
			}
			l.oneMoment(t, disks)
			for action, want := range map[string]int{"CreateSnapshots": 1, "CreateSnapshot": 0} {
				if calls := l.callsFor(t, action, ns, since); len(calls) != want {
					t.Errorf("%d calls of %s, want %d", len(calls), action, want)
				}
			}
		})
	}
}

// TestGroupPartlyGone: of a group, one volume is lost, or its snapshot is; the others
// are in the backup.
func TestGroupPartlyGone(t *testing.T) {
	t.Parallel()
	l := shared
	for name, harm := range map[string]func(t *testing.T, disk string){
		"volume": func(t *testing.T, disk string) {
			if err := l.ebs.DestroyVolume(t.Context(), disk); err != nil {
				t.Fatal(err)
			}
		},
		"snapshot": func(t *testing.T, disk string) {
			l.ebs.Inject(t, ebssim.Fault{Effect: ebssim.EffectSnapshotError, Volume: disk})
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ns := l.namespace(t, "partly-"+name)
			disks := l.pod(t, ns, "db", nil, "data", "wal", "logs")
			harm(t, disks[1])
			res := l.backup(t, ns, "PartiallyFailed", velerov1.BackupSpec{IncludedNamespaces: []string{ns}, VolumeSnapshotLocations: []string{location}})
			if res.Volumes != 2 || res.Errors != 1 || !has(res.Reasons, "SNAPSHOT_FAILED", ns+"/wal") {
				t.Errorf("%+v", res)
			}
			l.oneMoment(t, []string{disks[0], disks[2]})
			if left := l.snapshotsOf(t, disks[1]); len(left) > 0 {
				t.Errorf("left %+v", left)
			}
		})
	}
}

// TestHookThatCannotRun: with onError Fail no snapshot is taken of the pod's volumes,
// with Continue they are. Other pods' volumes do not care.
func TestHookThatCannotRun(t *testing.T) {
	t.Parallel()
	l := shared
	for path, locations := range paths() {
		for _, onError := range []string{"Fail", "Continue"} {
			for what, container := range map[string]string{"no container": noContainer, "exec refused": "main"} {
				t.Run(path+", "+onError+", "+what, func(t *testing.T) {
					t.Parallel()
					ns := l.namespace(t, fmt.Sprintf("hook-%s-%s-%d", path, map[string]string{"Fail": "f", "Continue": "c"}[onError], len(container)))
					hooked := l.pod(t, ns, "db", preHook(container, onError), "data")
					other := l.pod(t, ns, "web", nil, "files")
					res := l.backup(t, ns, "PartiallyFailed", velerov1.BackupSpec{IncludedNamespaces: []string{ns}, VolumeSnapshotLocations: locations})
					want := map[string]int{"Fail": 0, "Continue": 1}[onError]
					if got := len(l.snapshotsOf(t, hooked...)); got != want || len(l.snapshotsOf(t, other...)) != 1 || res.Volumes != want+1 {
						t.Errorf("%d snapshots, want %d: %+v", got, want, res)
					}
					if !has(res.Reasons, "HOOK_FAILED", ns+"/db", "pre hook") || has(res.Reasons, "SNAPSHOT_FAILED", ns+"/data", "pod db was not frozen") != (want == 0) {
						t.Errorf("%q", res.Reasons)
					}
					l.leftInCluster(t, ns)
					l.leftInBucket(t, res.Name, res.UID)
				})
			}
		}
	}
}

// unnoticed is how long a lost worker is not missed, at least: what EC2 was asked for
// before is made by then, what a retry asks for is not.
const unnoticed = 5 * time.Second

// TestKilledWhileFrozen kills the worker between the snapshots of pods that are frozen.
// What was taken of one freeze is used as a whole; where a part was not, all is taken
// anew, in another freeze.
func TestKilledWhileFrozen(t *testing.T) {
	t.Parallel()
	l := shared.beside(t, "frozen")
	// A worker freezes few pods at once before it knows how long that takes: what is to be
	// under way together is of different paths.
	l.killWhileFrozen(t, "soon", &frozen{path: "native", delay: 3 * time.Second}, &frozen{path: "csi", delay: 3 * time.Second})
	l.killWhileFrozen(t, "late", &frozen{path: "csi", delay: 20 * time.Second, anew: true})
}

// frozen is a pod whose second snapshot comes late.
type frozen struct {
	delay   time.Duration
	anew    bool // the retry comes before the snapshot
	disks   []string
	ns      string
	backup  string
	path    string
	outcome contract.BackupResult
}

func (l *lab) killWhileFrozen(t *testing.T, name string, cases ...*frozen) {
	t.Helper()
	for i, c := range cases {
		c.ns = l.namespace(t, fmt.Sprintf("frozen-%s-%d", name, i))
		c.backup = c.ns
		c.disks = l.pod(t, c.ns, "db", preHook(noContainer, "Continue"), "data", "wal")
		l.ebs.Inject(t, ebssim.Fault{
			Action: map[string]string{"native": "CreateSnapshots", "csi": "CreateSnapshot"}[c.path], Volume: c.disks[1], Effect: ebssim.EffectLate, Delay: ebssim.Duration(c.delay), Times: 1,
		})
	}
	for _, c := range cases {
		l.startBackup(t, c.backup, velerov1.BackupSpec{IncludedNamespaces: []string{c.ns}, VolumeSnapshotLocations: paths()[c.path]})
	}
	eventually(t, "EC2 is asked", func() error {
		for _, c := range cases {
			if hit, err := l.ebs.Hit(t.Context(), c.disks[1]); err != nil || !hit {
				return errors.Join(err, fmt.Errorf("the fault of %s was not hit", c.ns))
			}
		}
		return nil
	})
	l.Worker.Kill()
	killed := time.Now()
	l.ReplaceWorker(t)
	for _, c := range cases {
		run := l.Temporal.GetWorkflow(t.Context(), contract.BackupID(l.Cluster, c.backup), "")
		if err := run.Get(t.Context(), &c.outcome); err != nil {
			t.Fatal(err)
		}
		if c.outcome.Volumes != 2 {
			t.Errorf("%s: %+v", c.path, c.outcome)
		}
		if c.path == "native" {
			l.oneMoment(t, c.disks)
		}
		eventually(t, "one snapshot a volume", func() error {
			all := l.snapshotsOf(t, c.disks...)
			for _, s := range all {
				if c.path == "csi" && s.Started.After(killed.Add(unnoticed)) != c.anew {
					return fmt.Errorf("%s, delay %s: %s of %s, killed at %s", c.path, c.delay, s.ID, s.Started, killed)
				}
			}
			if len(all) != 2 {
				return fmt.Errorf("%d", len(all))
			}
			return nil
		})
		l.leftInCluster(t, c.ns)
		l.leftInBucket(t, c.backup, c.outcome.UID)
	}
}
