package resource

import (
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/lifeboat-backup/lifeboat/internal/report"
)

func TestNotRestored(t *testing.T) {
	r := NewRegistry()
	// Velero's own list; ours is longer.
	for _, resource := range []string{
		"nodes", "events", "events.events.k8s.io", "backups.velero.io", "restores.velero.io",
		"resticrepositories.velero.io", "csinodes.storage.k8s.io", "volumeattachments.storage.k8s.io",
		"backuprepositories.velero.io", "certificatesigningrequests.certificates.k8s.io",
	} {
		if out, err := r.Restore(&Context{}, resource, object(t, `{"metadata":{"name":"x"}}`)); err != nil || out.Skip.Code != report.NotRestorable || out.Skip.Text == "" {
			t.Errorf("%s is restored: %v, %v", resource, out, err)
		}
	}
	for _, resource := range []string{"deployments.apps", "pods"} {
		if out, err := r.Restore(&Context{}, resource, object(t, `{"metadata":{"name":"x"}}`)); err != nil || out.Skipped() {
			t.Errorf("%s: %v, %v", resource, out, err)
		}
	}
}

func TestLiveWins(t *testing.T) {
	r := NewRegistry()
	if !r.LiveWins("leases.coordination.k8s.io") || r.LiveWins("configmaps") {
		t.Error("leases alone are never updated")
	}
}

// Every rule has a golden case.
func TestEveryKindHasACase(t *testing.T) {
	files, err := filepath.Glob("testdata/*/*.in.json")
	if err != nil {
		t.Fatal(err)
	}
	tested := map[string]bool{}
	for _, file := range files {
		tested[readCase(t, file).Resource] = true
		if _, err := os.Stat(strings.Replace(file, ".in.", ".out.", 1)); err != nil {
			t.Error(err)
		}
	}
	for resource, k := range allKinds() {
		if k.restore != nil && !tested[resource] {
			t.Errorf("%s has a rule and no case", resource)
		}
	}
}

func TestRestoreRefusesWhatIsNoObject(t *testing.T) {
	for _, obj := range []map[string]any{nil, {}, {"metadata": "x"}, {"metadata": map[string]any{}}, {"metadata": map[string]any{"name": 1}}} {
		if _, err := NewRegistry().Restore(&Context{}, "pods", obj); !errors.Is(err, ErrInvalid) {
			t.Errorf("%v: got %v", obj, err)
		}
	}
}

func TestLabelValue(t *testing.T) {
	long := strings.Repeat("a", 64)
	tests := map[string]string{
		"nightly":               "nightly",
		strings.Repeat("b", 63): strings.Repeat("b", 63),
		long:                    strings.Repeat("a", 57) + "ffe054", // sha256sum
	}
	for in, want := range tests {
		if got := LabelValue(in); got != want {
			t.Errorf("LabelValue(%q) = %q, want %q", in, got, want)
		}
	}
}

