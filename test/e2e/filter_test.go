//go:build stack

package e2e

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	velerov1 "github.com/vmware-tanzu/velero/pkg/apis/velero/v1"
	"go.temporal.io/sdk/client"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/lifeboat-backup/lifeboat/internal/archive"
	"github.com/lifeboat-backup/lifeboat/internal/archive/layout"
	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/kube"
	"github.com/lifeboat-backup/lifeboat/test/harness"
)

// selection is what the filters of TestBackupFilters choose from.
const selection = `
apiVersion: v1
kind: Namespace
metadata: {name: <fa>}
---
apiVersion: v1
kind: Namespace
metadata: {name: <fb>, labels: {app: web}}
---
apiVersion: v1
kind: Namespace
metadata: {name: <fz>}
---
apiVersion: v1
kind: Namespace
metadata: {name: <fx>, labels: {velero.io/exclude-from-backup: "true"}}
---
{apiVersion: v1, kind: ConfigMap, metadata: {name: one, namespace: <fa>, labels: {app: web}}}
---
{apiVersion: v1, kind: ConfigMap, metadata: {name: two, namespace: <fa>, labels: {app: db, tier: x}}}
---
{apiVersion: v1, kind: ConfigMap, metadata: {name: out, namespace: <fa>, labels: {app: web, velero.io/exclude-from-backup: "true"}}}
---
{apiVersion: v1, kind: Secret, metadata: {name: s, namespace: <fa>, labels: {tier: x}}}
---
{apiVersion: v1, kind: ServiceAccount, metadata: {name: runner, namespace: <fa>}}
---
apiVersion: v1
kind: Pod
metadata: {name: p, namespace: <fa>}
spec: {priorityClassName: filter-<id>, nodeSelector: {no: where}, containers: [{name: c, image: "registry.k8s.io/pause:3.10"}]}
---
{apiVersion: v1, kind: ConfigMap, metadata: {name: one, namespace: <fb>, labels: {app: web, tier: x}}}
---
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: data, namespace: <fb>}
spec: {storageClassName: "", volumeName: filter-<id>, accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}
---
{apiVersion: v1, kind: ConfigMap, metadata: {name: one, namespace: <fz>}}
---
{apiVersion: filter.example.com/v1, kind: Widget, metadata: {name: w, namespace: <fz>}}
---
{apiVersion: v1, kind: ConfigMap, metadata: {name: one, namespace: <fx>}}
`

const selectionAround = `
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: widgets.filter.example.com}
spec:
  group: filter.example.com
  scope: Namespaced
  names: {plural: widgets, singular: widget, kind: Widget}
  versions: [{name: v1, served: true, storage: true, schema: {openAPIV3Schema: {type: object}}}]
---
{apiVersion: scheduling.k8s.io/v1, kind: PriorityClass, metadata: {name: filter-<id>}, value: 7}
---
apiVersion: v1
kind: PersistentVolume
metadata: {name: filter-<id>}
spec:
  storageClassName: ""
  capacity: {storage: 1Gi}
  accessModes: [ReadWriteOnce]
  persistentVolumeReclaimPolicy: Retain
  claimRef: {namespace: <fb>, name: data}
  hostPath: {path: /nowhere}
---
{apiVersion: rbac.authorization.k8s.io/v1, kind: ClusterRole, metadata: {name: filter-<id>}}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: filter-<id>}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: filter-<id>}
subjects: [{kind: ServiceAccount, name: runner, namespace: <fa>}]
`

// What stands in the archive of a namespace that is selected whole, its Namespace
// object first, and what its objects refer to. A Namespace object comes with what is stored
// of it, unless the spec forbids cluster-scoped objects.
var (
	inA = []string{"namespaces A", "configmaps A/one", "configmaps A/two", "secrets A/s", "serviceaccounts A/runner", "pods A/p"}
	ofA = []string{"priorityclasses.scheduling.k8s.io ID", "clusterroles.rbac.authorization.k8s.io ID", "clusterrolebindings.rbac.authorization.k8s.io ID"}
	inB = []string{"namespaces B", "configmaps B/one", "persistentvolumeclaims B/data"}
	ofB = []string{"persistentvolumes ID"}
	inZ = []string{"namespaces Z", "configmaps Z/one", "widgets.filter.example.com Z/w"}
	ofZ = []string{"customresourcedefinitions.apiextensions.k8s.io widgets.filter.example.com"}
)

