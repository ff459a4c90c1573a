//go:build stack

package volumes

import (
	"strings"
	"testing"

	"github.com/lifeboat-backup/lifeboat/internal/aws/ebs"
	"github.com/lifeboat-backup/lifeboat/internal/volume"
	"github.com/lifeboat-backup/lifeboat/test/harness"
)

// TestNativeRestore brings a namespace back whose claims were snapshotted through EC2.
func TestNativeRestore(t *testing.T) {
	t.Parallel()
	l := shared
	ns := l.namespace(t, "native")
	l.claim(t, ns, "data", "first")
	l.claim(t, ns, "logs", "second")
	f := l.forge(t, "native")
	f.take("namespaces", "", ns)
	f.native(ns, "data")
	f.native(ns, "logs")
	old := l.disk(t, ns, "data")
	pv := textAt(l.bound(t, ns, "data"), "metadata", "name")
	backup := f.write(true)
	l.deleteNamespace(t, ns)

	res := l.restore(t, input("native-"+l.ID, backup, ns, nil))
	if res.Volumes != 2 || res.Warnings > 0 {
		t.Errorf("%+v", res)
	}
	if got := l.content(t, ns, "data") + l.content(t, ns, "logs"); got != "firstsecond" {
		t.Errorf("read %q", got)
	}
	if now := textAt(l.bound(t, ns, "data"), "metadata", "name"); now != pv {
		t.Errorf("volume %s is now %s", pv, now)
	}
	made := l.madeBy(t, res.UID)
	if len(made) != 2 || l.disk(t, ns, "data") == old {
		t.Errorf("made %+v, old %s", made, old)
	}
	for _, v := range made {
		if v.Type != "gp3" || v.Tags[ebs.TagBackup] != "" || v.Tags[ebs.TagPlace] == "" || v.Tags[ebs.TagCluster] != l.Cluster ||
			v.Tags["kubernetes.io/cluster/"+awsCluster] != "owned" || v.Tags["KubernetesCluster"] != awsCluster {
			t.Errorf("%+v", v)
		}
	}
	out, err := l.Run(t.Context(), "restore", "describe", res.Name)
	if err != nil || !strings.Contains(out, "NativeSnapshot snap-") {
		t.Errorf("describe: %v\n%s", err, out)
	}
}

// TestNativeBesideTheOriginal restores into another namespace while the first lives:
// the volume gets another name, and both have their own data.
func TestNativeBesideTheOriginal(t *testing.T) {
	t.Parallel()
	l := shared
	ns, copied := l.namespace(t, "origin"), "copied-"+l.ID
	l.cleanUp(t, copied)
	l.claim(t, ns, "data", "then")
	f := l.forge(t, "beside")
	f.native(ns, "data")
	backup := f.write(true)
	if err := writeFile(l.file(t, ns, "data"), "now"); err != nil {
		t.Fatal(err)
	}
	l.restore(t, input("beside-"+l.ID, backup, ns, map[string]string{ns: copied}))
	pv := l.bound(t, copied, "data")
	if name := textAt(pv, "metadata", "name"); !strings.HasPrefix(name, "velero-clone-") || textAt(pv, "metadata", "annotations", "velero.io/original-pv-name") == "" {
		t.Errorf("volume %s: %v", name, harness.At(pv, "metadata", "annotations"))
	}
	if a, b := l.content(t, ns, "data"), l.content(t, copied, "data"); a != "now" || b != "then" {
		t.Errorf("original %q, copy %q", a, b)
	}
}

// TestExistingClaimIsLeft: a claim that is there keeps its data, and no volume is made.
func TestExistingClaimIsLeft(t *testing.T) {
	t.Parallel()
	l := shared
	ns := l.namespace(t, "there")
	l.claim(t, ns, "data", "then")
	f := l.forge(t, "there")
	f.native(ns, "data")
	backup := f.write(true)
	if err := writeFile(l.file(t, ns, "data"), "now"); err != nil {
		t.Fatal(err)
	}
	res := l.restore(t, input("there-"+l.ID, backup, ns, nil))
	if got := l.content(t, ns, "data"); got != "now" || len(l.madeBy(t, res.UID)) > 0 {
		t.Errorf("read %q, made %v", got, l.madeBy(t, res.UID))
	}
	if !has(res.Reasons, "VOLUME_LEFT", ns+"/data") {
		t.Errorf("%q", res.Reasons)
	}
}

