package csi

import (
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	snapshotv1 "github.com/kubernetes-csi/external-snapshotter/client/v8/apis/volumesnapshot/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/lifeboat-backup/lifeboat/internal/aws/ebs/quota"
	"github.com/lifeboat-backup/lifeboat/internal/kube"
	"github.com/lifeboat-backup/lifeboat/internal/kube/kubetest"
	"github.com/lifeboat-backup/lifeboat/internal/volume"
	"github.com/lifeboat-backup/lifeboat/internal/volume/volumetest"
)

// TestSnapshotter: the driver keeps the promises of volume.Snapshotter.
func TestSnapshotter(t *testing.T) {
	t.Parallel()
	volumetest.Run(t, func(t *testing.T, test func(*testing.T, volumetest.World)) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) { test(t, newWorld(t)) })
	})
}

const (
	// worldCompletes is how long a snapshot of the world's driver is pending.
	worldCompletes = 50 * time.Millisecond
	// worldTimeout is csiSnapshotTimeout: the API's times are in whole seconds.
	worldTimeout = 2 * time.Second
	// worldAge is how long ago the snapshots were taken, by their own account: the driver
	// leaves those that are younger alone for so long, since EC2 may not show them yet.
	worldAge       = 2 * quota.LookAgainFor
	worldFinalizer = "snapshot.storage.kubernetes.io/held"
)

// world is a cluster whose snapshot controller, with a CSI driver behind it, is played by
// the test.
type world struct {
	*kubetest.Server
	client *kube.Client
	quotas Quotas

	mu        sync.Mutex
	lost      map[string]bool        // claims
	snapshots map[string]madeOfClaim // at the provider, by handle
}

// madeOfClaim says of which backup and which claim a snapshot is.
type madeOfClaim struct{ uid, claim string }

func newWorld(t *testing.T) *world {
	s := kubetest.Start(t, kubetest.WithoutNetwork())
	w := &world{Server: s, client: s.Client(), lost: map[string]bool{}, snapshots: map[string]madeOfClaim{}}
	s.PutNamespaces("shop")
	s.Put(&snapshotv1.VolumeSnapshotClass{ObjectMeta: metav1.ObjectMeta{Name: "fast"}, Driver: "d", DeletionPolicy: snapshotv1.VolumeSnapshotContentDelete})
	s.After(kubetest.On("create", kube.VolumeSnapshots()), func(q kubetest.Request, _ map[string]any) { w.make(q.Namespace, q.Name) })
	s.After(kubetest.On("delete", kube.VolumeSnapshots()), func(q kubetest.Request, _ map[string]any) { w.deleteSnapshot(q.Namespace, q.Name) })
	s.After(kubetest.On("delete", kube.VolumeSnapshotContents()), func(q kubetest.Request, _ map[string]any) { w.deleteContent(q.Name) })
	return w
}

func (w *world) Backup() *volume.Backup {
	b := volumetest.Backup("cccc")
	b.SnapshotTimeout = worldTimeout
	for i := range b.Volumes {
		b.Volumes[i].Driver, b.Volumes[i].Class = "d", "fast"
	}
	return b
}

func (w *world) Driver(b *volume.Backup) volume.Snapshotter {
	return &Snapshots{Kube: w.client, Backup: b, Quotas: &w.quotas, MaxPending: volumetest.Capacity}
}

