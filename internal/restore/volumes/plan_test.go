package volumes

import (
	"slices"
	"strings"
	"testing"

	snapshotv1 "github.com/kubernetes-csi/external-snapshotter/client/v8/apis/volumesnapshot/v1"
	corev1 "k8s.io/api/core/v1"
	quantity "k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/lifeboat-backup/lifeboat/internal/aws/ebs"
	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/failure"
	"github.com/lifeboat-backup/lifeboat/internal/restore"
	"github.com/lifeboat-backup/lifeboat/internal/volume"
	"github.com/lifeboat-backup/lifeboat/internal/volume/csi"
)

func pvOf(policy string) *corev1.PersistentVolume {
	return &corev1.PersistentVolume{
		ObjectMeta: metav1.ObjectMeta{Name: "pv"},
		Spec:       corev1.PersistentVolumeSpec{PersistentVolumeReclaimPolicy: corev1.PersistentVolumeReclaimPolicy(policy)},
	}
}

func claimOf(annotations map[string]string) *corev1.PersistentVolumeClaim {
	return &corev1.PersistentVolumeClaim{
		ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "data", Annotations: annotations},
		Spec:       corev1.PersistentVolumeClaimSpec{VolumeName: "pv"},
	}
}

func entryOf(id string, phase volume.Phase) map[string]volume.NativeSnapshot {
	return map[string]volume.NativeSnapshot{"pv": {
		Spec:   volume.NativeSnapshotSpec{PersistentVolumeName: "pv"},
		Status: volume.NativeSnapshotStatus{ProviderSnapshotID: id, Phase: phase},
	}}
}

// TestDecide has the rows of docs/VELERO.md 8.1.
func TestDecide(t *testing.T) {
	info := func(i volume.Info) map[string]volume.Info { return map[string]volume.Info{"pv": i} }
	for name, tc := range map[string]struct {
		facts volumeFacts
		pv    *corev1.PersistentVolume
		claim *corev1.PersistentVolumeClaim
		want  decision
	}{
		"native":                             {volumeFacts{infos: info(volume.Info{BackupMethod: volume.MethodNative}), natives: entryOf("snap-1", volume.PhaseCompleted)}, pvOf("Delete"), claimOf(nil), decision{restore.WayNative, ""}},
		"native, no claim":                   {volumeFacts{infos: info(volume.Info{BackupMethod: volume.MethodNative}), natives: entryOf("snap-1", "")}, pvOf("Delete"), nil, decision{restore.WayNative, ""}},
		"native, snapshot failed":            {volumeFacts{infos: info(volume.Info{BackupMethod: volume.MethodNative}), natives: entryOf("", volume.PhaseFailed)}, pvOf("Delete"), claimOf(nil), decision{restore.WayDynamic, lostSnapshot}},
		"native, snapshot failed, retained":  {volumeFacts{infos: info(volume.Info{BackupMethod: volume.MethodNative}), natives: entryOf("", volume.PhaseFailed)}, pvOf("Retain"), claimOf(nil), decision{restore.WayKeep, lostSnapshot}},
		"native, only volumeinfo has the id": {volumeFacts{infos: info(volume.Info{BackupMethod: volume.MethodNative, Native: &volume.NativeInfo{SnapshotHandle: "snap-1"}})}, pvOf("Delete"), claimOf(nil), decision{restore.WayNative, ""}},
		"native, PV not in the backup":       {volumeFacts{infos: info(volume.Info{BackupMethod: volume.MethodNative}), natives: entryOf("snap-1", "")}, nil, claimOf(nil), decision{restore.WayDynamic, lostVolume}},
		"files":                              {volumeFacts{infos: info(volume.Info{BackupMethod: volume.MethodPodVolumeBackup})}, pvOf("Retain"), claimOf(nil), decision{restore.WayDynamic, lostFiles}},
		"csi":                                {volumeFacts{infos: info(volume.Info{BackupMethod: volume.MethodCSI})}, pvOf("Delete"), claimOf(nil), decision{restore.WayCSI, ""}},
		"csi, failed":                        {volumeFacts{infos: info(volume.Info{BackupMethod: volume.MethodCSI, Result: volume.Failed})}, pvOf("Delete"), claimOf(nil), decision{restore.WayDynamic, lostSnapshot}},
		"csi, moved":                         {volumeFacts{infos: info(volume.Info{BackupMethod: volume.MethodCSI, SnapshotDataMoved: true})}, pvOf("Delete"), claimOf(nil), decision{restore.WayDynamic, lostMoved}},
		"skipped, Delete":                    {volumeFacts{infos: info(volume.Info{Skipped: true, PV: &volume.PVInfo{ReclaimPolicy: "Delete"}})}, pvOf("Retain"), claimOf(nil), decision{restore.WayDynamic, ""}},
		"skipped, Retain":                    {volumeFacts{infos: info(volume.Info{Skipped: true, PV: &volume.PVInfo{ReclaimPolicy: "Retain"}})}, pvOf("Delete"), claimOf(nil), decision{restore.WayKeep, ""}},
		"skipped, Recycle by the PV":         {volumeFacts{infos: info(volume.Info{Skipped: true})}, pvOf("Recycle"), claimOf(nil), decision{restore.WayKeep, ""}},

		"no volumeinfo: native":     {volumeFacts{natives: entryOf("snap-1", volume.PhaseCompleted)}, pvOf("Delete"), claimOf(nil), decision{restore.WayNative, ""}},
		"no volumeinfo: files":      {volumeFacts{files: map[string]bool{"shop/data": true}}, pvOf("Delete"), claimOf(nil), decision{restore.WayDynamic, lostFiles}},
		"no volumeinfo: csi":        {volumeFacts{}, pvOf("Delete"), claimOf(map[string]string{"velero.io/volume-snapshot-name": "s"}), decision{restore.WayCSI, ""}},
		"no volumeinfo: moved":      {volumeFacts{}, pvOf("Delete"), claimOf(map[string]string{annotationDataUpload: "velero/du"}), decision{restore.WayDynamic, lostMoved}},
		"no volumeinfo: Delete":     {volumeFacts{}, pvOf("Delete"), claimOf(nil), decision{restore.WayDynamic, ""}},
		"no volumeinfo: Retain":     {volumeFacts{}, pvOf("Retain"), claimOf(nil), decision{restore.WayKeep, ""}},
		"no PV, no volumeinfo":      {volumeFacts{}, nil, claimOf(nil), decision{restore.WayDynamic, ""}},
		"a claim that never bound":  {volumeFacts{}, nil, &corev1.PersistentVolumeClaim{}, decision{restore.WayDynamic, ""}},
		"PV alone, csi, reclaimed":  {volumeFacts{infos: info(volume.Info{BackupMethod: volume.MethodCSI})}, pvOf("Delete"), nil, decision{restore.WayDynamic, lostSnapshot}},
		"retained, absent from tar": {volumeFacts{infos: info(volume.Info{Skipped: true, PV: &volume.PVInfo{ReclaimPolicy: "Retain"}})}, nil, claimOf(nil), decision{restore.WayDynamic, ""}},
	} {
		t.Run(name, func(t *testing.T) {
			if got := tc.facts.decide(tc.pv, tc.claim); got != tc.want {
				t.Errorf("got %+v, want %+v", got, tc.want)
			}
		})
	}
}

