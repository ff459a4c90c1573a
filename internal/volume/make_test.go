package volume

import (
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	velerov1 "github.com/vmware-tanzu/velero/pkg/apis/velero/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/lifeboat-backup/lifeboat/internal/report"
)

func csiInputs() Inputs { return Inputs{CSI: true, SnapshotClasses: ebsClass()} }

func TestVolumeIsDescribed(t *testing.T) {
	plan := mustMake(t, csiInputs().with(claim("data", ebsCSI())))
	want := Volume{
		PV: "pv-data", Namespace: "shop", Claim: "data", ClaimUID: "uid-data",
		Method: MethodCSI, VolumeID: "vol-0abc", Zone: "eu-west-1a", Driver: DriverEBS, Class: "ebs", StorageClass: "gp3",
		Snapshot: plan.Volumes[0].Snapshot, ReclaimPolicy: "Delete", Capacity: 10 << 30,
		PVLabels: map[string]string{corev1.LabelTopologyZone: "eu-west-1a"},
	}
	if !reflect.DeepEqual(plan.Volumes[0], want) {
		t.Errorf("got  %+v\nwant %+v", plan.Volumes[0], want)
	}
	data, err := json.Marshal(plan)
	if err != nil {
		t.Fatal(err)
	}
	var back Plan
	if err := json.Unmarshal(data, &back); err != nil || !reflect.DeepEqual(back, plan) {
		t.Errorf("after JSON %+v, %v", back, err)
	}
}

func TestSelected(t *testing.T) {
	in := Inputs{CSI: true, Native: true, SnapshotClasses: ebsClass()}
	only := func(resources ...string) func(string, string, string, map[string]string) bool {
		return func(r, _, name string, _ map[string]string) bool {
			return slices.Contains(resources, r) || slices.Contains(resources, r+" "+name)
		}
	}
	for name, tc := range map[string]struct {
		selected []string
		of       pairOf
		want     string // path of each volume
	}{
		"claim and volume":              {[]string{claimResource, pvResource}, claim("data", ebsCSI()), "csi shop/data pv-data"},
		"claim alone":                   {[]string{claimResource}, claim("data", ebsCSI()), "csi shop/data pv-data"},
		"in-tree claim alone":           {[]string{claimResource}, claim("data", inTree()), "skip shop/data pv-data"},
		"volume alone is native":        {[]string{pvResource}, claim("data", ebsCSI()), "native / pv-data"},
		"another driver's volume alone": {[]string{pvResource}, claim("data", csiSource2("efs.csi.aws.com", "fs-1")), "skip / pv-data"},
		"nothing":                       {nil, claim("data", ebsCSI()), ""},
	} {
		t.Run(name, func(t *testing.T) {
			in := in
			in.Selected = only(tc.selected...)
			var got []string
			for _, v := range mustMake(t, in.with(tc.of)).Volumes {
				got = append(got, string(v.Method)+" "+v.Namespace+"/"+v.Claim+" "+v.PV)
			}
			if s := strings.Join(got, ", "); s != tc.want {
				t.Errorf("got %s, want %s", s, tc.want)
			}
		})
	}
}

func TestVolumeWhoseClaimIsNotInTheBackup(t *testing.T) {
	bound := claim("data", ebsCSI(), func(_ *corev1.PersistentVolumeClaim, pv *corev1.PersistentVolume) {
		pv.Status.Phase = corev1.VolumeBound
	})
	in := Inputs{Native: true, Pods: []corev1.Pod{pod("db", "data")}}.with(bound)
	in.Claims = nil
	plan := mustMake(t, in)
	if v := plan.Volumes[0]; v.Method != MethodNative || v.Claim != "data" || v.ClaimUID != "uid-data" {
		t.Errorf("got %+v", v)
	}
	if len(plan.Units) != 1 || len(plan.Units[0].Pods) != 1 {
		t.Errorf("units %+v", plan.Units)
	}
}