type selectionCase struct {
	name    string
	spec    velerov1.BackupSpec
	want    []string
	reasons []string // codes
}

// selectionCases write A, B, Z, X for the namespaces.
func selectionCases() []selectionCase {
	labels := func(k, v string) *metav1.LabelSelector {
		return &metav1.LabelSelector{MatchLabels: map[string]string{k: v}}
	}
	yes, no := true, false
	return []selectionCase{
		{name: "name", spec: velerov1.BackupSpec{IncludedNamespaces: []string{"A"}}, want: join(inA, ofA)},
		{name: "names", spec: velerov1.BackupSpec{IncludedNamespaces: []string{"A", "B"}}, want: join(inA, ofA, inB, ofB)},
		{name: "glob, opted-out namespace", spec: velerov1.BackupSpec{IncludedNamespaces: []string{"f[a-z]-ID"}}, want: join(inA, ofA, inB, ofB, inZ, ofZ)},
		{name: "glob without a name", spec: velerov1.BackupSpec{IncludedNamespaces: []string{"f?-ID"}, ExcludedNamespaces: []string{"B"}}, want: join(inA, ofA, inZ, ofZ)},
		{name: "glob without a glob", spec: velerov1.BackupSpec{IncludedNamespaces: []string{"f*-ID"}, ExcludedNamespaces: []string{"*[bz]-ID"}}, want: join(inA, ofA)},
		{name: "glob of nothing", spec: velerov1.BackupSpec{IncludedNamespaces: []string{"nothing-like-*"}}, reasons: []string{"GLOB_EMPTY", "NOTHING_SELECTED"}},
		{name: "missing namespace", spec: velerov1.BackupSpec{IncludedNamespaces: []string{"B", "gone"}}, want: join(inB, ofB), reasons: []string{"NAMESPACE_MISSING"}},

		{
			name: "old: types", spec: velerov1.BackupSpec{IncludedNamespaces: []string{"A", "B"}, IncludedResources: []string{"cm", "pvc"}},
			want: []string{"namespaces A", "namespaces B", "configmaps A/one", "configmaps A/two", "configmaps B/one", "persistentvolumeclaims B/data"},
		},
		{
			name: "old: without types", spec: velerov1.BackupSpec{IncludedNamespaces: []string{"A"}, ExcludedResources: []string{"secrets", "po", "clusterroles.rbac.authorization.k8s.io"}},
			want: []string{"namespaces A", "configmaps A/one", "configmaps A/two", "serviceaccounts A/runner", "clusterrolebindings.rbac.authorization.k8s.io ID"},
		},
		{
			name: "old: unknown type", spec: velerov1.BackupSpec{IncludedNamespaces: []string{"A"}, IncludedResources: []string{"secrets", "bogus"}},
			want: []string{"namespaces A", "secrets A/s"}, reasons: []string{"TYPE_UNKNOWN"},
		},
		{name: "old: nothing cluster-scoped", spec: velerov1.BackupSpec{IncludedNamespaces: []string{"B", "Z"}, IncludeClusterResources: &no}, want: join(inB[1:], inZ[1:])},
		{
			name: "old: type, cluster-scoped allowed", spec: velerov1.BackupSpec{IncludedNamespaces: []string{"B"}, IncludedResources: []string{"pvc"}, IncludeClusterResources: &yes},
			want: []string{"namespaces B", "persistentvolumeclaims B/data", "persistentvolumes ID"},
		},

		{
			name: "new: namespaced types", spec: velerov1.BackupSpec{IncludedNamespaces: []string{"A"}, IncludedNamespaceScopedResources: []string{"secrets"}},
			want: []string{"namespaces A", "secrets A/s"},
		},
		{
			name: "new: without namespaced types", spec: velerov1.BackupSpec{IncludedNamespaces: []string{"A"}, ExcludedNamespaceScopedResources: []string{"pods", "serviceaccounts"}},
			want: []string{"namespaces A", "configmaps A/one", "configmaps A/two", "secrets A/s"},
		},
		{name: "new: related type left out", spec: velerov1.BackupSpec{IncludedNamespaces: []string{"B"}, ExcludedClusterScopedResources: []string{"persistentvolumes"}}, want: inB},
		{
			name: "new: a cluster-scoped type", spec: velerov1.BackupSpec{IncludedNamespaces: []string{"B"}, IncludedNamespaceScopedResources: []string{"configmaps"}, IncludedClusterScopedResources: []string{"priorityclasses"}},
			want: []string{"namespaces B", "configmaps B/one", "priorityclasses.scheduling.k8s.io ID", "priorityclasses.scheduling.k8s.io system-cluster-critical", "priorityclasses.scheduling.k8s.io system-node-critical"},
		},

		{
			name: "selector", spec: velerov1.BackupSpec{IncludedNamespaces: []string{"A", "B"}, LabelSelector: labels("app", "web")},
			want: []string{"namespaces A", "namespaces B", "configmaps A/one", "configmaps B/one"},
		},
		{
			name: "or selectors, one object in both", spec: velerov1.BackupSpec{IncludedNamespaces: []string{"A", "B"}, OrLabelSelectors: []*metav1.LabelSelector{labels("app", "web"), labels("tier", "x")}},
			want: []string{"namespaces A", "namespaces B", "configmaps A/one", "configmaps A/two", "secrets A/s", "configmaps B/one"},
		},
		{name: "selector of nothing", spec: velerov1.BackupSpec{LabelSelector: labels("no", "where")}, reasons: []string{"NOTHING_SELECTED"}},
		{
			name: "selector finds the related", spec: velerov1.BackupSpec{LabelSelector: labels("tier", "x"), IncludedNamespaceScopedResources: []string{"secrets"}},
			want: []string{"secrets A/s", "namespaces A"},
		},
	}
}

