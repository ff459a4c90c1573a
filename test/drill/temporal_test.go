//go:build stack

package drill

import (
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/drill/evidence"
)

// temporalCLI runs Temporal's own command line, as the documents of Lifeboat say.
func temporalCLI(t *testing.T, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), filepath.Join(shared.Stack.BinDir(), "temporal"), append(args, "--address", shared.Stack.Temporal.Address, "-o", "json")...)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("temporal %q: %v: %s", args, err, out)
	}
	return string(out)
}

// TestTemporalCLI: who has nothing but Temporal's command line backs up, restores and drills with it,
// keeps a copy and ends the keeping.
func TestTemporalCLI(t *testing.T) {
	ns, cluster := "by-temporal-"+shared.ID, shared.Cluster
	apply(t, "{apiVersion: v1, kind: Namespace, metadata: {name: "+ns+"}}\n---\n{apiVersion: v1, kind: ConfigMap, metadata: {name: c, namespace: "+ns+"}, data: {k: v}}")
	start := func(kind, id, input string) {
		t.Helper()
		temporalCLI(t, "workflow", "start", "--type", kind, "--task-queue", contract.TaskQueue(cluster), "--workflow-id", id, "--input", input)
	}
	result := func(id, says string) {
		t.Helper()
		if out := temporalCLI(t, "workflow", "result", "--workflow-id", id); !strings.Contains(out, says) {
			t.Errorf("%s: want %s: %s", id, says, out)
		}
	}
	start(contract.BackupWorkflow, contract.BackupID(cluster, "adhoc"), `{"spec":{"includedNamespaces":["`+ns+`"]}}`)
	result(contract.BackupID(cluster, "adhoc"), `"phase": "Completed"`)
	start(contract.RestoreWorkflow, contract.RestoreID(cluster, "adhoc"), `{"spec":{"backupName":"adhoc","namespaceMapping":{"`+ns+`":"`+ns+`-copy"}}}`)
	result(contract.RestoreID(cluster, "adhoc"), `"phase": "Completed"`)
	if shared.Object(t, "configmaps", ns+"-copy", "c") == nil {
		t.Error("nothing was restored")
	}
	drilled := len(chainNow(t))
	start(contract.DrillWorkflow, contract.DrillID(cluster), `{"name":"adhoc","spec":{"source":{"backup":"adhoc"},"targets":{"level":"L2"}}}`)
	temporalCLI(t, "workflow", "signal", "--workflow-id", contract.DrillID(cluster), "--name", contract.KeepDrill, "--input", `{"for": 3600000000000}`)
	until(t, time.Minute, "the copy is kept", func() bool { return len(chainNow(t)) == drilled+1 })
	temporalCLI(t, "workflow", "signal", "--workflow-id", contract.DrillID(cluster), "--name", contract.StopDrill)
	result(contract.DrillID(cluster), `"verdict": "passed"`)
	if p := latest(t); p.Teardown.Outcome != evidence.TeardownKept || len(copies(t)) > 0 {
		t.Errorf("%+v; left %v", p.Teardown, copies(t))
	}
}
