package workflows_test

import (
	"maps"
	"testing"

	"go.temporal.io/sdk/workflow"

	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/workflows"
)

// registry takes workflows and remembers how they go on with another version.
type registry map[string]workflow.VersioningBehavior

func (r registry) RegisterWorkflowWithOptions(_ any, o workflow.RegisterOptions) {
	r[o.Name] = o.VersioningBehavior
}

// TestVersioning: what changes a cluster or a backup ends with the version that began it, all else
// follows the current one.
func TestVersioning(t *testing.T) {
	got := registry{}
	workflows.Register(got, nil)
	const stays, follows = workflow.VersioningBehaviorPinned, workflow.VersioningBehaviorAutoUpgrade
	want := registry{
		contract.BackupWorkflow: stays, contract.RestoreWorkflow: stays, contract.DrillWorkflow: stays, contract.DeleteBackupWorkflow: stays,
		contract.CatalogWorkflow: follows, contract.GarbageWorkflow: follows, contract.VerifyBackupsWorkflow: follows, contract.RetentionWorkflow: follows,
		contract.SchedulesWorkflow: follows, contract.ScheduledBackupWorkflow: follows, contract.ScheduledDrillWorkflow: follows,
		contract.RehearseWorkflow: follows, contract.RehearsalsWorkflow: follows,
	}
	if !maps.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}
