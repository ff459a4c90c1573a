package volumes

import (
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	corev1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/kube"
	"github.com/lifeboat-backup/lifeboat/internal/kube/kubetest"
	"github.com/lifeboat-backup/lifeboat/internal/report"
	"github.com/lifeboat-backup/lifeboat/internal/restore"
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

// TestEitherDriverOfEBS: a snapshot of EBS fills claims of both of EBS's drivers, and of no
// other's.
func TestEitherDriverOfEBS(t *testing.T) {
	for name, tc := range map[string]struct {
		of, class, want string
	}{
		"the same":   {volume.DriverEBS, volume.DriverEBS, volume.DriverEBS},
		"to auto":    {volume.DriverEBS, volume.DriverEBSAuto, volume.DriverEBSAuto},
		"from auto":  {volume.DriverEBSAuto, volume.DriverEBS, volume.DriverEBS},
		"to another": {volume.DriverEBS, "efs.csi.aws.com", ""},
		"of another": {"csi.example.org", volume.DriverEBS, ""},
	} {
		p := planner{}
		v := volume.Restore{Namespace: "shop", Claim: "data", Class: "c", Disposition: volume.ProvisionBy(volume.MethodCSI), Snapshot: &volume.SnapshotPlan{Handle: "snap-1", Driver: tc.of, Class: "s"}}
		p.checkClass(&v, map[string]storagev1.StorageClass{"c": classMade("c", tc.class, false, 1)})
		switch {
		case (tc.want == "") != (len(p.Refusals) == 1):
			t.Errorf("%s: refused %+v", name, p.Refusals)
		case tc.want != "" && (v.Snapshot.Driver != tc.want || (v.Snapshot.Class == "") != (tc.of != tc.want)):
			t.Errorf("%s: %+v", name, v.Snapshot)
		}
	}
}

// TestDriverOfDisks: a disk goes to a driver that the cluster has. Without one no pod could
// mount it, and the restore is refused before it begins.
func TestDriverOfDisks(t *testing.T) {
	for name, tc := range map[string]struct {
		had, class string
		installed  []string
		denied     bool
		want       string
	}{
		"its own":              {volume.DriverEBS, volume.DriverEBS, []string{volume.DriverEBS}, false, volume.DriverEBS},
		"the other only":       {volume.DriverEBS, volume.DriverEBS, []string{volume.DriverEBSAuto}, false, volume.DriverEBSAuto},
		"the class's":          {volume.DriverEBS, volume.DriverEBSAuto, []string{volume.DriverEBS, volume.DriverEBSAuto}, false, volume.DriverEBSAuto},
		"of no known class":    {volume.DriverEBSAuto, "", []string{volume.DriverEBS, volume.DriverEBSAuto}, false, volume.DriverEBSAuto},
		"none":                 {volume.DriverEBS, volume.DriverEBS, []string{"efs.csi.aws.com"}, false, ""},
		"nobody may ask":       {volume.DriverEBS, volume.DriverEBS, nil, true, volume.DriverEBS},
		"one before there was": {"", volume.DriverEBS, nil, false, "-"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				cluster := kubetest.Start(t, kubetest.WithoutNetwork())
				for _, driver := range tc.installed {
					cluster.Put(&storagev1.CSIDriver{ObjectMeta: metav1.ObjectMeta{Name: driver}})
				}
				if tc.denied {
					cluster.Refuse(kubetest.On("list", kube.CSIDrivers()), http.StatusForbidden, metav1.StatusReasonForbidden, "not you")
				}
				pv := pvOf("Delete")
				if tc.had != "" {
					pv.Spec.CSI = &corev1.CSIPersistentVolumeSource{Driver: tc.had, VolumeHandle: "vol-1"}
				}
				facts := volume.NewFacts()
				facts.Volumes["pv"] = *pv
				p := planner{r: withTechnologies(), facts: facts, plan: &restore.Volumes{}}
				p.r.Kube = cluster.Client()
				v := volume.Restore{PV: "pv", Namespace: "shop", Claim: "data", Class: "c", Selected: true, Disposition: volume.ProvisionBy(volume.MethodNative), Disk: &volume.DiskPlan{}}
				p.plan.Volumes = append(p.plan.Volumes, v)
				err := p.chooseDrivers(t.Context(), map[string]storagev1.StorageClass{"c": classMade("c", tc.class, false, 1)})
				if err != nil || (tc.want == "") != (len(p.Refusals) == 1) {
					t.Fatalf("refused %+v, %v", p.Refusals, err)
				}
				if got := p.plan.Volumes[0].Disk.Driver; got != strings.Trim(tc.want, "-") {
					t.Errorf("given to %q", got)
				}
			})
		})
	}
}

// TestVolumeAttributesClass: a claim that waits for one that nobody has made says so.
func TestVolumeAttributesClass(t *testing.T) {
	fast, gone := "fast", "gone"
	known := map[string]storagev1.VolumeAttributesClass{fast: {}}
	for name, tc := range map[string]struct {
		asked *string
		known map[string]storagev1.VolumeAttributesClass
		told  bool
	}{
		"none":                  {nil, known, false},
		"there":                 {&fast, known, false},
		"missing":               {&gone, known, true},
		"the type is not known": {&gone, nil, false},
	} {
		p := planner{}
		claim := &corev1.PersistentVolumeClaim{Spec: corev1.PersistentVolumeClaimSpec{VolumeAttributesClassName: tc.asked}}
		v := volume.Restore{PV: "pv", Namespace: "shop", Claim: "data", Selected: true, Disposition: volume.Dynamic}
		p.checkAttributesClass(&v, claim, tc.known)
		if told := len(p.Reasons) == 1 && p.Reasons[0].Code == report.ClassMissing; told != tc.told {
			t.Errorf("%s: %v", name, p.Reasons)
		}
	}
}