// TestNativeInAnotherZone: the zone of the snapshot has no node; the volume goes where
// nodes are.
func TestNativeInAnotherZone(t *testing.T) {
	t.Parallel()
	l := shared
	ns := l.namespace(t, "zones")
	l.claim(t, ns, "data", "moved")
	f := l.forge(t, "zones")
	f.native(ns, "data")
	f.natives[0].Spec.VolumeAZ = l.ebs.Region + "c" // where the stack has no node
	backup := f.write(true)
	l.deleteNamespace(t, ns)
	res := l.restore(t, input("zones-"+l.ID, backup, ns, nil))
	if !has(res.Reasons, "VOLUME_MOVED", "no node in zone "+l.ebs.Region+"c") {
		t.Errorf("%q", res.Reasons)
	}
	made := l.madeBy(t, res.UID)
	if len(made) != 1 || made[0].Zone == l.ebs.Region+"c" {
		t.Fatalf("%+v", made)
	}
	pv := l.bound(t, ns, "data")
	if text := toJSON(t, harness.At(pv, "spec", "nodeAffinity")); !strings.Contains(text, made[0].Zone) || strings.Contains(text, l.ebs.Region+"c") {
		t.Errorf("affinity %s, disk in %s", text, made[0].Zone)
	}
	if got := l.content(t, ns, "data"); got != "moved" {
		t.Errorf("read %q", got)
	}
}

// TestNativeKeepsSpeed: a gp3 volume that was made faster is as fast again, though
// Velero's files do not say so.
func TestNativeKeepsSpeed(t *testing.T) {
	t.Parallel()
	l := shared
	class := "fast-" + l.ID
	l.kubectl(t, `{"apiVersion":"storage.k8s.io/v1","kind":"StorageClass","metadata":{"name":"`+class+`"},"provisioner":"ebs.csi.aws.com",
"parameters":{"type":"gp3","iops":"4000","throughput":"250"},"volumeBindingMode":"Immediate"}`, "apply", "-f", "-")
	l.later(t, "delete", "storageclass", class)
	ns, copied := l.namespace(t, "fast"), "faster-"+l.ID
	l.cleanUp(t, copied)
	l.claimOf(t, ns, "data", class, "10Gi", "quick")
	f := l.forge(t, "fast")
	f.native(ns, "data")
	res := l.restore(t, input("fast-"+l.ID, f.write(true), ns, map[string]string{ns: copied}))
	if made := l.madeBy(t, res.UID); len(made) != 1 || made[0].IOPS != 4000 || made[0].Throughput != 250 {
		t.Errorf("%+v", made)
	}
}

// TestWithoutVolumes is --restore-volumes=false: claims come back empty on either path,
// and the disks that were backed up stay with those that have them.
func TestWithoutVolumes(t *testing.T) {
	t.Parallel()
	l := shared
	ns, copied := l.namespace(t, "off"), "offed-"+l.ID
	l.cleanUp(t, copied)
	l.claim(t, ns, "data", "x")
	l.claim(t, ns, "disk", "y")
	f := l.forge(t, "off")
	f.csi(ns, "data", "ebs")
	f.native(ns, "disk")
	in := input("off-"+l.ID, f.write(true), ns, map[string]string{ns: copied})
	no := false
	in.Spec.RestorePVs = &no
	l.restore(t, in)
	claim := l.Object(t, "pvc", copied, "data")
	if claim == nil || harness.At(claim, "spec", "dataSource") != nil {
		t.Errorf("%v", harness.At(claim, "spec"))
	}
	if old, now := l.disk(t, ns, "disk"), l.disk(t, copied, "disk"); old == now {
		t.Errorf("both claims have %s", old)
	}
}

