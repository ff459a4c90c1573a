//go:build stack

package ebstest

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/lifeboat-backup/lifeboat/test/stack"
	"github.com/lifeboat-backup/lifeboat/test/stack/ebssim"
)

var shared *stack.Stack

func TestMain(m *testing.M) {
	o := stack.Options{EBS: true, EBSFast: true, EBSDefault: true, Kwok: true}
	os.Exit(stack.Main(m, o, func(s *stack.Stack) { shared = s }))
}

func (c *cluster) volume(id string) (ebssim.VolumeState, bool) {
	c.t.Helper()
	state, err := c.EBS.State(c.t.Context())
	if err != nil {
		c.t.Fatal(err)
	}
	i := slices.IndexFunc(state.Volumes, func(v ebssim.VolumeState) bool { return v.ID == id })
	if i < 0 {
		return ebssim.VolumeState{}, false
	}
	return state.Volumes[i], true
}

func (c *cluster) disk(id string) (ebssim.SnapshotState, bool) {
	c.t.Helper()
	state, err := c.EBS.State(c.t.Context())
	if err != nil {
		c.t.Fatal(err)
	}
	i := slices.IndexFunc(state.Snapshots, func(s ebssim.SnapshotState) bool { return s.ID == id && s.Where == "" })
	if i < 0 {
		return ebssim.SnapshotState{}, false
	}
	return state.Snapshots[i], true
}

// TestSnapshotCarriesData follows bytes from a volume over a snapshot into another.
func TestSnapshotCarriesData(t *testing.T) {
	c := connect(t, shared)
	c.claim("source", stack.EBSClassNow, "")
	source := c.bound("source")
	c.write(source, "rows", "one")
	c.snapshot("taken", "source")
	taken := c.ready("taken")
	c.write(source, "rows", "two") // after the point in time
	if disk, ok := c.disk(taken); !ok || disk.VolumeID != source || disk.State != "completed" || disk.Tags["ebs.csi.aws.com/cluster"] != "true" {
		t.Errorf("EC2 shows %+v for %s", disk, taken)
	}

	c.claim("copy", stack.EBSClassNow, "taken")
	duplicate := c.bound("copy")
	if duplicate == source || c.read(duplicate, "rows") != "one" {
		t.Errorf("volume %s has %q, want what %s had at the snapshot", duplicate, c.read(duplicate, "rows"), source)
	}
	for _, name := range []string{"source", "copy"} {
		c.delete(claims, name)
	}
	c.delete(snapshots, "taken")
	c.until("everything deleted", func(context.Context) bool {
		_, first := c.volume(source)
		_, second := c.volume(duplicate)
		_, disk := c.disk(taken)
		return !first && !second && !disk
	})
}

// TestVolumeFollowsPod checks zone and attachment of a claim that waits for its Pod.
func TestVolumeFollowsPod(t *testing.T) {
	c := connect(t, shared)
	for _, zone := range []string{"us-east-1a", "us-east-1b"} {
		name := "late-" + zone
		c.claim(name, stack.EBSClass, "")
		c.pod(name, zone, name)
		id := c.bound(name)
		c.until("volume attached", func(context.Context) bool {
			volume, ok := c.volume(id)
			return ok && volume.Zone == zone && len(volume.Attached) == 1
		})
		c.await(pods, name, "Running", "status", "phase")

		c.delete(pods, name)
		c.until("volume detached", func(context.Context) bool {
			volume, ok := c.volume(id)
			return ok && len(volume.Attached) == 0
		})
		c.delete(claims, name)
		c.gone(id)
	}
}

// TestInTreeVolume: a class of before CSI gives a PersistentVolume of that form.
func TestInTreeVolume(t *testing.T) {
	c := connect(t, shared)
	c.claim("old", stack.EBSClassInTree, "")
	c.pod("old", "us-east-1a", "old")
	claim := c.await(claims, "old", "Bound", "status", "phase")
	pv, _, _ := unstructured.NestedString(claim.Object, "spec", "volumeName")
	id, _, _ := unstructured.NestedString(c.get(volumes, pv).Object, "spec", "awsElasticBlockStore", "volumeID")
	c.until("volume attached", func(context.Context) bool {
		volume, ok := c.volume(id)
		return ok && volume.Zone == "us-east-1a" && len(volume.Attached) == 1
	})
	c.await(pods, "old", "Running", "status", "phase")
	c.delete(pods, "old")
	c.delete(claims, "old")
	c.gone(id)
}

