package volume

import (
	"strings"
	"testing"

	velerov1 "github.com/vmware-tanzu/velero/pkg/apis/velero/v1"
	corev1 "k8s.io/api/core/v1"
)

const policyHead = "version: v1\nvolumePolicies:\n"

// policyFor is a document with one policy for all volumes.
func policyFor(action string) string { return policyHead + "- action: {type: " + action + "}\n" }

func TestPathOfOneVolume(t *testing.T) {
	off := velerov1.BackupSpec{SnapshotVolumes: set(false)}
	named := velerov1.BackupSpec{VolumeSnapshotLocations: []string{"aws"}}
	pending := func(c *corev1.PersistentVolumeClaim, _ *corev1.PersistentVolume) {
		c.Status.Phase, c.Spec.VolumeName = corev1.ClaimPending, ""
	}
	lost := func(c *corev1.PersistentVolumeClaim, _ *corev1.PersistentVolume) { c.Status.Phase = corev1.ClaimLost }
	elsewhere := func(_ *corev1.PersistentVolumeClaim, pv *corev1.PersistentVolume) { pv.Spec.ClaimRef.UID = "another" }
	optedIn := pod("db", "data")
	optedIn.Annotations = map[string]string{velerov1.VolumesToBackupAnnotation: "other, v0"}
	waiting := optedIn
	waiting.Status.Phase = corev1.PodPending
	optedOut := pod("db", "data")
	optedOut.Annotations = map[string]string{velerov1.VolumesToExcludeAnnotation: "v0"}
	files := velerov1.BackupSpec{DefaultVolumesToFsBackup: set(true)}
	block := func(c *corev1.PersistentVolumeClaim, _ *corev1.PersistentVolume) {
		c.Spec.VolumeMode = set(corev1.PersistentVolumeBlock)
	}

	for name, tc := range map[string]struct {
		in       Inputs
		of       pairOf
		policy   string
		path     Method
		reason   string // part of it
		problems string
	}{
		"csi by default":                       {Inputs{CSI: true, SnapshotClasses: ebsClass()}, claim("data", ebsCSI()), "", MethodCSI, "", ""},
		"csi, location configured":             {Inputs{CSI: true, Native: true, SnapshotClasses: ebsClass()}, claim("data", ebsCSI()), "", MethodCSI, "", ""},
		"native, location named":               {Inputs{CSI: true, Native: true, SnapshotClasses: ebsClass(), Spec: named}, claim("data", ebsCSI()), "", MethodNative, "", ""},
		"native, no VolumeSnapshots":           {Inputs{Native: true, SnapshotClasses: ebsClass()}, claim("data", ebsCSI()), "", MethodNative, "", ""},
		"native, no class":                     {Inputs{CSI: true, Native: true}, claim("data", ebsCSI()), "", MethodNative, "", ""},
		"native, in-tree":                      {Inputs{CSI: true, Native: true, SnapshotClasses: ebsClass()}, claim("data", inTree()), "", MethodNative, "", ""},
		"in-tree, no location":                 {Inputs{CSI: true, SnapshotClasses: ebsClass()}, claim("data", inTree()), "", MethodNone, "no VolumeSnapshotLocation", "warning VOLUME_SKIPPED persistentvolumeclaims shop/data; "},
		"neither":                              {Inputs{}, claim("data", ebsCSI()), "", MethodNone, "no VolumeSnapshots", "warning VOLUME_SKIPPED persistentvolumeclaims shop/data; "},
		"other driver, location named":         {Inputs{CSI: true, Native: true, Spec: named}, claim("data", csiSource2("csi.example.org", "fs-1")), "", MethodNone, "no VolumeSnapshotClass", "error SNAPSHOT_CLASS persistentvolumeclaims shop/data; "},
		"driver without snapshots":             {Inputs{CSI: true, SnapshotClasses: ebsClass()}, claim("data", csiSource2("efs.csi.aws.com", "fs-1::fsap-1")), "", MethodNone, "AWS Backup", "warning VOLUME_SKIPPED persistentvolumeclaims shop/data; "},
		"disk of a node":                       {Inputs{CSI: true, SnapshotClasses: ebsClass()}, claim("data", csiSource2(DriverEBS, "local-ebs://x")), "", MethodNone, "a disk of its node", "warning VOLUME_SKIPPED persistentvolumeclaims shop/data; "},
		"EKS Auto Mode, location named":        {Inputs{CSI: true, Native: true, Spec: named}, claim("data", csiSource2(DriverEBSAuto, "vol-1")), "", MethodNative, "", ""},
		"handle that is no volume":             {Inputs{Native: true, Spec: named}, claim("data", csiSource2(DriverEBS, "x-1")), "", MethodNone, "no VolumeSnapshots", "warning VOLUME_SKIPPED persistentvolumeclaims shop/data; "},
		"nfs":                                  {Inputs{CSI: true, Native: true}, claim("data", nfs()), "", MethodNone, "cannot be snapshotted: nfs", "warning VOLUME_SKIPPED persistentvolumeclaims shop/data; "},
		"no source":                            {Inputs{CSI: true}, claim("data", corev1.PersistentVolumeSource{}), "", MethodNone, "unknown", "warning VOLUME_SKIPPED persistentvolumeclaims shop/data; "},
		"snapshotVolumes false":                {Inputs{CSI: true, Spec: off, SnapshotClasses: ebsClass()}, claim("data", ebsCSI()), "", MethodNone, "snapshotVolumes: false", ""},
		"pending":                              {Inputs{CSI: true}, claim("data", ebsCSI(), pending), "", MethodNone, "Pending and has no volume", "warning VOLUME_SKIPPED persistentvolumes pv-data; warning CLAIM_UNBOUND persistentvolumeclaims shop/data; "},
		"pending, snapshotVolumes false":       {Inputs{CSI: true, Spec: off}, claim("data", ebsCSI(), pending), "", MethodNone, "snapshotVolumes: false", ""},
		"lost":                                 {Inputs{CSI: true, SnapshotClasses: ebsClass()}, claim("data", ebsCSI(), lost), "", MethodNone, "Lost, not bound to volume pv-data", "error CLAIM_UNBOUND persistentvolumeclaims shop/data; "},
		"volume of another claim":              {Inputs{CSI: true, SnapshotClasses: ebsClass()}, claim("data", ebsCSI(), elsewhere), "", MethodNone, "bound to another claim", "error CLAIM_UNBOUND persistentvolumeclaims shop/data; warning VOLUME_SKIPPED persistentvolumes pv-data; "},
		"files by annotation":                  {Inputs{CSI: true, SnapshotClasses: ebsClass(), Pods: []corev1.Pod{optedIn}}, claim("data", ebsCSI()), "", MethodNone, "pod shop/db: file-level", "warning VOLUME_SKIPPED persistentvolumeclaims shop/data; "},
		"files before snapshotVolumes":         {Inputs{CSI: true, Spec: off, Pods: []corev1.Pod{optedIn}}, claim("data", ebsCSI()), "", MethodNone, "file-level", "warning VOLUME_SKIPPED persistentvolumeclaims shop/data; "},
		"files, pod does not run":              {Inputs{CSI: true, SnapshotClasses: ebsClass(), Pods: []corev1.Pod{waiting}}, claim("data", ebsCSI()), "", MethodCSI, "", ""},
		"files by default":                     {Inputs{CSI: true, SnapshotClasses: ebsClass(), Spec: files, Pods: []corev1.Pod{pod("db", "data")}}, claim("data", ebsCSI()), "", MethodNone, "file-level", "warning VOLUME_SKIPPED persistentvolumeclaims shop/data; "},
		"files by default, opted out":          {Inputs{CSI: true, SnapshotClasses: ebsClass(), Spec: files, Pods: []corev1.Pod{optedOut}}, claim("data", ebsCSI()), "", MethodCSI, "", ""},
		"files by default, no pod":             {Inputs{CSI: true, SnapshotClasses: ebsClass(), Spec: files}, claim("data", ebsCSI()), "", MethodCSI, "", ""},
		"files by default, block":              {Inputs{CSI: true, SnapshotClasses: ebsClass(), Spec: files, Pods: []corev1.Pod{pod("db", "data")}}, claim("data", ebsCSI(), block), "", MethodCSI, "", ""},
		"policy skip":                          {Inputs{CSI: true, SnapshotClasses: ebsClass()}, claim("data", ebsCSI()), policyFor("skip"), MethodNone, "resource policy", ""},
		"policy skip, pending":                 {Inputs{CSI: true}, claim("data", ebsCSI(), lost), policyFor("skip"), MethodNone, "resource policy", ""},
		"policy snapshot beats the spec":       {Inputs{CSI: true, Spec: off, SnapshotClasses: ebsClass()}, claim("data", ebsCSI()), policyFor("snapshot"), MethodCSI, "", ""},
		"policy snapshot beats the annotation": {Inputs{CSI: true, SnapshotClasses: ebsClass(), Pods: []corev1.Pod{optedIn}}, claim("data", ebsCSI()), policyFor("snapshot"), MethodCSI, "", ""},
		"policy snapshot, impossible":          {Inputs{CSI: true}, claim("data", nfs()), policyFor("snapshot"), MethodNone, "nfs", "error VOLUME_SKIPPED persistentvolumeclaims shop/data; "},
		"policy snapshot, lost":                {Inputs{CSI: true, Spec: off}, claim("data", ebsCSI(), lost), policyFor("snapshot"), MethodNone, "Lost", "error CLAIM_UNBOUND persistentvolumeclaims shop/data; "},
		"policy files":                         {Inputs{CSI: true, SnapshotClasses: ebsClass()}, claim("data", ebsCSI()), policyFor("fs-backup"), MethodNone, "fs-backup", "warning VOLUME_SKIPPED persistentvolumeclaims shop/data; "},
		"policy custom":                        {Inputs{CSI: true, SnapshotClasses: ebsClass()}, claim("data", ebsCSI()), policyFor("custom"), MethodNone, "custom", "warning VOLUME_SKIPPED persistentvolumeclaims shop/data; "},
		"policy that does not match":           {Inputs{CSI: true, SnapshotClasses: ebsClass()}, claim("data", ebsCSI()), policyHead + "- conditions: {nfs: {}}\n  action: {type: skip}\n", MethodCSI, "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			if tc.policy != "" {
				tc.in.Policies = mustParse(t, tc.policy)
			}
			plan := mustMake(t, tc.in.with(tc.of))
			v := plan.Volumes[len(plan.Volumes)-1] // volumes without a claim come first
			if v.Claim != "data" || v.Method != tc.path || !strings.Contains(v.SkipReason, tc.reason) || (v.SkipReason == "") != (tc.path != MethodNone) {
				t.Errorf("path %s (%s), want %s (%s)", v.Method, v.SkipReason, tc.path, tc.reason)
			}
			if got := problems(plan); got != tc.problems {
				t.Errorf("problems %q, want %q", got, tc.problems)
			}
			if got := len(plan.Units); (got == 1) != (tc.path != MethodNone) {
				t.Errorf("%d units", got)
			}
		})
	}
}