// TestDryRun says what would be made and makes nothing.
func TestDryRun(t *testing.T) {
	t.Parallel()
	l := shared
	ns := l.namespace(t, "dry")
	l.claim(t, ns, "data", "x")
	pv := textAt(l.bound(t, ns, "data"), "metadata", "name")
	f := l.forge(t, "dry")
	snap := f.native(ns, "data")
	backup := f.write(true)
	copied := "dried-" + l.ID
	out, err := l.Run(t.Context(), "restore", "create", "dry-"+l.ID, "--from-backup", backup, "--include-namespaces", ns,
		"--namespace-mappings", ns+":"+copied, "--dry-run")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(out, "a new gp3 volume of 2 GiB in us-east-1") || !strings.Contains(out, snap.ID) {
		t.Errorf("the plan does not say what is made:\n%s", out)
	}
	made, err := l.ec2.VolumesTagged(t.Context(), map[string]string{ebs.TagRestoreUID: ""})
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range made {
		if v.Tags[ebs.TagPV] == pv {
			t.Errorf("made %+v", v)
		}
	}
	if l.Object(t, "namespace", "", copied) != nil {
		t.Error("the namespace is there")
	}
}

// TestRetainedVolumeWithoutSnapshot: a disk that the backup does not hold and that its
// policy kept is bound again, also where only its namespace is restored.
func TestRetainedVolumeWithoutSnapshot(t *testing.T) {
	t.Parallel()
	l := shared
	ns := l.namespace(t, "kept")
	l.claim(t, ns, "data", "still there")
	pv := textAt(l.bound(t, ns, "data"), "metadata", "name")
	l.kubectl(t, "", "patch", "pv", pv, "--type=merge", "-p", `{"spec":{"persistentVolumeReclaimPolicy":"Retain"}}`)
	f := l.forge(t, "kept")
	f.take("persistentvolumeclaims", ns, "data")
	f.take("persistentvolumes", "", pv)
	f.infos = append(f.infos, volume.Info{PVName: pv, PVCName: "data", PVCNamespace: ns, Skipped: true, PV: &volume.PVInfo{ReclaimPolicy: "Retain"}})
	backup := f.write(true)
	l.deleteNamespace(t, ns)
	l.kubectl(t, "", "delete", "pv", pv)
	l.restore(t, input("kept-"+l.ID, backup, ns, nil))
	if now := textAt(l.bound(t, ns, "data"), "metadata", "name"); now != pv || l.content(t, ns, "data") != "still there" {
		t.Errorf("bound to %s, holds %q", now, l.content(t, ns, "data"))
	}
	copied := "kept-copied-" + l.ID
	l.cleanUp(t, copied)
	res := l.restore(t, input(copied, backup, ns, map[string]string{ns: copied}))
	if !has(res.Reasons, "CLAIM_PENDING", copied+"/data", pv, "kept for claim "+ns+"/data") || l.content(t, ns, "data") != "still there" {
		t.Errorf("%+v", res)
	}
	l.kubectl(t, "", "patch", "pv", pv, "--type=merge", "-p", `{"spec":{"persistentVolumeReclaimPolicy":"Delete"}}`)
}

// TestSingleClaim restores one claim by its name and type, with its data; and, where
// volumes are excluded, says that it comes empty.
func TestSingleClaim(t *testing.T) {
	t.Parallel()
	l := shared
	ns := l.namespace(t, "single")
	l.claim(t, ns, "data", "one")
	f := l.forge(t, "single")
	f.native(ns, "data")
	backup := f.write(true)
	for name, exclude := range map[string][]string{"with": nil, "without": {"persistentvolumes"}} {
		copied := "single-" + name + "-" + l.ID
		l.cleanUp(t, copied)
		in := input(copied, backup, ns, map[string]string{ns: copied})
		in.Names, in.Spec.IncludedResources, in.Spec.ExcludedResources = []string{ns + "/data"}, []string{"persistentvolumeclaims"}, exclude
		res := l.restore(t, in)
		if exclude == nil {
			if got := l.content(t, copied, "data"); got != "one" || res.Volumes != 1 {
				t.Errorf("read %q, %+v", got, res)
			}
		} else if !has(res.Reasons, "VOLUME_UNSELECTED", copied+"/data") {
			t.Errorf("%+v", res)
		}
	}
}
