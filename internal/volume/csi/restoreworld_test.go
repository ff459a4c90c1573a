package csi

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	snapshotv1 "github.com/kubernetes-csi/external-snapshotter/client/v8/apis/volumesnapshot/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/lifeboat-backup/lifeboat/internal/kube"
	"github.com/lifeboat-backup/lifeboat/internal/kube/kubetest"
	"github.com/lifeboat-backup/lifeboat/internal/resource"
	"github.com/lifeboat-backup/lifeboat/internal/volume"
	"github.com/lifeboat-backup/lifeboat/internal/volume/volumetest"
)

// TestRestorer: the driver keeps the promises of volume.Restorer.
func TestRestorer(t *testing.T) {
	t.Parallel()
	volumetest.RunRestorer(t, func(t *testing.T, test func(*testing.T, volumetest.RestoreWorld)) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) { test(t, newRestoreWorld(t)) })
	})
}

// restoreWorld is a cluster whose snapshot controller and snapshotter, with a CSI driver
// behind them, are played by the test.
type restoreWorld struct {
	*kubetest.Server
	t      *testing.T
	client *kube.Client

	mu   sync.Mutex
	gone map[string]bool // handles
}

func newRestoreWorld(t *testing.T) *restoreWorld {
	s := kubetest.Start(t, kubetest.WithoutNetwork())
	w := &restoreWorld{Server: s, t: t, client: s.Client(), gone: map[string]bool{}}
	s.PutNamespaces(volumetest.RestoreNamespace)
	s.After(kubetest.On("create", kube.VolumeSnapshotContents()), func(q kubetest.Request, _ map[string]any) { w.noteAnswer(q.Name) })
	s.After(kubetest.On("create", kube.VolumeSnapshots()), func(q kubetest.Request, _ map[string]any) { w.bind(q.Namespace, q.Name) })
	return w
}

// noteAnswer is what the snapshotter notes on a content: whether its driver finds the
// snapshot.
func (w *restoreWorld) noteAnswer(content string) {
	kubetest.Modify(w.Server, kube.VolumeSnapshotContents(), "", content, func(c *snapshotv1.VolumeSnapshotContent) {
		w.mu.Lock()
		defer w.mu.Unlock()
		yes, no := true, false
		handle := *c.Spec.Source.SnapshotHandle
		c.Status = &snapshotv1.VolumeSnapshotContentStatus{SnapshotHandle: &handle, ReadyToUse: &yes}
		if w.gone[handle] {
			why := "can not find snapshot for snapshotID " + handle
			c.Status = &snapshotv1.VolumeSnapshotContentStatus{ReadyToUse: &no, Error: &snapshotv1.VolumeSnapshotError{Message: &why}}
		}
	})
}

// bind is what the snapshot controller does about a VolumeSnapshot of a content. With that
// of claim-3 it is late.
func (w *restoreWorld) bind(namespace, name string) {
	vs, _ := kubetest.Get[snapshotv1.VolumeSnapshot](w.Server, kube.VolumeSnapshots(), namespace, name)
	kubetest.Modify(w.Server, kube.VolumeSnapshotContents(), "", *vs.Spec.Source.VolumeSnapshotContentName, func(c *snapshotv1.VolumeSnapshotContent) {
		ref := &c.Spec.VolumeSnapshotRef
		if ref.Namespace == namespace && ref.Name == name && *c.Spec.Source.SnapshotHandle != handleOf(3) {
			ref.UID = vs.UID
		}
	})
}

func handleOf(index int) string { return fmt.Sprint("handle-", index) }

func (w *restoreWorld) Plan() ([]*volume.Restore, volume.View) {
	all, facts := volumetest.Restores(volume.MethodCSI), volume.NewFacts()
	for i, v := range all {
		handle, name := handleOf(i), fmt.Sprint("vs-", i)
		facts.Claims = append(facts.Claims, corev1.PersistentVolumeClaim{ObjectMeta: metav1.ObjectMeta{
			Namespace: v.Namespace, Name: v.Claim, Annotations: map[string]string{"velero.io/volume-snapshot-name": name},
		}})
		facts.Contents[name] = snapshotv1.VolumeSnapshotContent{
			ObjectMeta: metav1.ObjectMeta{Name: name},
			Spec:       snapshotv1.VolumeSnapshotContentSpec{Driver: "d", VolumeSnapshotRef: corev1.ObjectReference{Namespace: v.Namespace, Name: name}},
			Status:     &snapshotv1.VolumeSnapshotContentStatus{SnapshotHandle: &handle},
		}
	}
	return all, volume.View{Facts: facts, Serves: func(string) bool { return true }}
}

func (w *restoreWorld) Restorer(run volume.RestoreRun) volume.Restorer {
	times := probeTimes{answer: time.Second, insist: 100 * time.Millisecond, pause: 10 * time.Millisecond}
	return &Restorer{Kube: w.client, Run: run, Window: 4, probe: times}
}

func (w *restoreWorld) Made(run volume.RestoreRun) []int {
	var out []int
	for _, c := range kubetest.All[snapshotv1.VolumeSnapshotContent](w.Server, kube.VolumeSnapshotContents()) {
		if c.Labels[resource.LabelRestore] != run.Name {
			continue
		}
		for i := range volumetest.Volumes {
			if *c.Spec.Source.SnapshotHandle == handleOf(i) {
				out = append(out, i)
			}
		}
	}
	slices.Sort(out)
	return out
}

func (w *restoreWorld) LoseReply() {
	w.Server.LoseReply(kubetest.On("create", kube.VolumeSnapshotContents()).Times(1))
}

func (w *restoreWorld) DeleteSnapshot(index int) {
	w.mu.Lock()
	w.gone[handleOf(index)] = true
	w.mu.Unlock()
	for _, c := range kubetest.All[snapshotv1.VolumeSnapshotContent](w.Server, kube.VolumeSnapshotContents()) {
		w.noteAnswer(c.Name)
	}
}

func (w *restoreWorld) Use(_ *volume.Restore, _ volume.Disk, objects []volume.Object) {
	for _, o := range objects {
		of := kube.VolumeSnapshotContents()
		if strings.HasPrefix(o.Key.Resource, "volumesnapshots.") {
			of = kube.VolumeSnapshots()
		}
		if _, err := w.client.Create(w.t.Context(), of, o.Key.Namespace, o.Body, kube.CreateOptions{FieldManager: resource.FieldManager}); err != nil && !kube.IsAlreadyExists(err) {
			w.t.Fatal(err)
		}
	}
}
