package volumes

import (
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/lifeboat-backup/lifeboat/internal/config"
	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/kube"
	"github.com/lifeboat-backup/lifeboat/internal/kube/kubetest"
	"github.com/lifeboat-backup/lifeboat/internal/report"
	"github.com/lifeboat-backup/lifeboat/internal/resource"
	"github.com/lifeboat-backup/lifeboat/internal/restore"
	"github.com/lifeboat-backup/lifeboat/internal/volume"
)

func TestPodsThatWaitForANode(t *testing.T) {
	pod := func(change func(*corev1.Pod)) *corev1.Pod {
		p := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: "p"}, Status: corev1.PodStatus{Phase: corev1.PodPending}}
		claim, own := corev1.Volume{Name: "v"}, corev1.Volume{Name: "own"}
		claim.PersistentVolumeClaim = &corev1.PersistentVolumeClaimVolumeSource{ClaimName: "data"}
		own.Ephemeral = &corev1.EphemeralVolumeSource{}
		p.Spec.Volumes = []corev1.Volume{{Name: "empty"}, claim, own}
		change(p)
		return p
	}
	for name, tc := range map[string]struct {
		change func(*corev1.Pod)
		want   []string
	}{
		"waiting":   {func(*corev1.Pod) {}, []string{"data", "p-own"}},
		"scheduled": {func(p *corev1.Pod) { p.Spec.NodeName = "n" }, nil},
		"deleted":   {func(p *corev1.Pod) { p.DeletionTimestamp = &metav1.Time{} }, nil},
		"succeeded": {func(p *corev1.Pod) { p.Status.Phase = corev1.PodSucceeded }, nil},
		"failed":    {func(p *corev1.Pod) { p.Status.Phase = corev1.PodFailed }, nil},
	} {
		if got := awaitedBy(pod(tc.change)); !slices.Equal(got, tc.want) {
			t.Errorf("%s: %q", name, got)
		}
	}
}

