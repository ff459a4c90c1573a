package temporal

import (
	"fmt"

	"github.com/lifeboat-backup/lifeboat/internal/contract"
)

// Kind is a sort of run.
type Kind string

// The kinds of runs; the values are workflow types.
const (
	KindBackup  Kind = contract.BackupWorkflow
	KindRestore Kind = contract.RestoreWorkflow
	KindDelete  Kind = contract.DeleteBackupWorkflow
	KindGarbage Kind = contract.GarbageWorkflow
	KindRetain  Kind = contract.RetentionWorkflow

	KindSchedules Kind = contract.SchedulesWorkflow
	KindRehearsal Kind = contract.RehearseWorkflow
	KindVerify    Kind = contract.VerifyBackupsWorkflow
	KindDrill     Kind = contract.DrillWorkflow
)

// Noun is how messages call a run of the kind.
func (k Kind) Noun() string {
	switch k {
	case KindRestore:
		return "restore"
	case KindDelete:
		return "deletion of backup"
	case KindGarbage:
		return "garbage collection"
	case KindRetain:
		return "retention of backup"
	case KindSchedules:
		return "change of schedules"
	case KindRehearsal:
		return "rehearsal of backup"
	case KindVerify:
		return "verification of backups"
	case KindDrill:
		return "drill"
	default:
		return "backup"
	}
}

// naming is how messages call a run of the kind: with the name of what it is about, if it is about
// one thing.
func (k Kind) naming(name string) string {
	if name == "" {
		return k.Noun()
	}
	return fmt.Sprintf("%s %q", k.Noun(), name)
}

func (k Kind) workflowID(cluster, name string) string {
	switch k {
	case KindRestore:
		return contract.RestoreID(cluster, name)
	case KindDelete:
		return contract.DeleteID(cluster, name)
	case KindGarbage:
		return contract.GarbageID(cluster)
	case KindRetain:
		return contract.RetentionID(cluster, name)
	case KindSchedules:
		return contract.SchedulesID(cluster)
	case KindRehearsal:
		return contract.RehearseID(cluster, name)
	case KindVerify:
		return contract.VerificationID(cluster)
	case KindDrill:
		return contract.DrillID(cluster)
	default:
		return contract.BackupID(cluster, name)
	}
}

// Run names one workflow run.
type Run struct {
	Kind       Kind
	Name       string // of the backup or restore
	WorkflowID string
	RunID      string
	Location   string // storage location that its input names, if any
}
