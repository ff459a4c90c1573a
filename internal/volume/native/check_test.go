package native

import (
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/lifeboat-backup/lifeboat/internal/aws/ebs"
	"github.com/lifeboat-backup/lifeboat/internal/volume"
)

func pvOf(policy string) *corev1.PersistentVolume {
	return &corev1.PersistentVolume{
		ObjectMeta: metav1.ObjectMeta{Name: "pv"},
		Spec:       corev1.PersistentVolumeSpec{PersistentVolumeReclaimPolicy: corev1.PersistentVolumeReclaimPolicy(policy)},
	}
}

func entryOf(id string, phase volume.Phase) map[string]volume.NativeSnapshot {
	return map[string]volume.NativeSnapshot{"pv": {
		Spec:   volume.NativeSnapshotSpec{PersistentVolumeName: "pv"},
		Status: volume.NativeSnapshotStatus{ProviderSnapshotID: id, Phase: phase},
	}}
}

func TestContradiction(t *testing.T) {
	c := checker{Restorer: &Restorer{Run: volume.RestoreRun{Backup: "nightly"}}, view: volume.View{
		Facts: &volume.Facts{Infos: map[string]volume.Info{"pv": {Native: &volume.NativeInfo{SnapshotHandle: "snap-1"}}}},
	}}
	for want, n := range map[string]volume.NativeSnapshot{
		"": entryOf("snap-1", "")["pv"],
		"gives it snap-2, volumeinfo snap-1: the ids were mixed up; restore another backup":    entryOf("snap-2", "")["pv"],
		`gives it "ami-1", which is no id of an EBS snapshot (snap-…); restore another backup`: entryOf("ami-1", "")["pv"],
		`one of backup "weekly"; restore another backup`:                                       {Spec: volume.NativeSnapshotSpec{PersistentVolumeName: "pv", BackupName: "weekly"}, Status: volume.NativeSnapshotStatus{ProviderSnapshotID: "snap-1"}},
	} {
		if got := c.contradiction(n); !strings.Contains(got, want) || (got == "") != (want == "") {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

func TestCopySpeed(t *testing.T) {
	entry := entryOf("snap-1", "")["pv"]
	iops := int64(4000)
	entry.Spec.VolumeType, entry.Spec.VolumeIOPS = "gp3", &iops
	var d volume.DiskPlan
	copySpeed(&d, entry, ebs.Snapshot{Tags: map[string]string{ebs.TagThroughput: "250", ebs.TagIOPS: "many"}})
	if d.Type != "gp3" || d.IOPS != 4000 || d.Throughput != 250 {
		t.Errorf("got %+v", d)
	}
	entry.Spec.VolumeIOPS = nil
	d = volume.DiskPlan{}
	copySpeed(&d, entry, ebs.Snapshot{VolumeID: "vol-1"})
	d.Snapshot.VolumeID = "vol-1"
	if d.IOPS != 0 || !speedIsUnknown(&d) {
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

func TestChooseZones(t *testing.T) {
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
			if got := chooseZones(tc.old, tc.groups, tc.zones); !slices.Equal(got, tc.want) {
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
		joinGroups(groups, index, p)
	}
	if groups[0] != groups[1] || groups[1] != groups[2] || groups[3] == groups[0] {
		t.Errorf("got %v", groups)
	}
}

func TestDiskID(t *testing.T) {
	csi, tree := pvOf(""), pvOf("")
	csi.Spec.CSI = &corev1.CSIPersistentVolumeSource{VolumeHandle: "vol-1"}
	tree.Spec.AWSElasticBlockStore = &corev1.AWSElasticBlockStoreVolumeSource{VolumeID: "aws://us-east-1a/vol-2"}
	if diskIDOf(csi) != "vol-1" || diskIDOf(tree) != "vol-2" || diskIDOf(pvOf("")) != "" {
		t.Errorf("%q %q", diskIDOf(csi), diskIDOf(tree))
	}
}