// TestClaimsWithDataAreWaitedFor: a claim whose disk is there already needs the controller
// manager as much as one whose disk is to be made.
func TestClaimsWithDataAreWaitedFor(t *testing.T) {
	plain := volume.Restore{Claim: "c", PV: "pv", Selected: true, Disposition: volume.Dynamic, Patch: true}
	filled, disk := plain, plain
	filled.Disposition = volume.ProvisionBy(volume.MethodCSI)
	disk.Disposition, disk.Disk = volume.ProvisionBy(volume.MethodNative), &volume.DiskPlan{}
	for name, tc := range map[string]struct {
		v    *volume.Restore
		want time.Duration
	}{"empty": {&plain, emptyFor}, "to be made": {&filled, provisionFor}, "made": {&disk, provisionFor}} {
		got, err := new(claimWatcher).waitFor(t.Context(), tc.v, &corev1.PersistentVolumeClaim{})
		if err != nil || got.limit != tc.want || !got.asked {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
}

// TestNoClaimEndsInSilence: a claim that is not bound in time has a reason, whatever
// it waited for.
func TestNoClaimEndsInSilence(t *testing.T) {
	csi := &volume.Restore{Claim: "c", PV: "pv", Selected: true, Disposition: volume.ProvisionBy(volume.MethodCSI)}
	plain := &volume.Restore{Claim: "c", PV: "pv", Selected: true, Disposition: volume.Dynamic, Patch: true}
	disk := &volume.Restore{Claim: "c", PV: "pv", Selected: true, Disposition: volume.ProvisionBy(volume.MethodNative), Disk: &volume.DiskPlan{}}
	for name, tc := range map[string]struct {
		v    *volume.Restore
		wait claimWait
		code report.Code
		text string
	}{
		"data, nobody needs it yet":  {csi, claimWait{about: "no pod"}, report.ClaimPending, "no pod; the driver says; it is filled from its snapshot"},
		"data, somebody is to fill":  {csi, claimWait{about: "late", asked: true}, report.VolumeNotRestored, "not provisioned: late; the driver says"},
		"empty, nobody needs it yet": {plain, claimWait{about: "no pod"}, report.ClaimPending, "lack the reclaim policy"},
		"its disk is there":          {disk, claimWait{about: "late", asked: true}, report.ClaimPending, "late"},
	} {
		got := tc.wait.timeoutReason(tc.v, "the driver says")
		if got.Code != tc.code || !strings.Contains(got.Message, tc.text) {
			t.Errorf("%s: %s", name, got)
		}
		if !tc.v.Awaited() {
			t.Errorf("%s: nobody looks", name)
		}
	}
}

// TestVolumeOfAnother: a claim that is to have its old volume, which is not free, says
// so, and the volume is left alone.
func TestVolumeOfAnother(t *testing.T) {
	for name, tc := range map[string]struct {
		change      func(*corev1.PersistentVolume)
		disposition volume.Disposition
		want        string
	}{
		"free":     {func(pv *corev1.PersistentVolume) { pv.Spec.ClaimRef = nil }, volume.Keep, ""},
		"kept":     {func(pv *corev1.PersistentVolume) { pv.Spec.ClaimRef.UID = "" }, volume.Keep, ""},
		"in use":   {func(pv *corev1.PersistentVolume) { pv.Spec.ClaimRef.Name = "other" }, volume.Leave, "kept for claim shop/other: the"},
		"released": {func(pv *corev1.PersistentVolume) { pv.Status.Phase = corev1.VolumeReleased }, volume.Keep, "kept for claim shop/data, which is gone"},
		"deleted":  {func(pv *corev1.PersistentVolume) { pv.DeletionTimestamp = &metav1.Time{} }, volume.Keep, "on its way out"},
	} {
		t.Run(name, func(t *testing.T) {
			pv := pvOf("Retain")
			pv.Spec.ClaimRef = &corev1.ObjectReference{Namespace: "shop", Name: "data", UID: "u"}
			tc.change(pv)
			p := planner{r: withTechnologies(), live: &liveVolumes{volumes: map[string]corev1.PersistentVolume{"pv": *pv}}}
			v := &volume.Restore{PV: "pv", Namespace: "shop", Target: "shop", Claim: "data", Disposition: volume.Keep, Bind: "pv", Selected: true}
			p.leaveExisting(v)
			if v.Disposition != tc.disposition || v.Bind != "pv" || len(p.Reasons) > 0 != (tc.want != "") {
				t.Fatalf("%+v %v", v, p.Reasons)
			}
			if tc.want != "" && (p.Reasons[0].Code != report.ClaimPending || !strings.Contains(p.Reasons[0].Message, tc.want)) {
				t.Errorf("%v", p.Reasons)
			}
		})
	}
}

// TestOnlyBoundVolumesAreRestored: what a restore lists as restored.
func TestOnlyBoundVolumesAreRestored(t *testing.T) {
	created, failed := string(report.Created), string(report.Failed)
	for name, tc := range map[string]struct {
		disposition volume.Disposition
		pv          string // what became of the PV, the claim; "" is no record
		claim       string
		ends        map[string]restore.ClaimEnd
		volumes     int
	}{
		"csi, bound":                 {volume.ProvisionBy(volume.MethodCSI), "", created, map[string]restore.ClaimEnd{"shop/data": {PV: "pvc-1"}}, 1},
		"csi, refused":               {volume.ProvisionBy(volume.MethodCSI), "", failed, nil, 0},
		"csi, waits for a pod":       {volume.ProvisionBy(volume.MethodCSI), "", created, map[string]restore.ClaimEnd{"shop/data": {Reasons: []report.Reason{{}}}}, 0},
		"csi, deleted meanwhile":     {volume.ProvisionBy(volume.MethodCSI), "", created, map[string]restore.ClaimEnd{"shop/data": {}}, 0},
		"csi, bound, not patched":    {volume.ProvisionBy(volume.MethodCSI), "", created, map[string]restore.ClaimEnd{"shop/data": {PV: "pvc-1", Reasons: []report.Reason{{}}}}, 1},
		"native, bound":              {volume.ProvisionBy(volume.MethodNative), created, created, map[string]restore.ClaimEnd{"shop/data": {PV: "pv"}}, 1},
		"native, not bound":          {volume.ProvisionBy(volume.MethodNative), created, created, map[string]restore.ClaimEnd{"shop/data": {Reasons: []report.Reason{{}}}}, 0},
		"native, volume refused":     {volume.ProvisionBy(volume.MethodNative), failed, created, map[string]restore.ClaimEnd{"shop/data": {Reasons: []report.Reason{{}}}}, 0},
		"native, claim refused":      {volume.ProvisionBy(volume.MethodNative), created, failed, nil, 0},
		"native, claim not selected": {volume.ProvisionBy(volume.MethodNative), created, "", nil, 1},
		"native, no disk":            {volume.ProvisionBy(volume.MethodNative), failed, failed, nil, 0},
	} {
		v := volume.Restore{PV: "pv", Namespace: "shop", Target: "shop", Claim: "data", Disposition: tc.disposition, Selected: true}
		if strings.HasPrefix(name, "native") {
			v.Disk = &volume.DiskPlan{Name: "pv"}
		}
		s := &restore.Run{Ends: tc.ends, Actions: map[string]report.Action{}}
		s.Plan.Volumes = &restore.Volumes{Volumes: []volume.Restore{v}}
		for gr, action := range map[string]string{resource.PersistentVolumes: tc.pv, resource.PersistentVolumeClaims: tc.claim} {
			if rec := (restore.Record{Resource: gr, Namespace: "shop", Name: "data", Action: action}); action != "" {
				if gr == resource.PersistentVolumes {
					rec.Namespace, rec.Name = "", "pv"
				}
				s.NoteAction(rec)
			}
		}
		if got := s.RestoredCount(); got != tc.volumes {
			t.Errorf("%s: %d", name, got)
		}
	}
}

// TestWithoutVolumesNoDiskIsReused: restorePVs: false never points at a disk that a
// snapshot was taken of, for it may be another cluster's.
func TestWithoutVolumesNoDiskIsReused(t *testing.T) {
	no := false
	p := planner{r: withTechnologies(), s: &restore.Run{}}
	p.s.Restore.Spec.RestorePVs = &no
	for was, want := range map[volume.Disposition]volume.Disposition{volume.ProvisionBy(volume.MethodNative): volume.Dynamic, volume.ProvisionBy(volume.MethodCSI): volume.Dynamic, volume.Dynamic: volume.Dynamic} {
		v := &volume.Restore{PV: "pv", Disposition: was}
		if p.applySpec(v); v.Disposition != want || v.Bind != "" {
			t.Errorf("%s: %+v", was, v)
		}
	}
}

// TestForeignVolumeIsNotTouched: a claim that Kubernetes has bound to a free volume was not
// restored, and that volume keeps its policy and its labels.
func TestForeignVolumeIsNotTouched(t *testing.T) {
	made := metav1.NewTime(time.Now().Truncate(time.Second))
	older := metav1.NewTime(made.Add(-time.Hour))
	for name, tc := range map[string]struct {
		disposition volume.Disposition
		created     metav1.Time
		bound       string // the annotation bound-by-controller
		policy      corev1.PersistentVolumeReclaimPolicy
		pv          string // of the claim's end
		why         string
	}{
		"made for the claim":        {volume.ProvisionBy(volume.MethodCSI), made, "", "Delete", "pv-1", ""},
		"free, chosen":              {volume.ProvisionBy(volume.MethodCSI), older, "yes", "Retain", "", "has bound it to volume pv-1, which was free"},
		"free, made meanwhile":      {volume.ProvisionBy(volume.MethodCSI), made, "yes", "Retain", "", "has bound it to volume pv-1, which was free"},
		"set aside by an admin":     {volume.ProvisionBy(volume.MethodCSI), older, "", "Retain", "", "has bound it to volume pv-1, which was free"},
		"without data, free":        {volume.Dynamic, older, "yes", "Retain", "", ""},
		"without data, made for it": {volume.Dynamic, made, "", "Delete", "pv-1", ""},
	} {
		t.Run(name, func(t *testing.T) {
			cluster := kubetest.Start(t)
			pv := pvOf("Retain")
			pv.Name, pv.CreationTimestamp = "pv-1", tc.created
			if tc.bound != "" {
				pv.Annotations = map[string]string{annotationBoundByController: tc.bound}
			}
			cluster.Put(pv)
			claim := &corev1.PersistentVolumeClaim{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "data", CreationTimestamp: made}}
			claim.Spec.VolumeName = "pv-1"
			v := &volume.Restore{PV: "old", Namespace: "shop", Target: "shop", Claim: "data", Selected: true, Disposition: tc.disposition, Reclaim: "Delete", Patch: true}
			p := claimWatcher{s: &restore.Run{}, r: &restore.Service{Kube: cluster.Client()}}
			end, settled, err := p.patchBound(t.Context(), v, claim)
			if err != nil || !settled || end.PV != tc.pv || len(end.Reasons) > 0 != (tc.why != "") {
				t.Fatalf("%+v, settled %t, %v", end, settled, err)
			}
			if tc.why != "" && (end.Reasons[0].Code != report.VolumeNotRestored || !strings.Contains(end.Reasons[0].Message, tc.why)) {
				t.Errorf("%v", end.Reasons)
			}
			if got, _ := kubetest.Get[corev1.PersistentVolume](cluster, kube.Volumes(), "", "pv-1"); got.Spec.PersistentVolumeReclaimPolicy != tc.policy {
				t.Errorf("the volume is now %s", got.Spec.PersistentVolumeReclaimPolicy)
			}
		})
	}
}

// TestPatchSaysWhatItWaitsFor: of claims that are not bound, the first is told, with what has to
// come before it is.
func TestPatchSaysWhatItWaitsFor(t *testing.T) {
	late := storagev1.VolumeBindingWaitForFirstConsumer
	for name, tc := range map[string]struct {
		mode   *storagev1.VolumeBindingMode
		pod    bool
		claims []string
		want   string
	}{
		"a volume":     {nil, false, []string{"data"}, "a volume (claim shop/data)"},
		"several":      {nil, false, []string{"logs", "data", "wal"}, "a volume (claim shop/data and 2 others)"},
		"a pod":        {&late, false, []string{"data"}, "a pod that mounts it (claim shop/data)"},
		"a pod's node": {&late, true, []string{"data"}, "a node for pod db-0 (claim shop/data)"},
		"nothing":      {nil, false, nil, ""},
	} {
		t.Run(name, func(t *testing.T) {
			cluster, fast := kubetest.Start(t), "fast"
			p := &claimWatcher{
				r: &restore.Service{Kube: cluster.Client(), Config: &config.Config{Limits: config.Limits{ApplyConcurrency: 4}}},
				s: &restore.Run{Plan: restore.Plan{Volumes: &restore.Volumes{}}}, applied: map[string]bool{}, pending: map[string]string{}, ends: map[string]restore.ClaimEnd{},
				classes: map[string]storagev1.StorageClass{fast: {VolumeBindingMode: tc.mode}}, pods: waitingPods{kube: cluster.Client()},
			}
			for _, claim := range tc.claims {
				p.applied["shop/"+claim] = true
				p.s.Plan.Volumes.Volumes = append(p.s.Plan.Volumes.Volumes, volume.Restore{
					PV: "pv-" + claim, Namespace: "shop", Target: "shop", Claim: claim, Selected: true, Disposition: volume.Dynamic, Patch: true,
				})
				cluster.Put(&corev1.PersistentVolumeClaim{
					ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: claim}, Spec: corev1.PersistentVolumeClaimSpec{StorageClassName: &fast},
				})
			}
			if tc.pod {
				pod := kubetest.NewPod("shop", "db-0", "app")
				pod.Spec.NodeName = ""
				pod.Spec.Volumes = []corev1.Volume{{Name: "data", VolumeSource: corev1.VolumeSource{
					PersistentVolumeClaim: &corev1.PersistentVolumeClaimVolumeSource{ClaimName: "data"},
				}}}
				cluster.Put(pod)
			}
			if err := p.checkAll(t.Context()); err != nil {
				t.Fatal(err)
			}
			if got := p.waitsText(); got != tc.want {
				t.Errorf("%q, want %q", got, tc.want)
			}
		})
	}
}

