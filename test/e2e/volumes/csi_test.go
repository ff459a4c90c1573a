//go:build stack

package volumes

import (
	"strings"
	"testing"
	"time"

	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/test/harness"
	"github.com/lifeboat-backup/lifeboat/test/stack"
)

// TestCSIRestore brings claims back from CSI snapshots: after a loss, beside the
// original, and from a backup so old that it has no volumeinfo.
func TestCSIRestore(t *testing.T) {
	t.Parallel()
	l := shared
	for name, withInfo := range map[string]bool{"csi": true, "old": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ns, copied := l.namespace(t, name), name+"-copied-"+l.ID
			l.cleanUp(t, copied)
			l.claim(t, ns, "data", "then")
			f := l.forge(t, name)
			f.take("namespaces", "", ns)
			f.csi(ns, "data", stack.EBSSnapshotClass)
			backup := f.write(withInfo)
			if err := writeFile(l.file(t, ns, "data"), "now"); err != nil {
				t.Fatal(err)
			}
			res := l.restore(t, input(name+"-beside-"+l.ID, backup, ns, map[string]string{ns: copied}))
			if a, b := l.content(t, ns, "data"), l.content(t, copied, "data"); a != "now" || b != "then" || res.Volumes != 1 {
				t.Errorf("original %q, copy %q, %+v", a, b, res)
			}
			l.deleteNamespace(t, ns)
			l.restore(t, input(name+"-lost-"+l.ID, backup, ns, nil))
			if got := l.content(t, ns, "data"); got != "then" {
				t.Errorf("read %q", got)
			}
			pv := l.bound(t, ns, "data")
			if withInfo && (textAt(pv, "spec", "persistentVolumeReclaimPolicy") != "Retain" || textAt(pv, "metadata", "labels", "team") != "books" ||
				textAt(pv, "metadata", "labels", "topology.kubernetes.io/zone") == "elsewhere") {
				t.Errorf("the volume was not given what it had: %v", harness.At(pv, "metadata", "labels"))
			}
		})
	}
}

// TestCSIClassIsMapped restores into a storage class of another name, by flag and by
// Velero's ConfigMap.
func TestCSIClassIsMapped(t *testing.T) {
	t.Parallel()
	l := shared.beside(t, "class")
	ns := l.namespace(t, "class")
	class := "other-" + l.ID
	l.kubectl(t, `{"apiVersion":"storage.k8s.io/v1","kind":"StorageClass","metadata":{"name":"`+class+`"},"provisioner":"ebs.csi.aws.com","volumeBindingMode":"Immediate"}`, "apply", "-f", "-")
	l.later(t, "delete", "storageclass", class)
	l.claim(t, ns, "data", "then")
	f := l.forge(t, "class")
	f.csi(ns, "data", stack.EBSSnapshotClass)
	backup := f.write(true)
	check := func(t *testing.T, copied string) {
		t.Helper()
		if got := textAt(l.Object(t, "pvc", copied, "data"), "spec", "storageClassName"); got != class || l.content(t, copied, "data") != "then" {
			t.Errorf("class %q, content %q", got, l.content(t, copied, "data"))
		}
	}
	t.Run("flag", func(t *testing.T) {
		copied := "class-flag-" + l.ID
		l.cleanUp(t, copied)
		if _, err := l.Run(t.Context(), "restore", "create", "class-flag-"+l.ID, "--from-backup", backup, "--include-namespaces", ns,
			"--namespace-mappings", ns+":"+copied, "--storage-class-mappings", stack.EBSClassNow+":"+class, "--wait"); err != nil {
			t.Fatal(err)
		}
		check(t, copied)
	})
	t.Run("ConfigMap", func(t *testing.T) {
		copied := "class-map-" + l.ID
		l.cleanUp(t, copied)
		l.kubectl(t, `{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"classes-`+l.ID+`","namespace":"`+l.configured(t)+`","labels":{"velero.io/plugin-config":"","velero.io/change-storage-class":"RestoreItemAction"}},
"data":{"`+stack.EBSClassNow+`":"`+class+`"}}`, "apply", "-f", "-")
		l.restore(t, input("class-map-"+l.ID, backup, ns, map[string]string{ns: copied}))
		check(t, copied)
	})
	t.Run("unknown class", func(t *testing.T) {
		in := input("class-bad-"+l.ID, backup, ns, map[string]string{ns: "never-" + l.ID})
		in.StorageClasses = map[string]string{stack.EBSClassNow: "nowhere"}
		if kind, text := l.refused(t, in); kind != "InvalidInput" || !strings.Contains(text, `storageClassMapping[`+stack.EBSClassNow+`]`) {
			t.Errorf("%s: %s", kind, text)
		}
	})
}

