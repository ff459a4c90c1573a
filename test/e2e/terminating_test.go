//go:build stack

package e2e

import (
	"fmt"
	"strings"
	"testing"
	"time"

	velerov1 "github.com/vmware-tanzu/velero/pkg/apis/velero/v1"
	"go.temporal.io/sdk/client"

	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/test/harness"
)

// TestRestoreIntoTerminatingNamespace restores while the old namespace is still on
// its way out: the restore waits for it and then brings everything back.
func TestRestoreIntoTerminatingNamespace(t *testing.T) {
	t.Parallel()
	l := shared
	ns := "leaving-" + l.ID
	names := l.namespaces(t, "leaving")
	l.apply(t, names.Replace(strings.TrimSpace(`
{apiVersion: v1, kind: Namespace, metadata: {name: <leaving>, labels: {kept: "yes"}}}
---
{apiVersion: v1, kind: ConfigMap, metadata: {name: plain, namespace: <leaving>}, data: {k: v}}
---
{apiVersion: v1, kind: Secret, metadata: {name: plain, namespace: <leaving>}, stringData: {k: v}}`)))
	completed(t, backup(t, l.Harness, "leaving", velerov1.BackupSpec{IncludedNamespaces: []string{ns}}))
	l.apply(t, fmt.Sprintf("{apiVersion: v1, kind: ConfigMap, metadata: {name: brake, namespace: %s, finalizers: [example.com/brake]}}", ns))
	l.kubectl(t, "delete", "namespace", ns, "--wait=false")
	was := harness.At(l.Object(t, "namespaces", "", ns), "metadata", "uid")

	run := startRestore(t, l.Harness, contract.RestoreInput{Name: "leaving", Spec: velerov1.RestoreSpec{BackupName: "leaving"}})
	l.applying(t, run, 0)
	l.kubectl(t, "patch", "configmap", "brake", "-n", ns, "--type=merge", "-p", `{"metadata":{"finalizers":null}}`)

	var res contract.RestoreResult
	if err := run.Get(t.Context(), &res); err != nil {
		t.Fatal(err)
	}
	if res.Phase != "Completed" || res.Counts.Failed > 0 {
		t.Errorf("%+v", res)
	}
	now := l.Object(t, "namespaces", "", ns)
	if now == nil || harness.At(now, "metadata", "uid") == was || harness.At(now, "metadata", "labels", "kept") != "yes" {
		t.Errorf("namespace: %v", now)
	}
	for _, gr := range []string{"configmaps", "secrets"} {
		if l.Object(t, gr, ns, "plain") == nil {
			t.Errorf("%s plain is missing", gr)
		}
	}
	if l.Object(t, "configmaps", ns, "brake") != nil {
		t.Error("what was not in the backup is there")
	}
}

// applying waits until a restore has been applying objects of one task for so long.
func (l *lab) applying(t *testing.T, run client.WorkflowRun, since time.Duration) {
	t.Helper()
	eventually(t, "the restore applies objects", func() error {
		res, err := l.Temporal.DescribeWorkflow(t.Context(), run.GetID(), run.GetRunID())
		if err != nil {
			return err
		}
		for _, a := range res.RawResponse.GetPendingActivities() {
			if a.GetActivityType().GetName() == contract.ApplyTask.Name && time.Since(a.GetLastStartedTime().AsTime()) >= since {
				return nil
			}
		}
		return fmt.Errorf("is %s", res.RawResponse.GetWorkflowExecutionInfo().GetStatus())
	})
}

