package csi

import (
	"strings"
	"testing"
	"time"

	snapshotv1 "github.com/kubernetes-csi/external-snapshotter/client/v8/apis/volumesnapshot/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/lifeboat-backup/lifeboat/internal/kube"
	"github.com/lifeboat-backup/lifeboat/internal/kube/kubetest"
	"github.com/lifeboat-backup/lifeboat/internal/resource"
	"github.com/lifeboat-backup/lifeboat/internal/volume"
)

// TestRetainOfDeleted: a snapshot is no part of the backup whose objects somebody deletes
// while they are retained: it may be gone with them.
func TestRetainOfDeleted(t *testing.T) {
	t.Parallel()
	now := metav1.NewTime(time.Now())
	for name, delete := range map[string]func(w *world, content string){
		"nobody": func(*world, string) {},
		"the VolumeSnapshot": func(w *world, _ string) {
			w.change("shop", "vs-claim-0", func(vs *snapshotv1.VolumeSnapshot) { vs.DeletionTimestamp = &now })
		},
		"the content": func(w *world, content string) {
			kubetest.Modify(w.Server, kube.VolumeSnapshotContents(), "", content, func(c *snapshotv1.VolumeSnapshotContent) { c.DeletionTimestamp = &now })
		},
		"the content, just after": func(w *world, content string) {
			w.After(kubetest.On("patch", kube.VolumeSnapshotContents()), func(kubetest.Request, map[string]any) {
				w.Remove(kube.VolumeSnapshotContents(), "", content)
			})
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			b := w.Backup()
			c := w.Driver(b)
			r, err := c.Reserve(t.Context(), [][]int{{0}}, volume.ReserveOptions{Deadline: time.Now().Add(time.Minute), TooLate: volume.ErrNoCapacity, Attempt: 1})
			if err != nil {
				t.Fatal(err)
			}
			defer r.Release()
			taken, err := r.Take(t.Context(), nil)
			if err != nil {
				t.Fatal(err)
			}
			delete(w, taken[0].Content)
			got, err := c.Retain(t.Context(), taken)
			if err != nil {
				t.Fatal(err)
			}
			if name == "nobody" {
				if len(got.Failed) > 0 || len(got.Infos) != 1 {
					t.Errorf("%+v", got)
				}
				return
			}
			if len(got.Infos) > 0 || !strings.Contains(got.Failed[0], "was deleted before the backup was complete") {
				t.Errorf("infos %v, failed %v", got.Infos, got.Failed)
			}
		})
	}
}

// TestLabelsOfSnapshots: tools that own what carries their label do not take a VolumeSnapshot
// for theirs.
func TestLabelsOfSnapshots(t *testing.T) {
	w := newWorld(t)
	c := &Snapshots{Kube: w.client, Backup: w.Backup()}
	if _, err := c.create(t.Context(), &c.Backup.Volumes[0]); err != nil {
		t.Fatal(err)
	}
	vs := kubetest.All[snapshotv1.VolumeSnapshot](w.Server, kube.VolumeSnapshots())[0]
	if len(vs.Labels) != 2 || vs.Labels[resource.LabelBackup] == "" || vs.Labels[LabelUID] == "" || vs.Annotations["argocd.argoproj.io/sync-options"] != "Prune=false" {
		t.Errorf("labels %v, annotations %v", vs.Labels, vs.Annotations)
	}
}

// TestContentsGoWithTheirNamespace: a content of a restore is in no namespace. The Namespace
// owns it, so that nothing of the restore stays when that is deleted.
func TestContentsGoWithTheirNamespace(t *testing.T) {
	s := kubetest.Start(t)
	s.PutNamespaces("copy")
	r := &Restorer{Kube: s.Client(), Run: volume.RestoreRun{Name: "r", Backup: "b"}}
	all := []*volume.Restore{
		{Target: "copy", Snapshot: &volume.SnapshotPlan{Name: "bound", Handle: "h1", Driver: "d"}},
		{Target: "copy", Snapshot: &volume.SnapshotPlan{Name: "unused", Handle: "h2", Driver: "d"}},
	}
	for i, v := range all {
		c := r.restoredContent(v)
		if i == 0 {
			c.Spec.VolumeSnapshotRef.UID = "u"
		}
		s.Put(c)
	}
	for range 2 {
		if err := r.Sweep(t.Context(), all, nil); err != nil {
			t.Fatal(err)
		}
	}
	ns, _ := kubetest.Get[corev1.Namespace](s, kube.Namespaces(), "", "copy")
	left := kubetest.All[snapshotv1.VolumeSnapshotContent](s, kube.VolumeSnapshotContents())
	if len(left) != 1 || len(left[0].OwnerReferences) != 1 || left[0].OwnerReferences[0].UID != ns.UID || left[0].OwnerReferences[0].Kind != "Namespace" {
		t.Errorf("%+v", left)
	}
}