func TestBackup(t *testing.T) {
	tests := []struct {
		name, resource, in, out string // out "" = unchanged
		related                 []Ref
	}{
		{
			name: "bound claim", resource: "persistentvolumeclaims",
			in:      `{"metadata":{"name":"c","namespace":"n","labels":{"velero.io/backup-name":"old","velero.io/restore-name":"r","app":"x"}},"spec":{"volumeName":"pvc-1","dataSource":{},"dataSourceRef":{},"selector":{},"storageClassName":"gp3"},"status":{"phase":"Bound"}}`,
			out:     `{"metadata":{"name":"c","namespace":"n","labels":{"app":"x"}},"spec":{"volumeName":"pvc-1","storageClassName":"gp3"},"status":{"phase":"Bound"}}`,
			related: []Ref{{Resource: "persistentvolumes", Name: "pvc-1"}},
		},
		{
			name: "a claim without a class keeps its selector", resource: "persistentvolumeclaims",
			in:      `{"metadata":{"name":"c"},"spec":{"volumeName":"pvc-1","selector":{"matchLabels":{"a":"b"}},"storageClassName":""},"status":{"phase":"Bound"}}`,
			related: []Ref{{Resource: "persistentvolumes", Name: "pvc-1"}},
		},
		{
			name: "the default class loses the selector", resource: "persistentvolumeclaims",
			in:      `{"metadata":{"name":"c"},"spec":{"volumeName":"pvc-1","selector":{}},"status":{"phase":"Bound"}}`,
			out:     `{"metadata":{"name":"c"},"spec":{"volumeName":"pvc-1"},"status":{"phase":"Bound"}}`,
			related: []Ref{{Resource: "persistentvolumes", Name: "pvc-1"}},
		},
		{
			name: "pending claim", resource: "persistentvolumeclaims",
			in: `{"metadata":{"name":"c","labels":{"velero.io/backup-name":"old"}},"spec":{"dataSource":{}},"status":{"phase":"Pending"}}`,
		},
		{
			name: "pod", resource: "pods",
			in: `{"metadata":{"name":"p","namespace":"n"},"spec":{"priorityClassName":"high","volumes":[{"name":"a","persistentVolumeClaim":{"claimName":"c"}},{"name":"b","emptyDir":{}},{"name":"e","ephemeral":{"volumeClaimTemplate":{}}}]}}`,
			related: []Ref{
				{Resource: "persistentvolumeclaims", Namespace: "n", Name: "c"},
				{Resource: "persistentvolumeclaims", Namespace: "n", Name: "p-e"},
				{Resource: "priorityclasses.scheduling.k8s.io", Name: "high"},
			},
		},
		{
			name: "service account", resource: "serviceaccounts", in: `{"metadata":{"name":"sa","namespace":"n"}}`,
			related: []Ref{{Resource: "clusterrolebindings.rbac.authorization.k8s.io", Namespace: "n", Name: "sa", Subject: true}},
		},
		{
			name: "custom resource", resource: "widgets.example.com", in: `{"metadata":{"name":"w"}}`,
			related: []Ref{{Resource: "customresourcedefinitions.apiextensions.k8s.io", Name: "widgets.example.com"}},
		},
		{name: "built-in", resource: "deployments.apps", in: `{"metadata":{"name":"w"}}`},
		{name: "built-in with a dotted group", resource: "roles.rbac.authorization.k8s.io", in: `{"metadata":{"name":"w"}}`},
		{
			name: "a definition in Kubernetes' domain", resource: "volumesnapshots.snapshot.storage.k8s.io", in: `{"metadata":{"name":"w"}}`,
			related: []Ref{{Resource: "customresourcedefinitions.apiextensions.k8s.io", Name: "volumesnapshots.snapshot.storage.k8s.io"}},
		},
	}
	r := NewRegistry()
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			obj, out := object(t, test.in), test.out
			changed, related := r.Backup(test.resource, obj)
			if changed != (out != "") {
				t.Errorf("changed = %v", changed)
			}
			if out == "" {
				out = test.in
			}
			if want := object(t, out); !reflect.DeepEqual(obj, want) {
				t.Errorf("got %v, want %v", obj, want)
			}
			if len(related)+len(test.related) > 0 && !reflect.DeepEqual(related, test.related) {
				t.Errorf("related %v, want %v", related, test.related)
			}
			if again, _ := r.Backup(test.resource, obj); again {
				t.Error("a second call changed more")
			}
		})
	}
}

func TestNeedsDecode(t *testing.T) {
	r := NewRegistry()
	for _, resource := range []string{"pods", "persistentvolumeclaims"} {
		if !r.NeedsDecode(resource) {
			t.Errorf("%s is not decoded", resource)
		}
	}
	for _, resource := range []string{"configmaps", "secrets", "serviceaccounts", "widgets.example.com"} {
		if r.NeedsDecode(resource) || r.Rewrites(resource) {
			t.Errorf("%s is decoded: that costs the backup its speed", resource)
		}
	}
	if r.Rewrites("pods") || !r.Rewrites("persistentvolumeclaims") {
		t.Error("claims alone are rewritten")
	}
}

func TestBuiltinFinalizers(t *testing.T) {
	tests := map[string]bool{
		"kubernetes.io/pvc-protection": true, "kubernetes.io/pv-protection": true, "foregroundDeletion": true, "orphan": true,
		"service.kubernetes.io/load-balancer-cleanup": true, "batch.kubernetes.io/job-tracking": true,
		"external-attacher/ebs-csi-aws-com": true, "external-provisioner.volume.kubernetes.io/finalizer": true,
		"networking.k8s.io/service-cidr-finalizer": true, "customresourcecleanup.apiextensions.k8s.io": true,
		"machine.cluster.x-k8s.io": false, "cluster.x-k8s.io/foo": false, "notkubernetes.io/x": false,
		"resources-finalizer.argocd.argoproj.io": false, "example.com/x": false, "": false,
	}
	for finalizer, want := range tests {
		if got := builtinFinalizer(finalizer); got != want {
			t.Errorf("%q: %v, want %v", finalizer, got, want)
		}
	}
}
