package contract

import "time"

// CollectGarbageInput starts a CollectGarbage workflow. All fields may be left out: it then
// collects once.
type CollectGarbageInput struct {
	// Hourly collects every hour until midnight (UTC), when the schedule starts the next
	// run: one run a day keeps lists of runs short.
	Hourly bool `json:"hourly,omitempty"`
	// DryRun only tells what would be deleted.
	DryRun bool `json:"dryRun,omitempty"`
	// Cluster is whose backups and orphans are meant, such as those of one that is gone; ""
	// is the cluster of the worker.
	Cluster string `json:"cluster,omitempty"`
	// Done is what the run has done before it continued as new.
	Done GarbageResult `json:"done,omitzero"`
}

// UnmarshalJSON refuses unknown fields: a mistyped dryRun must not delete anything.
func (c *CollectGarbageInput) UnmarshalJSON(data []byte) error {
	type plain CollectGarbageInput
	return strict(data, (*plain)(c))
}

// PlanGarbageInput asks which backups may go at a time.
type PlanGarbageInput struct {
	Now     time.Time `json:"now"`
	Cluster string    `json:"cluster,omitempty"` // as in CollectGarbageInput
	// DryRun is somebody who waits for the plan: a location that is out of reach is not waited for.
	DryRun bool `json:"dryRun,omitempty"`
}

// GarbagePlan tells what becomes of expired backups: at most a page of those that go, and
// of those that stay.
type GarbagePlan struct {
	Delete []GarbageRow `json:"delete,omitempty"`
	Keep   []GarbageRow `json:"keep,omitempty"`
	// MoreDelete and MoreKeep are how many the lists leave out.
	MoreDelete int `json:"moreDelete,omitempty"`
	MoreKeep   int `json:"moreKeep,omitempty"`
	// Unread are locations that could not be read: nothing of them is deleted.
	Unread []UnreadLocation `json:"unreadLocations,omitempty"`
}

// GarbageRow is an expired backup, and why it stays.
type GarbageRow struct {
	Name     string    `json:"name"`
	Location string    `json:"storageLocation"`
	Place    string    `json:"place,omitempty"` // digest of where the location is
	UID      string    `json:"uid,omitempty"`
	Schedule string    `json:"schedule,omitempty"`
	Expired  time.Time `json:"expired"`
	Cause    string    `json:"cause,omitempty"`  // why it stays: one of garbage.Causes
	Reason   string    `json:"reason,omitempty"` // the same in words
	// Tries are deletions that have failed, from the first to the last.
	Tries     int        `json:"tries,omitempty"`
	FirstTry  *time.Time `json:"firstTry,omitempty"`
	LastTry   *time.Time `json:"lastTry,omitempty"`
	LastError string     `json:"lastError,omitempty"`
}

// GarbageTry is a failed deletion of an expired backup.
type GarbageTry struct {
	Name     string    `json:"name"`
	Location string    `json:"storageLocation"`
	UID      string    `json:"uid,omitempty"`
	At       time.Time `json:"at"`
	Error    string    `json:"error"`
}

// GarbageResult is what a CollectGarbage workflow returns.
type GarbageResult struct {
	Rounds    int `json:"rounds"`
	Deleted   int `json:"deleted"`
	Failed    int `json:"failed"`
	Files     int `json:"files"`
	Snapshots int `json:"snapshots"`
	// Plan is that of the last round.
	Plan GarbagePlan `json:"plan"`
	// Errors are the first of the last round.
	Errors []GarbageTry `json:"errors,omitempty"`

	// Orphans is the plan of the last round, with what became of those that were to go, and
	// Removed how many have gone. Gone are the last of those, as many as a page has.
	Orphans OrphanPlan `json:"orphans,omitzero"`
	Removed int        `json:"removed,omitempty"`
	Gone    []Orphan   `json:"gone,omitempty"`
}

// SetRetentionInput starts a SetRetention workflow. What is nil stays as it is.
type SetRetentionInput struct {
	Name     string `json:"name"`
	Location string `json:"storageLocation,omitempty"`
	// Cluster is the cluster whose backup is meant, such as one that is gone; "" is that of the
	// worker.
	Cluster string `json:"cluster,omitempty"`
	// Hold is why the backup is not to be deleted; "" releases it.
	Hold *string `json:"hold,omitempty"`
	// Expires is when its time is over.
	Expires *time.Time `json:"expires,omitempty"`
}

// UnmarshalJSON refuses unknown fields.
func (s *SetRetentionInput) UnmarshalJSON(data []byte) error {
	type plain SetRetentionInput
	return strict(data, (*plain)(s))
}

// RetentionResult is how long a backup is kept now.
type RetentionResult struct {
	Name     string    `json:"name"`
	Location string    `json:"storageLocation"`
	Hold     string    `json:"hold,omitempty"`
	Expires  time.Time `json:"expires,omitzero"` // zero is never
}