// TestStuckAndFailedSnapshots: what EC2 does not finish, the cluster does not call ready.
func TestStuckAndFailedSnapshots(t *testing.T) {
	c, ctx := connect(t, shared), t.Context()
	c.claim("frail", stack.EBSClassNow, "")
	id := c.bound("frail")
	c.EBS.Inject(t, ebssim.Fault{Volume: id, Effect: ebssim.EffectSnapshotStuck, Times: 1})
	c.snapshot("stuck", "frail")
	stuck := c.await(snapshots, "stuck", false, "status", "readyToUse")
	if stuck == nil {
		t.Fatal("no status")
	}
	var made string
	c.until("snapshot in EC2", func(ctx context.Context) bool {
		calls, err := c.EBS.Audit(ctx, "CreateSnapshot", time.Time{})
		state, _ := c.EBS.State(ctx)
		for _, s := range state.Snapshots {
			if s.VolumeID == id {
				made = s.ID
			}
		}
		return err == nil && len(calls) > 0 && made != ""
	})
	if err := c.EBS.MoveSnapshot(ctx, made, "completed"); err != nil {
		t.Fatal(err)
	}
	if got := c.ready("stuck"); got != made {
		t.Errorf("ready with %s, EC2 has %s: it was made twice", got, made)
	}

	c.EBS.Inject(t, ebssim.Fault{Volume: id, Effect: ebssim.EffectSnapshotError, Times: 1})
	c.snapshot("failed", "frail")
	c.until("failed in EC2", func(ctx context.Context) bool {
		state, err := c.EBS.State(ctx)
		return err == nil && slices.ContainsFunc(state.Snapshots, func(s ebssim.SnapshotState) bool { return s.VolumeID == id && s.State == "error" })
	})
	failed := c.get(snapshots, "failed").Object
	message, _, _ := unstructured.NestedString(failed, "status", "error", "message")
	if ready, _, _ := unstructured.NestedBool(failed, "status", "readyToUse"); ready || message != "" {
		t.Errorf("ready %t, error %q: the real driver tells nothing", ready, message)
	}
	for _, name := range []string{"stuck", "failed"} {
		c.delete(snapshots, name)
	}
	c.delete(claims, "frail")
	c.gone(id)
}

// TestTwoClustersShareAnAccount restores a snapshot of one cluster in another that
// knows only its id.
func TestTwoClustersShareAnAccount(t *testing.T) {
	first := connect(t, shared)
	first.claim("origin", stack.EBSClassNow, "")
	origin := first.bound("origin")
	first.write(origin, "rows", "kept")
	first.snapshot("origin", "origin")
	handle := first.ready("origin")

	second := connect(t, stack.Run(t, stack.Options{EBS: true, EBSFast: true, EBSFrom: shared.EBS, Kwok: true}))
	second.create(contents, fmt.Sprintf(`
apiVersion: snapshot.storage.k8s.io/v1
kind: VolumeSnapshotContent
metadata: {name: foreign}
spec:
  deletionPolicy: Retain
  driver: ebs.csi.aws.com
  source: {snapshotHandle: %s}
  volumeSnapshotRef: {namespace: default, name: foreign}`, handle))
	second.create(snapshots, `
apiVersion: snapshot.storage.k8s.io/v1
kind: VolumeSnapshot
metadata: {name: foreign}
spec: {source: {volumeSnapshotContentName: foreign}}`)
	second.claim("restored", stack.EBSClassNow, "foreign")
	restored := second.bound("restored")
	if got := second.read(restored, "rows"); got != "kept" {
		t.Errorf("the other cluster reads %q, want kept", got)
	}
	second.delete(claims, "restored")
	second.gone(restored)
	if _, ok := first.volume(origin); !ok {
		t.Error("the other cluster deleted the first one's volume")
	}
	first.delete(snapshots, "origin")
	first.delete(claims, "origin")
	first.gone(origin)
}

// TestHundredSnapshots measures how fast the cluster's own machinery is: it must
// not be what sets the pace of backups that are measured on it, as it does where
// its clients hold requests back.
func TestHundredSnapshots(t *testing.T) {
	c := connect(t, shared)
	const count = 100
	name := func(i int) string { return fmt.Sprintf("many-%03d", i) }
	begun := time.Now()
	for i := range count {
		c.claim(name(i), stack.EBSClassNow, "")
	}
	for i := range count {
		c.bound(name(i))
	}
	t.Logf("%d claims bound after %.1f s", count, time.Since(begun).Seconds())

	begun = time.Now()
	var all sync.WaitGroup
	for i := range count {
		all.Go(func() { c.snapshot(name(i), name(i)) })
	}
	all.Wait()
	t.Logf("%d snapshots asked for after %.1f s", count, time.Since(begun).Seconds())
	for i := range count {
		c.ready(name(i))
	}
	t.Logf("%d snapshots ready after %.1f s", count, time.Since(begun).Seconds())
	wantNoThrottling(t)
	begun = time.Now()
	for i := range count {
		c.delete(snapshots, name(i))
		c.delete(claims, name(i))
	}
	c.until("everything deleted", func(ctx context.Context) bool {
		state, err := c.EBS.State(ctx)
		left := slices.DeleteFunc(state.Snapshots, func(s ebssim.SnapshotState) bool { return s.Where != "" })
		return err == nil && len(left) == 0
	})
	t.Logf("all deleted after %.1f s", time.Since(begun).Seconds())
}

// wantNoThrottling wants that no program of the cluster has held a request back for a second or
// longer, which client-go logs at any level.
func wantNoThrottling(t *testing.T) {
	t.Helper()
	for _, program := range []string{"kube-controller-manager", "snapshot-controller", "ebscsi", "csi-snapshotter"} {
		log, err := os.ReadFile(filepath.Join(shared.Dir, "logs", program+".log"))
		if err != nil {
			t.Fatal(err)
		}
		for line := range bytes.Lines(log) {
			if bytes.Contains(line, []byte("client-side throttling")) {
				t.Errorf("%s: %s", program, line)
				break
			}
		}
	}
}