// configured makes the namespace in which a Lifeboat beside the shared one looks for
// ConfigMaps.
func (l *lab) configured(t *testing.T) string {
	t.Helper()
	l.kubectl(t, "", "create", "namespace", l.Config.Namespace)
	l.cleanUp(t, l.Config.Namespace)
	return l.Config.Namespace
}

// TestCSIWaitsForItsPod: a class that makes volumes only for pods makes this one when
// the restored pod is scheduled, in its zone, and the restore waits for that, also for
// a node that comes later; a claim that no pod uses it does not wait for, and says so.
func TestCSIWaitsForItsPod(t *testing.T) {
	t.Parallel()
	l := shared
	ns, copied := l.namespace(t, "pod"), "pod-copied-"+l.ID
	l.cleanUp(t, copied)
	pod := func(name, claim string) {
		l.kubectl(t, `{"apiVersion":"v1","kind":"Pod","metadata":{"name":"`+name+`","namespace":"`+ns+`"},"spec":{
"containers":[{"name":"c","image":"none","volumeMounts":[{"name":"v","mountPath":"/v"}]}],
"volumes":[{"name":"v","persistentVolumeClaim":{"claimName":"`+claim+`"}}]}}`, "apply", "-f", "-")
	}
	f := l.forge(t, "pod")
	for _, claim := range []string{"used", "idle", "late"} {
		l.kubectl(t, `{"apiVersion":"v1","kind":"PersistentVolumeClaim","metadata":{"name":"`+claim+`","namespace":"`+ns+`"},
"spec":{"storageClassName":"`+stack.EBSClass+`","accessModes":["ReadWriteOnce"],"resources":{"requests":{"storage":"1Gi"}}}}`, "apply", "-f", "-")
		pod("pod-"+claim, claim)
		l.bound(t, ns, claim)
		if err := writeFile(l.file(t, ns, claim), claim); err != nil {
			t.Fatal(err)
		}
		f.csi(ns, claim, stack.EBSSnapshotClass)
	}
	f.take("pods", ns, "pod-used")
	spec, _ := f.take("pods", ns, "pod-late")["spec"].(map[string]any)
	label := "late-" + l.ID
	spec["nodeSelector"] = map[string]any{label: "yes"}
	run := l.start(t, input("pod-"+l.ID, f.write(true), ns, map[string]string{ns: copied}))
	time.Sleep(12 * time.Second) // longer than a claim is waited for that no pod mounts
	node := strings.Fields(l.kubectl(t, "", "get", "nodes", "-o", "name"))[0]
	l.kubectl(t, "", "label", node, label+"=yes")
	l.later(t, "label", node, label+"-")
	var res contract.RestoreResult
	if err := run.Get(t.Context(), &res); err != nil {
		t.Fatal(err)
	}
	if got := l.content(t, copied, "used"); got != "used" || res.Errors > 0 {
		t.Errorf("read %q, %+v", got, res)
	}
	if phase := textAt(l.Object(t, "pvc", copied, "idle"), "status", "phase"); phase != "Pending" {
		t.Errorf("the claim that no pod uses is %s", phase)
	}
	if !has(res.Reasons, "CLAIM_PENDING", copied+"/idle", "filled from its snapshot") || has(res.Reasons, copied+"/late") || res.Volumes != 2 {
		t.Errorf("%+v", res)
	}
	if pv := l.bound(t, copied, "late"); textAt(pv, "spec", "persistentVolumeReclaimPolicy") != "Retain" || textAt(pv, "metadata", "labels", "team") != "books" {
		t.Errorf("the volume of a pod that was scheduled late was not given what it had: %v", harness.At(pv, "metadata"))
	}
	if took := res.Completed.Sub(res.Started); took > 40*time.Second {
		t.Errorf("took %s", took)
	}
}
