//go:build stack

package interop

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/lifeboat-backup/lifeboat/internal/archive"
	"github.com/lifeboat-backup/lifeboat/test/compare"
)

// spec is one Backup spec that both tools are given. extra and missing say which
// paths of ours are deliberately more or fewer than Velero's, and why; nil is none.
type spec struct {
	name           string
	yaml           string
	extra, missing func(f *fixture, path string) bool
}

// isNamespace: Velero stores the Namespace of what is selected only if the types name it.
func isNamespace(_ *fixture, path string) bool {
	return strings.HasPrefix(path, "resources/namespaces/")
}

// specs over the namespaces of the fixture. {{.Prefix}} is its prefix.
var specs = []spec{
	{name: "one-namespace", yaml: `{includedNamespaces: ["{{.Prefix}}-app"]}`},
	{name: "globs", yaml: `{includedNamespaces: ["{{.Prefix}}-*"], excludedNamespaces: ["{{.Prefix}}-d?ta"]}`},
	{name: "old-types", yaml: `{includedNamespaces: ["{{.Prefix}}-app", "{{.Prefix}}-data"], includedResources: [cm, deployments.apps, po, Service, persistentvolumeclaims]}`, extra: isNamespace},
	{name: "old-cluster-true", yaml: `{includedNamespaces: ["{{.Prefix}}-app"], includeClusterResources: true}`},
	{name: "old-cluster-false", yaml: `{includedNamespaces: ["{{.Prefix}}-app", "{{.Prefix}}-data"], includeClusterResources: false}`},
	{name: "old-excluded-types", yaml: `{includedNamespaces: ["{{.Prefix}}-app", "{{.Prefix}}-data"], excludedResources: [secrets, persistentvolumes, clusterroles.rbac.authorization.k8s.io]}`},
	{name: "old-related-types", yaml: `{includedNamespaces: ["{{.Prefix}}-app", "{{.Prefix}}-data"], includedResources: [persistentvolumeclaims, serviceaccounts, widgets.{{.Prefix}}.example.com]}`, extra: isNamespace},
	{name: "old-types-and-cluster", yaml: `{includedNamespaces: ["{{.Prefix}}-data"], includedResources: [configmaps, storageclasses, crd, namespaces], includeClusterResources: true}`},
	{name: "old-namespaces-excluded", yaml: `{includedNamespaces: ["{{.Prefix}}-app"], excludedResources: [ns, pods]}`},
	{name: "old-unknown-type", yaml: `{includedNamespaces: ["{{.Prefix}}-app"], includedResources: [configmaps, nonesuches.example.com]}`, extra: isNamespace},
	{name: "old-type-globs", yaml: `{includedNamespaces: ["{{.Prefix}}-app"], includedResources: ["*.apps", "*.{{.Prefix}}.example.com", ns]}`},
	{
		name: "old-cluster-selector", yaml: `{includedNamespaces: ["{{.Prefix}}-app"], includeClusterResources: true, labelSelector: {matchLabels: {fixture: "{{.Prefix}}"}}}`,
		// Velero stores the Namespace object of a namespace that is not selected if its labels are.
		missing: func(f *fixture, path string) bool {
			return strings.HasPrefix(path, "resources/namespaces/") && strings.HasSuffix(path, "/"+f.Prefix+"-data.json")
		},
	},
	{name: "new-namespaced", yaml: `{includedNamespaces: ["{{.Prefix}}-app", "{{.Prefix}}-data"], includedNamespaceScopedResources: [pods, serviceaccounts, widgets]}`},
	{name: "new-both", yaml: `{includedNamespaces: ["{{.Prefix}}-data"], includedNamespaceScopedResources: ["*"], includedClusterScopedResources: [storageclasses, priorityclasses]}`},
	{name: "new-cluster-all", yaml: `{includedNamespaces: ["{{.Prefix}}-data"], includedClusterScopedResources: ["*"]}`},
	{name: "new-cluster-excluded", yaml: `{includedNamespaces: ["{{.Prefix}}-app", "{{.Prefix}}-data"], excludedClusterScopedResources: [persistentvolumes, customresourcedefinitions]}`},
	{name: "new-cluster-only", yaml: `{includedNamespaces: ["{{.Prefix}}-app"], excludedNamespaceScopedResources: ["*"], includedClusterScopedResources: [clusterroles, ingressclasses]}`},
	{name: "new-namespaced-excluded", yaml: `{includedNamespaces: ["{{.Prefix}}-app"], excludedNamespaceScopedResources: [events, events.events.k8s.io, pods, replicasets.apps], excludedClusterScopedResources: ["*"]}`},
	{
		name: "selector", yaml: `{includedNamespaces: ["{{.Prefix}}-app", "{{.Prefix}}-data"], labelSelector: {matchLabels: {app: shop}, matchExpressions: [{key: tier, operator: DoesNotExist}]}}`,
		// Velero stores the Namespace of a namespace that is named, also if nothing in it is selected.
		missing: func(f *fixture, path string) bool {
			return isNamespace(f, path) && strings.HasSuffix(path, "/"+f.Prefix+"-data.json")
		},
	},
	{name: "or-selectors", yaml: `{includedNamespaces: ["{{.Prefix}}-*"], orLabelSelectors: [{matchLabels: {app: db}}, {matchLabels: {tier: back}}, {matchLabels: {app: shop, tier: back}}]}`},
	{name: "ordered", yaml: `{includedNamespaces: ["{{.Prefix}}-data"], orderedResources: {pods: "{{.Prefix}}-data/db-1,{{.Prefix}}-data/db-0", configmaps: "{{.Prefix}}-data/tuning"}}`},
}