func join(lists ...[]string) []string { return slices.Concat(lists...) }

// TestBackupFilters compares the names in the archive with those that a spec
// selects, for every kind of filter.
func TestBackupFilters(t *testing.T) {
	l := shared
	names := l.namespaces(t, "fa", "fb", "fz", "fx")
	l.applyClusterScoped(t, names.Replace(selectionAround))
	l.apply(t, names.Replace(selection))
	t.Cleanup(func() { // before its volume: a claim without one is an error of every backup
		l.kubectlLater(t, "delete", "namespace", names.Replace("<fb>"), "--timeout=60s")
	})
	eventually(t, "claim bound", func() error {
		if phase := harness.At(l.Object(t, "persistentvolumeclaims", names.Replace("<fb>"), "data"), "status", "phase"); phase != "Bound" {
			return fmt.Errorf("is %v", phase)
		}
		return nil
	})
	cases := selectionCases()
	runs := make([]client.WorkflowRun, len(cases))
	for i, c := range cases {
		spec := c.spec
		spec.IncludedNamespaces = l.real(spec.IncludedNamespaces)
		spec.ExcludedNamespaces = l.real(spec.ExcludedNamespaces)
		runs[i] = startBackup(t, l.Harness, contract.BackupInput{Name: fmt.Sprintf("filter-%02d", i), Spec: spec})
	}
	for i, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			var res contract.BackupResult
			if err := runs[i].Get(t.Context(), &res); err != nil {
				t.Fatal(err)
			}
			want := l.real(c.want)
			slices.Sort(want)
			if got := l.selected(t, res.Name); !slices.Equal(got, want) {
				t.Errorf("archive:\n%s\nwant:\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
			}
			l.checkReasons(t, res, c.reasons)
		})
	}
}

// checkReasons wants these codes among the outcomes and no others, but for volumes.
func (l *lab) checkReasons(t *testing.T, res contract.BackupResult, codes []string) {
	t.Helper()
	lines := outcomes(t, l.Harness, layout.Backup{Name: res.Name}.Results())
	for _, code := range codes {
		if !has(lines, "["+code+"]", "Next: ") {
			t.Errorf("no %s among %q", code, lines)
		}
	}
	if slices.Contains(codes, "NAMESPACE_MISSING") && !has(lines, "errors: ", "spec.includedNamespaces names gone, which does not exist in the cluster", "correct the name") {
		t.Errorf("a missing namespace is not told: %q", lines)
	}
	for _, line := range lines {
		expected := strings.Contains(line, "[VOLUME_SKIPPED]")
		for _, code := range codes {
			expected = expected || strings.Contains(line, "["+code+"]")
		}
		if !expected {
			t.Errorf("unexpected: %s", line)
		}
	}
	if want := map[bool]string{true: "PartiallyFailed", false: "Completed"}[slices.Contains(codes, "NAMESPACE_MISSING")]; res.Phase != want {
		t.Errorf("phase %s, want %s", res.Phase, want)
	}
}

