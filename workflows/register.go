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
func Register(r Registry, missing func() []string) {
	r.RegisterWorkflowWithOptions(withMissing(missing, Backup), workflow.RegisterOptions{Name: contract.BackupWorkflow})
	r.RegisterWorkflowWithOptions(withMissing(missing, Restore), workflow.RegisterOptions{Name: contract.RestoreWorkflow})
	r.RegisterWorkflowWithOptions(withMissing(missing, DeleteBackup), workflow.RegisterOptions{Name: contract.DeleteBackupWorkflow})
	r.RegisterWorkflowWithOptions(Catalog, workflow.RegisterOptions{Name: contract.CatalogWorkflow})
	r.RegisterWorkflowWithOptions(withMissing(missing, CollectGarbage), workflow.RegisterOptions{Name: contract.GarbageWorkflow})
	r.RegisterWorkflowWithOptions(withMissing(missing, VerifyBackups), workflow.RegisterOptions{Name: contract.VerifyBackupsWorkflow})
	r.RegisterWorkflowWithOptions(withMissing(missing, SetRetention), workflow.RegisterOptions{Name: contract.RetentionWorkflow})
	r.RegisterWorkflowWithOptions(withMissing(missing, ChangeSchedules), workflow.RegisterOptions{Name: contract.SchedulesWorkflow})
	r.RegisterWorkflowWithOptions(withMissing(missing, ScheduledBackup), workflow.RegisterOptions{Name: contract.ScheduledBackupWorkflow})
	r.RegisterWorkflowWithOptions(withMissing(missing, RehearseRestore), workflow.RegisterOptions{Name: contract.RehearseWorkflow})
	r.RegisterWorkflowWithOptions(withMissing(missing, RestoreDrill), workflow.RegisterOptions{Name: contract.DrillWorkflow})
	r.RegisterWorkflowWithOptions(withMissing(missing, ScheduledDrill), workflow.RegisterOptions{Name: contract.ScheduledDrillWorkflow})
	r.RegisterWorkflowWithOptions(withMissing(missing, RehearseBackups), workflow.RegisterOptions{Name: contract.RehearsalsWorkflow})
}
