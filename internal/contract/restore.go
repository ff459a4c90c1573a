package contract

import (
	"time"

	velerov1 "github.com/vmware-tanzu/velero/pkg/apis/velero/v1"
)

// RestoreInput starts a Restore workflow. BackupName or ScheduleName in Spec says
// what to restore.
type RestoreInput struct {
	Name        string               `json:"name,omitempty"`
	Labels      map[string]string    `json:"labels,omitempty"`
	Annotations map[string]string    `json:"annotations,omitempty"`
	Spec        velerov1.RestoreSpec `json:"spec"`
	// Location is where the backup lies; empty means the one location that has it.
	Location string `json:"storageLocation,omitempty"`
	// Names limits the restore to single objects: "namespace/name", or "name" for
	// objects of that name in any namespace or in none. Empty means all.
	Names []string `json:"names,omitempty"`
	// DryRun plans and compares; nothing is written to the cluster.
	DryRun bool `json:"dryRun,omitempty"`
	// Plan is the name of an earlier dry run that this run has to agree with;
	// what changed in between is reported.
	Plan string `json:"plan,omitempty"`
	// AllowPartiallyFailed lets ScheduleName choose a PartiallyFailed backup.
	AllowPartiallyFailed bool `json:"allowPartiallyFailed,omitempty"`
	// ResultsLocation is where the restore keeps its results, in place of the backup's location;
	// it has to be one that may be written to.
	ResultsLocation string `json:"resultsLocation,omitempty"`
	// AllowCorrupt restores a backup that a verification has found to be corrupt, as far as it
	// goes.
	AllowCorrupt bool `json:"allowCorrupt,omitempty"`
	// StorageClasses maps storage classes of the backup to those to use in their
	// place. It wins over the ConfigMap that does the same for Velero.
	StorageClasses map[string]string `json:"storageClassMapping,omitempty"`
	// Isolation makes a copy that touches nothing outside of its namespaces; nil restores in
	// earnest.
	Isolation *Isolation `json:"isolation,omitempty"`
}

// UnmarshalJSON refuses unknown fields: a mistyped filter must not become a
// restore of everything.
func (r *RestoreInput) UnmarshalJSON(data []byte) error {
	type plain RestoreInput
	return strict(data, (*plain)(r))
}

// RestoreResult is what a Restore workflow returns.
type RestoreResult struct {
	Name      string    `json:"name"`
	UID       string    `json:"uid"`
	Backup    string    `json:"backup"`
	Phase     string    `json:"phase"`
	DryRun    bool      `json:"dryRun,omitempty"`
	Started   time.Time `json:"startTimestamp"`
	Completed time.Time `json:"completionTimestamp"`
	Counts    Counts    `json:"counts"`
	Volumes   int       `json:"volumes,omitempty"` // with their data
	// Hooks are those that ran; of a dry run, those that would.
	Hooks    HookCounts `json:"hooks,omitzero"`
	Warnings int        `json:"warnings"`
	Errors   int        `json:"errors"`
	Reasons  []string   `json:"reasons,omitempty"`
	// Location is where the results lie, or the plan of a dry run.
	Location string `json:"storageLocation,omitempty"`
	// NotStored says that they lie nowhere, because nothing may be written: what this result
	// tells is all that is kept.
	NotStored bool `json:"notStored,omitempty"`
}

// Counts are objects by what became of them.
type Counts struct {
	Created int64 `json:"created"`
	Updated int64 `json:"updated"`
	Skipped int64 `json:"skipped"`
	Failed  int64 `json:"failed"`
}

// Add adds o to c.
func (c *Counts) Add(o Counts) {
	c.Created += o.Created
	c.Updated += o.Updated
	c.Skipped += o.Skipped
	c.Failed += o.Failed
}

// Total is the number of objects handled.
func (c Counts) Total() int64 { return c.Created + c.Updated + c.Skipped + c.Failed }

// OpenArchiveInput asks to validate the input and find and open the backup.
type OpenArchiveInput struct {
	Restore RestoreInput `json:"restore"` // with its name resolved
	UID     string       `json:"uid"`
	Run     Run          `json:"run"`
}

