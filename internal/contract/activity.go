package contract

// Activity names an activity and ties its input and result types to the name, so
// that workflows call it and workers register it without one importing the other.
type Activity[In, Out any] struct{ Name string }

// The activities, in the order in which the workflows reach them.
var (
	PrepareBackup   = Activity[PrepareBackupInput, BackupPlan]{"PrepareBackup"}
	SnapshotVolumes = Activity[SnapshotVolumesInput, SnapshotResult]{"SnapshotVolumes"}
	ExportShard     = Activity[ExportShardInput, ShardResult]{"ExportShard"}
	ExportRelated   = Activity[ExportRelatedInput, ShardResult]{"ExportRelated"}
	CheckVolumes    = Activity[CheckVolumesInput, VolumeStatus]{"CheckVolumes"}
	FinishVolumes   = Activity[FinishVolumesInput, ShardResult]{"FinishVolumes"}
	SealBackup      = Activity[SealBackupInput, SealResult]{"SealBackup"}
	VerifyBackup    = Activity[VerifyBackupInput, VerifyResult]{"VerifyBackup"}
	CommitBackup    = Activity[CommitBackupInput, BackupResult]{"CommitBackup"}
	AbandonVolumes  = Activity[AbandonVolumesInput, Nothing]{"AbandonVolumes"}
	AbandonBackup   = Activity[AbandonBackupInput, Nothing]{"AbandonBackup"}

	OpenArchive     = Activity[OpenArchiveInput, OpenedArchive]{"OpenArchive"}
	PlanRestore     = Activity[PlanRestoreInput, RestorePlan]{"PlanRestore"}
	RestoreVolumes  = Activity[RestoreVolumesInput, DiskStatus]{"RestoreVolumes"}
	ApplyTask       = Activity[ApplyTaskInput, ApplyResult]{"ApplyTask"}
	AwaitCRDs       = Activity[AwaitCRDsInput, Nothing]{"AwaitCRDs"}
	RelinkOwners    = Activity[RelinkOwnersInput, ApplyResult]{"RelinkOwners"}
	PatchVolumes    = Activity[PatchVolumesInput, PatchResult]{"PatchVolumes"}
	RunRestoreHooks = Activity[RunRestoreHooksInput, HookResult]{"RunRestoreHooks"}
	FinishRestore   = Activity[FinishRestoreInput, RestoreResult]{"FinishRestore"}
	AbandonRestore  = Activity[AbandonRestoreInput, Nothing]{"AbandonRestore"}

	PlanDelete      = Activity[DeleteBackupInput, DeletePlan]{"PlanDelete"}
	DeleteSnapshots = Activity[DeletePlan, SnapshotDeletion]{"DeleteSnapshots"}
	DeleteFiles     = Activity[DeletePlan, DeleteResult]{"DeleteFiles"}
	DeleteExpired   = Activity[DeleteBackupInput, DeleteResult]{"DeleteExpired"}

	PlanGarbage   = Activity[PlanGarbageInput, GarbagePlan]{"PlanGarbage"}
	RecordGarbage = Activity[GarbageTry, Nothing]{"RecordGarbage"}
	PlanOrphans   = Activity[PlanOrphansInput, OrphanPlan]{"PlanOrphans"}
	RemoveOrphans = Activity[RemoveOrphansInput, OrphanResult]{"RemoveOrphans"}
	SetRetention  = Activity[SetRetentionInput, RetentionResult]{"SetRetention"}

	ChangeSchedules    = Activity[ChangeSchedulesInput, ChangeSchedulesResult]{"ChangeSchedules"}
	BeginSlot          = Activity[BeginSlotInput, BegunSlot]{"BeginSlot"}
	TakeTurn           = Activity[TakeTurnInput, Turn]{"TakeTurn"}
	EndSlot            = Activity[EndSlotInput, Nothing]{"EndSlot"}
	PlanRehearsals     = Activity[PlanRehearsalsInput, RehearsalPlan]{"PlanRehearsals"}
	RehearseRestore    = Activity[RehearseInput, RehearsalResult]{"RehearseRestore"}
	PlanVerification   = Activity[PlanVerificationInput, VerificationPlan]{"PlanVerification"}
	VerifyStoredBackup = Activity[VerifyStoredInput, VerifiedBackup]{"VerifyStoredBackup"}

	PrepareDrill       = Activity[PrepareDrillInput, DrillPlan]{"PrepareDrill"}
	RemoveLostDrills   = Activity[TearDownInput, DrillRemains]{"RemoveLostDrills"}
	VerifyDrillBytes   = Activity[CheckDrillInput, DrillBytes]{"VerifyDrillBytes"}
	IsolateDrill       = Activity[IsolateDrillInput, Nothing]{"IsolateDrill"}
	AccountDrill       = Activity[CheckDrillInput, DrillObjects]{"AccountDrill"}
	CheckDrillReady    = Activity[CheckDrillInput, DrillReady]{"CheckDrillReady"}
	ReadDrillVolumes   = Activity[ReadVolumesInput, DrillReading]{"ReadDrillVolumes"}
	RunDrillAssertions = Activity[AssertDrillInput, DrillAssertions]{"RunDrillAssertions"}
	RunDrillControl    = Activity[AssertDrillInput, DrillControl]{"RunDrillControl"}
	TearDownDrill      = Activity[TearDownInput, DrillRemains]{"TearDownDrill"}
	SignDrill          = Activity[SignDrillInput, DrillResult]{"SignDrill"}
	NotifyDrill        = Activity[NotifyDrillInput, Nothing]{"NotifyDrill"}

	ReadCatalog = Activity[ReadInput, ReadResult]{"ReadCatalog"}
)

// Nothing is the result of an activity that only does.
type Nothing struct{}

// Heartbeat is what every long activity reports; the CLI adds them up for its
// progress line. Cursor is the activity's own watermark, opaque to others.
type Heartbeat struct {
	Objects int64  `json:"objects,omitempty"`
	Bytes   int64  `json:"bytes,omitempty"`
	Cursor  []byte `json:"cursor,omitempty"`
	// Waits is what the activity waits for, in words: "namespace shop".
	Waits string `json:"waits,omitempty"`
}

// Progress answers ProgressQuery: what finished activities have done so far. Add
// the heartbeats of pending activities for the live figure.
type Progress struct {
	Phase        string `json:"phase"`
	Step         string `json:"step"`
	Objects      int64  `json:"objects"`
	TotalObjects int64  `json:"totalObjects"`
	Bytes        int64  `json:"bytes"`
	Volumes      int    `json:"volumes,omitempty"` // whose snapshot is complete, or that are restored
	TotalVolumes int    `json:"totalVolumes,omitempty"`
	// VolumesPercent is how much of the bytes of all snapshots the provider has, as far
	// as it tells: a single large one takes an hour.
	VolumesPercent int `json:"volumesPercent,omitempty"`
	Warnings       int `json:"warnings"`
	Errors         int `json:"errors"`
	// Waits is what the run waits for now, with the name of one of them; "" is nothing, or
	// what the step says.
	Waits string `json:"waits,omitempty"`
}
