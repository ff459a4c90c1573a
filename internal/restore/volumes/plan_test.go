package volumes

import (
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/failure"
	"github.com/lifeboat-backup/lifeboat/internal/kube"
	"github.com/lifeboat-backup/lifeboat/internal/kube/kubetest"
	"github.com/lifeboat-backup/lifeboat/internal/restore"
	"github.com/lifeboat-backup/lifeboat/internal/volume"
	"github.com/lifeboat-backup/lifeboat/internal/volume/drivers"
)

// withTechnologies is a service that knows every technology and has nothing to reach one by.
func withTechnologies() *restore.Service {
	return &restore.Service{Technologies: drivers.All(drivers.Dependencies{})}
}

func pvOf(policy string) *corev1.PersistentVolume {
	return &corev1.PersistentVolume{
		ObjectMeta: metav1.ObjectMeta{Name: "pv"},
		Spec:       corev1.PersistentVolumeSpec{PersistentVolumeReclaimPolicy: corev1.PersistentVolumeReclaimPolicy(policy)},
	}
}

func TestLeave(t *testing.T) {
	ref := func(ns, name, uid string) *corev1.ObjectReference {
		return &corev1.ObjectReference{Namespace: ns, Name: name, UID: types.UID(uid)}
	}
	pv := func(phase corev1.PersistentVolumePhase, r *corev1.ObjectReference) map[string]corev1.PersistentVolume {
		v := *pvOf("Retain")
		v.Spec.ClaimRef, v.Status.Phase = r, phase
		return map[string]corev1.PersistentVolume{"pv": v}
	}
	clone := cloneName("uid", "pv")
	for name, tc := range map[string]struct {
		live        liveVolumes
		disposition volume.Disposition
		bind        string
	}{
		"nothing is there":                   {liveVolumes{}, volume.ProvisionBy(volume.MethodNative), "pv"},
		"the claim is there":                 {liveVolumes{claims: map[string]corev1.PersistentVolumeClaim{"copy/data": {}}}, volume.Leave, ""},
		"the claim is on its way out":        {liveVolumes{claims: map[string]corev1.PersistentVolumeClaim{"copy/data": {ObjectMeta: metav1.ObjectMeta{DeletionTimestamp: &metav1.Time{}}}}}, volume.ProvisionBy(volume.MethodNative), "pv"},
		"the volume serves another claim":    {liveVolumes{volumes: pv(corev1.VolumeBound, ref("shop", "data", "u"))}, volume.ProvisionBy(volume.MethodNative), clone},
		"the volume waits for this claim":    {liveVolumes{volumes: pv(corev1.VolumeAvailable, ref("copy", "data", ""))}, volume.Leave, "pv"},
		"the volume is nobody's":             {liveVolumes{volumes: pv(corev1.VolumeAvailable, nil)}, volume.Leave, "pv"},
		"the volume was released":            {liveVolumes{volumes: pv(corev1.VolumeReleased, ref("copy", "data", "u"))}, volume.ProvisionBy(volume.MethodNative), clone},
		"the volume had this claim, is gone": {liveVolumes{volumes: pv(corev1.VolumeBound, ref("copy", "data", "u"))}, volume.ProvisionBy(volume.MethodNative), clone},
	} {
		t.Run(name, func(t *testing.T) {
			p := planner{r: withTechnologies(), s: &restore.Run{}, live: &tc.live}
			p.s.UID = "uid"
			v := volume.Restore{PV: "pv", Namespace: "shop", Claim: "data", Target: "copy", Disposition: volume.ProvisionBy(volume.MethodNative), Bind: "pv", Selected: true}
			p.leaveExisting(&v)
			if v.Disposition != tc.disposition || v.Bind != tc.bind {
				t.Errorf("got %s %q, want %s %q", v.Disposition, v.Bind, tc.disposition, tc.bind)
			}
			if v.Disposition == volume.ProvisionBy(volume.MethodNative) && v.Disk.Name != v.Bind {
				t.Errorf("the volume is %s, the claim asks for %s", v.Disk.Name, v.Bind)
			}
		})
	}
}

func TestGoes(t *testing.T) {
	l := liveVolumes{read: map[string]bool{"shop": true}, claims: map[string]corev1.PersistentVolumeClaim{"shop/there": {}}}
	bound := func(policy, claim string) *corev1.PersistentVolume {
		v := pvOf(policy)
		v.Status.Phase, v.Spec.ClaimRef = corev1.VolumeBound, &corev1.ObjectReference{Namespace: "shop", Name: claim, UID: "u"}
		return v
	}
	released := bound("Delete", "gone")
	released.Status.Phase = corev1.VolumeReleased
	deleted := bound("Retain", "there")
	deleted.DeletionTimestamp = &metav1.Time{}
	other := bound("Delete", "gone")
	other.Spec.ClaimRef.Namespace = "elsewhere"
	for want, volumes := range map[bool][]*corev1.PersistentVolume{
		true:  {released, deleted, bound("Delete", "gone")},
		false: {bound("Retain", "gone"), bound("Delete", "there"), other, pvOf("Delete")},
	} {
		for i, v := range volumes {
			if l.isTerminating(v) != want {
				t.Errorf("%v %d", want, i)
			}
		}
	}
}

