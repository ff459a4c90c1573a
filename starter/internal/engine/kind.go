package engine

import "github.com/lifeboat-backup/lifeboat/internal/contract"

// Kind is a sort of run.
type Kind string

// The kinds that the CLI starts; the values are workflow types.
const (
	Backup  Kind = contract.BackupWorkflow
	Restore Kind = contract.RestoreWorkflow
	Delete  Kind = contract.DeleteBackupWorkflow
)

// Noun is how messages call a run of the kind.
func (k Kind) Noun() string {
	switch k {
	case Restore:
		return "restore"
	case Delete:
		return "deletion of backup"
	default:
		return "backup"
	}
}

func (k Kind) id(cluster, name string) string {
	switch k {
	case Restore:
		return contract.RestoreID(cluster, name)
	case Delete:
		return contract.DeleteID(cluster, name)
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