// real writes out the short names of a case.
func (l *lab) real(short []string) []string {
	var out []string
	for _, s := range short {
		gr, object, found := strings.Cut(s, " ")
		if !found {
			gr, object = "", s
		}
		first, rest, namespaced := strings.Cut(object, "/")
		if strings.Contains("A B Z X", first) {
			first = "f" + strings.ToLower(first) + "-" + l.ID
		}
		if first == "ID" {
			first = "filter-" + l.ID
		}
		if namespaced {
			first += "/" + rest
		}
		out = append(out, strings.TrimSpace(gr+" "+strings.ReplaceAll(first, "-ID", "-"+l.ID)))
	}
	return out
}

// selected are the sorted contents without what a cluster puts into every
// namespace by itself.
func (l *lab) selected(t *testing.T, name string) []string {
	t.Helper()
	keys := slices.DeleteFunc(contents(t, l.Harness, name), func(key string) bool {
		return strings.HasSuffix(key, "/kube-root-ca.crt") || strings.HasPrefix(key, "serviceaccounts ") && strings.HasSuffix(key, "/default") ||
			strings.HasPrefix(key, "events")
	})
	slices.Sort(keys)
	return keys
}

// TestOrderedResources finds the named objects first among those of their type.
func TestOrderedResources(t *testing.T) {
	t.Parallel()
	l := shared
	names := l.namespaces(t, "ordered")
	ns := names.Replace("<ordered>")
	var manifest strings.Builder
	fmt.Fprintf(&manifest, "{apiVersion: v1, kind: Namespace, metadata: {name: %s}}\n", ns)
	for _, n := range []string{"a", "b", "c", "d"} {
		fmt.Fprintf(&manifest, "---\n{apiVersion: v1, kind: ConfigMap, metadata: {name: %s, namespace: %s}}\n", n, ns)
	}
	l.apply(t, manifest.String())
	res := backup(t, l.Harness, "ordered", velerov1.BackupSpec{
		IncludedNamespaces: []string{ns}, IncludedResources: []string{"configmaps"},
		OrderedResources: map[string]string{"configmaps": ns + "/d," + ns + "/b," + ns + "/missing"},
	})
	completed(t, res)
	var got []string
	for _, key := range contents(t, l.Harness, "ordered") {
		if name, ok := strings.CutPrefix(key, "configmaps "+ns+"/"); ok {
			got = append(got, name)
		}
	}
	if strings.Join(got, " ") != "d b a c kube-root-ca.crt" {
		t.Errorf("order in the archive: %v", got)
	}
	if lines := outcomes(t, l.Harness, layout.Backup{Name: "ordered"}.Results()); !has(lines, "[ORDERED_MISSING]", ns+"/missing") {
		t.Errorf("outcomes: %q", lines)
	}
}

// TestUnfiltered takes everything a cluster has, cluster-scoped objects included:
// each object that was there before and after is in the archive, and nothing else.
func TestUnfiltered(t *testing.T) {
	l := shared
	before := l.everything(t)
	completed(t, backup(t, l.Harness, "everything", velerov1.BackupSpec{}))
	after := l.everything(t)
	got := map[string]bool{}
	for _, key := range contents(t, l.Harness, "everything") {
		if got[key] {
			t.Errorf("twice in the archive: %s", key)
		}
		got[key] = true
	}
	for key := range before {
		if after[key] && !got[key] {
			t.Errorf("missing: %s", key)
		}
	}
	for key := range got {
		if !before[key] && !after[key] && !strings.HasPrefix(key, "events") {
			t.Errorf("extra: %s", key)
		}
	}
	for _, want := range []string{"clusterroles.rbac.authorization.k8s.io cluster-admin", "storageclasses.storage.k8s.io kwok-volume", "namespaces default"} {
		if !got[want] {
			t.Errorf("missing: %s", want)
		}
	}
}