// TestIsolatedVolumeIsNotPatched: a volume that was made for a claim of an isolated copy goes with
// it, whatever became of the old one.
func TestIsolatedVolumeIsNotPatched(t *testing.T) {
	made := metav1.NewTime(time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC))
	cluster := kubetest.Start(t)
	pv := pvOf("Delete")
	pv.Name, pv.CreationTimestamp = "pv-1", made
	cluster.Put(pv)
	claim := &corev1.PersistentVolumeClaim{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "data", CreationTimestamp: made}}
	claim.Spec.VolumeName = "pv-1"
	run := &restore.Run{}
	run.Restore.Isolation = &contract.Isolation{Drill: "d"}
	v := &volume.Restore{PV: "old", Namespace: "shop", Target: "shop", Claim: "data", Selected: true, Disposition: volume.Dynamic, Reclaim: "Retain", Patch: true}
	p := claimWatcher{s: run, r: &restore.Service{Kube: cluster.Client()}}
	if end, settled, err := p.patchBound(t.Context(), v, claim); err != nil || !settled || end.PV != "pv-1" {
		t.Fatalf("%+v, settled %t, %v", end, settled, err)
	}
	got, ok := kubetest.Get[corev1.PersistentVolume](cluster, kube.Volumes(), "", "pv-1")
	if !ok || got.Spec.PersistentVolumeReclaimPolicy != corev1.PersistentVolumeReclaimDelete {
		t.Errorf("reclaim policy %s", got.Spec.PersistentVolumeReclaimPolicy)
	}
}