// make is what controller and driver do about a new VolumeSnapshot: they make a snapshot
// and its content, unless there is no such claim.
func (w *world) make(ns, name string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	vs, _ := kubetest.Get[snapshotv1.VolumeSnapshot](w.Server, kube.VolumeSnapshots(), ns, name)
	claim, content, no := *vs.Spec.Source.PersistentVolumeClaimName, "snapcontent-"+string(vs.UID), false
	if w.lost[claim] {
		w.change(ns, name, func(vs *snapshotv1.VolumeSnapshot) {
			why := fmt.Sprintf("persistentvolumeclaims %q not found", claim)
			vs.Status = &snapshotv1.VolumeSnapshotStatus{ReadyToUse: &no, Error: &snapshotv1.VolumeSnapshotError{Message: &why}}
		})
		return
	}
	handle := "handle-" + string(vs.UID)
	w.snapshots[handle] = madeOfClaim{vs.Labels[LabelUID], claim}
	w.Put(&snapshotv1.VolumeSnapshotContent{
		ObjectMeta: metav1.ObjectMeta{Name: content, Finalizers: []string{worldFinalizer}},
		Spec:       snapshotv1.VolumeSnapshotContentSpec{Driver: "d", DeletionPolicy: snapshotv1.VolumeSnapshotContentDelete},
		Status:     &snapshotv1.VolumeSnapshotContentStatus{SnapshotHandle: &handle},
	})
	w.change(ns, name, func(vs *snapshotv1.VolumeSnapshot) {
		at := metav1.NewTime(time.Now().Add(-worldAge))
		vs.Finalizers = []string{worldFinalizer}
		vs.Status = &snapshotv1.VolumeSnapshotStatus{BoundVolumeSnapshotContentName: &content, CreationTime: &at, ReadyToUse: &no}
	})
	time.AfterFunc(worldCompletes, func() {
		yes := true
		w.change(ns, name, func(vs *snapshotv1.VolumeSnapshot) { vs.Status.ReadyToUse = &yes })
	})
}

func (w *world) change(ns, name string, change func(*snapshotv1.VolumeSnapshot)) {
	kubetest.Modify(w.Server, kube.VolumeSnapshots(), ns, name, change)
}

// deleteSnapshot ends a VolumeSnapshot, and its content as the content's policy says.
func (w *world) deleteSnapshot(ns, name string) {
	vs, ok := kubetest.Get[snapshotv1.VolumeSnapshot](w.Server, kube.VolumeSnapshots(), ns, name)
	if !ok {
		return // it had no finalizer: no content was made
	}
	w.Remove(kube.VolumeSnapshots(), ns, name)
	content := *vs.Status.BoundVolumeSnapshotContentName
	if c, ok := kubetest.Get[snapshotv1.VolumeSnapshotContent](w.Server, kube.VolumeSnapshotContents(), "", content); ok && c.Spec.DeletionPolicy == snapshotv1.VolumeSnapshotContentDelete {
		w.deleteContent(content)
	}
}

// deleteContent ends a content and, if its policy says so, its snapshot at the provider.
func (w *world) deleteContent(name string) {
	c, ok := kubetest.Get[snapshotv1.VolumeSnapshotContent](w.Server, kube.VolumeSnapshotContents(), "", name)
	if !ok {
		return
	}
	w.Remove(kube.VolumeSnapshotContents(), "", name)
	if c.Spec.DeletionPolicy == snapshotv1.VolumeSnapshotContentDelete {
		w.mu.Lock()
		defer w.mu.Unlock()
		delete(w.snapshots, *c.Status.SnapshotHandle)
	}
}

func (w *world) Existing(uid string) []int {
	w.mu.Lock()
	defer w.mu.Unlock()
	var out []int
	for _, s := range w.snapshots {
		if s.uid == uid {
			out = append(out, w.indexOf(s.claim))
		}
	}
	slices.Sort(out)
	return out
}

func (w *world) indexOf(claim string) int {
	return slices.IndexFunc(w.Backup().Volumes, func(v volume.Volume) bool { return v.Claim == claim })
}

func (w *world) LoseReply() {
	w.Server.LoseReply(kubetest.On("create", kube.VolumeSnapshots()).Times(1))
}

func (w *world) DeleteVolume(index int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.lost[w.Backup().Volumes[index].Claim] = true
}

func (w *world) DeleteSnapshots(uid string, index int) {
	for _, vs := range kubetest.All[snapshotv1.VolumeSnapshot](w.Server, kube.VolumeSnapshots()) {
		if vs.Labels[LabelUID] == uid && w.indexOf(*vs.Spec.Source.PersistentVolumeClaimName) == index {
			w.deleteSnapshot(vs.Namespace, vs.Name)
		}
	}
}
