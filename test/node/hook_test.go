//go:build stack

package node

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	velerov1 "github.com/vmware-tanzu/velero/pkg/apis/velero/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"

	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/test/harness"
	"github.com/lifeboat-backup/lifeboat/test/stack/ebssim"
)

// freezer is a Pod whose pre hook freezes it: a file on its volume says so until the
// post hook takes it away, and a log has each. Everything can be read on the machine.
const freezer = `
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: data}
spec:
  accessModes: [ReadWriteOnce]
  storageClassName: ebs-gp3
  resources: {requests: {storage: 1Gi}}
---
apiVersion: v1
kind: Pod
metadata:
  name: freezer
  annotations:
    pre.hook.backup.velero.io/command: '["sh", "-c", "<pre>"]'
    pre.hook.backup.velero.io/timeout: <timeout>
    post.hook.backup.velero.io/command: '["sh", "-c", "<post>"]'
spec:
  terminationGracePeriodSeconds: 0
  containers:
  - name: writer
    image: docker.io/library/busybox:1.35
    volumeMounts: [{name: data, mountPath: /data}]
  volumes: [{name: data, persistentVolumeClaim: {claimName: data}}]
`

// What the hooks of a freezer run, alone or with more.
const (
	freezes = "echo frozen >>/data/log; : >/data/frozen"
	thaws   = "rm -f /data/frozen; echo thawed >>/data/log"
)

// frozenPod is a freezer on the node, and a Lifeboat with a worker.
type frozenPod struct {
	cluster
	worker    *harness.Worker
	namespace string
	volume    string // vol-…
	dir       string // of its data
}

func startFreezer(t *testing.T, short, pre string) *frozenPod {
	t.Helper()
	cluster := fmt.Sprintf("%s-%05x", short, rand.IntN(1<<20)) // no other test's worker takes over
	f := &frozenPod{cluster: on(t, shared, binaries(t), harness.Options{Cluster: cluster, Edit: withDisks(shared)})}
	f.startWorker(t)
	f.place(t, short, pre, thaws, 3*time.Second)
	f.await(t)
	return f
}

// place makes the Pod, in a namespace of its own.
func (f *frozenPod) place(t *testing.T, short, pre, post string, timeout time.Duration) {
	t.Helper()
	f.namespace = f.cluster.namespace(t, short)
	f.applyIn(t, f.namespace, strings.NewReplacer("<pre>", pre, "<post>", post, "<timeout>", timeout.String()).Replace(freezer))
}

// await waits until the Pod is Ready.
func (f *frozenPod) await(t *testing.T) {
	t.Helper()
	f.ready(t, f.namespace, "freezer")
	f.volume = f.volumeID(t, f.namespace, "data")
	var err error
	if f.dir, err = f.Stack.EBS.VolumeDir(t.Context(), f.volume); err != nil {
		t.Fatal(err)
	}
}

func (f *frozenPod) startWorker(t *testing.T) {
	t.Helper()
	var err error
	if f.worker, err = f.StartWorker(t.Context(), f.Stack.EBS.Environment()...); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(f.worker.Kill)
}

func (f *frozenPod) frozen() bool {
	_, err := os.Stat(filepath.Join(f.dir, "frozen"))
	return err == nil
}

// backup starts a backup by a path, native or csi.
func (f *frozenPod) backup(t *testing.T, path string) client.WorkflowRun {
	t.Helper()
	return f.backupOf(t, path, velerov1.BackupSpec{})
}

func (f *frozenPod) backupOf(t *testing.T, path string, spec velerov1.BackupSpec) client.WorkflowRun {
	t.Helper()
	spec.IncludedNamespaces = []string{f.namespace}
	if path == "native" {
		spec.VolumeSnapshotLocations = []string{location}
	}
	name := path + "-" + f.namespace
	run, err := f.Temporal.ExecuteWorkflow(t.Context(), client.StartWorkflowOptions{
		ID: contract.BackupID(f.Cluster, name), TaskQueue: contract.TaskQueue(f.Cluster),
	}, contract.BackupWorkflow, contract.BackupInput{Name: name, Spec: spec})
	if err != nil {
		t.Fatal(err)
	}
	return run
}

// result waits for the end of a backup.
func (f *frozenPod) result(t *testing.T, run client.WorkflowRun) (contract.BackupResult, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	var res contract.BackupResult
	err := run.Get(ctx, &res)
	if ctx.Err() != nil {
		t.Fatalf("the backup goes on after 3 minutes; the worker says:\n%s", f.worker.Log())
	}
	return res, err
}

// slow makes the volume's next snapshot take its time, so that something can happen
// meanwhile.
func (f *frozenPod) slow(t *testing.T, delay time.Duration) {
	t.Helper()
	f.fault(t, ebssim.Fault{Effect: ebssim.EffectDelay, Delay: ebssim.Duration(delay), Times: 1})
}

func (f *frozenPod) fault(t *testing.T, fault ebssim.Fault) {
	t.Helper()
	fault.Action, fault.Volume = "CreateSnapshot*", f.volume
	f.Stack.EBS.Inject(t, fault)
}

