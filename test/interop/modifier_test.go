//go:build stack

package interop

import (
	"fmt"
	"strings"
	"testing"

	"github.com/lifeboat-backup/lifeboat/internal/config"
)

// modifierObjects are what the rules below change.
const modifierObjects = `
{apiVersion: v1, kind: ConfigMap, metadata: {name: settings}, data: {mode: production, gone: "x", count: "1"}}
---
{apiVersion: v1, kind: ConfigMap, metadata: {name: other}, data: {mode: test}}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, labels: {app: web}}
spec:
  replicas: 0
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: web, image: "old.example.com/web:1"}, {name: side, image: "old.example.com/side:1", args: [a]}]}
---
{apiVersion: networking.k8s.io/v1, kind: Ingress, metadata: {name: web}, spec: {defaultBackend: {service: {name: web, port: {number: 80}}}}}
`

// modifierRules try conditions, the three kinds of patches and the readings of values.
const modifierRules = `
version: v1
resourceModifierRules:
- conditions: {groupResource: configmaps, namespaces: ["modifiers*"], matches: [{path: /data/mode, value: production}]}
  patches:
  - {operation: replace, path: /data/mode, value: copy}
  - {operation: remove, path: /data/gone}
  - {operation: copy, from: /data/count, path: /data/total}
  - {operation: add, path: /data/truth, value: '"true"'}
  - {operation: add, path: /data/lines, value: 'a\nb'}
  - {operation: add, path: /metadata/labels, value: '{"a":"b"}'}
- conditions: {groupResource: configmaps, matches: [{path: /data/mode, value: copy}]}
  mergePatches: [{patchData: "data: {wrong: conditions look at the object before any rule}"}]
- conditions: {groupResource: configmaps, resourceNameRegex: ^other$}
  patches:
  - {operation: test, path: /data/mode, value: production}
  - {operation: add, path: /data/wrong, value: a test that does not hold}
- conditions: {groupResource: "*", namespaces: ["modifiers*"], resourceNameRegex: ^web$}
  mergePatches: [{patchData: "metadata: {labels: {wrong: star}}"}]
- conditions: {groupResource: "deployments.*", labelSelector: {matchLabels: {app: web}}}
  patches: [{operation: replace, path: /spec/revisionHistoryLimit, value: "3"}, {operation: add, path: /spec/paused, value: true}]
- conditions: {groupResource: "deployments.apps"}
  strategicPatches:
  - patchData: |
      spec: {template: {spec: {containers: [{name: side, image: "side:2"}, {name: more, image: "more:1"}], tolerations: [{key: spot, operator: Exists}]}}}
- conditions: {groupResource: "ingresses.*.*.*"}
  mergePatches: [{patchData: '{"metadata":{"annotations":{"from":"rule"}},"spec":{"defaultBackend":{"service":{"port":{"number":8080}}}}}'}]
`

// One ConfigMap of resource modifiers and one of images make the same objects of a
// backup, whoever restores it.
func TestSameModifiers(t *testing.T) {
	t.Parallel()
	p, ctx := start(t)
	ns, backup := p.namespace(t, ctx, "modifiers"), p.name("modifiers")
	p.kubectl(t, ctx, modifierObjects, "-n", ns, "apply", "-f", "-")
	_, _ = p.Kubectl(ctx, "", "create", "namespace", config.DefaultNamespace) // may be there
	rules := fmt.Sprintf("{apiVersion: v1, kind: ConfigMap, metadata: {name: %s}, data: {rules: %q}}", backup, modifierRules)
	for _, server := range []string{config.DefaultNamespace, p.server.Namespace} {
		p.kubectl(t, ctx, rules, "-n", server, "apply", "-f", "-")
	}
	if err := p.velero.Backup(ctx, backup, "--include-namespaces="+ns); err != nil {
		t.Fatal(err)
	}
	theirs, ours := ns+"-theirs", ns+"-ours"
	p.lifeboat(t, ctx, "restore", "create", backup+"-ours", "--from-backup", backup, "--resource-modifier-configmap", backup, "--namespace-mappings", ns+":"+ours, "--wait")
	if err := p.velero.Restore(ctx, backup+"-theirs", "--from-backup="+backup, "--resource-modifier-configmap="+backup, "--namespace-mappings="+ns+":"+theirs); err != nil {
		t.Fatal(err)
	}
	sameMapped(t, ctx, p, theirs, ours, func(string) bool { return false })
	out := p.kubectl(t, ctx, "", "-n", theirs, "get", "configmaps,deployments,ingresses", "-o", "json")
	for _, words := range []string{`"total": "1"`, `"lines": "a\nb"`, `"side:2"`, `"more:1"`, `"number": 8080`, `"revisionHistoryLimit": 3`, `"from": "rule"`} {
		if !strings.Contains(out, words) {
			t.Errorf("velero made no %s", words)
		}
	}
	if strings.Contains(out, `"wrong"`) {
		t.Error("a rule took effect that is not for the object")
	}
}
