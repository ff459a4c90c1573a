package apply

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	velerov1 "github.com/vmware-tanzu/velero/pkg/apis/velero/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/lifeboat-backup/lifeboat/internal/archive"
	"github.com/lifeboat-backup/lifeboat/internal/kube"
	"github.com/lifeboat-backup/lifeboat/internal/resource"
	"github.com/lifeboat-backup/lifeboat/internal/restore"
	"github.com/lifeboat-backup/lifeboat/internal/restore/restoretest"
	"github.com/lifeboat-backup/lifeboat/internal/volume"
)

const (
	storedPod    = `,"apiVersion":"v1","kind":"Pod","spec":{"containers":[{"name":"c","image":"i"}]}`
	podCommand   = `,"annotations":{"post.hook.restore.velero.io/command":"date"}`
	podElsewhere = `,"annotations":{"post.hook.restore.velero.io/command":"date","post.hook.restore.velero.io/container":"none"}`
)

// TestTransform: what the restore wants of a stored object, or why it wants nothing.
func TestTransform(t *testing.T) {
	mapped := velerov1.RestoreSpec{NamespaceMapping: map[string]string{"n": "m"}}
	blue := velerov1.RestoreSpec{LabelSelector: &metav1.LabelSelector{MatchLabels: map[string]string{"team": "blue"}}}
	for name, tt := range map[string]struct {
		stored restoretest.Stored
		spec   velerov1.RestoreSpec
		change func(*restore.Run)
		// action is what became of an object that is not sent; want is a part, as JSON,
		// of one that is.
		action, want string
		reason       string
		reasons      []string // codes and severities
		words        string   // of the first reason
		check        func(restore.Record) bool
	}{
		"ordinary": {
			stored: storedConfigMaps("o")[0],
			want:   `"metadata":{"labels":{"velero.io/restore-name":"r"},"name":"o","namespace":"n"}`,
			check: func(r restore.Record) bool {
				return r.Resource == "configmaps" && r.APIVersion == "v1" && r.Kind == "ConfigMap" && r.Namespace == "n" && r.Name == "o" && len(r.Owners) == 0
			},
		},
		"namespace mapped": {
			stored: storedConfigMaps("o")[0], spec: mapped, want: `"namespace":"m"`,
			check: func(r restore.Record) bool { return r.Namespace == "m" && r.Name == "o" },
		},
		"a mapped namespace itself": {
			stored: restoretest.Stored{Key: "namespaces n", Rest: `,"apiVersion":"v1","kind":"Namespace"`}, spec: mapped, want: `"name":"m"`,
			check: func(r restore.Record) bool { return r.Namespace == "" && r.Name == "m" },
		},
		"a reference to a mapped namespace": {
			stored: restoretest.Stored{Key: "configmaps n/o", Rest: `,"apiVersion":"v1","kind":"ConfigMap","data":{"namespace":"n"}`}, spec: mapped, want: `"namespace":"n"`,
			reasons: []string{"RESIDUAL_REFERENCE warning"}, words: "still names a mapped namespace at data.namespace",
			check: func(r restore.Record) bool { return r.Reasons[0].Namespace == "m" && r.Reasons[0].Name == "o" },
		},
		"selected by labels": {stored: restoretest.Stored{Key: "configmaps n/o", Labels: `{"team":"blue"}`, Rest: storedData}, spec: blue, want: `"team":"blue"`},
		"left out by labels": {stored: storedConfigMaps("o")[0], spec: blue, check: func(r restore.Record) bool { return r.Action == "" }},
		"a dependency of another object": {
			stored: storedConfigMaps("o")[0], spec: blue, want: `"name":"o"`,
			change: func(r *restore.Run) {
				r.Dependencies = map[resource.Ref]bool{{Resource: "configmaps", Namespace: "n", Name: "o"}: true}
			},
		},
		"not JSON": {
			stored: restoretest.Stored{Key: "configmaps n/o", Rest: `,"data":{"k":1e999}`}, action: "failed", reasons: []string{"OBJECT_INVALID error"}, words: "decode:",
			check: func(r restore.Record) bool { return r.Kind == "" && r.Name == "o" && r.Namespace == "n" },
		},
		"no metadata": {
			stored: restoretest.Stored{Key: "configmaps n/o", Rest: `,"kind":"ConfigMap","metadata":{}`}, action: "failed", reasons: []string{"OBJECT_INVALID error"}, words: "metadata.name is missing",
			check: func(r restore.Record) bool { return r.Kind == "ConfigMap" },
		},
		"a rule that skips": {
			stored: restoretest.Stored{Key: "leases.coordination.k8s.io kube-node-lease/o", Rest: `,"apiVersion":"coordination.k8s.io/v1","kind":"Lease"`},
			action: "skipped", reason: "CLUSTER_MANAGED: a node's heartbeat: the kubelet makes it",
		},
		"a finalizer of a controller": {
			stored: restoretest.Stored{Key: "configmaps n/o", Meta: `,"finalizers":["example.com/hold"]`, Rest: storedData}, want: `"k":"v"`,
			check: func(r restore.Record) bool { return slices.Equal(r.DroppedFinalizers, []string{"example.com/hold"}) },
		},
		"a type that is never restored": {
			stored: restoretest.Stored{Key: "certificatesigningrequests.certificates.k8s.io o", Rest: `,"apiVersion":"certificates.k8s.io/v1","kind":"CertificateSigningRequest"`},
			action: "skipped", reason: "NOT_RESTORABLE: objects of this type are not restored: it is a request that was answered when it was made",
		},
		"a type that is not served": {
			stored: restoretest.Stored{Key: "gadgets.example.com n/o", Rest: `,"apiVersion":"example.com/v1","kind":"Gadget"`},
			action: "failed", reasons: []string{"TYPE_NOT_SERVED error"}, words: "the cluster does not serve gadgets.example.com",
		},
		"a snapshot class where no volumes are restored": {
			stored: restoretest.Stored{Key: "volumesnapshotclasses.snapshot.storage.k8s.io o", Rest: `,"apiVersion":"snapshot.storage.k8s.io/v1","kind":"VolumeSnapshotClass"`},
			spec:   velerov1.RestoreSpec{RestorePVs: new(bool)},
			action: "skipped", reason: "VOLUME_SKIPPED: volumes are not restored (restorePVs: false), and the cluster does not serve volumesnapshotclasses.snapshot.storage.k8s.io",
		},
		"a snapshot class where volumes are": {
			stored: restoretest.Stored{Key: "volumesnapshotclasses.snapshot.storage.k8s.io o", Rest: `,"apiVersion":"snapshot.storage.k8s.io/v1","kind":"VolumeSnapshotClass"`},
			action: "failed", reasons: []string{"TYPE_NOT_SERVED error"}, words: "the cluster does not serve volumesnapshotclasses.snapshot.storage.k8s.io",
		},
		"a version that is not served": {
			stored: restoretest.Stored{Key: "widgets.example.com n/o", Meta: ownedByConfigMap, Rest: `,"apiVersion":"example.com/v1","kind":"Widget"`},
			action: "failed", reasons: []string{"TYPE_NOT_SERVED error"}, words: "stored as example.com/v1; the cluster serves widgets.example.com as v3, v2 only",
			check: func(r restore.Record) bool { return len(r.Owners) == 1 },
		},
		"another served version": {stored: restoretest.Stored{Key: "widgets.example.com n/o", Rest: `,"apiVersion":"example.com/v2","kind":"Widget"`}, want: `"apiVersion":"example.com/v2"`},
		"owned": {
			stored: restoretest.Stored{Key: "configmaps n/o", Meta: ownedByConfigMap, Rest: storedData}, want: `"name":"o","namespace":"n"}`,
			check: func(r restore.Record) bool { return len(r.Owners) == 1 && r.Owners[0].Name == "owner" },
		},
		"a modifier that fails": {
			stored: storedConfigMaps("o")[0], want: `"k":"v"`, reasons: []string{"MODIFIER_FAILED error"},
			change: func(r *restore.Run) {
				r.Changes.Modifiers = "version: v1\nresourceModifierRules:\n- conditions: {groupResource: configmaps}\n  patches:\n  - {operation: remove, path: /data/none}\n"
			},
		},
		"a volume whose disk was not made": {
			stored: restoretest.Stored{Key: "persistentvolumeclaims n/o", Rest: `,"apiVersion":"v1","kind":"PersistentVolumeClaim"`},
			change: func(r *restore.Run) {
				r.Plan.Volumes = &restore.Volumes{Volumes: []volume.Restore{{PV: "pv", Namespace: "n", Claim: "o", Target: "n", Disposition: volume.ProvisionBy(volume.MethodNative), Selected: true, Disk: &volume.DiskPlan{}}}}
				r.Index = r.Plan.Volumes.Index()
			},
			action: "failed", reasons: []string{"VOLUME_NOT_RESTORED error"}, words: "no volume was made of snapshot",
		},
		"a pod with a hook": {
			stored: restoretest.Stored{Key: "pods n/o", Meta: podCommand, Rest: storedPod}, want: `"kind":"Pod"`,
			check: func(r restore.Record) bool { return r.Hooks == 1 },
		},
		"a pod with a hook of the spec": {
			stored: restoretest.Stored{Key: "pods n/o", Rest: storedPod}, spec: podHooks(metav1.LabelSelectorOpDoesNotExist), want: `"kind":"Pod"`,
			check: func(r restore.Record) bool { return r.Hooks == 1 },
		},
		"a hook of the spec for other pods": {
			stored: restoretest.Stored{Key: "pods n/o", Rest: storedPod}, spec: podHooks(metav1.LabelSelectorOpExists), want: `"kind":"Pod"`,
			check: func(r restore.Record) bool { return r.Hooks == 0 },
		},
		"a hook for a container that is not there": {
			stored: restoretest.Stored{Key: "pods n/o", Meta: podElsewhere, Rest: storedPod}, want: `"kind":"Pod"`,
			reasons: []string{"HOOK_SKIPPED warning"}, words: `the pod has no container "none"`, check: func(r restore.Record) bool { return r.Hooks == 0 },
		},
		"a pod that cannot be read": {
			stored: restoretest.Stored{Key: "pods n/o", Meta: podCommand, Rest: `,"apiVersion":"v1","kind":"Pod","spec":{"containers":7}`},
			action: "failed", reasons: []string{"OBJECT_INVALID error"}, words: "read as a pod:",
		},
	} {
		t.Run(name, func(t *testing.T) {
			run := newRun(t, tt.spec, false, tt.stored)
			if tt.change != nil {
				tt.change(run)
			}
			rec, object := transformOnce(t, run, tt.stored)
			body, _ := json.Marshal(object)
			if sent := object != nil; sent != (tt.want != "") || !strings.Contains(string(body), tt.want) {
				t.Errorf("made %s, want %s", body, tt.want)
			}
			if rec.Action != tt.action || rec.Reason != tt.reason || !slices.Equal(reasonWords(rec.Reasons), tt.reasons) {
				t.Errorf("%+v", rec)
			}
			if tt.words != "" && (len(rec.Reasons) == 0 || !strings.Contains(rec.Reasons[0].Message, tt.words)) {
				t.Errorf("no word on %q: %+v", tt.words, rec.Reasons)
			}
			if tt.check != nil && !tt.check(rec) {
				t.Errorf("%+v", rec)
			}
		})
	}
}

