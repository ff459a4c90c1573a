//go:build stack

package e2e

import (
	"reflect"
	"strings"
	"testing"

	velerov1 "github.com/vmware-tanzu/velero/pkg/apis/velero/v1"
	corev1 "k8s.io/api/core/v1"

	"github.com/lifeboat-backup/lifeboat/internal/config"
	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/resource/compare"
	"github.com/lifeboat-backup/lifeboat/test/harness"
)

// modifiable are the objects that rules change; <mapped> is where they are restored.
const modifiable = `
{apiVersion: v1, kind: Namespace, metadata: {name: <modified>}}
---
{apiVersion: v1, kind: ConfigMap, metadata: {name: settings, namespace: <modified>}, data: {mode: production, gone: "x", count: "1"}}
---
{apiVersion: v1, kind: ConfigMap, metadata: {name: other, namespace: <modified>}, data: {mode: test}}
---
{apiVersion: v1, kind: Secret, metadata: {name: db, namespace: <modified>}, stringData: {p: keep-this-secret}}
---
{apiVersion: v1, kind: Service, metadata: {name: web, namespace: <modified>}, spec: {ports: [{name: http, port: 80}]}}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: <modified>, labels: {app: web}}
spec:
  replicas: 0
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: web, image: "old.example.com/web:1"}, {name: side, image: "old.example.com/side:1"}]}
---
{apiVersion: v1, kind: Namespace, metadata: {name: <maps>}}
`

// modifierMaps are what the worker reads: <maps> is its namespace.
const modifierMaps = `
apiVersion: v1
kind: ConfigMap
metadata: {name: modifiers, namespace: <maps>}
data:
  rules.yaml: |
    version: v1
    resourceModifierRules:
    - conditions: {groupResource: configmaps, namespaces: ["modified-*"], matches: [{path: /data/mode, value: production}]}
      patches:
      - {operation: replace, path: /data/mode, value: copy}
      - {operation: remove, path: /data/gone}
      - {operation: copy, from: /data/count, path: /data/total}
    - conditions: {groupResource: configmaps, namespaces: ["mapped-*"]}
      mergePatches: [{patchData: "data: {wrong: target namespace}"}]
    - conditions: {groupResource: "deployments.*", labelSelector: {matchLabels: {app: web}}}
      strategicPatches:
      - patchData: |
          spec: {template: {spec: {containers: [{name: side, image: "side:2"}], tolerations: [{key: spot, operator: Exists}]}}}
    - conditions: {groupResource: services}
      mergePatches: [{patchData: '{"metadata":{"annotations":{"from":"rule"}}}'}]
    - conditions: {groupResource: services}
      patches: [{operation: replace, path: /spec/none, value: x}]
    - conditions: {groupResource: secrets, resourceNameRegex: ^db$}
      patches: [{operation: replace, path: /metadata/name, value: other}]
---
apiVersion: v1
kind: ConfigMap
metadata: {name: images, namespace: <maps>, labels: {velero.io/plugin-config: "", velero.io/change-image-name: RestoreItemAction}}
data: {case1: "old.example.com,new.example.com"}
---
{apiVersion: v1, kind: ConfigMap, metadata: {name: wrong, namespace: <maps>}, data: {rules: "version: v1\nresourceModifierRules: [{conditions: {resource: pods}}]"}}
---
{apiVersion: v1, kind: ConfigMap, metadata: {name: two-keys, namespace: <maps>}, data: {a: "", b: ""}}
`

