package contract

import (
	"time"

	velerov1 "github.com/vmware-tanzu/velero/pkg/apis/velero/v1"
)

// BackupInput starts a Backup workflow. Only Spec is asked for: a name not given
// is taken from the workflow id, or made from the start time.
type BackupInput struct {
	Name        string              `json:"name,omitempty"`
	Labels      map[string]string   `json:"labels,omitempty"`
	Annotations map[string]string   `json:"annotations,omitempty"`
	Spec        velerov1.BackupSpec `json:"spec"`
}

// UnmarshalJSON refuses unknown fields: a mistyped filter must not become a
// backup of everything.
func (b *BackupInput) UnmarshalJSON(data []byte) error {
	type plain BackupInput
	return strict(data, (*plain)(b))
}

// BackupResult is what a Backup workflow returns.
type BackupResult struct {
	Name       string    `json:"name"`
	UID        string    `json:"uid"`
	Location   string    `json:"storageLocation"`
	Phase      string    `json:"phase"`
	Started    time.Time `json:"startTimestamp"`
	Completed  time.Time `json:"completionTimestamp"`
	Expires    time.Time `json:"expiration"`
	Objects    int64     `json:"objects"`
	Bytes      int64     `json:"bytes"`
	Warnings   int       `json:"warnings"`
	Errors     int       `json:"errors"`
	Activities int       `json:"activities"`
	Volumes    int       `json:"volumes,omitempty"` // with a completed snapshot
	// Reasons are the first few, as text; all of them stand in the results file.
	Reasons []string `json:"reasons,omitempty"`
}

// Run identifies the workflow run that an activity works for; it is what a claim
// records, so that a loser can name the winner.
type Run struct {
	WorkflowID string    `json:"workflowID"`
	RunID      string    `json:"runID"`
	Cluster    string    `json:"cluster"`
	Started    time.Time `json:"started"`
}

// Is tells that both are one run.
func (r Run) Is(other Run) bool { return r.WorkflowID == other.WorkflowID && r.RunID == other.RunID }

// PrepareBackupInput asks to validate, claim the name, discover and plan.
type PrepareBackupInput struct {
	Backup BackupInput `json:"backup"` // with its name resolved
	UID    string      `json:"uid"`
	Run    Run         `json:"run"`
}

// BackupPlan summarises the plan that lies in staging.
type BackupPlan struct {
	Name     string    `json:"name"`
	UID      string    `json:"uid"`
	Location string    `json:"storageLocation"`
	Shards   int       `json:"shards"`
	Objects  int64     `json:"objects"` // an estimate: what the API server counted
	Expires  time.Time `json:"expiration"`
	Related  bool      `json:"related"` // whether objects are to be pulled in by reference
	Schedule string    `json:"schedule,omitempty"`
	Units    int       `json:"units,omitempty"`   // of volumes and hooks, see SnapshotVolumesInput
	Volumes  int       `json:"volumes,omitempty"` // to be snapshotted
	// UnitTime is how long a unit may take, outages apart, in nanoseconds.
	UnitTime time.Duration `json:"unitTime,omitempty"`
	Warnings int           `json:"warnings"`
	Errors   int           `json:"errors"`
	Binding  Binding       `json:"binding,omitzero"`
}

// BackupRef names a running backup in every later activity.
type BackupRef struct {
	Name     string  `json:"name"`
	UID      string  `json:"uid"`
	Location string  `json:"storageLocation"`
	Binding  Binding `json:"binding,omitzero"`
}

// ExportShardInput asks for one shard of the plan.
type ExportShardInput struct {
	Ref   BackupRef `json:"ref"`
	Shard int       `json:"shard"`
}

// ExportRelatedInput asks for the objects that shards refer to and did not hold.
type ExportRelatedInput struct {
	Ref    BackupRef `json:"ref"`
	Shards []int     `json:"shards"` // chunks of each shard, by shard number
	// Attempts says which attempts staged them.
	Attempts ShardAttempts `json:"attempts,omitempty"`
}

// ShardAttempts are the attempts that staged the chunks of each shard, by shard number. A
// shard of a worker that did not tell its attempts apart has none.
type ShardAttempts map[int][]ChunkAttempt

// ChunkAttempt says how many chunks of a shard, in their order, one attempt staged.
type ChunkAttempt struct {
	Attempt string `json:"attempt"`
	Chunks  int    `json:"chunks"`
}

// ShardResult counts what an export wrote to staging.
type ShardResult struct {
	Shard    int   `json:"shard"`
	Chunks   int   `json:"chunks"`
	Objects  int64 `json:"objects"`
	Bytes    int64 `json:"bytes"` // compressed
	Warnings int   `json:"warnings"`
	Errors   int   `json:"errors"`
	// Attempts says which attempts staged the chunks.
	Attempts []ChunkAttempt `json:"attempts,omitempty"`
}

// SealBackupInput asks to compose the archive out of staged chunks.
type SealBackupInput struct {
	Ref    BackupRef `json:"ref"`
	Chunks []int     `json:"chunks"` // number of chunks, by shard number
	// Attempts says which attempts staged them.
	Attempts ShardAttempts `json:"attempts,omitempty"`
}

// SealResult says what was composed.
type SealResult struct {
	Objects  int64    `json:"objects"`
	Bytes    int64    `json:"bytes"`
	Members  int      `json:"members"`
	Manifest string   `json:"manifestSHA256"`
	Warnings int      `json:"warnings"`
	Errors   int      `json:"errors"`
	Reasons  []string `json:"reasons,omitempty"`

	Volumes VolumeCounts `json:"volumes,omitzero"`
	// Changes is what the commit has to remember; nil for nothing.
	Changes *BackupChanges `json:"changes,omitempty"`
}

// BackupChanges is what became of the objects since the backup before.
type BackupChanges struct {
	Series   string             `json:"series"` // of the backups that can be compared
	Schedule string             `json:"schedule,omitempty"`
	Measures map[string]float64 `json:"measures,omitempty"` // by rule
	Unusual  []string           `json:"unusual,omitempty"`  // rules
	Passing  []string           `json:"passing,omitempty"`  // families of namespaces that come and go
	// Previous is the backup before, which is to be held; "" if nothing is unusual.
	Previous    string `json:"previous,omitempty"`
	PreviousUID string `json:"previousUID,omitempty"`
}

// VerifyBackupInput asks to read every stored byte back.
type VerifyBackupInput struct {
	Ref BackupRef `json:"ref"`
}

// VerifyResult says how much was read back.
type VerifyResult struct {
	Bytes int64 `json:"bytes"`
}

// CommitBackupInput makes the backup exist.
type CommitBackupInput struct {
	Ref       BackupRef  `json:"ref"`
	Completed time.Time  `json:"completed"`
	Seal      SealResult `json:"seal"`
}

// AbandonBackupInput removes what an uncommitted backup left behind.
type AbandonBackupInput struct {
	Ref BackupRef `json:"ref"`
}