const ownedByConfigMap = `,"ownerReferences":[{"apiVersion":"v1","kind":"ConfigMap","name":"owner","uid":"old"}]`

// podHooks are hooks for pods with a label "hooked", or for all others.
func podHooks(operator metav1.LabelSelectorOperator) velerov1.RestoreSpec {
	return velerov1.RestoreSpec{Hooks: velerov1.RestoreHooks{Resources: []velerov1.RestoreResourceHookSpec{{
		Name:          "h",
		LabelSelector: &metav1.LabelSelector{MatchExpressions: []metav1.LabelSelectorRequirement{{Key: "hooked", Operator: operator}}},
		PostHooks:     []velerov1.RestoreResourceHook{{Exec: &velerov1.ExecRestoreHook{Command: []string{"date"}}}},
	}}}}
}

// versionsServed are served types, with their versions.
type versionsServed map[string][]string

func (v versionsServed) Versions(gr string) []string { return v[gr] }

func (v versionsServed) InVersion(gr, version string) (kube.Resource, bool) {
	name, group, _ := strings.Cut(gr, ".")
	return kube.Resource{Group: group, Version: version, Name: name}, slices.Contains(v[gr], version)
}

func (versionsServed) HasStatus(string, string) bool { return true }

// transformOnce gives the record of an object so far, and the object if it is to be sent.
func transformOnce(t *testing.T, run *restore.Run, o restoretest.Stored) (restore.Record, map[string]any) {
	t.Helper()
	types := versionsServed{"configmaps": {"v1"}, "namespaces": {"v1"}, "pods": {"v1"}, "widgets.example.com": {"v3", "v2"}}
	tr, err := newTransformer(run, resource.NewRegistry(), types, restore.NewLookup(t.Context(), run))
	if err != nil {
		t.Fatal(err)
	}
	key, body := o.Split()
	want, ended := tr.transform(storedObject{archive.Entry{Key: key}, body})
	if ended != nil {
		return want.record(*ended), nil
	}
	if key.Resource != want.resource.GroupResource() {
		t.Errorf("type %s", want.resource.GroupResource())
	}
	return want.record(outcome{}), want.object
}
