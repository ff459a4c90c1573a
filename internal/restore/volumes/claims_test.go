package volumes

import (
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/lifeboat-backup/lifeboat/internal/report"
	"github.com/lifeboat-backup/lifeboat/internal/resource"
	"github.com/lifeboat-backup/lifeboat/internal/restore"
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
	csi := &restore.Volume{Claim: "c", PV: "pv", Selected: true, Way: restore.WayCSI}
	plain := &restore.Volume{Claim: "c", PV: "pv", Selected: true, Way: restore.WayDynamic, Patch: true}
	disk := &restore.Volume{Claim: "c", PV: "pv", Selected: true, Way: restore.WayNative}
	for name, tc := range map[string]struct {
		v    *restore.Volume
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
		if !tc.v.Awaited() {
			t.Errorf("%s: nobody looks", name)
		}
	}
}

// TestVolumeOfAnother: a claim that is to have its old volume, which is not free, says
// so, and the volume is left alone.
func TestVolumeOfAnother(t *testing.T) {
	for name, tc := range map[string]struct {
		change func(*corev1.PersistentVolume)
		way    restore.Way
		want   string
	}{
		"free":     {func(pv *corev1.PersistentVolume) { pv.Spec.ClaimRef = nil }, restore.WayKeep, ""},
		"kept":     {func(pv *corev1.PersistentVolume) { pv.Spec.ClaimRef.UID = "" }, restore.WayKeep, ""},
		"in use":   {func(pv *corev1.PersistentVolume) { pv.Spec.ClaimRef.Name = "other" }, restore.WayLeft, "kept for claim shop/other: the"},
		"released": {func(pv *corev1.PersistentVolume) { pv.Status.Phase = corev1.VolumeReleased }, restore.WayKeep, "kept for claim shop/data, which is gone"},
		"deleted":  {func(pv *corev1.PersistentVolume) { pv.DeletionTimestamp = &metav1.Time{} }, restore.WayKeep, "on its way out"},
	} {
		t.Run(name, func(t *testing.T) {
			pv := pvOf("Retain")
			pv.Spec.ClaimRef = &corev1.ObjectReference{Namespace: "shop", Name: "data", UID: "u"}
			tc.change(pv)
			p := volumePlanner{live: &liveVolumes{volumes: map[string]corev1.PersistentVolume{"pv": *pv}}}
			v := &restore.Volume{PV: "pv", Namespace: "shop", Target: "shop", Claim: "data", Way: restore.WayKeep, Bind: "pv", Selected: true}
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
		way     restore.Way
		pv      string // what became of the PV, the claim; "" is no record
		claim   string
		ends    map[string]restore.ClaimEnd
		volumes int
	}{
		"csi, bound":                 {restore.WayCSI, "", created, map[string]restore.ClaimEnd{"shop/data": {PV: "pvc-1"}}, 1},
		"csi, refused":               {restore.WayCSI, "", failed, nil, 0},
		"csi, waits for a pod":       {restore.WayCSI, "", created, map[string]restore.ClaimEnd{"shop/data": {Reasons: []report.Reason{{}}}}, 0},
		"csi, deleted meanwhile":     {restore.WayCSI, "", created, map[string]restore.ClaimEnd{"shop/data": {}}, 0},
		"csi, bound, not patched":    {restore.WayCSI, "", created, map[string]restore.ClaimEnd{"shop/data": {PV: "pvc-1", Reasons: []report.Reason{{}}}}, 1},
		"native, bound":              {restore.WayNative, created, created, map[string]restore.ClaimEnd{"shop/data": {PV: "pv"}}, 1},
		"native, not bound":          {restore.WayNative, created, created, map[string]restore.ClaimEnd{"shop/data": {Reasons: []report.Reason{{}}}}, 0},
		"native, volume refused":     {restore.WayNative, failed, created, map[string]restore.ClaimEnd{"shop/data": {Reasons: []report.Reason{{}}}}, 0},
		"native, claim refused":      {restore.WayNative, created, failed, nil, 0},
		"native, claim not selected": {restore.WayNative, created, "", nil, 1},
		"native, no disk":            {restore.WayNative, failed, failed, nil, 0},
	} {
		v := restore.Volume{PV: "pv", Namespace: "shop", Target: "shop", Claim: "data", Way: tc.way, Selected: true, Disk: &restore.DiskPlan{Name: "pv"}}
		s := &restore.Run{Ends: tc.ends, Actions: map[string]report.Action{}}
		s.Plan.Volumes = &restore.Volumes{Volumes: []restore.Volume{v}}
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
	p := volumePlanner{s: &restore.Run{}}
	p.s.Restore.Spec.RestorePVs = &no
	for was, want := range map[restore.Way]restore.Way{restore.WayNative: restore.WayDynamic, restore.WayCSI: restore.WayDynamic, restore.WayDynamic: restore.WayDynamic} {
		v := &restore.Volume{PV: "pv", Way: was}
		if p.settle(v); v.Way != want || v.Bind != "" {
			t.Errorf("%s: %+v", was, v)
		}
	}
}