func TestPatchOfProvisionedVolume(t *testing.T) {
	v := volume.Restore{Reclaim: "Retain", Labels: map[string]string{"team": "a", "topology.kubernetes.io/zone": "old", "failure-domain.beta.kubernetes.io/zone": "old", "velero.io/backup-name": "x"}}
	pv := pvOf("Delete")
	patch := diffFromOld(&v, pv)
	meta, _ := patch["metadata"].(map[string]any)
	labels, _ := meta["labels"].(map[string]any)
	spec, _ := patch["spec"].(map[string]any)
	if len(labels) != 1 || labels["team"] != "a" || spec["persistentVolumeReclaimPolicy"] != "Retain" {
		t.Errorf("got %v", patch)
	}
	pv.Labels, pv.Spec.PersistentVolumeReclaimPolicy = map[string]string{"team": "a"}, "Retain"
	if patch := diffFromOld(&v, pv); patch != nil {
		t.Errorf("nothing is to be done: %v", patch)
	}
}

func TestNamesAreStable(t *testing.T) {
	if a, b := cloneName("u", "pv"), cloneName("u", "pv"); a != b || len(a) != len("velero-clone-")+36 {
		t.Errorf("%q, %q", a, b)
	}
	if cloneName("u", "pv") == cloneName("v", "pv") {
		t.Error("two restores make volumes of one name")
	}
}

func TestRefusals(t *testing.T) {
	var r volume.Findings
	if refusalError("backup b", r.Refusals) != nil {
		t.Error("an error without a cause")
	}
	r.Refuse(contract.ErrTypeNotFound, "snapshot %s is gone", "snap-1")
	for range 14 {
		r.Refuse(contract.ErrTypeInvalid, "another")
	}
	err := refusalError("backup b", r.Refusals)
	if failure.TypeOf(err) != contract.ErrTypeNotFound || !strings.Contains(err.Error(), "backup b: snapshot snap-1 is gone; another") || !strings.Contains(err.Error(), "and 5 more") {
		t.Errorf("%s: %v", failure.TypeOf(err), err)
	}
}

// TestDiskOfAnotherCluster: a volume that was not snapshotted, and whose disk outlives its
// claim, is not bound in a second cluster unless somebody asks for it: the first may use it.
func TestDiskOfAnotherCluster(t *testing.T) {
	yes, no := true, false
	for name, tc := range map[string]struct {
		origin string
		asked  *bool
		want   volume.Disposition
		told   bool
	}{
		"the same cluster":           {"", nil, volume.Keep, false},
		"another one":                {"prod", nil, volume.Dynamic, true},
		"another one, asked for":     {"prod", &yes, volume.Keep, false},
		"another one, without disks": {"prod", &no, volume.Dynamic, true},
	} {
		p := planner{r: withTechnologies(), s: &restore.Run{}, origin: tc.origin}
		p.s.Restore.Spec.RestorePVs = tc.asked
		v := volume.Restore{PV: "pv", Namespace: "shop", Target: "shop", Claim: "data", Selected: true, Disposition: volume.Keep}
		p.leaveForeignDisk(&v)
		told := len(p.Reasons) == 1 && strings.Contains(p.Reasons[0].Message, "cluster prod")
		if v.Disposition != tc.want || told != tc.told {
			t.Errorf("%s: %+v, %v", name, v, p.Reasons)
		}
	}
}

// TestVolumesOnTheirWayOutAreWaitedFor: the restored volumes get their names, and whoever looks
// is told what is waited for.
func TestVolumesOnTheirWayOutAreWaitedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cluster := kubetest.Start(t, kubetest.WithoutNetwork())
		cluster.Put(&corev1.PersistentVolume{ObjectMeta: metav1.ObjectMeta{Name: "pv"}, Spec: corev1.PersistentVolumeSpec{
			PersistentVolumeReclaimPolicy: corev1.PersistentVolumeReclaimDelete, ClaimRef: &corev1.ObjectReference{Namespace: "shop", Name: "data"},
		}, Status: corev1.PersistentVolumeStatus{Phase: corev1.VolumeReleased}})
		var told []string
		p := planner{r: withTechnologies(), s: &restore.Run{WaitsFor: func(what string) {
			told = append(told, what)
			cluster.Remove(kube.Volumes(), "", "pv")
		}}, plan: &restore.Volumes{Volumes: []volume.Restore{{PV: "pv", Selected: true, Bind: "pv"}}}}
		p.r.Kube = cluster.Client()
		if err := p.readLive(t.Context()); err != nil || !p.hasTerminating() {
			t.Fatalf("is not on its way out, %v", err)
		}
		if err := p.awaitTerminating(t.Context()); err != nil || p.hasTerminating() {
			t.Errorf("still there, %v", err)
		}
		if !slices.Equal(told, []string{"volumes that are being deleted", ""}) {
			t.Errorf("told %q", told)
		}
	})
}
