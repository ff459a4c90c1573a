package volumes

import (
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/volume"
)

func classMade(name, driver string, isDefault bool, day int) storagev1.StorageClass {
	c := storagev1.StorageClass{Provisioner: driver}
	c.Name, c.CreationTimestamp = name, metav1.NewTime(time.Date(2026, 1, day, 0, 0, 0, 0, time.UTC))
	if isDefault {
		c.Annotations = map[string]string{annotationDefaultClass: "true"}
	}
	return c
}

// TestClaimWithoutClass: what fills a claim that names no class from its snapshot is
// the cluster's default class, if it is of the snapshot's driver.
func TestClaimWithoutClass(t *testing.T) {
	none, empty := (*string)(nil), new(string)
	for name, tc := range map[string]struct {
		class   *string
		classes []storagev1.StorageClass
		text    string
	}{
		"default class":                {none, []storagev1.StorageClass{classMade("a", volume.DriverEBS, true, 1)}, ""},
		"the newest of two":            {none, []storagev1.StorageClass{classMade("a", "csi.example.org", true, 1), classMade("b", volume.DriverEBS, true, 2)}, ""},
		"no class at all":              {none, nil, "cluster has no default one"},
		"none is default":              {none, []storagev1.StorageClass{classMade("a", volume.DriverEBS, false, 1)}, "mark one by the annotation " + annotationDefaultClass},
		"default of another driver":    {none, []storagev1.StorageClass{classMade("a", "csi.example.org", true, 1)}, "the default one, a, is of csi.example.org"},
		"the newest of another":        {none, []storagev1.StorageClass{classMade("a", volume.DriverEBS, true, 1), classMade("b", "csi.example.org", true, 2)}, "the default one, b"},
		"no class is what it asks for": {empty, []storagev1.StorageClass{classMade("a", volume.DriverEBS, true, 1)}, `spec.storageClassName is ""`},
	} {
		t.Run(name, func(t *testing.T) {
			claim := &corev1.PersistentVolumeClaim{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "data"}}
			claim.Spec.StorageClassName = tc.class
			known := map[string]storagev1.StorageClass{}
			for _, c := range tc.classes {
				known[c.Name] = c
			}
			p := planner{facts: &volume.Facts{Claims: []corev1.PersistentVolumeClaim{*claim}}}
			v := volume.Restore{Namespace: "shop", Claim: "data", Disposition: volume.ProvisionBy(volume.MethodCSI), Snapshot: &volume.SnapshotPlan{Handle: "snap-1", Driver: volume.DriverEBS}}
			p.checkNoClass(&v, known)
			if tc.text == "" {
				if len(p.Refusals) > 0 {
					t.Errorf("refused %+v", p.Refusals)
				}
				return
			}
			if len(p.Refusals) != 1 || p.Refusals[0].Kind != contract.ErrTypeInvalid || !strings.Contains(p.Refusals[0].Text, tc.text) || !strings.Contains(p.Refusals[0].Text, "claim shop/data") {
				t.Errorf("refused %+v", p.Refusals)
			}
		})
	}
}

func TestReclaimPolicyOfClass(t *testing.T) {
	retain, recycle := corev1.PersistentVolumeReclaimRetain, corev1.PersistentVolumeReclaimRecycle
	a, b := classMade("a", volume.DriverEBS, false, 1), classMade("b", volume.DriverEBS, true, 1)
	a.ReclaimPolicy, b.ReclaimPolicy = &retain, &recycle
	known := map[string]storagev1.StorageClass{"a": a, "b": b}
	for name, want := range map[string]string{"a": "Retain", "b": "Recycle", "": "Recycle", "gone": "Delete"} {
		if got := reclaimOf(known, name); got != want {
			t.Errorf("%q: %s, want %s", name, got, want)
		}
	}
}
