package orphan_test

import (
	"encoding/json"
	"strings"
	"testing"

	snapshotv1 "github.com/kubernetes-csi/external-snapshotter/client/v8/apis/volumesnapshot/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/lifeboat-backup/lifeboat/internal/aws/ebs"
	"github.com/lifeboat-backup/lifeboat/internal/garbage/orphan"
	"github.com/lifeboat-backup/lifeboat/internal/kube"
	"github.com/lifeboat-backup/lifeboat/internal/kube/kubetest"
	"github.com/lifeboat-backup/lifeboat/internal/resource"
)

// contentMadeBy is a content of restore "r" whose VolumeSnapshot is "shop/" and its own name.
func contentMadeBy(manager, name string, policy snapshotv1.DeletionPolicy) *snapshotv1.VolumeSnapshotContent {
	handle := "snap-of-" + name
	return &snapshotv1.VolumeSnapshotContent{
		ObjectMeta: metav1.ObjectMeta{
			Name: name, Labels: map[string]string{resource.LabelRestore: "r"},
			ManagedFields: []metav1.ManagedFieldsEntry{{Manager: manager, Operation: metav1.ManagedFieldsOperationUpdate}},
		},
		Spec: snapshotv1.VolumeSnapshotContentSpec{
			DeletionPolicy: policy, Driver: "d", Source: snapshotv1.VolumeSnapshotContentSource{SnapshotHandle: &handle},
			VolumeSnapshotRef: corev1.ObjectReference{Namespace: "shop", Name: name},
		},
	}
}

// TestClusterContents: which contents a restore of ours has left, and that no other is deleted.
func TestClusterContents(t *testing.T) {
	s := kubetest.Start(t)
	s.PutNamespaces("shop")
	const retain = snapshotv1.VolumeSnapshotContentRetain
	s.Put(contentMadeBy(resource.FieldManager, "left", retain))
	s.Put(contentMadeBy(resource.FieldManager, "used", retain))
	s.Put(contentMadeBy(resource.FieldManager, "owner", snapshotv1.VolumeSnapshotContentDelete))
	s.Put(contentMadeBy("velero-server", "velero", retain))
	s.Put(&snapshotv1.VolumeSnapshot{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "used"}})
	c := orphan.Cluster{Kube: s.Client()}
	all, err := c.Contents(t.Context())
	if err != nil || len(all) != 4 {
		t.Fatalf("%+v, %v", all, err)
	}
	for _, content := range all {
		if content.Loose != (content.Name == "left") || content.Handle != "snap-of-"+content.Name || content.Name != "velero" && content.Restore != "r" {
			t.Errorf("%+v", content)
		}
		err := c.DeleteContent(t.Context(), content.Name, content.UID)
		if content.Loose != (err == nil) {
			t.Errorf("%s: %v", content.Name, err)
		}
	}
	for name, want := range map[string]bool{"left": false, "used": true, "owner": true, "velero": true} {
		if _, there := kubetest.Get[snapshotv1.VolumeSnapshotContent](s, kube.VolumeSnapshotContents(), "", name); there != want {
			t.Errorf("%s is there: %t", name, there)
		}
	}
	if err := c.DeleteContent(t.Context(), "left", "u"); err != nil {
		t.Errorf("one that is gone: %v", err)
	}
}

// TestClusterVolumeSnapshots: those of backups are found, with whose they are, and one goes with
// the snapshot that it stands for; another of its name stays.
func TestClusterVolumeSnapshots(t *testing.T) {
	s := kubetest.Start(t)
	s.PutNamespaces("shop")
	bound := "content"
	left := &snapshotv1.VolumeSnapshot{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: "shop", Name: "left", UID: "u", Labels: map[string]string{ebs.TagBackupUID: "uid"},
			Annotations: map[string]string{ebs.TagBackup: "b", ebs.TagCluster: "prod", ebs.TagPlace: "p"},
		},
		Status: &snapshotv1.VolumeSnapshotStatus{BoundVolumeSnapshotContentName: &bound},
	}
	s.Put(left)
	s.Put(&snapshotv1.VolumeSnapshot{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "of-a-user"}})
	s.Put(contentMadeBy("snapshot-controller", bound, snapshotv1.VolumeSnapshotContentRetain))
	c := orphan.Cluster{Kube: s.Client()}
	all, err := c.VolumeSnapshots(t.Context())
	if err != nil || len(all) != 1 || all[0].Name != "left" || all[0].Backup != "b" || all[0].BackupUID != "uid" || all[0].Cluster != "prod" || all[0].Place != "p" || all[0].UID == "" {
		t.Fatalf("%+v, %v", all, err)
	}
	if err := c.DeleteVolumeSnapshot(t.Context(), "shop", "left", "of-another"); err != nil {
		t.Errorf("another one of the name: %v", err)
	}
	if _, there := kubetest.Get[snapshotv1.VolumeSnapshot](s, kube.VolumeSnapshots(), "shop", "left"); !there {
		t.Error("another one of the name was deleted")
	}
	for range 2 { // it may repeat
		if err := c.DeleteVolumeSnapshot(t.Context(), "shop", "left", all[0].UID); err != nil {
			t.Error(err)
		}
	}
	content, _ := kubetest.Get[snapshotv1.VolumeSnapshotContent](s, kube.VolumeSnapshotContents(), "", bound)
	if _, there := kubetest.Get[snapshotv1.VolumeSnapshot](s, kube.VolumeSnapshots(), "shop", "left"); there || content.Spec.DeletionPolicy != snapshotv1.VolumeSnapshotContentDelete {
		t.Errorf("there %t, the content's policy %s", there, content.Spec.DeletionPolicy)
	}
}

// TestClusterVolumes: the disks that PersistentVolumes point at.
func TestClusterVolumes(t *testing.T) {
	s := kubetest.Start(t, kubetest.WithIdentity("u"))
	for name, text := range map[string]string{"a": `{"csi":{"driver":"ebs.csi.aws.com","volumeHandle":"vol-1"}}`, "b": `{"awsElasticBlockStore":{"volumeID":"aws://eu-central-1a/vol-2"}}`} {
		pv := &corev1.PersistentVolume{ObjectMeta: metav1.ObjectMeta{Name: name}}
		if err := json.NewDecoder(strings.NewReader(text)).Decode(&pv.Spec.PersistentVolumeSource); err != nil {
			t.Fatal(err)
		}
		s.Put(pv)
	}
	c := orphan.Cluster{Kube: s.Client()}
	got, err := c.Volumes(t.Context())
	if err != nil || len(got) != 2 || !got["vol-1"] || !got["vol-2"] {
		t.Errorf("%v, %v", got, err)
	}
	if uid, err := c.ClusterUID(t.Context()); uid != "u" || err != nil {
		t.Errorf("%s, %v", uid, err)
	}
}