// The same spec selects the same objects: both tools get one document and the paths
// of the two tarballs are equal, and so is what lies at each.
func TestSameSpecSelectsSameObjects(t *testing.T) {
	t.Parallel()
	p, ctx := start(t)
	f := p.app(t, ctx, "spec", 31004)
	f.apply(t, ctx, optedOut)
	// Such a namespace makes Velero treat unfiltered backups as filtered ones.
	t.Cleanup(func() {
		p.kubectl(t, context.Background(), "", "delete", "namespace", f.Prefix+"-out", "--timeout=120s")
	})
	for _, s := range specs {
		t.Run(s.name, func(t *testing.T) { f.compareSelection(t, ctx, s) })
	}
}

// optedOut are objects that both tools leave out, and one that looks like it.
const optedOut = `
apiVersion: v1
kind: ConfigMap
metadata: {name: unwanted, namespace: {{.Prefix}}-app, labels: {app: shop, velero.io/exclude-from-backup: "true"}}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: wanted, namespace: {{.Prefix}}-app, labels: {app: shop, velero.io/exclude-from-backup: "no"}}
---
apiVersion: v1
kind: Namespace
metadata: {name: {{.Prefix}}-out, labels: {fixture: {{.Prefix}}, velero.io/exclude-from-backup: "true"}}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: settings, namespace: {{.Prefix}}-out, labels: {app: shop}}
`

// compareSelection runs both tools and compares what they took.
func (f *fixture) compareSelection(t *testing.T, ctx context.Context, s spec) {
	p := f.p
	theirs, ours := p.name("v-"+s.name), p.name("l-"+s.name)
	manifest := f.manifest(t, s.yaml)
	p.kubectl(t, ctx, fmt.Sprintf(manifest, theirs), "-n", p.velero.Namespace, "create", "-f", "-")
	file := filepath.Join(t.TempDir(), "backup.yaml")
	if err := os.WriteFile(file, []byte(fmt.Sprintf(manifest, ours)), 0o600); err != nil {
		t.Fatal(err)
	}
	p.lifeboat(t, ctx, "backup", "create", "-f", file, "--wait")
	p.veleroEnds(t, ctx, theirs)
	f.compareTarballs(t, s, f.mine(p.tarball(t, ctx, theirs)), f.mine(p.tarball(t, ctx, ours)))
}

