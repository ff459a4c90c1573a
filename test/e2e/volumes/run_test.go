//go:build stack

package volumes

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	velerov1 "github.com/vmware-tanzu/velero/pkg/apis/velero/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"

	"github.com/lifeboat-backup/lifeboat/internal/aws/ebs"
	"github.com/lifeboat-backup/lifeboat/internal/contract"
)

func (l *lab) start(t *testing.T, in contract.RestoreInput) client.WorkflowRun {
	t.Helper()
	run, err := l.Temporal.ExecuteWorkflow(t.Context(), client.StartWorkflowOptions{
		ID: contract.RestoreID(l.Cluster, in.Name), TaskQueue: contract.TaskQueue(l.Cluster),
	}, contract.RestoreWorkflow, in)
	if err != nil {
		t.Fatal(err)
	}
	return run
}

// restore restores and fails the test unless the result is Completed.
func (l *lab) restore(t *testing.T, in contract.RestoreInput) contract.RestoreResult {
	t.Helper()
	var res contract.RestoreResult
	if err := l.start(t, in).Get(t.Context(), &res); err != nil {
		t.Fatal(err)
	}
	if res.Phase != "Completed" {
		t.Fatalf("%s: %q", res.Phase, res.Reasons)
	}
	return res
}

// refused runs a restore that cannot begin and returns the type and text of its error.
func (l *lab) refused(t *testing.T, in contract.RestoreInput) (kind, text string) {
	t.Helper()
	err := l.start(t, in).Get(t.Context(), nil)
	var app *temporal.ApplicationError
	if !errors.As(err, &app) {
		t.Fatalf("got %v", err)
	}
	return app.Type(), app.Message()
}

func input(name, backup, ns string, mapping map[string]string) contract.RestoreInput {
	return contract.RestoreInput{Name: name, Spec: velerov1.RestoreSpec{
		BackupName: backup, IncludedNamespaces: []string{ns}, NamespaceMapping: mapping,
	}}
}

// madeBy are the EBS volumes that a restore made, of which EC2 still knows.
func (l *lab) madeBy(t *testing.T, uid string) []ebs.Volume {
	t.Helper()
	all, err := l.ec2.VolumesTagged(t.Context(), map[string]string{ebs.TagRestoreUID: uid})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func has(reasons []string, words ...string) bool {
	for _, r := range reasons {
		all := true
		for _, w := range words {
			all = all && strings.Contains(r, w)
		}
		if all {
			return true
		}
	}
	return false
}

func toJSON(t *testing.T, v any) string {
	t.Helper()
	data, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}
