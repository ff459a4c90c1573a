package contract

import (
	"strings"
	"time"
)

// Workflow types, as an operator types them into the Temporal CLI or UI.
const (
	BackupWorkflow       = "Backup"
	RestoreWorkflow      = "Restore"
	DeleteBackupWorkflow = "DeleteBackup"
	CatalogWorkflow      = "Catalog"
	GarbageWorkflow      = "CollectGarbage"
	RetentionWorkflow    = "SetRetention"

	SchedulesWorkflow       = "ChangeSchedules"
	ScheduledBackupWorkflow = "ScheduledBackup"
	RehearseWorkflow        = "RehearseRestore"
	RehearsalsWorkflow      = "RehearseBackups"
	VerifyBackupsWorkflow   = "VerifyBackups"
	DrillWorkflow           = "RestoreDrill"
	ScheduledDrillWorkflow  = "ScheduledDrill"
)

// ProgressQuery is answered by Backup, Restore and DeleteBackup with a Progress.
const ProgressQuery = "progress"

// ReadUpdate is the Update of the Catalog workflow: ReadInput in, ReadResult out.
const ReadUpdate = "read"

const taskQueuePrefix = "lifeboat-"

// TaskQueue is the queue that the workers of a cluster poll: one Temporal
// namespace serves many clusters.
func TaskQueue(cluster string) string { return taskQueuePrefix + cluster }

// PromptQueue is the queue of what must not wait behind long work: reads that somebody waits
// for, and the clean-up of runs that failed or were cancelled. The same workers poll it.
// It does not begin as TaskQueue does, and so is no cluster's name.
func PromptQueue(cluster string) string { return "lifeboat:" + cluster + ":prompt" }

// DrillQueue is the queue of restore drills: their work may wait for hours, and takes no slot that a backup
// or a restore could have. The same workers poll it.
func DrillQueue(cluster string) string { return "lifeboat:" + cluster + ":drill" }

// ClusterOf is the inverse of TaskQueue. A queue of another form is returned whole.
func ClusterOf(taskQueue string) string { return strings.TrimPrefix(taskQueue, taskQueuePrefix) }

// BackupID is the workflow id of a backup. The id is a mutex: Temporal runs at
// most one workflow of an id at a time.
func BackupID(cluster, name string) string { return "backup:" + cluster + ":" + name }

// RestoreID is the workflow id of a restore.
func RestoreID(cluster, name string) string { return "restore:" + cluster + ":" + name }

// DeleteID is the workflow id of the deletion of a backup.
func DeleteID(cluster, name string) string { return "delete:" + cluster + ":" + name }

// DeleteAtID is the workflow id of the deletion of a backup in a named location:
// backups of one name in two locations are deleted at the same time.
func DeleteAtID(cluster, name, location string) string {
	if location == "" {
		return DeleteID(cluster, name)
	}
	return DeleteID(cluster, name) + ":" + location
}

// GarbageID is the workflow id of a garbage collection that somebody starts: one at a time.
func GarbageID(cluster string) string { return "gc:" + cluster }

// GarbageScheduleID is the id of the schedule of garbage collections.
func GarbageScheduleID(cluster string) string { return "gc:" + cluster }

// VerificationID is the workflow id of a verification that somebody starts: one at a time.
func VerificationID(cluster string) string { return "verify:" + cluster }

// VerificationScheduleID is the id of the schedule of verifications.
func VerificationScheduleID(cluster string) string { return "verify:" + cluster }

// RetentionID is the workflow id of a change of how long a backup is kept: one at a time.
func RetentionID(cluster, name string) string { return "retention:" + cluster + ":" + name }

// SchedulesID is the workflow id of a change of schedules: one at a time.
func SchedulesID(cluster string) string { return "schedules:" + cluster }

// ScheduleID is the id of a schedule of backups in Temporal, and that of its runs: Temporal puts
// the due time behind it. No name of a cluster has a colon.
func ScheduleID(cluster, name string) string { return "schedule:" + cluster + ":" + name }

// DrillScheduleID is ScheduleID of a schedule of drills.
func DrillScheduleID(cluster, name string) string { return "drill-schedule:" + cluster + ":" + name }

// DueFromID is the due time that Temporal has put behind the id of a run of a schedule.
func DueFromID(id string) (time.Time, bool) {
	i := len(id) - len("2006-01-02T15:04:05Z")
	if i <= 0 {
		return time.Time{}, false
	}
	at, err := time.Parse(time.RFC3339, id[i:])
	return at, err == nil
}

// RehearseID is the workflow id of the rehearsal of a backup: one at a time.
func RehearseID(cluster, backup string) string { return "rehearse:" + cluster + ":" + backup }

// RehearseInID is the workflow id of the rehearsal of a backup in a version of Kubernetes, ""
// being the worker's own.
func RehearseInID(cluster, backup, version string) string {
	if version == "" {
		return RehearseID(cluster, backup)
	}
	return RehearseID(cluster, backup) + ":" + version
}

// RehearsalsID is the id of the schedule that rehearses new backups, and of its workflow.
func RehearsalsID(cluster string) string { return "rehearsals:" + cluster }

// DrillID is the workflow id of a restore drill. The id is a mutex: the drills of a cluster
// never overlap.
func DrillID(cluster string) string { return "drill:" + cluster }

// CatalogID is the workflow id of the entity that answers a cluster's reads.
func CatalogID(cluster string) string { return "cluster:" + cluster }

// NameFromID returns the backup or restore name in an id made by BackupID or
// RestoreID, and "" for an id that somebody chose by hand. A Temporal Schedule puts the time
// behind the id, in a form that no name may have: it becomes digits, as in Velero's names.
func NameFromID(id string) string {
	parts := strings.SplitN(id, ":", 3)
	if len(parts) != 3 || parts[0] != "backup" && parts[0] != "restore" {
		return ""
	}
	name := parts[2]
	if at, ok := DueFromID(name); ok {
		return name[:len(name)-len("2006-01-02T15:04:05Z")] + at.Format("20060102150405")
	}
	return name
}

// Keys of the memo of a backup's run, by which lists show it before it is in the bucket.
const (
	MemoLocation = "storageLocation"
	MemoLabels   = "labels"
	MemoResult   = "result" // of a restore whose results are stored nowhere
)

// ClusterFromID is the cluster in an id made by BackupID, and "" of an id that somebody chose by
// hand.
func ClusterFromID(id string) string {
	parts := strings.SplitN(id, ":", 3)
	if len(parts) != 3 || parts[0] != "backup" {
		return ""
	}
	return parts[1]
}

// Search attributes, registered by the worker at start where it may.
const (
	SearchCluster  = "LifeboatCluster"  // Keyword
	SearchName     = "LifeboatName"     // Keyword: name of the backup or restore
	SearchPhase    = "LifeboatPhase"    // Keyword: Velero's phase
	SearchSchedule = "LifeboatSchedule" // Keyword
	SearchExpires  = "LifeboatExpires"  // Datetime
)