func (f *frozenPod) awaitFrozen(t *testing.T) {
	t.Helper()
	within(t, patience, "frozen", func() error {
		if !f.frozen() {
			return fmt.Errorf("no file says so; the worker says:\n%s", f.worker.Log())
		}
		return nil
	})
}

// thawed fails the test unless the Pod goes on: thawed after it was frozen for the
// last time.
func (f *frozenPod) thawed(t *testing.T) {
	t.Helper()
	log, err := os.ReadFile(filepath.Join(f.dir, "log"))
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Fields(string(log))
	if f.frozen() || len(lines) < 2 || lines[len(lines)-1] != "thawed" {
		t.Errorf("frozen: %v; log %q", f.frozen(), lines)
	}
}

// TestThaw runs the whole of freeze, snapshot and thaw without disturbance, and
// looks into the snapshot: it is of the time in between.
func TestThaw(t *testing.T) {
	t.Parallel()
	for path := range paths() {
		t.Run(path, func(t *testing.T) {
			t.Parallel()
			f := startFreezer(t, "thaw", freezes)
			res, err := f.result(t, f.backup(t, path))
			if err != nil || res.Phase != "Completed" {
				t.Fatalf("%v %+v", err, res)
			}
			f.thawed(t)
			taken := f.snapshots(t, f.volume)
			if len(taken) != 1 {
				t.Fatalf("%d snapshots", len(taken))
			}
			if _, err := os.Stat(filepath.Join(taken[0].Dir, "frozen")); err != nil {
				t.Errorf("the snapshot is not of the time when the Pod was frozen: %v", err)
			}
		})
	}
}

// TestThawAfterWorkerDied kills the worker with a Pod frozen: another thaws it, and
// the backup completes with one snapshot.
func TestThawAfterWorkerDied(t *testing.T) {
	t.Parallel()
	for path := range paths() {
		t.Run(path, func(t *testing.T) {
			t.Parallel()
			f := startFreezer(t, "died", freezes)
			f.slow(t, 5*time.Second)
			run := f.backup(t, path)
			f.awaitFrozen(t)
			f.worker.Kill()
			f.startWorker(t)
			res, err := f.result(t, run)
			if err != nil || res.Phase != "Completed" {
				t.Errorf("%v %+v", err, res)
			}
			f.thawed(t)
			if taken := f.snapshots(t, f.volume); len(taken) != 1 {
				t.Errorf("%d snapshots: %+v", len(taken), taken)
			}
		})
	}
}

// TestThawAfterCancel cancels a backup with a Pod frozen: it is thawed, and nothing
// is left in the account.
func TestThawAfterCancel(t *testing.T) {
	t.Parallel()
	f := startFreezer(t, "cancel", freezes)
	f.slow(t, 5*time.Second)
	run := f.backup(t, "native")
	f.awaitFrozen(t)
	if err := f.Temporal.CancelWorkflow(t.Context(), run.GetID(), run.GetRunID()); err != nil {
		t.Fatal(err)
	}
	var cancelled *temporal.CanceledError
	if res, err := f.result(t, run); !errors.As(err, &cancelled) {
		t.Errorf("%v %+v", err, res)
	}
	f.thawed(t)
	if taken := f.snapshots(t, f.volume); len(taken) != 0 {
		t.Errorf("left in the account: %+v", taken)
	}
}

// TestThawAfterFailedSnapshot refuses the snapshot: the Pod is thawed all the same,
// and the backup says what it lacks.
func TestThawAfterFailedSnapshot(t *testing.T) {
	t.Parallel()
	f := startFreezer(t, "refused", freezes)
	f.fault(t, ebssim.Fault{Effect: ebssim.EffectError, Code: "UnauthorizedOperation", Status: 403, Message: "You are not authorized to perform this operation."})
	res, err := f.result(t, f.backup(t, "native"))
	if err == nil && (res.Phase == "Completed" || res.Errors == 0) {
		t.Errorf("%+v", res)
	}
	if text := fmt.Sprint(err, res.Reasons); !strings.Contains(text, f.volume) && !strings.Contains(text, "data") {
		t.Errorf("the volume is not named: %s", text)
	}
	f.thawed(t)
}

// TestPreHookFails takes no snapshot of a Pod that could not be frozen, be it that
// the command fails or that it does not end, and says so.
func TestPreHookFails(t *testing.T) {
	t.Parallel()
	for name, pre := range map[string]string{"code": freezes + "; exit 3", "timeout": freezes + "; sleep 98765"} {
		t.Run(name, func(t *testing.T) {
			f := startFreezer(t, "prehook", pre)
			res, err := f.result(t, f.backup(t, "native"))
			if err != nil || res.Phase != "PartiallyFailed" {
				t.Errorf("%v %+v", err, res)
			}
			if text := strings.Join(res.Reasons, "\n"); !strings.Contains(text, "freezer") || !strings.Contains(text, "hook") {
				t.Errorf("reasons: %s", text)
			}
			if taken := f.snapshots(t, f.volume); len(taken) != 0 {
				t.Errorf("snapshots: %+v", taken)
			}
			if left := running(t, "98765"); len(left) > 0 {
				t.Errorf("still running: %q", left)
			}
			f.thawed(t)
		})
	}
}
