//go:build stack

package e2e

import (
	"fmt"
	"strings"
	"testing"
	"time"

	velerov1 "github.com/vmware-tanzu/velero/pkg/apis/velero/v1"
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/operatorservice/v1"
	"go.temporal.io/api/workflowservice/v1"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/lifeboat-backup/lifeboat/internal/config"
	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/test/harness"
)

// TestFullColumns: others use eight of the ten Keyword columns of a Temporal namespace. The
// worker takes the two that are left and says what is missing, and so does `version`; backups
// and restores run without, and are found by the two.
func TestFullColumns(t *testing.T) {
	t.Parallel()
	namespace := "full-" + shared.ID
	fillColumns(t, namespace, 8)
	l := shared.Beside(t, harness.Options{Cluster: "full", Edit: func(c *config.Config) { c.Temporal.Namespace = namespace }})
	told := "namespace " + namespace + " has 10 columns for search attributes of type Keyword, of which 0 are free and 2 are needed"
	if log := string(l.Worker.Log()); !strings.Contains(log, told) || !strings.Contains(log, "2 of 5 search attributes are missing") {
		t.Errorf("the worker does not tell %q:\n%s", told, log)
	}
	ask(t, l.Harness, 0, []string{contract.SearchPhase, contract.SearchSchedule}, "version")

	ns := "few-" + shared.ID
	fill(t, shared.Kube, ns, "few")
	completed(t, backup(t, l.Harness, "few", velerov1.BackupSpec{IncludedNamespaces: []string{ns}}))
	res := restore(t, l.Harness, contract.RestoreInput{Name: "few", Spec: velerov1.RestoreSpec{BackupName: "few", NamespaceMapping: map[string]string{ns: ns + "-copy"}}})
	if res.Phase != "Completed" {
		t.Errorf("restore: %s %q", res.Phase, res.Reasons)
	}
	query := fmt.Sprintf("%s = '%s' AND %s = 'few'", contract.SearchCluster, l.Cluster, contract.SearchName)
	eventually(t, "the runs are found by "+query, func() error {
		found, err := l.Temporal.CountWorkflow(t.Context(), &workflowservice.CountWorkflowExecutionsRequest{Namespace: namespace, Query: query})
		if err == nil && found.GetCount() != 2 {
			err = fmt.Errorf("%d runs", found.GetCount())
		}
		return err
	})
}

// fillColumns makes a namespace in which others use n columns of type Keyword.
func fillColumns(t *testing.T, namespace string, n int) {
	t.Helper()
	_, err := shared.Temporal.WorkflowService().RegisterNamespace(t.Context(), &workflowservice.RegisterNamespaceRequest{
		Namespace: namespace, WorkflowExecutionRetentionPeriod: durationpb.New(24 * time.Hour),
	})
	if err != nil {
		t.Fatal(err)
	}
	others := map[string]enumspb.IndexedValueType{}
	for i := range n {
		others[fmt.Sprintf("OfOthers%d", i)] = enumspb.INDEXED_VALUE_TYPE_KEYWORD
	}
	eventually(t, "the namespace is known", func() error { // servers read new ones from time to time
		_, err := shared.Temporal.OperatorService().AddSearchAttributes(t.Context(), &operatorservice.AddSearchAttributesRequest{Namespace: namespace, SearchAttributes: others})
		return err
	})
	eventually(t, "the columns are used", func() error {
		listed, err := shared.Temporal.OperatorService().ListSearchAttributes(t.Context(), &operatorservice.ListSearchAttributesRequest{Namespace: namespace})
		if err == nil && len(listed.GetCustomAttributes()) < n {
			err = fmt.Errorf("%d of %d", len(listed.GetCustomAttributes()), n)
		}
		return err
	})
}
