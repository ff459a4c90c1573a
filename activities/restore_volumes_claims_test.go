package activities

import (
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/lifeboat-backup/lifeboat/internal/report"
	"github.com/lifeboat-backup/lifeboat/internal/resource"
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

// TestNoClaimEndsInSilence: a claim that is not bound in time has a reason, whatever
// it waited for.
func TestNoClaimEndsInSilence(t *testing.T) {
	csi := &restoreVolume{Claim: "c", PV: "pv", Selected: true, Way: wayCSI}
	plain := &restoreVolume{Claim: "c", PV: "pv", Selected: true, Way: wayDynamic, Patch: true}
	disk := &restoreVolume{Claim: "c", PV: "pv", Selected: true, Way: wayNative}
	for name, tc := range map[string]struct {
		v    *restoreVolume
		wait claimWait
		code report.Code
		text string
	}{
		"data, nobody needs it yet":  {csi, claimWait{about: "no pod"}, report.ClaimPending, "no pod; the driver says; it is filled from its snapshot"},
		"data, somebody is to fill":  {csi, claimWait{about: "late", asked: true}, report.VolumeNotRestored, "not provisioned: late; the driver says"},
		"empty, nobody needs it yet": {plain, claimWait{about: "no pod"}, report.ClaimPending, "lack the reclaim policy"},
		"its disk is there":          {disk, claimWait{about: "late", asked: true}, report.ClaimPending, "late"},
	} {
		got := tc.wait.over(tc.v, "the driver says")
		if got.Code != tc.code || !strings.Contains(got.Message, tc.text) {
			t.Errorf("%s: %s", name, got)
		}
		if !tc.v.awaited() {
			t.Errorf("%s: nobody looks", name)
		}
	}
}

// TestVolumeOfAnother: a claim that is to have its old volume, which is not free, says
// so, and the volume is left alone.
func TestVolumeOfAnother(t *testing.T) {
	for name, tc := range map[string]struct {
		change func(*corev1.PersistentVolume)
		way    way
		want   string
	}{
		"free":     {func(pv *corev1.PersistentVolume) { pv.Spec.ClaimRef = nil }, wayKeep, ""},
		"kept":     {func(pv *corev1.PersistentVolume) { pv.Spec.ClaimRef.UID = "" }, wayKeep, ""},
		"in use":   {func(pv *corev1.PersistentVolume) { pv.Spec.ClaimRef.Name = "other" }, wayLeft, "kept for claim shop/other: the"},
		"released": {func(pv *corev1.PersistentVolume) { pv.Status.Phase = corev1.VolumeReleased }, wayKeep, "kept for claim shop/data, which is gone"},
		"deleted":  {func(pv *corev1.PersistentVolume) { pv.DeletionTimestamp = &metav1.Time{} }, wayKeep, "on its way out"},
	} {
		t.Run(name, func(t *testing.T) {
			pv := pvOf("Retain")
			pv.Spec.ClaimRef = &corev1.ObjectReference{Namespace: "shop", Name: "data", UID: "u"}
			tc.change(pv)
			p := volumePlanner{live: &liveVolumes{volumes: map[string]corev1.PersistentVolume{"pv": *pv}}}
			v := &restoreVolume{PV: "pv", Namespace: "shop", Target: "shop", Claim: "data", Way: wayKeep, Bind: "pv", Selected: true}
			p.leave(v)
			if v.Way != tc.way || v.Bind != "pv" || len(p.reasons) > 0 != (tc.want != "") {
				t.Fatalf("%+v %v", v, p.reasons)
			}
			if tc.want != "" && (p.reasons[0].Code != report.ClaimPending || !strings.Contains(p.reasons[0].Message, tc.want)) {
				t.Errorf("%v", p.reasons)
			}
		})
	}
}

// TestOnlyBoundVolumesAreRestored: what a restore lists as restored.
func TestOnlyBoundVolumesAreRestored(t *testing.T) {
	created, failed := string(report.Created), string(report.Failed)
	for name, tc := range map[string]struct {
		way     way
		pv      string // what became of the PV, the claim; "" is no record
		claim   string
		ends    map[string]claimEnd
		volumes int
	}{
		"csi, bound":                 {wayCSI, "", created, map[string]claimEnd{"shop/data": {PV: "pvc-1"}}, 1},
		"csi, refused":               {wayCSI, "", failed, nil, 0},
		"csi, waits for a pod":       {wayCSI, "", created, map[string]claimEnd{"shop/data": {Reasons: []report.Reason{{}}}}, 0},
		"csi, deleted meanwhile":     {wayCSI, "", created, map[string]claimEnd{"shop/data": {}}, 0},
		"csi, bound, not patched":    {wayCSI, "", created, map[string]claimEnd{"shop/data": {PV: "pvc-1", Reasons: []report.Reason{{}}}}, 1},
		"native, bound":              {wayNative, created, created, map[string]claimEnd{"shop/data": {PV: "pv"}}, 1},
		"native, not bound":          {wayNative, created, created, map[string]claimEnd{"shop/data": {Reasons: []report.Reason{{}}}}, 0},
		"native, volume refused":     {wayNative, failed, created, map[string]claimEnd{"shop/data": {Reasons: []report.Reason{{}}}}, 0},
		"native, claim refused":      {wayNative, created, failed, nil, 0},
		"native, claim not selected": {wayNative, created, "", nil, 1},
		"native, no disk":            {wayNative, failed, failed, nil, 0},
	} {
		v := restoreVolume{PV: "pv", Namespace: "shop", Target: "shop", Claim: "data", Way: tc.way, Selected: true, Disk: &diskPlan{Name: "pv"}}
		s := &session{ends: tc.ends, actions: map[string]report.Action{}}
		s.plan.Volumes = &restoreVolumes{Volumes: []restoreVolume{v}}
		for gr, action := range map[string]string{resource.PersistentVolumes: tc.pv, resource.PersistentVolumeClaims: tc.claim} {
			if rec := (record{Resource: gr, Namespace: "shop", Name: "data", Action: action}); action != "" {
				if gr == resource.PersistentVolumes {
					rec.Namespace, rec.Name = "", "pv"
				}
				s.noteAction(rec)
			}
		}
		if got := s.restoredCount(); got != tc.volumes {
			t.Errorf("%s: %d", name, got)
		}
	}
}

// TestWithoutVolumesNoDiskIsReused: restorePVs: false never points at a disk that a
// snapshot was taken of, for it may be another cluster's.
func TestWithoutVolumesNoDiskIsReused(t *testing.T) {
	no := false
	p := volumePlanner{s: &session{}}
	p.s.Restore.Spec.RestorePVs = &no
	for was, want := range map[way]way{wayNative: wayDynamic, wayCSI: wayDynamic, wayDynamic: wayDynamic} {
		v := &restoreVolume{PV: "pv", Way: was}
		if p.settle(v); v.Way != want || v.Bind != "" {
			t.Errorf("%s: %+v", was, v)
		}
	}
}
