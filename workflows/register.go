package workflows

import (
	"go.temporal.io/sdk/workflow"

	"github.com/lifeboat-backup/lifeboat/internal/contract"
)

// Registry is the part of a worker that takes workflows.
type Registry interface {
	RegisterWorkflowWithOptions(w any, o workflow.RegisterOptions)
}

// Register registers every workflow under its contract name. missing are the search
// attributes that Temporal lacks at the moment; nil means none.
//
// Where workers have versions, a run that changes a cluster or a backup stays with the version
// that began it; one that reads, or looks after others for a day, follows the current one.
func Register(r Registry, missing func() []string) {
	r.RegisterWorkflowWithOptions(withMissing(missing, Backup), pinned(contract.BackupWorkflow))
	r.RegisterWorkflowWithOptions(withMissing(missing, Restore), pinned(contract.RestoreWorkflow))
	r.RegisterWorkflowWithOptions(withMissing(missing, DeleteBackup), pinned(contract.DeleteBackupWorkflow))
	r.RegisterWorkflowWithOptions(Catalog, upgraded(contract.CatalogWorkflow))
	r.RegisterWorkflowWithOptions(withMissing(missing, CollectGarbage), upgraded(contract.GarbageWorkflow))
	r.RegisterWorkflowWithOptions(withMissing(missing, VerifyBackups), upgraded(contract.VerifyBackupsWorkflow))
	r.RegisterWorkflowWithOptions(withMissing(missing, SetRetention), upgraded(contract.RetentionWorkflow))
	r.RegisterWorkflowWithOptions(withMissing(missing, ChangeSchedules), upgraded(contract.SchedulesWorkflow))
	r.RegisterWorkflowWithOptions(withMissing(missing, ScheduledBackup), upgraded(contract.ScheduledBackupWorkflow))
	r.RegisterWorkflowWithOptions(withMissing(missing, ScheduledDrill), upgraded(contract.ScheduledDrillWorkflow))
	r.RegisterWorkflowWithOptions(withMissing(missing, RehearseRestore), upgraded(contract.RehearseWorkflow))
	r.RegisterWorkflowWithOptions(withMissing(missing, RestoreDrill), pinned(contract.DrillWorkflow))
	r.RegisterWorkflowWithOptions(withMissing(missing, RehearseBackups), upgraded(contract.RehearsalsWorkflow))
}

func pinned(name string) workflow.RegisterOptions {
	return workflow.RegisterOptions{Name: name, VersioningBehavior: workflow.VersioningBehaviorPinned}
}

func upgraded(name string) workflow.RegisterOptions {
	return workflow.RegisterOptions{Name: name, VersioningBehavior: workflow.VersioningBehaviorAutoUpgrade}
}