// TestResourceModifiers restores by rules and an image mapping in ConfigMaps: through
// the command line, dry and for real.
func TestResourceModifiers(t *testing.T) {
	t.Parallel()
	l := shared
	names := l.namespaces(t, "modified", "mapped", "maps")
	l.apply(t, names.Replace(modifiable))
	l.apply(t, names.Replace(modifierMaps))
	h := l.Beside(t, harness.Options{Cluster: "modify", Edit: func(c *config.Config) { c.Namespace = names.Replace("<maps>") }}).Harness
	from, to := names.Replace("<modified>"), names.Replace("<mapped>")
	completed(t, backup(t, h, "modify", velerov1.BackupSpec{IncludedNamespaces: []string{from}}))
	args := []string{"restore", "create", "dry", "--from-backup", "modify", "--resource-modifier-configmap", "modifiers", "--namespace-mappings", from + ":" + to}

	ask(t, h, 3, []string{"Nothing was written", "configmaps " + to + "/settings", "MODIFIER_FAILED"}, append(args, "--dry-run")...)
	line := (&lab{Lab: &harness.Lab{Harness: h}}).plan(t, "dry")["configmaps settings"]
	want := []compare.FieldDiff{{Path: "data.gone", Backup: "x"}, {Path: "data.mode", Backup: "production", Result: "copy"}, {Path: "data.total", Result: "1"}}
	if got := dataOf(line); line.Action != "create" || !reflect.DeepEqual(got, want) {
		t.Errorf("planned %+v", line)
	}
	args[2] = "real"
	ask(t, h, 3, []string{"PartiallyFailed"}, append(args, "--wait")...)
	l.checkModified(t, to)
	lines := restoreOutcomes(t, h, "real")
	if !has(lines, "errors", "[MODIFIER_FAILED]", "web", "resourceModifierRules[4]: patches[0]: replace /spec/none") || !has(lines, "[MODIFIER_FAILED]", "db", "resourceModifierRules[5]: changes metadata.name") {
		t.Errorf("outcomes %q", lines)
	}
	t.Run("refused", func(t *testing.T) { l.badModifiers(t, h, names) })
}

func (l *lab) checkModified(t *testing.T, ns string) {
	t.Helper()
	for name, want := range map[string]map[string]any{"settings": {"mode": "copy", "count": "1", "total": "1"}, "other": {"mode": "test"}} {
		if got := l.Object(t, "configmaps", ns, name)["data"]; !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %v", name, got)
		}
	}
	if got := l.Object(t, "secrets", ns, "db"); harness.At(got, "data", "p") == nil {
		t.Errorf("the object of a failed rule: %v", got)
	}
	if got := harness.At(l.Object(t, "services", ns, "web"), "metadata", "annotations", "from"); got != "rule" {
		t.Errorf("the rule before a failed one: %v", got)
	}
	spec := harness.At(l.Object(t, "deployments.apps", ns, "web"), "spec", "template", "spec")
	var images []string
	containers, _ := harness.At(spec, "containers").([]any)
	for _, c := range containers {
		image, _ := harness.At(c, "image").(string)
		images = append(images, image)
	}
	if want := []string{"new.example.com/web:1", "side:2"}; !reflect.DeepEqual(images, want) || harness.At(spec, "tolerations") == nil {
		t.Errorf("deployment: %v", spec)
	}
}

// badModifiers are refused before anything is written.
func (l *lab) badModifiers(t *testing.T, h *harness.Harness, names *strings.Replacer) {
	to := "unwritten-" + l.ID
	spec := velerov1.RestoreSpec{BackupName: "modify", NamespaceMapping: map[string]string{names.Replace("<modified>"): to}}
	refuse := func(name string, words ...string) {
		t.Helper()
		if spec.ResourceModifier = nil; name != "" {
			spec.ResourceModifier = &corev1.TypedLocalObjectReference{Kind: "ConfigMap", Name: name}
		}
		kind, text := failure(t, h, startRestore(t, h, contract.RestoreInput{Name: "bad", Spec: spec}))
		for _, w := range words {
			if kind != contract.ErrTypeInvalid || !strings.Contains(text, w) {
				t.Errorf("%s: %s: no %q in %s", name, kind, w, text)
			}
		}
	}
	maps := names.Replace("<maps>")
	refuse("nothing", "spec.resourceModifier.name: there is no ConfigMap nothing in namespace "+maps, "create it there")
	refuse("wrong", "spec.resourceModifier: ConfigMap "+maps+"/wrong", `unknown field "resourceModifierRules[0].conditions.resource"`)
	refuse("two-keys", "ConfigMap "+maps+"/two-keys: has 2 data keys")
	l.kubectl(t, "patch", "configmap", "images", "-n", maps, "--type=merge", "-p", `{"data":{"case2":"no comma"}}`)
	refuse("", "ConfigMap "+maps+"/images: data[case2]", "a comma")
	if l.Object(t, "namespaces", "", to) != nil {
		t.Error("restored")
		l.deleteNamespaces(t, to)
	}
}