// TestRestoreOverLeavingObjects restores what is still there, equal, and on its way out:
// the restore waits for it to go. What does not go is an error, not "already there".
func TestRestoreOverLeavingObjects(t *testing.T) {
	t.Parallel() // it waits
	l := shared
	names := l.namespaces(t, "ebb")
	ns := names.Replace("<ebb>")
	l.apply(t, names.Replace(strings.TrimSpace(`
{apiVersion: v1, kind: Namespace, metadata: {name: <ebb>}}
---
{apiVersion: v1, kind: ConfigMap, metadata: {name: goes, namespace: <ebb>}, data: {k: v}}
---
{apiVersion: v1, kind: ConfigMap, metadata: {name: hangs, namespace: <ebb>}, data: {k: v}}`)))
	completed(t, backup(t, l.Harness, "ebb", velerov1.BackupSpec{IncludedNamespaces: []string{ns}}))
	finalizers := func(name, list string) {
		l.kubectlLater(t, "patch", "configmap", name, "-n", ns, "--type=merge", "-p", `{"metadata":{"finalizers":`+list+`}}`)
	}
	for _, name := range []string{"goes", "hangs"} {
		finalizers(name, `["example.com/brake"]`)
	}
	t.Cleanup(func() { finalizers("hangs", "null") })
	l.kubectl(t, "delete", "configmap", "goes", "hangs", "-n", ns, "--wait=false")
	was := harness.At(l.Object(t, "configmaps", ns, "goes"), "metadata", "uid")

	spec := velerov1.RestoreSpec{BackupName: "ebb"}
	look := restore(t, l.Harness, contract.RestoreInput{Name: "ebb-look", DryRun: true, Spec: spec})
	if text := strings.Join(look.Reasons, "\n"); look.Counts.Created != 2 || look.Warnings != 2 || !strings.Contains(text, "[OBJECT_TERMINATING]") {
		t.Errorf("dry run: %+v", look)
	}
	run := startRestore(t, l.Harness, contract.RestoreInput{Name: "ebb", Spec: spec})
	l.applying(t, run, 2*time.Second)
	finalizers("goes", "null")
	var res contract.RestoreResult
	if err := run.Get(t.Context(), &res); err != nil {
		t.Fatal(err)
	}
	lines := restoreOutcomes(t, l.Harness, "ebb")
	if res.Phase != "PartiallyFailed" || res.Counts.Created != 1 || res.Counts.Failed != 1 || !has(lines, "errors: [OBJECT_TERMINATING]", "hangs", "example.com/brake", "remove its finalizers") {
		t.Errorf("%+v %q", res, lines)
	}
	now := l.Object(t, "configmaps", ns, "goes")
	if now == nil || harness.At(now, "metadata", "uid") == was || harness.At(now, "metadata", "deletionTimestamp") != nil {
		t.Errorf("goes: %v", now)
	}
}

// stuckDefinition is one of two that want the same kind.
const stuckDefinition = `
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: <plural>.stuck-<id>.example.com}
spec:
  group: stuck-<id>.example.com
  scope: Namespaced
  names: {plural: <plural>, singular: <plural>, kind: Crate}
  versions: [{name: v1, served: true, storage: true, schema: {openAPIV3Schema: {type: object, x-kubernetes-preserve-unknown-fields: true}}}]
`

// TestRestoreOfStuckDefinition restores a definition whose kind another one has taken:
// it can never be served. Everything else comes back.
func TestRestoreOfStuckDefinition(t *testing.T) {
	t.Parallel() // it waits
	l := shared
	names := l.namespaces(t, "stuck")
	ns, group := names.Replace("<stuck>"), names.Replace("stuck-<id>.example.com")
	definition := func(plural string) string {
		return strings.ReplaceAll(names.Replace(stuckDefinition), "<plural>", plural)
	}
	l.applyClusterScoped(t, definition("crates"))
	l.apply(t, names.Replace(strings.TrimSpace(`
{apiVersion: v1, kind: Namespace, metadata: {name: <stuck>}}
---
{apiVersion: v1, kind: ConfigMap, metadata: {name: plain, namespace: <stuck>}, data: {k: v}}
---
{apiVersion: stuck-<id>.example.com/v1, kind: Crate, metadata: {name: one, namespace: <stuck>}}`)))
	completed(t, backup(t, l.Harness, "stuck", velerov1.BackupSpec{IncludedNamespaces: []string{ns}}))
	l.kubectl(t, "delete", "crd", "crates."+group, "--timeout="+patience.String())
	l.kubectl(t, "delete", "configmap", "plain", "-n", ns)
	l.applyClusterScoped(t, definition("cartons"))

	res := restore(t, l.Harness, contract.RestoreInput{Name: "stuck", Spec: velerov1.RestoreSpec{BackupName: "stuck"}})
	lines := restoreOutcomes(t, l.Harness, "stuck")
	if res.Phase != "PartiallyFailed" || res.Errors != 2 || !has(lines, "errors: [CRD_NOT_READY]", "crates."+group, "KindConflict", "kubectl describe crd") {
		t.Errorf("%+v %q", res, lines)
	}
	if !has(lines, "[TYPE_NOT_SERVED]", "one", "crates."+group) {
		t.Errorf("no word on the custom resource: %q", lines)
	}
	if l.Object(t, "configmaps", ns, "plain") == nil {
		t.Error("what has nothing to do with the definition is missing")
	}
}