// everything is the names of all objects of the cluster but its events, of which
// one view is as good as the other.
func (l *lab) everything(t *testing.T) map[string]bool {
	t.Helper()
	cat, err := l.Kube.Discover(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	all, err := l.Kube.Namespaces(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	optedOut := map[string]bool{}
	for _, ns := range all {
		optedOut[ns.Name] = ns.Labels["velero.io/exclude-from-backup"] == "true"
	}
	out := map[string]bool{}
	for _, r := range cat.Resources {
		if !r.Can("list", "create", "get", "delete") || strings.HasPrefix(r.GroupResource(), "events") || strings.HasPrefix(r.GroupResource(), "volumesnapshot") {
			continue
		}
		_, err := l.Kube.ListAll(t.Context(), kube.ListAllRequest{ListRequest: kube.ListRequest{Resource: r}}, func(it kube.Item) error {
			if !it.Deleting && !optedOut[it.Namespace] && it.Labels["velero.io/exclude-from-backup"] != "true" {
				out[(archive.Key{Resource: r.GroupResource(), Namespace: it.Namespace, Name: it.Name}).String()] = true
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return out
}

// brokenService is an aggregated API of which nothing answers.
const brokenService = `
apiVersion: apiregistration.k8s.io/v1
kind: APIService
metadata: {name: v1.broken.example.com}
spec:
  group: broken.example.com
  version: v1
  groupPriorityMinimum: 100
  versionPriority: 100
  insecureSkipTLSVerify: true
  service: {name: nobody, namespace: <broken>}
`

// TestBrokenAPIGroup backs up around an API group that does not answer, names it,
// and brings the APIService back.
func TestBrokenAPIGroup(t *testing.T) {
	l := shared
	names := l.namespaces(t, "broken")
	ns := names.Replace("<broken>")
	l.apply(t, fmt.Sprintf("{apiVersion: v1, kind: Namespace, metadata: {name: %s}}\n---\n{apiVersion: v1, kind: ConfigMap, metadata: {name: c, namespace: %s}}", ns, ns))
	manifest := names.Replace(brokenService)
	l.applyClusterScoped(t, manifest)
	eventually(t, "the API server notices", func() error {
		cat, err := l.Kube.Discover(t.Context())
		if err == nil && len(cat.Failures) == 0 {
			err = fmt.Errorf("no group fails")
		}
		return err
	})
	res, err := l.CLI(t.Context(), "backup", "create", "broken", "--include-namespaces", ns, "--include-cluster-resources", "--wait")
	if err != nil || res.Code != 3 {
		t.Fatalf("exit %d, %v: %s%s", res.Code, err, res.Out, res.Err)
	}
	for _, words := range []string{`Backup "broken" PartiallyFailed`, "[GROUP_UNAVAILABLE]", "broken.example.com", "Next: run 'kubectl get apiservice'"} {
		if !strings.Contains(res.Out, words) {
			t.Errorf("no %q in %s", words, res.Out)
		}
	}
	keys := contents(t, l.Harness, "broken")
	if !slices.Contains(keys, "configmaps "+ns+"/c") || !slices.Contains(keys, "apiservices.apiregistration.k8s.io v1.broken.example.com") {
		t.Errorf("archive: %v", keys)
	}
	l.deleteManifest(manifest)
	eventually(t, "APIService gone", func() error {
		if l.Object(t, "apiservices", "", "v1.broken.example.com") != nil {
			return fmt.Errorf("still there")
		}
		return nil
	})
	back := restore(t, l.Harness, contract.RestoreInput{Name: "broken", Spec: velerov1.RestoreSpec{
		BackupName: "broken", IncludedResources: []string{"apiservices"}, IncludeClusterResources: &[]bool{true}[0],
	}})
	if back.Counts.Created != 1 || back.Counts.Failed != 0 {
		t.Errorf("%+v", back)
	}
	if got := harness.At(l.Object(t, "apiservices", "", "v1.broken.example.com"), "spec", "service", "namespace"); got != ns {
		t.Errorf("service in namespace %v", got)
	}
}
