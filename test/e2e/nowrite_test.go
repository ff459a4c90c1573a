//go:build stack

package e2e

import (
	"fmt"
	"testing"

	velerov1 "github.com/vmware-tanzu/velero/pkg/apis/velero/v1"

	"github.com/lifeboat-backup/lifeboat/internal/config"
	"github.com/lifeboat-backup/lifeboat/test/harness"
)

// TestRestoreWhereNothingMayBeWritten: one ReadOnly location with credentials that may only read
// is enough for a restore, whose results are told by Temporal alone.
func TestRestoreWhereNothingMayBeWritten(t *testing.T) {
	t.Parallel()
	l := shared
	ns := l.namespaces(t, "nowrite").Replace("<nowrite>")
	l.apply(t, fmt.Sprintf("{apiVersion: v1, kind: Namespace, metadata: {name: %s}}\n---\n{apiVersion: v1, kind: ConfigMap, metadata: {name: c, namespace: %s}, data: {k: v}}", ns, ns))
	own := l.Beside(t, harness.Options{Cluster: "nowrite"})
	ask(t, own.Harness, 0, nil, "backup", "create", "b", "--include-namespaces", ns, "--wait")
	own.Worker.Stop()
	s3, _ := harness.ReadOnlyS3(t, l.Stack.S3.Endpoint)
	h := l.Beside(t, harness.Options{Cluster: "nowrite", S3: s3, Edit: func(c *config.Config) {
		c.BackupStorageLocations[0].Spec.AccessMode = velerov1.BackupStorageLocationAccessModeReadOnly
	}}).Harness
	mapping := ns + ":" + ns + "-copy"
	ask(t, h, 0, []string{"2 created", "1 warning", "RESULTS_NOT_STORED"}, "restore", "create", "r", "--from-backup", "b", "--namespace-mappings", mapping, "--wait")
	ask(t, h, 0, []string{"2 created", "RESULTS_NOT_STORED", "Completed"}, "restore", "describe", "r")
	ask(t, h, 0, []string{"r ", "Completed"}, "restore", "get")
	ask(t, h, 0, []string{"would leave", "--results-location"}, "restore", "create", "look", "--from-backup", "b", "--namespace-mappings", mapping, "--dry-run")
	h.Object(t, "configmaps", ns+"-copy", "c")
}
