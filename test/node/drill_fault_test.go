//go:build stack

package node

import (
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/lifeboat-backup/lifeboat/internal/drill/evidence"
	"github.com/lifeboat-backup/lifeboat/test/database"
	"github.com/lifeboat-backup/lifeboat/test/stack"
	"github.com/lifeboat-backup/lifeboat/test/stack/ebssim"
)

// broken are workloads of which each is kept from being ready by something else.
const broken = `
{apiVersion: v1, kind: Secret, metadata: {name: password}, stringData: {password: correct horse}}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: unpulled}
spec:
  selector: {matchLabels: {app: unpulled}}
  template:
    metadata: {labels: {app: unpulled}}
    spec: {containers: [{name: c, image: "registry.invalid/gone:1"}]}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: secretless}
spec:
  selector: {matchLabels: {app: secretless}}
  template:
    metadata: {labels: {app: secretless}}
    spec: {terminationGracePeriodSeconds: 0, containers: [{name: c, image: "docker.io/library/busybox:1.35", envFrom: [{secretRef: {name: password}}]}]}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: crashing}
spec:
  selector: {matchLabels: {app: crashing}}
  template:
    metadata: {labels: {app: crashing}}
    spec: {terminationGracePeriodSeconds: 0, containers: [{name: c, image: "docker.io/library/busybox:1.35", command: [sh, -c, exit 7]}]}
`

// TestDrillOfBroken: workloads that are not ready in the copy are named with what keeps them from
// it, each; the Secret was there, and is not in the backup.
func TestDrillOfBroken(t *testing.T) {
	t.Parallel()
	b := drillCluster(t, "broken")
	b.applyIn(t, b.namespace, broken)
	b.kubectl(t, "wait", "--namespace", b.namespace, "--for=condition=Available", "deployment/secretless", "--timeout=2m")
	b.backup(t, "broken", []string{"--exclude-resources", "secrets"})
	p := b.drill(t, 3, "broken", b.withoutAssertions("broken", "30s")...)
	for _, says := range []string{
		"deployment " + p.Target.Namespaces[0].To + "/unpulled: 0 of 1 pods are ready; pod unpulled-", "image \\\"registry.invalid/gone:1\\\"",
		"container c: CreateContainerConfigError: secret \\\"password\\\" not found",
		", exit code 7",
	} {
		checkFault(t, p, evidence.L3, evidence.LevelMissed, says)
	}
}

// withoutAssertions makes a drill that asserts nothing and waits so long for workloads.
func (b *bookstore) withoutAssertions(backup, ready string) []string {
	text := database.Drill(backup, b.namespace)
	return []string{text[strings.Index(text, "  assertions:"):], "", "level: L5", "level: L4", "readyTimeout: 3m", "readyTimeout: " + ready}
}

// checkFault wants a drill to have failed at a level, for a cause that says something, and all of
// it to be gone.
func checkFault(t *testing.T, p evidence.Predicate, level evidence.Level, code evidence.FailureCode, says string) {
	t.Helper()
	data, err := json.Marshal(p.Claim)
	if err != nil {
		t.Fatal(err)
	}
	if claim := string(data); p.Claim.Level != level || !strings.Contains(claim, `"`+string(code)+`"`) || !strings.Contains(claim, says) {
		t.Errorf("want %s with %s that says %q: %s", level, code, says, claim)
	}
	if p.Teardown.Outcome != evidence.TeardownComplete {
		t.Errorf("teardown %+v", p.Teardown)
	}
}

// TestDrillFaults plants faults in the data of a bookstore, one after the other, and wants each
// found at its level and by its name.
func TestDrillFaults(t *testing.T) {
	t.Parallel()
	b := startBookstore(t, "faults", "")
	b.backup(t, "native", paths()["native"])
	t.Run("row count wrong", func(t *testing.T) {
		p := b.drill(t, 3, "native", "{recorded: orders}", "{equals: '5001'}")
		checkFault(t, p, evidence.L4, evidence.AssertionFailed, "orders: another value was found than is recorded")
		if a := p.Assertions[0]; a.Recorded != "5001" || a.Found != "5000" {
			t.Errorf("%+v", a)
		}
	})
	t.Run("RTO exceeded", func(t *testing.T) {
		checkFault(t, b.drill(t, 3, "native", "rto: 10m", "rto: 1s"), evidence.L5, evidence.RTOExceeded, "1s is wanted")
	})
	t.Run("network that is open", func(t *testing.T) {
		address := listen(t, onBridge(t))
		p := b.drill(t, 3, "native", reaching(address)...)
		checkFault(t, p, evidence.L5, evidence.IsolationBroken, "2 of 2 pods of the copy that tried have reached "+address)
	})
	t.Run("file system that cannot be mounted", func(t *testing.T) {
		done := b.breakVolume(t, b.snapshotOf(t, "archive"))
		p := b.drill(t, 3, "native", "readyTimeout: 3m", "readyTimeout: 20s")
		done()
		checkFault(t, p, evidence.L2, evidence.LevelMissed, "claim "+p.Target.Namespaces[0].To+"/archive: the pod that is to read it has not started: FailedMount: ")
	})
	if left := b.left(t); len(left) > 0 {
		t.Errorf("left: %q", left)
	}
}

// onBridge gives the machine an address that pods of the node reach, for the time of a test: the
// node's network enforces no policies.
func onBridge(t *testing.T) string {
	t.Helper()
	const address = "10.88.255.254"
	bridge := "lb" + stack.NodeMark(shared.Dir)
	if out, err := exec.Command("ip", "address", "add", address+"/16", "dev", bridge).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	t.Cleanup(func() {
		if out, err := exec.Command("ip", "address", "delete", address+"/16", "dev", bridge).CombinedOutput(); err != nil {
			t.Errorf("%v: %s", err, out)
		}
	})
	return address
}

// snapshotOf is the snapshot of a claim's volume.
func (b *bookstore) snapshotOf(t *testing.T, claim string) string {
	t.Helper()
	all := b.snapshots(t, b.volumes[claim])
	if len(all) != 1 {
		t.Fatalf("snapshots of %s: %+v", claim, all)
	}
	return all[0].ID
}

// breakVolume takes the data away of the volume that is made of a snapshot, as soon as it is
// there, so that no node can mount it. What it returns ends that, and wants it to have happened.
func (b *bookstore) breakVolume(t *testing.T, snapshot string) (done func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	broke := make(chan string, 1)
	go func() {
		defer close(broke)
		for ctx.Err() == nil {
			state, err := b.Stack.EBS.State(ctx)
			i := slices.IndexFunc(state.Volumes, func(v ebssim.VolumeState) bool { return v.SnapshotID == snapshot && v.State == "available" })
			if err == nil && i >= 0 && os.RemoveAll(state.Volumes[i].Dir) == nil {
				broke <- state.Volumes[i].ID
				return
			}
			time.Sleep(20 * time.Millisecond)
		}
	}()
	return func() {
		cancel()
		if <-broke == "" {
			t.Error("no volume was made of the snapshot")
		}
	}
}
