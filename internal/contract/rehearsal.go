package contract

import "time"

// Levels that a backup can be proven at. A higher one says all that the lower ones say.
const (
	LevelBytes    = "L0" // every byte agrees with the manifest
	LevelAccepted = "L1" // an API server accepts every object
	LevelEqual    = "L2" // every object was created and is as the backup has it
)

// RehearseInput starts a RehearseRestore workflow.
type RehearseInput struct {
	Backup string `json:"backup"`
	// Location is where the backup lies; empty means the one location that has it.
	Location string `json:"storageLocation,omitempty"`
	// KubernetesVersion is a minor version ("1.38") of which the worker's configuration
	// names an API server; empty is the configuration's own.
	KubernetesVersion string `json:"kubernetesVersion,omitempty"`
}

// UnmarshalJSON refuses unknown fields.
func (r *RehearseInput) UnmarshalJSON(data []byte) error {
	type plain RehearseInput
	return strict(data, (*plain)(r))
}

// RehearsalResult is what a rehearsal has found. It is also the document of it in the bucket.
type RehearsalResult struct {
	Backup   string `json:"backup"`
	UID      string `json:"uid,omitempty"` // of the backup: a later one of the name is not meant
	Location string `json:"storageLocation"`
	// Level is the highest that was reached; empty is none.
	Level string `json:"level,omitempty"`
	// Asked is the version that somebody has asked for, Kubernetes that of the API server.
	Asked      string    `json:"kubernetesVersion,omitempty"`
	Kubernetes string    `json:"kubernetes,omitempty"`
	Started    time.Time `json:"started"`
	Completed  time.Time `json:"completed"`

	Counts RehearsalCounts `json:"counts"`
	// Changed are the fields in which objects differ from the backup on purpose.
	Changed []RehearsalChange `json:"changed,omitempty"`
	// Left are objects that a restore leaves out, by the reason.
	Left []RehearsalLeft `json:"left,omitempty"`
	// Problems are the first, worst first; MoreProblems is how many there are beside them.
	Problems     []RehearsalProblem `json:"problems,omitempty"`
	MoreProblems int                `json:"moreProblems,omitempty"`
	Errors       int                `json:"errors"` // among all problems

	Usage RehearsalUsage `json:"usage,omitzero"`
	// Stored says that the bucket has this result.
	Stored bool `json:"stored,omitempty"`
}

// RehearsalCounts account for every object of the backup: Objects is the sum of the others.
type RehearsalCounts struct {
	Objects   int64 `json:"objects"`
	Equal     int64 `json:"equal"`
	Changed   int64 `json:"changed"`   // on purpose, and else equal
	Left      int64 `json:"left"`      // not restored, for a reason
	Different int64 `json:"different"` // created, and not as the backup has them
	Refused   int64 `json:"refused"`   // not accepted by the API server
}

// Sum is what Objects has to be.
func (c RehearsalCounts) Sum() int64 { return c.Equal + c.Changed + c.Left + c.Different + c.Refused }

// RehearsalChange is a field that a rule of the restore or the API server sets otherwise.
type RehearsalChange struct {
	Resource string `json:"resource"`
	Field    string `json:"field"`
	// By is "rule" (of the kind, see docs/VELERO.md) or "API server".
	By      string `json:"by"`
	Objects int64  `json:"objects"`
}

// RehearsalLeft is why objects of a type are not restored.
type RehearsalLeft struct {
	Resource string `json:"resource"`
	Code     string `json:"code"`
	Reason   string `json:"reason,omitempty"`
	Objects  int64  `json:"objects"`
}

// RehearsalProblem is one thing that would keep a restore from being whole. It holds no
// content of objects.
type RehearsalProblem struct {
	Code      string `json:"code"`
	Severity  string `json:"severity"`
	Resource  string `json:"resource,omitempty"`
	Namespace string `json:"namespace,omitempty"`
	Name      string `json:"name,omitempty"`
	Message   string `json:"message"`
	Next      string `json:"next,omitempty"`
}

// RehearsalUsage is what the control plane has cost, beside the worker.
type RehearsalUsage struct {
	CPUSeconds float64 `json:"cpuSeconds,omitempty"`
	MemoryMiB  int64   `json:"memoryMiB,omitempty"`
}

// RehearsalSummary tells of a rehearsal in short.
type RehearsalSummary struct {
	Level      string          `json:"level,omitempty"`
	Kubernetes string          `json:"kubernetes,omitempty"`
	Completed  time.Time       `json:"completed"`
	Counts     RehearsalCounts `json:"counts"`
	Problems   int             `json:"problems"`
	Errors     int             `json:"errors"`
}

// Summary is what `backup describe` shows of a rehearsal.
func (r RehearsalResult) Summary() RehearsalSummary {
	return RehearsalSummary{
		Level: r.Level, Kubernetes: r.Kubernetes, Completed: r.Completed, Counts: r.Counts,
		Problems: len(r.Problems) + r.MoreProblems, Errors: r.Errors,
	}
}

// RehearseBackupsInput starts a RehearseBackups workflow.
type RehearseBackupsInput struct {
	// Daily looks for backups every ten minutes until midnight (UTC), when the schedule
	// starts the next run: one run a day keeps lists of runs short.
	Daily bool `json:"daily,omitempty"`
	// After says which new backups, where their schedule does not: always, daily, weekly or
	// never; empty is as the worker that is asked is configured. Temporal's schedule says it, so
	// that workers of two configurations agree.
	After string `json:"after,omitempty"`
	// Done is what the run has done before it continued as new.
	Done RehearsedBackups `json:"done,omitzero"`
}

// UnmarshalJSON refuses unknown fields.
func (r *RehearseBackupsInput) UnmarshalJSON(data []byte) error {
	type plain RehearseBackupsInput
	return strict(data, (*plain)(r))
}

// RehearsedBackups is what a RehearseBackups workflow returns.
type RehearsedBackups struct {
	Rehearsed int `json:"rehearsed"`
	Failed    int `json:"failed"`
}

// PlanRehearsalsInput asks which backups are to be rehearsed at a time.
type PlanRehearsalsInput struct {
	Now   time.Time `json:"now"`
	After string    `json:"after,omitempty"` // see RehearseBackupsInput
}

// RehearsalPlan are the backups to rehearse now, newest first.
type RehearsalPlan struct {
	Backups []RehearseInput  `json:"backups,omitempty"`
	Unread  []UnreadLocation `json:"unreadLocations,omitempty"`
}
