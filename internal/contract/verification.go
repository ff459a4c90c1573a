package contract

import "time"

// VerifyBackupsInput starts a VerifyBackups workflow. Without names and All it reads back what
// is due.
type VerifyBackupsInput struct {
	// Names are the backups to read back; Location is where they lie, "" meaning the one that
	// has each.
	Names    []string `json:"names,omitempty"`
	Location string   `json:"storageLocation,omitempty"`
	// All reads back every backup of the locations that may be written to.
	All bool `json:"all,omitempty"`
	// Hourly looks every hour until midnight (UTC), when the schedule starts the next run.
	Hourly bool `json:"hourly,omitempty"`
	// Since is when the first of a chain of runs began, and Done what the ones before have done.
	Since time.Time          `json:"since,omitzero"`
	Done  VerificationResult `json:"done,omitzero"`
}

// UnmarshalJSON refuses unknown fields.
func (v *VerifyBackupsInput) UnmarshalJSON(data []byte) error {
	type plain VerifyBackupsInput
	return strict(data, (*plain)(v))
}

// PlanVerificationInput asks which backups are to be read back at a time.
type PlanVerificationInput struct {
	Now      time.Time `json:"now"`
	Names    []string  `json:"names,omitempty"`
	Location string    `json:"storageLocation,omitempty"`
	// NotSince asks for all that have not been verified since then.
	NotSince time.Time `json:"notSince,omitzero"`
}

// VerificationPlan is which backups are to be read back, the first one first, and which will
// not be in time. Both lists have at most a page.
type VerificationPlan struct {
	Backups  int               `json:"backups"` // that there are
	Corrupt  int               `json:"corrupt"` // of those, as the last verifications found
	Due      []VerificationRow `json:"due,omitempty"`
	MoreDue  int               `json:"moreDue,omitempty"`
	Late     []VerificationRow `json:"late,omitempty"`
	MoreLate int               `json:"moreLate,omitempty"`
	// Needs is the bandwidth that would be enough, in bytes a second.
	Needs  int64            `json:"needs,omitempty"`
	Unread []UnreadLocation `json:"unreadLocations,omitempty"`
}

// VerificationRow is a backup that is to be read back.
type VerificationRow struct {
	Name     string    `json:"name"`
	Location string    `json:"storageLocation"`
	UID      string    `json:"uid,omitempty"`
	Deadline time.Time `json:"deadline,omitzero"`
	Seconds  int64     `json:"seconds,omitempty"` // that it takes in the bandwidth
}

// VerifyStoredInput asks to read one backup back. Asked tells one verification from another.
type VerifyStoredInput struct {
	Name     string    `json:"name"`
	Location string    `json:"storageLocation"`
	UID      string    `json:"uid,omitempty"`
	Asked    time.Time `json:"asked"`
}

// Outcomes of a verification.
const (
	VerificationGood    = "Verified"
	VerificationCorrupt = "Corrupt"
	VerificationGone    = "Gone"   // it was deleted meanwhile
	VerificationFailed  = "Failed" // it could not be read; that says nothing of the backup
)

// VerifiedBackup is what a verification of a backup has found.
type VerifiedBackup struct {
	Name      string    `json:"name"`
	Location  string    `json:"storageLocation"`
	Outcome   string    `json:"outcome"`
	At        time.Time `json:"at,omitzero"`
	Bytes     int64     `json:"bytes,omitempty"`
	Snapshots int       `json:"snapshots,omitempty"` // that are there
	Blocks    int       `json:"blocks,omitempty"`    // of those, that were read
	// Digests is false where the backup has none: of Velero's only the form was checked.
	Digests bool `json:"digests,omitempty"`
	// Unchecked, and Damage and More, are the first findings; the bucket has more of them.
	Unchecked []string `json:"unchecked,omitempty"`
	Damage    []Damage `json:"damage,omitempty"`
	More      int      `json:"more,omitempty"`
	// Note says why the result is not in the bucket, or why the backup could not be read.
	Note string `json:"note,omitempty"`
}

// Damage is a file or snapshot of a backup that is not what it was.
type Damage struct {
	What  string `json:"what"`
	Found string `json:"found"`
}

// VerificationResult is what a VerifyBackups workflow returns.
type VerificationResult struct {
	Rounds   int   `json:"rounds"`
	Verified int   `json:"verified"` // and good
	Corrupt  int   `json:"corrupt"`
	Failed   int   `json:"failed"` // could not be read
	Bytes    int64 `json:"bytes"`
	// Backups are the first that were verified, or of a run by schedule that were not good.
	Backups []VerifiedBackup `json:"results,omitempty"`
	// Late, MoreLate, Needs and Unread are those of the last plan.
	Late     []VerificationRow `json:"late,omitempty"`
	MoreLate int               `json:"moreLate,omitempty"`
	Needs    int64             `json:"needs,omitempty"`
	Unread   []UnreadLocation  `json:"unreadLocations,omitempty"`
}
