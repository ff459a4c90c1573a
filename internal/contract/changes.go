package contract

import "time"

// BackupDiff is what differs between two backups, by their indexes. It holds no content of an
// object and no digest of one, by which a short secret could be guessed.
type BackupDiff struct {
	From DiffSide `json:"from"`
	To   DiffSide `json:"to"`

	Added   int64 `json:"added"`
	Removed int64 `json:"removed"`
	Changed int64 `json:"changed"`
	Same    int64 `json:"same"`
	// Places are the counts by resource and namespace, those with most differences first.
	Places     []DiffPlace `json:"places,omitempty"`
	MorePlaces int         `json:"morePlaces,omitempty"`
	// Objects are the first that differ, by resource, namespace and name.
	Objects     []ObjectChange `json:"objects,omitempty"`
	MoreObjects int64          `json:"moreObjects,omitempty"`
	// Notes say what the counts are not good for.
	Notes []string `json:"notes,omitempty"`
}

// DiffSide is one of the two backups.
type DiffSide struct {
	Backup   string    `json:"backup"`
	Location string    `json:"storageLocation"`
	Cluster  string    `json:"cluster"`
	Started  time.Time `json:"started"`
	Objects  int64     `json:"objects"`
}

// DiffPlace counts what differs of a resource in a namespace.
type DiffPlace struct {
	Resource  string `json:"resource"`
	Namespace string `json:"namespace,omitempty"`
	Added     int64  `json:"added"`
	Removed   int64  `json:"removed"`
	Changed   int64  `json:"changed"`
}

// ObjectChange is an object that differs.
type ObjectChange struct {
	Change    string `json:"change"` // added, removed or changed
	Resource  string `json:"resource"`
	Namespace string `json:"namespace,omitempty"`
	Name      string `json:"name"`
}

// ObjectHistory is in which backups of the cluster an object is, and in which state.
type ObjectHistory struct {
	Resource  string `json:"resource"` // plural.group
	Namespace string `json:"namespace,omitempty"`
	Name      string `json:"name"`
	// Backups are those that were looked at, the oldest first.
	Backups []ObjectState `json:"backups,omitempty"`
	// Older is how many backups are older than those.
	Older int `json:"older,omitempty"`
	// Foreign and Unindexed are how many backups were left out, since another cluster or
	// Velero made them.
	Foreign   int      `json:"foreign,omitempty"`
	Unindexed int      `json:"unindexed,omitempty"`
	Notes     []string `json:"notes,omitempty"`
}

// ObjectState is an object in one backup.
type ObjectState struct {
	Backup   string    `json:"backup"`
	Location string    `json:"storageLocation"`
	Started  time.Time `json:"started"`
	// Version numbers the states of the object in the order in which they first appear: the
	// same number is the same state. 0 says that the backup does not have the object.
	Version int `json:"version"`
	// Corrupt says that a verification has found damage in the backup, which is refused by a
	// restore that does not allow it.
	Corrupt bool `json:"corrupt,omitempty"`
}