func (f *fixture) manifest(t *testing.T, yaml string) string {
	t.Helper()
	out, err := f.render("apiVersion: velero.io/v1\nkind: Backup\nmetadata: {name: %s}\nspec: " + yaml + "\n")
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func (p *peers) veleroEnds(t *testing.T, ctx context.Context, backup string) {
	t.Helper()
	await(t, ctx, "velero's backup "+backup, func() (bool, string) {
		raw, err := p.velero.Get(ctx, "backups", backup)
		var doc struct {
			Status struct{ Phase, FailureReason string }
		}
		if err == nil {
			err = json.Unmarshal(raw, &doc)
		}
		if strings.Contains(doc.Status.Phase, "Failed") {
			t.Fatalf("velero's backup %s: %s %s", backup, doc.Status.Phase, doc.Status.FailureReason)
		}
		return doc.Status.Phase == "Completed", fmt.Sprint(doc.Status.Phase, err)
	})
}

// mine keeps what no other test and no clock changes: other tests make and delete
// objects meanwhile, whose names hold another prefix, or come out of a recorded bucket.
func (f *fixture) mine(all []entry) map[string][]byte {
	out := map[string][]byte{}
	for _, e := range all {
		key, _, err := archive.ParsePath(e.path)
		switch {
		case err != nil:
			out[e.path] = e.body
		case moving(key.Resource), strings.HasPrefix(key.Name, "pvc-") && !f.claims(e.body), strings.HasPrefix(key.Name, keptNamespace+"-"):
		case strings.Contains(e.path, f.p.run) && !strings.Contains(e.path, f.Prefix) && !strings.HasPrefix(key.Name, "pvc-"):
		default:
			out[e.path] = e.body
		}
	}
	return out
}

// moving types change while two backups are taken, and Velero's own do by taking them.
func moving(resource string) bool {
	switch resource {
	case "events", "events.events.k8s.io", "leases.coordination.k8s.io", "endpoints", "endpointslices.discovery.k8s.io",
		"ipaddresses.networking.k8s.io", "nodes", "csinodes.storage.k8s.io":
		return true
	}
	return strings.HasSuffix(resource, ".velero.io")
}

// claims says that a volume is bound to a claim of the fixture.
func (f *fixture) claims(pv []byte) bool { return bytes.Contains(pv, []byte(`"namespace":"`+f.Prefix)) }

func (f *fixture) compareTarballs(t *testing.T, s spec, theirs, ours map[string][]byte) {
	t.Helper()
	var extra, missing, differ []string
	for path, body := range ours {
		other, ok := theirs[path]
		switch {
		case !ok && (s.extra == nil || !s.extra(f, path)):
			extra = append(extra, path)
		case ok:
			for _, change := range changes(other, body) {
				differ = append(differ, path+": "+change)
			}
		}
	}
	for path := range theirs {
		if _, ok := ours[path]; !ok && (s.missing == nil || !s.missing(f, path)) {
			missing = append(missing, path)
		}
	}
	for what, paths := range map[string][]string{"only Lifeboat has": extra, "only Velero has": missing, "differs": differ} {
		slices.Sort(paths)
		if len(paths) > 0 {
			t.Errorf("%s (%d):\n  %s", what, len(paths), strings.Join(paths, "\n  "))
		}
	}
	if len(theirs) < 3 {
		t.Errorf("velero took %d entries: this compares nothing", len(theirs))
	}
}

// changes compares two bodies without what moves by itself, and without the mark
// that Velero leaves for itself on claims that it takes no CSI snapshot of.
func changes(a, b []byte) []string {
	var x, y map[string]any
	if json.Unmarshal(a, &x) != nil || json.Unmarshal(b, &y) != nil {
		if bytes.Equal(a, b) {
			return nil
		}
		return []string{"bytes"}
	}
	for _, obj := range []map[string]any{x, y} {
		delete(obj, "status")
		meta := part(obj, "metadata")
		delete(meta, "resourceVersion")
		delete(meta, "managedFields")
		delete(part(meta, "annotations"), "backup.velero.io/skipped-no-csi-pv")
	}
	return compare.Diff(compare.State{"": x}, compare.State{"": y})
}

// wholeSelections are the specs without a namespace filter; nothing else may run.
func (p *peers) wholeSelections(t *testing.T, ctx context.Context) {
	f := &fixture{p: p, Prefix: p.name("whole")}
	for _, s := range []spec{
		{name: "all-cluster-true", yaml: `{includeClusterResources: true}`},
		{name: "all-star", yaml: `{includedNamespaces: ["*"], includedClusterScopedResources: ["*"]}`},
		{name: "all-selector", yaml: `{labelSelector: {matchLabels: {app: shop}}}`},
		{
			name: "all-namespaced-type", yaml: `{includedResources: [configmaps, clusterroles]}`,
			extra: isNamespace,
		},
		{name: "all-but", yaml: `{excludedNamespaces: [kube-system, "{{.Prefix}}-data"], includeClusterResources: true}`},
		// Velero since 1.17 leaves out of an unfiltered backup what nothing refers to.
		{name: "all", yaml: `{}`, extra: func(_ *fixture, path string) bool { return strings.Contains(path, "/cluster/") }},
	} {
		t.Run(s.name, func(t *testing.T) { f.compareSelection(t, ctx, s) })
	}
}
