package csi

import (
	"strings"
	"testing"

	snapshotv1 "github.com/kubernetes-csi/external-snapshotter/client/v8/apis/volumesnapshot/v1"
	corev1 "k8s.io/api/core/v1"
	quantity "k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/lifeboat-backup/lifeboat/internal/volume"
)

func claimOf(annotations map[string]string) *corev1.PersistentVolumeClaim {
	return &corev1.PersistentVolumeClaim{
		ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "data", Annotations: annotations},
		Spec:       corev1.PersistentVolumeClaimSpec{VolumeName: "pv"},
	}
}

// TestSnapshotFacts has the places where versions of Velero note a snapshot.
func TestSnapshotFacts(t *testing.T) {
	handle, bound, size := "snap-1", "content", int64(8<<30)
	content := snapshotv1.VolumeSnapshotContent{
		ObjectMeta: metav1.ObjectMeta{Name: bound, Annotations: map[string]string{"snapshot.storage.kubernetes.io/deletion-secret-name": "s", "x": "y"}},
		Spec:       snapshotv1.VolumeSnapshotContentSpec{Driver: "ebs.csi.aws.com", VolumeSnapshotRef: corev1.ObjectReference{Namespace: "shop", Name: "s"}},
		Status:     &snapshotv1.VolumeSnapshotContentStatus{SnapshotHandle: &handle, RestoreSize: &size},
	}
	snap := snapshotv1.VolumeSnapshot{
		ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "s"},
		Status:     &snapshotv1.VolumeSnapshotStatus{BoundVolumeSnapshotContentName: &bound},
	}
	noted := snapshotv1.VolumeSnapshot{ObjectMeta: metav1.ObjectMeta{Annotations: map[string]string{AnnotationHandle: handle, AnnotationDriver: "ebs.csi.aws.com", AnnotationSize: "8Gi"}}}
	least := quantity.MustParse("8Gi")
	sized := noted
	sized.Annotations = map[string]string{AnnotationHandle: handle, AnnotationDriver: "ebs.csi.aws.com"}
	sized.Status = &snapshotv1.VolumeSnapshotStatus{RestoreSize: &least}
	csiInfo := func(h string) map[string]volume.Info {
		return map[string]volume.Info{"pv": {CSI: &volume.CSIInfo{SnapshotHandle: h, Driver: "ebs.csi.aws.com", Size: size, VSCName: bound}}}
	}
	for name, tc := range map[string]struct {
		facts volume.Facts
		bad   string
	}{
		"1.16: bound content":          {volume.Facts{Snapshots: map[string]snapshotv1.VolumeSnapshot{"shop/s": snap}, Contents: map[string]snapshotv1.VolumeSnapshotContent{bound: content}}, ""},
		"content by its own reference": {volume.Facts{Contents: map[string]snapshotv1.VolumeSnapshotContent{bound: content}}, ""},
		"1.14: notes on the snapshot":  {volume.Facts{Snapshots: map[string]snapshotv1.VolumeSnapshot{"shop/s": noted}}, ""},
		"notes, size in the status":    {volume.Facts{Snapshots: map[string]snapshotv1.VolumeSnapshot{"shop/s": sized}}, ""},
		"volumeinfo alone":             {volume.Facts{Infos: csiInfo(handle)}, ""},
		"all agree":                    {volume.Facts{Contents: map[string]snapshotv1.VolumeSnapshotContent{bound: content}, Infos: csiInfo(handle)}, ""},
		"volumeinfo does not know":     {volume.Facts{Contents: map[string]snapshotv1.VolumeSnapshotContent{bound: content}, Infos: csiInfo(volume.Unknown)}, ""},
		"mixed up":                     {volume.Facts{Contents: map[string]snapshotv1.VolumeSnapshotContent{bound: content}, Infos: csiInfo("snap-2")}, "mixed up"},
		"nothing is known":             {volume.Facts{}, "does not say which snapshot"},
		"driver unknown":               {volume.Facts{Snapshots: map[string]snapshotv1.VolumeSnapshot{"shop/s": {ObjectMeta: metav1.ObjectMeta{Annotations: map[string]string{AnnotationHandle: handle}}}}}, "driver"},
	} {
		t.Run(name, func(t *testing.T) {
			s, _, text := findSnapshot(&tc.facts, "pv", claimOf(map[string]string{"velero.io/volume-snapshot-name": "s"}))
			if tc.bad != "" {
				if !strings.Contains(text, tc.bad) {
					t.Errorf("got %q, want %q", text, tc.bad)
				}
				return
			}
			if text != "" || s.Handle != handle || s.Driver != "ebs.csi.aws.com" || s.Size != size || s.VolumeSnapshot != "s" {
				t.Errorf("got %+v %q", s, text)
			}
			if len(s.Annotations) > 1 || s.Annotations["x"] != "" {
				t.Errorf("annotations %v", s.Annotations)
			}
		})
	}
}

func TestRestoredNameIsVeleros(t *testing.T) {
	// Velero's name for snapshot s of restore u.
	if got := restoredName("u", "s"); got != "44ef2fa5c90e4725c8eee59e5c19d6b9547c153c1e6ff9f7829122c8932a6e4f" {
		t.Errorf("got %q", got)
	}
}