func TestUnits(t *testing.T) {
	done := pod("done", "a", "e")
	done.Status.Phase = corev1.PodSucceeded
	unselected := pod("left-out", "d", "e")
	scratch := pod("gen", "b")
	scratch.Spec.Volumes = append(scratch.Spec.Volumes, corev1.Volume{Name: "tmp", VolumeSource: corev1.VolumeSource{Ephemeral: &corev1.EphemeralVolumeSource{}}})
	grouped := func(c *corev1.PersistentVolumeClaim, _ *corev1.PersistentVolume) {
		c.Labels = map[string]string{velerov1.DefaultVGSLabelKey: "g"}
	}
	in := csiInputs()
	in.Pods = []corev1.Pod{pod("two", "b", "c"), pod("one", "a", "b", "shared"), done, unselected, scratch, pod("web", "shared"), pod("none")}
	in.Selected = func(resource, _, name string, _ map[string]string) bool {
		return resource != "pods" || name != "left-out"
	}
	in = in.with(
		claim("a", ebsCSI()), claim("b", ebsCSI()), claim("c", ebsCSI()), claim("d", ebsCSI()), claim("e", ebsCSI()),
		claim("gen-tmp", ebsCSI()), claim("shared", nfs()), claim("x", ebsCSI(), grouped), claim("y", ebsCSI(), grouped),
	)
	plan := mustMake(t, in)
	var got []string
	for _, u := range plan.Units {
		var parts []string
		for _, i := range u.Volumes {
			parts = append(parts, plan.Volumes[i].Claim)
		}
		line := strings.Join(parts, "+")
		for _, p := range u.Pods {
			line += " " + p.Name + "@" + p.Node + "(" + strings.Join(p.Claims, ",") + ")"
		}
		got = append(got, line)
	}
	want := []string{"a+b+c+gen-tmp gen@node-gen(b,gen-tmp) one@node-one(a,b) two@node-two(b,c)", "d", "e", "x+y"}
	if !slices.Equal(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
	if !hasProblem(plan, report.FieldIgnored, report.Warning) || plan.Volumes[7].Group != "shop/g" {
		t.Errorf("the group is not told of: %s", problems(plan))
	}
}

func TestGroupLabelOfTheSpec(t *testing.T) {
	in := Inputs{Native: true, Spec: velerov1.BackupSpec{VolumeGroupSnapshotLabelKey: "app"}}
	same := func(c *corev1.PersistentVolumeClaim, _ *corev1.PersistentVolume) { c.Labels["app"] = "db" }
	plan := mustMake(t, in.with(claim("a", ebsCSI(), same), claim("b", ebsCSI(), same), claim("c", ebsCSI())))
	if len(plan.Units) != 2 || len(plan.Problems) != 0 {
		t.Errorf("units %+v, problems %s", plan.Units, problems(plan))
	}
}

func TestPodVolumesThatFilesWereAskedFor(t *testing.T) {
	restic := velerov1.BackupSpec{DefaultVolumesToRestic: set(true)} //nolint:staticcheck // deprecated, and accepted
	p := pod("db", "data")
	for name, source := range map[string]corev1.VolumeSource{
		"cache": {EmptyDir: &corev1.EmptyDirVolumeSource{}}, "host": {HostPath: &corev1.HostPathVolumeSource{}}, "idle": {EmptyDir: &corev1.EmptyDirVolumeSource{}},
	} {
		p.Spec.Volumes = append(p.Spec.Volumes, corev1.Volume{Name: name, VolumeSource: source})
		if name != "idle" {
			p.Spec.Containers[0].VolumeMounts = append(p.Spec.Containers[0].VolumeMounts, corev1.VolumeMount{Name: name})
		}
	}
	for name, tc := range map[string]struct {
		annotation, policy string
		spec               velerov1.BackupSpec
		want               bool
	}{
		"not asked for": {"", "", velerov1.BackupSpec{}, false},
		"annotation":    {"cache,host,idle", "", velerov1.BackupSpec{}, true},
		"spec":          {"", "", restic, true},
		"policy":        {"", policyHead + "- conditions: {volumeTypes: [emptyDir, hostPath]}\n  action: {type: fs-backup}\n", velerov1.BackupSpec{}, true},
		"policy skips":  {"cache", policyHead + "- conditions: {volumeTypes: [emptyDir]}\n  action: {type: skip}\n", velerov1.BackupSpec{}, false},
	} {
		t.Run(name, func(t *testing.T) {
			p := p
			p.Annotations = map[string]string{velerov1.VolumesToBackupAnnotation: tc.annotation}
			in := Inputs{Pods: []corev1.Pod{p}, Spec: tc.spec}
			if tc.policy != "" {
				in.Policies = mustParse(t, tc.policy)
			}
			got := mustMake(t, in.with())
			if (len(got.Problems) == 1) != tc.want || tc.want && !strings.Contains(got.Problems[0].Message, "its volumes cache are") {
				t.Errorf("problems %v", got.Problems)
			}
		})
	}
}

func TestNotesAndErrors(t *testing.T) {
	in := csiInputs()
	in.Spec.SnapshotMoveData = set(true)
	if plan := mustMake(t, in.with(claim("data", ebsCSI()))); !hasProblem(plan, report.FieldIgnored, report.Warning) || plan.Count(MethodCSI) != 1 {
		t.Errorf("data that is not moved is not told of: %s", problems(plan))
	}
	if plan := mustMake(t, in.with()); len(plan.Problems) != 0 {
		t.Errorf("problems without volumes: %s", problems(plan))
	}
	if _, err := Make(Inputs{}); err == nil {
		t.Error("no uid, no error")
	}
}

func TestSnapshotNames(t *testing.T) {
	seen := map[string]bool{}
	for _, claim := range []string{"data", "data.v1", strings.Repeat("a", 253), strings.Repeat("a", 46) + ".b", strings.Repeat("a", 46) + "-b"} {
		for _, uid := range []string{"1", "2"} {
			name := snapshotName(uid, "shop", claim, "u")
			if bad := validation.IsDNS1123Subdomain(name); len(bad) > 0 || len(validation.IsValidLabelValue(name)) > 0 {
				t.Errorf("%s: %v", name, bad)
			}
			if seen[name] || name != snapshotName(uid, "shop", claim, "u") {
				t.Errorf("%s is not the one name of its claim", name)
			}
			seen[name] = true
		}
	}
}

func TestEBSID(t *testing.T) {
	tree := func(id string) corev1.PersistentVolumeSource {
		return corev1.PersistentVolumeSource{AWSElasticBlockStore: &corev1.AWSElasticBlockStoreVolumeSource{VolumeID: id}}
	}
	for _, tc := range []struct {
		source corev1.PersistentVolumeSource
		want   string
	}{
		{ebsCSI(), "vol-0abc"},
		{inTree(), "vol-0def"},
		{tree("vol-1"), "vol-1"},
		{tree("aws:///vol-1"), "vol-1"},
		{tree("nonsense"), ""},
		{tree(""), ""},
		{csiSource2(DriverEBS, ""), ""},
		{csiSource2(DriverEBS, "snap-1"), ""},
		{csiSource2("efs.csi.aws.com", "vol-1"), ""},
		{nfs(), ""},
	} {
		pv := corev1.PersistentVolume{Spec: corev1.PersistentVolumeSpec{PersistentVolumeSource: tc.source}}
		if got := EBSID(&pv); got != tc.want {
			t.Errorf("got %q, want %q", got, tc.want)
		}
	}
}

func BenchmarkMake(b *testing.B) {
	in := Inputs{CSI: true, SnapshotClasses: ebsClass()}
	var pairs []pairOf
	for i := range 10000 {
		name := fmt.Sprintf("c%05d", i)
		in.Pods = append(in.Pods, pod("p"+name, name))
		pairs = append(pairs, claim(name, []corev1.PersistentVolumeSource{ebsCSI(), nfs()}[i%2]))
	}
	in = in.with(pairs...)
	for b.Loop() {
		if _, err := Make(in); err != nil {
			b.Fatal(err)
		}
	}
}
