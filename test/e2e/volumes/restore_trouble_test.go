//go:build stack

package volumes

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/lifeboat-backup/lifeboat/internal/aws/ebs"
	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/test/stack/ebssim"
)

// faultOf is a fault of one volume only, by the tag of its PV: it disturbs no test
// beside this one.
func (l *lab) faultOf(t *testing.T, pv string, f ebssim.Fault) {
	t.Helper()
	f.Action, f.Tags = "CreateVolume", map[string]string{ebs.TagPV: pv}
	l.ebs.Inject(t, f)
}

// TestTroubleOfSingleVolumes: what happens to one volume ends in a reason that says
// what it was, in bounded time, and the others come back.
func TestTroubleOfSingleVolumes(t *testing.T) {
	t.Parallel()
	l := shared
	ns, backup := l.several(t, "single-trouble", 5)
	copied := "single-troubled-" + l.ID
	l.cleanUp(t, copied)
	for name, f := range map[string]ebssim.Fault{
		"data-1": {Effect: ebssim.EffectVolumeStuck},
		"data-2": {Effect: ebssim.EffectVolumeStuck},
		"data-3": {Effect: ebssim.EffectError, Code: "InsufficientVolumeCapacity", Status: 500, Message: "no room"},
		"data-4": {Effect: ebssim.EffectThrottle, Times: 3},
	} {
		l.faultOf(t, textAt(l.bound(t, ns, name), "metadata", "name"), f)
	}
	in := input("single-trouble-"+l.ID, backup, ns, map[string]string{ns: copied})
	in.Spec.ItemOperationTimeout.Duration = 12 * time.Second
	run := l.start(t, in)
	l.made(t, run.GetRunID(), 4)
	time.Sleep(2 * time.Second) // until the restore has seen it
	l.destroy(t, run.GetRunID(), textAt(l.bound(t, ns, "data-2"), "metadata", "name"))
	var res contract.RestoreResult
	if err := run.Get(t.Context(), &res); err != nil || res.Phase != "PartiallyFailed" || res.Volumes != 2 {
		t.Fatalf("%v %+v", err, res)
	}
	for claim, text := range map[string]string{
		"data-1": `still "creating" after itemOperationTimeout (12s)`, "data-2": "is gone",
		"data-3": "no capacity for a gp3 volume of 2 GiB in zone " + l.ebs.Region,
	} {
		if !has(res.Reasons, "VOLUME_NOT_RESTORED", text) || l.Object(t, "pvc", copied, claim) != nil {
			t.Errorf("%s: %q", claim, res.Reasons)
		}
	}
	if got := l.content(t, copied, "data-0") + l.content(t, copied, "data-4"); got != "data-0data-4" {
		t.Errorf("read %q", got)
	}
	if out := l.says(t, "restore", "describe", in.Name); strings.Count(out, "NativeSnapshot snap-") != 2 {
		t.Errorf("lists what was not restored:\n%s", out)
	}
	l.destroy(t, res.UID, textAt(l.bound(t, ns, "data-1"), "metadata", "name")) // EC2 deletes none that is being made
	if left := l.madeBy(t, res.UID); len(left) != 2 {
		t.Errorf("left %+v", left)
	}
}

// TestUnknownKey: a key that was disabled since makes EC2 drop a restored volume without a word.
// The restore names the key and what to do, leaves nothing, and the next one, with the key enabled
// again, has every byte.
func TestUnknownKey(t *testing.T) {
	t.Parallel()
	l := shared
	key := l.ebs.SpareKey
	class := "encrypted-" + l.ID
	l.kubectl(t, `{"apiVersion":"storage.k8s.io/v1","kind":"StorageClass","metadata":{"name":"`+class+`"},"provisioner":"ebs.csi.aws.com",
"parameters":{"type":"gp3","encrypted":"true","kmsKeyId":"`+key+`"},"volumeBindingMode":"Immediate"}`, "apply", "-f", "-")
	l.later(t, "delete", "storageclass", class)
	ns, copied, again := l.namespace(t, "key"), "key-copied-"+l.ID, "key-again-"+l.ID
	l.cleanUp(t, copied)
	l.cleanUp(t, again)
	l.claimOf(t, ns, "data", class, "2Gi", "secret")
	f := l.forge(t, "key")
	f.native(ns, "data")
	backup := f.write(true)
	if err := l.ebs.EnableSpareKey(t.Context(), false); err != nil {
		t.Fatal(err)
	}
	var res contract.RestoreResult
	err := l.start(t, input("key-lost-"+l.ID, backup, ns, map[string]string{ns: copied})).Get(t.Context(), &res)
	if err != nil || res.Phase != "PartiallyFailed" || !has(res.Reasons, "VOLUME_NOT_RESTORED", "is gone", key, "kms:CreateGrant", "the key is enabled") {
		t.Errorf("%v %+v", err, res)
	}
	if left := l.madeBy(t, res.UID); len(left) > 0 || l.Object(t, "pvc", copied, "data") != nil {
		t.Errorf("left %+v", left)
	}
	if err := l.ebs.EnableSpareKey(t.Context(), true); err != nil {
		t.Fatal(err)
	}
	l.restore(t, input("key-again-"+l.ID, backup, ns, map[string]string{ns: again}))
	if got := l.content(t, again, "data"); got != "secret" {
		t.Errorf("read %q", got)
	}
}

// destroy makes the volume vanish that a restore made for a PV.
func (l *lab) destroy(t *testing.T, uid, pv string) {
	t.Helper()
	for _, v := range l.madeBy(t, uid) {
		if v.Tags[ebs.TagPV] == pv {
			if err := l.ebs.DestroyVolume(t.Context(), v.ID); err != nil {
				t.Error(err)
			}
			return
		}
	}
	t.Errorf("no volume was made for %s", pv)
}

// TestInTreeRestore restores a volume of the source that Kubernetes had before there
// were drivers, in another zone: its id names the zone.
func TestInTreeRestore(t *testing.T) {
	t.Parallel()
	l := shared
	ns := l.namespace(t, "tree")
	l.claim(t, ns, "data", "old")
	f := l.forge(t, "tree")
	f.native(ns, "data")
	old, zone := f.natives[0].Spec.ProviderVolumeID, l.ebs.Region+"c" // where the stack has no node
	f.natives[0].Spec.VolumeAZ = zone
	name := f.natives[0].Spec.PersistentVolumeName
	spec, _ := f.take("persistentvolumes", "", name)["spec"].(map[string]any)
	delete(spec, "csi")
	spec["awsElasticBlockStore"] = map[string]any{"volumeID": fmt.Sprintf("aws://%s/%s", zone, old), "fsType": "ext4"}
	spec["persistentVolumeReclaimPolicy"] = "Retain" // no in-tree plugin would delete it
	backup := f.write(true)
	l.deleteNamespace(t, ns)
	res := l.restore(t, input("tree-"+l.ID, backup, ns, nil))
	made := l.madeBy(t, res.UID)
	if len(made) != 1 || made[0].Zone == zone || res.Volumes != 1 {
		t.Fatalf("%+v, made %+v", res, made)
	}
	pv := l.bound(t, ns, "data")
	l.later(t, "delete", "pv", name, "--wait=false")
	if got, want := textAt(pv, "spec", "awsElasticBlockStore", "volumeID"), fmt.Sprintf("aws://%s/%s", made[0].Zone, made[0].ID); got != want {
		t.Errorf("volume id %q, want %q", got, want)
	}
}
