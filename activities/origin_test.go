package activities_test

import (
	"strings"
	"testing"

	velerov1 "github.com/vmware-tanzu/velero/pkg/apis/velero/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/kube"
)

// TestShareOfAClusterOfTheSameName: a share that outlives its claim is not bound in a second cluster that
// has a copy of the first one's configuration, and so its name: the first may use it. The first
// itself binds it.
func TestShareOfAClusterOfTheSameName(t *testing.T) {
	all := buckets{}
	first := newCluster(t, "before")
	first.Put(&corev1.PersistentVolume{
		ObjectMeta: metav1.ObjectMeta{Name: "share"},
		Spec: corev1.PersistentVolumeSpec{
			PersistentVolumeReclaimPolicy: corev1.PersistentVolumeReclaimRetain,
			PersistentVolumeSource:        corev1.PersistentVolumeSource{NFS: &corev1.NFSVolumeSource{Server: "files.example.com", Path: "/shop"}},
			ClaimRef:                      &corev1.ObjectReference{Namespace: "shop", Name: "data"},
		},
		Status: corev1.PersistentVolumeStatus{Phase: corev1.VolumeBound},
	})
	first.Put(&corev1.PersistentVolumeClaim{
		ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "data"}, Spec: corev1.PersistentVolumeClaimSpec{VolumeName: "share"},
		Status: corev1.PersistentVolumeClaimStatus{Phase: corev1.ClaimBound},
	})
	owner := newSite(t, first, all, "p", "")
	if err := newQueue(1, owner).backup(t, "nightly"); err != nil {
		t.Fatal(err)
	}
	first.Remove(kube.Claims(), "shop", "data")
	first.Remove(kube.Volumes(), "", "share")
	copied := newSite(t, newCluster(t, "copied"), all, "p", "")
	copied.cfg.BackupStorageLocations[0].Spec.AccessMode = velerov1.BackupStorageLocationAccessModeReadOnly
	for want, s := range map[string]*site{
		"VOLUME_SHARED": owner,
		"VOLUME_EMPTY":  copied,
	} {
		var res contract.RestoreResult
		q := newQueue(1, s)
		q.result = &res
		err := q.run(t, "uid-"+want, contract.RestoreWorkflow, contract.RestoreInput{Name: strings.ToLower(strings.ReplaceAll(want, "_", "-")), DryRun: true, Spec: velerov1.RestoreSpec{BackupName: "nightly", IncludedNamespaces: []string{"shop"}}})
		if told := strings.Join(res.Reasons, "\n"); err != nil || !strings.Contains(told, want) {
			t.Errorf("%v: %q, want %s", err, told, want)
		}
	}
}
