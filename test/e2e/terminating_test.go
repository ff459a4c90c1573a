//go:build stack

package e2e

import (
	"fmt"
	"strings"
	"testing"

	velerov1 "github.com/vmware-tanzu/velero/pkg/apis/velero/v1"

	"github.com/lifeboat-backup/lifeboat/internal/contract"
)

// TestRestoreIntoTerminatingNamespace restores while the old namespace is still on
// its way out: the restore waits for it and then brings everything back.
func TestRestoreIntoTerminatingNamespace(t *testing.T) {
	l := shared
	ns := "leaving-" + l.id
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
	was := at(l.object(t, "namespaces", "", ns), "metadata", "uid")

	run := startRestore(t, l.Harness, contract.RestoreInput{Name: "leaving", Spec: velerov1.RestoreSpec{BackupName: "leaving"}})
	eventually(t, "the restore has come to the namespace", func() error {
		res, err := l.Temporal.DescribeWorkflowExecution(t.Context(), run.GetID(), run.GetRunID())
		if err != nil {
			return err
		}
		for _, a := range res.GetPendingActivities() {
			if a.GetActivityType().GetName() == contract.ApplyTask.Name {
				return nil
			}
		}
		return fmt.Errorf("is %s", res.GetWorkflowExecutionInfo().GetStatus())
	})
	l.kubectl(t, "patch", "configmap", "brake", "-n", ns, "--type=merge", "-p", `{"metadata":{"finalizers":null}}`)

	var res contract.RestoreResult
	if err := run.Get(t.Context(), &res); err != nil {
		t.Fatal(err)
	}
	if res.Phase != "Completed" || res.Counts.Failed > 0 {
		t.Errorf("%+v", res)
	}
	now := l.object(t, "namespaces", "", ns)
	if now == nil || at(now, "metadata", "uid") == was || at(now, "metadata", "labels", "kept") != "yes" {
		t.Errorf("namespace: %v", now)
	}
	for _, gr := range []string{"configmaps", "secrets"} {
		if l.object(t, gr, ns, "plain") == nil {
			t.Errorf("%s plain is missing", gr)
		}
	}
	if l.object(t, "configmaps", ns, "brake") != nil {
		t.Error("what was not in the backup is there")
	}
}