// RestoreRef names a running restore in every later activity.
type RestoreRef struct {
	Name     string  `json:"name"`
	UID      string  `json:"uid"`
	Location string  `json:"storageLocation"`
	Binding  Binding `json:"binding,omitzero"`
}

// OpenedArchive says which backup was opened. Foreign means that a Velero tarball
// was cut into seekable chunks in the restore's staging.
type OpenedArchive struct {
	Ref     RestoreRef `json:"ref"`
	Backup  string     `json:"backup"`
	Foreign bool       `json:"foreign"`
	Chunks  int        `json:"chunks,omitempty"`
	Objects int64      `json:"objects"`
}

// PlanRestoreInput asks to select objects and order them into levels and tasks.
type PlanRestoreInput struct {
	Restore RestoreInput  `json:"restore"`
	Archive OpenedArchive `json:"archive"`
}

// RestorePlan summarises the plan that lies in staging.
type RestorePlan struct {
	Ref      RestoreRef  `json:"ref"`
	Levels   []LevelPlan `json:"levels"`
	Objects  int64       `json:"objects"`
	Volumes  int         `json:"volumes,omitempty"` // whose data is restored
	Disks    int         `json:"disks,omitempty"`   // of those: to be made of native snapshots
	Claims   int         `json:"claims,omitempty"`  // whose volumes a storage class provisions
	Warnings int         `json:"warnings"`
	Errors   int         `json:"errors"`
}

// LevelPlan is one dependency level: its tasks run in parallel.
type LevelPlan struct {
	Name    string `json:"name"`
	Tasks   int    `json:"tasks"`
	Objects int64  `json:"objects"`
	CRDs    bool   `json:"crds,omitempty"` // whether Established has to be awaited after it
	// LinkOwners asks to link owners before it: what it restores refuses updates until the
	// workloads that serve it answer.
	LinkOwners bool `json:"linkOwners,omitempty"`
}

// ApplyTaskInput asks to apply one task of a level.
type ApplyTaskInput struct {
	Ref   RestoreRef `json:"ref"`
	Level int        `json:"level"`
	Task  int        `json:"task"`
	// Defer leaves the objects that a webhook has kept out for as long as it is waited for: what serves it
	// may come with a later level. Deferred is the task again, for those objects alone.
	Defer    bool `json:"defer,omitempty"`
	Deferred bool `json:"deferred,omitempty"`
}

// ApplyResult counts what a task did. Records is the number of record objects it
// left in staging for FinishRestore and RelinkOwners.
type ApplyResult struct {
	Counts   Counts `json:"counts"`
	Records  int    `json:"records"`
	Owners   int64  `json:"owners"`          // objects that wait to be linked to an owner
	Hooks    int    `json:"hooks,omitempty"` // to run in pods that were made, or would be
	Warnings int    `json:"warnings"`
	Errors   int    `json:"errors"`
	Deferred int    `json:"deferred,omitempty"` // objects that were left, and are not in the other counts
}

// AwaitCRDsInput waits until the definitions of a restore are served.
type AwaitCRDsInput struct {
	Ref RestoreRef `json:"ref"`
}

// RelinkOwnersInput asks to link objects to their restored owners.
type RelinkOwnersInput struct {
	Ref RestoreRef `json:"ref"`
}

// FinishRestoreInput asks to write results.
type FinishRestoreInput struct {
	Restore   RestoreInput  `json:"restore"`
	Archive   OpenedArchive `json:"archive"`
	Run       Run           `json:"run"`
	Counts    Counts        `json:"counts"`
	Volumes   int           `json:"volumes,omitempty"`
	Completed time.Time     `json:"completed"`
	Cancelled bool          `json:"cancelled,omitempty"`
}

// AbandonRestoreInput clears the staging of a restore that has ended, and deletes the
// disks it made that nobody uses.
type AbandonRestoreInput struct {
	Ref RestoreRef `json:"ref"`
}