func TestJoinPairsClaimsAndVolumes(t *testing.T) {
	f := volumeFacts{volumes: map[string]corev1.PersistentVolume{"pv": *pvOf("Delete"), "lone": {ObjectMeta: metav1.ObjectMeta{Name: "lone"}}}}
	second := claimOf(nil)
	second.Name = "thief"
	f.claims = []corev1.PersistentVolumeClaim{*second, *claimOf(nil)}
	var got []string
	f.join(func(pv *corev1.PersistentVolume, c *corev1.PersistentVolumeClaim) {
		text := volumeName(pv, c) + "/"
		if c != nil {
			text += c.Name
		}
		got = append(got, text)
	})
	if want := []string{"pv/data", "/thief", "lone/"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestUnfitSnapshot(t *testing.T) {
	entry := entryOf("snap-1", "")["pv"]
	entry.Spec.BackupName, entry.Spec.ProviderVolumeID = "nightly", "vol-1"
	good := ebs.Snapshot{ID: "snap-1", State: ebs.SnapshotCompleted, VolumeID: "vol-1", Tags: map[string]string{ebs.TagBackup: "nightly", ebs.TagPV: "pv"}}
	for name, tc := range map[string]struct {
		change func(*ebs.Snapshot)
		found  bool
		kind   string
		text   string
	}{
		"good":             {func(*ebs.Snapshot) {}, true, "", ""},
		"without our tags": {func(s *ebs.Snapshot) { s.Tags = nil }, true, "", ""},
		"copied":           {func(s *ebs.Snapshot) { s.VolumeID = restore.CopiedVolume }, true, "", ""},
		"missing":          {func(*ebs.Snapshot) {}, false, contract.ErrTypeNotFound, "does not exist"},
		"pending":          {func(s *ebs.Snapshot) { s.State, s.Progress = ebs.SnapshotPending, 42 }, true, contract.ErrTypeInvalid, "42 %"},
		"failed":           {func(s *ebs.Snapshot) { s.State = ebs.SnapshotFailed }, true, contract.ErrTypeInvalid, `"error"`},
		"other backup":     {func(s *ebs.Snapshot) { s.Tags = map[string]string{ebs.TagBackup: "weekly"} }, true, contract.ErrTypeInvalid, `backup "weekly"`},
		"other volume":     {func(s *ebs.Snapshot) { s.Tags = map[string]string{ebs.TagPV: "pv-2"} }, true, contract.ErrTypeInvalid, `volume "pv-2"`},
		"other disk":       {func(s *ebs.Snapshot) { s.VolumeID = "vol-2" }, true, contract.ErrTypeInvalid, "taken of vol-2"},
	} {
		t.Run(name, func(t *testing.T) {
			s := good
			tc.change(&s)
			kind, text := sourceOf(entry).unfit(s, tc.found)
			if kind != tc.kind || !strings.Contains(text, tc.text) || (text == "") != (tc.text == "") {
				t.Errorf("got %q %q, want %q %q", kind, text, tc.kind, tc.text)
			}
		})
	}
}

func TestContradiction(t *testing.T) {
	p := volumePlanner{s: &restore.Run{}, facts: &volumeFacts{infos: map[string]volume.Info{"pv": {Native: &volume.NativeInfo{SnapshotHandle: "snap-1"}}}}}
	p.s.Archive.Backup = "nightly"
	for want, n := range map[string]volume.NativeSnapshot{
		"":                  entryOf("snap-1", "")["pv"],
		"volumeinfo snap-1": entryOf("snap-2", "")["pv"],
		`backup "weekly"`:   {Spec: volume.NativeSnapshotSpec{PersistentVolumeName: "pv", BackupName: "weekly"}, Status: volume.NativeSnapshotStatus{ProviderSnapshotID: "snap-1"}},
	} {
		if got := p.contradiction(n); !strings.Contains(got, want) || (got == "") != (want == "") {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

func TestLikeSource(t *testing.T) {
	entry := entryOf("snap-1", "")["pv"]
	iops := int64(4000)
	entry.Spec.VolumeType, entry.Spec.VolumeIOPS = "gp3", &iops
	var d restore.DiskPlan
	d.LikeSource(entry, ebs.Snapshot{Tags: map[string]string{ebs.TagThroughput: "250", ebs.TagIOPS: "many"}})
	if d.Type != "gp3" || d.IOPS != 4000 || d.Throughput != 250 {
		t.Errorf("got %+v", d)
	}
	entry.Spec.VolumeIOPS = nil
	d = restore.DiskPlan{}
	d.LikeSource(entry, ebs.Snapshot{VolumeID: "vol-1"})
	d.Snapshot.VolumeID = "vol-1"
	if d.IOPS != 0 || !d.UnknownSpeed() {
		t.Errorf("a gp3 volume of which nothing is recorded: %+v", d)
	}
}

func TestNodeZones(t *testing.T) {
	node := func(labels map[string]string) corev1.Node {
		return corev1.Node{ObjectMeta: metav1.ObjectMeta{Labels: labels}}
	}
	leaving := node(map[string]string{corev1.LabelTopologyZone: "c"})
	leaving.DeletionTimestamp = &metav1.Time{}
	got := nodeZones([]corev1.Node{
		node(map[string]string{corev1.LabelTopologyZone: "b"}), node(map[string]string{corev1.LabelFailureDomainBetaZone: "a"}),
		node(map[string]string{corev1.LabelTopologyZone: "b"}), node(nil), leaving,
		node(map[string]string{corev1.LabelTopologyZone: "d", labelCompute: computeFargate}),
	})
	if want := []string{"a", "b"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestPlaceVolumes(t *testing.T) {
	for name, tc := range map[string]struct {
		old    []string
		groups []int
		zones  []string
		want   []string
	}{
		"nodes are where they were": {[]string{"a", "b", "a"}, []int{0, 1, 2}, []string{"a", "b"}, []string{"a", "b", "a"}},
		"one zone is left":          {[]string{"a", "b"}, []int{0, 1}, []string{"b"}, []string{"b", "b"}},
		"other zones, evenly":       {[]string{"x", "x", "x", "x"}, []int{0, 1, 2, 3}, []string{"a", "b"}, []string{"a", "b", "a", "b"}},
		"to the emptier one":        {[]string{"x", "a", "a"}, []int{0, 1, 2}, []string{"a", "b"}, []string{"b", "a", "a"}},
		"a pod's volumes together":  {[]string{"x", "x", "x"}, []int{0, 0, 2}, []string{"a", "b"}, []string{"a", "a", "b"}},
		"to the one that stays":     {[]string{"x", "b"}, []int{0, 0}, []string{"a", "b"}, []string{"b", "b"}},
		"unknown zone":              {[]string{""}, []int{0}, []string{"a"}, []string{"a"}},
	} {
		t.Run(name, func(t *testing.T) {
			if got := placeVolumes(tc.old, tc.groups, tc.zones); !slices.Equal(got, tc.want) {
				t.Errorf("got %q, want %q", got, tc.want)
			}
		})
	}
}

func TestPodsJoinVolumes(t *testing.T) {
	pod := func(claims ...string) corev1.Pod {
		p := corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "shop"}}
		for _, c := range claims {
			v := corev1.Volume{}
			v.PersistentVolumeClaim = &corev1.PersistentVolumeClaimVolumeSource{ClaimName: c}
			p.Spec.Volumes = append(p.Spec.Volumes, corev1.Volume{}, v)
		}
		return p
	}
	groups := []int{0, 1, 2, 3}
	index := map[string]int{"shop/a": 0, "shop/b": 1, "shop/c": 2, "shop/d": 3}
	for _, p := range []corev1.Pod{pod("a", "b"), pod("unknown"), pod("c", "b")} {
		join(groups, index, p)
	}
	if groups[0] != groups[1] || groups[1] != groups[2] || groups[3] == groups[0] {
		t.Errorf("got %v", groups)
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
	noted := snapshotv1.VolumeSnapshot{ObjectMeta: metav1.ObjectMeta{Annotations: map[string]string{csi.AnnotationHandle: handle, csi.AnnotationDriver: "ebs.csi.aws.com", csi.AnnotationSize: "8Gi"}}}
	least := quantity.MustParse("8Gi")
	sized := noted
	sized.Annotations = map[string]string{csi.AnnotationHandle: handle, csi.AnnotationDriver: "ebs.csi.aws.com"}
	sized.Status = &snapshotv1.VolumeSnapshotStatus{RestoreSize: &least}
	csiInfo := func(h string) map[string]volume.Info {
		return map[string]volume.Info{"pv": {CSI: &volume.CSIInfo{SnapshotHandle: h, Driver: "ebs.csi.aws.com", Size: size, VSCName: bound}}}
	}
	for name, tc := range map[string]struct {
		facts volumeFacts
		bad   string
	}{
		"1.16: bound content":          {volumeFacts{snapshots: map[string]snapshotv1.VolumeSnapshot{"shop/s": snap}, contents: map[string]snapshotv1.VolumeSnapshotContent{bound: content}}, ""},
		"content by its own reference": {volumeFacts{contents: map[string]snapshotv1.VolumeSnapshotContent{bound: content}}, ""},
		"1.14: notes on the snapshot":  {volumeFacts{snapshots: map[string]snapshotv1.VolumeSnapshot{"shop/s": noted}}, ""},
		"notes, size in the status":    {volumeFacts{snapshots: map[string]snapshotv1.VolumeSnapshot{"shop/s": sized}}, ""},
		"volumeinfo alone":             {volumeFacts{infos: csiInfo(handle)}, ""},
		"all agree":                    {volumeFacts{contents: map[string]snapshotv1.VolumeSnapshotContent{bound: content}, infos: csiInfo(handle)}, ""},
		"volumeinfo does not know":     {volumeFacts{contents: map[string]snapshotv1.VolumeSnapshotContent{bound: content}, infos: csiInfo(volume.Unknown)}, ""},
		"mixed up":                     {volumeFacts{contents: map[string]snapshotv1.VolumeSnapshotContent{bound: content}, infos: csiInfo("snap-2")}, "mixed up"},
		"nothing is known":             {volumeFacts{}, "does not say which snapshot"},
		"driver unknown":               {volumeFacts{snapshots: map[string]snapshotv1.VolumeSnapshot{"shop/s": {ObjectMeta: metav1.ObjectMeta{Annotations: map[string]string{csi.AnnotationHandle: handle}}}}}, "driver"},
	} {
		t.Run(name, func(t *testing.T) {
			s, _, text := tc.facts.snapshot("pv", claimOf(map[string]string{"velero.io/volume-snapshot-name": "s"}))
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
		live liveVolumes
		way  restore.Way
		bind string
	}{
		"nothing is there":                   {liveVolumes{}, restore.WayNative, "pv"},
		"the claim is there":                 {liveVolumes{claims: map[string]corev1.PersistentVolumeClaim{"copy/data": {}}}, restore.WayLeft, ""},
		"the claim is on its way out":        {liveVolumes{claims: map[string]corev1.PersistentVolumeClaim{"copy/data": {ObjectMeta: metav1.ObjectMeta{DeletionTimestamp: &metav1.Time{}}}}}, restore.WayNative, "pv"},
		"the volume serves another claim":    {liveVolumes{volumes: pv(corev1.VolumeBound, ref("shop", "data", "u"))}, restore.WayNative, clone},
		"the volume waits for this claim":    {liveVolumes{volumes: pv(corev1.VolumeAvailable, ref("copy", "data", ""))}, restore.WayLeft, "pv"},
		"the volume is nobody's":             {liveVolumes{volumes: pv(corev1.VolumeAvailable, nil)}, restore.WayLeft, "pv"},
		"the volume was released":            {liveVolumes{volumes: pv(corev1.VolumeReleased, ref("copy", "data", "u"))}, restore.WayNative, clone},
		"the volume had this claim, is gone": {liveVolumes{volumes: pv(corev1.VolumeBound, ref("copy", "data", "u"))}, restore.WayNative, clone},
	} {
		t.Run(name, func(t *testing.T) {
			p := volumePlanner{s: &restore.Run{}, live: &tc.live}
			p.s.UID = "uid"
			v := restore.Volume{PV: "pv", Namespace: "shop", Claim: "data", Target: "copy", Way: restore.WayNative, Bind: "pv", Selected: true}
			p.leave(&v)
			if v.Way != tc.way || v.Bind != tc.bind {
				t.Errorf("got %s %q, want %s %q", v.Way, v.Bind, tc.way, tc.bind)
			}
			if v.Way == restore.WayNative && v.Disk.Name != v.Bind {
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
			if l.goes(v) != want {
				t.Errorf("%v %d", want, i)
			}
		}
	}
}

func TestPatchOfProvisionedVolume(t *testing.T) {
	v := restore.Volume{Reclaim: "Retain", Labels: map[string]string{"team": "a", "topology.kubernetes.io/zone": "old", "failure-domain.beta.kubernetes.io/zone": "old", "velero.io/backup-name": "x"}}
	pv := pvOf("Delete")
	patch := missingOn(&v, pv)
	meta, _ := patch["metadata"].(map[string]any)
	labels, _ := meta["labels"].(map[string]any)
	spec, _ := patch["spec"].(map[string]any)
	if len(labels) != 1 || labels["team"] != "a" || spec["persistentVolumeReclaimPolicy"] != "Retain" {
		t.Errorf("got %v", patch)
	}
	pv.Labels, pv.Spec.PersistentVolumeReclaimPolicy = map[string]string{"team": "a"}, "Retain"
	if patch := missingOn(&v, pv); patch != nil {
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
	// Velero's name for snapshot s of restore u.
	if got := snapshotName("u", "s"); got != "44ef2fa5c90e4725c8eee59e5c19d6b9547c153c1e6ff9f7829122c8932a6e4f" {
		t.Errorf("got %q", got)
	}
}

func TestRefusals(t *testing.T) {
	var r refusals
	if r.err("backup b") != nil {
		t.Error("an error without a cause")
	}
	r.add(contract.ErrTypeNotFound, "snapshot %s is gone", "snap-1")
	for range 14 {
		r.add(contract.ErrTypeInvalid, "another")
	}
	err := r.err("backup b")
	if failure.TypeOf(err) != contract.ErrTypeNotFound || !strings.Contains(err.Error(), "backup b: snapshot snap-1 is gone; another") || !strings.Contains(err.Error(), "and 5 more") {
		t.Errorf("%s: %v", failure.TypeOf(err), err)
	}
}

func TestDiskID(t *testing.T) {
	csi, tree := pvOf(""), pvOf("")
	csi.Spec.CSI = &corev1.CSIPersistentVolumeSource{VolumeHandle: "vol-1"}
	tree.Spec.AWSElasticBlockStore = &corev1.AWSElasticBlockStoreVolumeSource{VolumeID: "aws://us-east-1a/vol-2"}
	if diskID(csi) != "vol-1" || diskID(tree) != "vol-2" || diskID(pvOf("")) != "" {
		t.Errorf("%q %q", diskID(csi), diskID(tree))
	}
}
