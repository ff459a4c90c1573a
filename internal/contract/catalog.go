package contract

import (
	"encoding/json"
	"slices"
	"time"

	velerov1 "github.com/vmware-tanzu/velero/pkg/apis/velero/v1"
)

// Read verbs of ReadInput.
const (
	ReadBackups       = "backups"        // BackupSummary list
	ReadBackup        = "backup"         // one Backup document with its results
	ReadBackupCost    = "backup-cost"    // BackupCost of one
	ReadBackupURL     = "backup-url"     // signed URL of a file of a backup, File says which
	ReadRestores      = "restores"       // RestoreSummary list
	ReadRestore       = "restore"        // one Restore document with its results
	ReadRestoreURL    = "restore-url"    // signed URL of a file of a restore
	ReadLocations     = "locations"      // LocationStatus list
	ReadLocationCheck = "location-check" // one LocationStatus with capabilities
	ReadServer        = "server"         // ServerStatus
	ReadChecklist     = "checklist"      // Check list: is the installation fit for production
	ReadEstimate      = "estimate"       // RestoreEstimate of a backup
	ReadSchedules     = "schedules"      // ScheduleStatus list; with a name that one, with its due times

	ReadDrillSchedules = "drill-schedules" // ScheduleStatus list of schedules of drills, as ReadSchedules

	ReadDrills = "drills" // DrillSummary list, the newest first
	ReadDrill  = "drill"  // DrillDetails of one: Name is its number, or the name of which the newest is meant

	ReadBackupDiff    = "backup-diff"    // BackupDiff of Name and To
	ReadObjectHistory = "object-history" // ObjectHistory of Object

	ReadSnapshots             = "snapshots"               // SnapshotSummary list: whose each is
	ReadSnapshotLocations     = "snapshot-locations"      // SnapshotLocationStatus list
	ReadSnapshotLocationCheck = "snapshot-location-check" // one of them with what its credentials may do
)

// ReadVerbs are all of them.
func ReadVerbs() []string {
	return []string{
		ReadBackups, ReadBackup, ReadBackupCost, ReadBackupURL, ReadRestores, ReadRestore, ReadRestoreURL,
		ReadLocations, ReadLocationCheck, ReadServer, ReadSnapshotLocations, ReadSnapshotLocationCheck, ReadSnapshots,
		ReadSchedules, ReadDrillSchedules, ReadChecklist, ReadEstimate,
		ReadBackupDiff, ReadObjectHistory, ReadDrills, ReadDrill,
	}
}

// Files that ReadBackupURL and ReadRestoreURL sign.
const (
	FileContents     = "contents"      // the tarball
	FileLogs         = "logs"          // gzip text
	FileResults      = "results"       // gzip JSON
	FileResourceList = "resource-list" // gzip JSON
	FileManifest     = "manifest"      // JSON
	FileIndex        = "index"         // of the objects in the tarball
	FilePlan         = "plan"          // gzip JSON lines: the diff of a dry run
)

// ReadInput is the argument of ReadUpdate.
type ReadInput struct {
	Verb     string `json:"verb"`
	Name     string `json:"name,omitempty"`
	Location string `json:"storageLocation,omitempty"`
	File     string `json:"file,omitempty"`
	Selector string `json:"selector,omitempty"` // label selector for lists
	Continue string `json:"continue,omitempty"` // from the page before
	To       string `json:"to,omitempty"`       // the backup that the named one is compared with
	Object   string `json:"object,omitempty"`   // RESOURCE/NAMESPACE/NAME or RESOURCE/NAME
	Limit    int    `json:"limit,omitempty"`    // of what the answer lists; 0 for the default
	// Configuration asks for an answer of a worker with that digest of its storage
	// locations; "" takes any.
	Configuration string `json:"configuration,omitempty"`
}

// ReadResult is the answer; the field of the verb is set.
type ReadResult struct {
	Backups   []BackupSummary   `json:"backups,omitempty"`
	Backup    *velerov1.Backup  `json:"backup,omitempty"`
	Restores  []RestoreSummary  `json:"restores,omitempty"`
	Restore   *velerov1.Restore `json:"restore,omitempty"`
	Results   json.RawMessage   `json:"results,omitempty"` // Velero's results document, cut to 500 lines
	Volumes   []VolumeSummary   `json:"volumes,omitempty"` // the first 500, failed ones first
	Details   *Details          `json:"details,omitempty"`
	URL       string            `json:"url,omitempty"`
	Location  string            `json:"location,omitempty"` // where the file of URL lies
	Locations []LocationStatus  `json:"locations,omitempty"`
	Server    *ServerStatus     `json:"server,omitempty"`
	// Rehearsals of the backup, that in the worker's own version of Kubernetes first.
	Rehearsals []RehearsalSummary `json:"rehearsals,omitempty"`
	Continue   string             `json:"continue,omitempty"`
	Schedules  []ScheduleStatus   `json:"schedules,omitempty"`
	Checklist  []Check            `json:"checklist,omitempty"`
	Estimate   *RestoreEstimate   `json:"estimate,omitempty"`

	Cost        *BackupCost    `json:"cost,omitempty"`
	MoreVolumes int            `json:"moreVolumes,omitempty"` // that Volumes leaves out
	Diff        *BackupDiff    `json:"diff,omitempty"`
	History     *ObjectHistory `json:"history,omitempty"`
	Drills      []DrillSummary `json:"drills,omitempty"`
	Drill       *DrillDetails  `json:"drill,omitempty"`

	SnapshotLocations []SnapshotLocationStatus `json:"snapshotLocations,omitempty"`
	Snapshots         []SnapshotSummary        `json:"snapshots,omitempty"`
	// Configuration is the digest of the names and places of the storage locations of the
	// worker that answered.
	Configuration string `json:"configuration,omitempty"`
	// Unread are locations that could not be read: what lies there is not in the answer.
	Unread []UnreadLocation `json:"unreadLocations,omitempty"`
}

// UnreadLocation is a storage location that could not be read, and why.
type UnreadLocation struct {
	Name    string `json:"name"`
	Message string `json:"message"`
}

// BackupSummary is a row of `backup get`.
type BackupSummary struct {
	Name     string            `json:"name"`
	Labels   map[string]string `json:"labels,omitempty"`
	Location string            `json:"storageLocation"`
	Phase    string            `json:"phase"`
	Errors   int               `json:"errors"`
	Warnings int               `json:"warnings"`
	Created  time.Time         `json:"created"`
	Expires  *time.Time        `json:"expires,omitempty"` // when its time is over: as somebody has set it since, if so
	Objects  int64             `json:"objects"`
	Selector string            `json:"selector,omitempty"`
	Ours     bool              `json:"ours"` // has a Lifeboat manifest
	// Level is the highest that a rehearsal has proven, at Proven; nil is never.
	Level  string     `json:"level,omitempty"`
	Proven *time.Time `json:"proven,omitempty"`
	// Cut says that labels and selector are left out: they are longer than an answer carries.
	Cut bool `json:"cut,omitempty"`
	// Verified is when all of it was read back last. Phase is Corrupt if something was found.
	Verified *time.Time `json:"verified,omitempty"`
	Cluster  string     `json:"cluster,omitempty"`
	// Expired is a backup whose time is over and that stays, because its location is ReadOnly.
	Expired bool `json:"expired,omitempty"`
	// Held is why somebody holds it, "" for nobody.
	Held string `json:"held,omitempty"`
}

// RestoreSummary is a row of `restore get`.
type RestoreSummary struct {
	Name      string            `json:"name"`
	Labels    map[string]string `json:"labels,omitempty"`
	Backup    string            `json:"backup"`
	Phase     string            `json:"phase"`
	Started   *time.Time        `json:"started,omitempty"`
	Completed *time.Time        `json:"completed,omitempty"`
	Errors    int               `json:"errors"`
	Warnings  int               `json:"warnings"`
	DryRun    bool              `json:"dryRun,omitempty"`
	Cut       bool              `json:"cut,omitempty"` // labels are left out, as of BackupSummary
}

// Details is what Lifeboat knows of a backup beyond Velero's document.
type Details struct {
	UID         string `json:"uid,omitempty"`
	Cluster     string `json:"cluster,omitempty"`
	Bytes       int64  `json:"bytes"`
	Members     int    `json:"members,omitempty"`
	ManifestSHA string `json:"manifestSHA256,omitempty"`
	// Conditional is false where the store could not promise write-once.
	Conditional bool `json:"conditionalWrites"`
	// Verification is what the last one has found; nil if there was none.
	Verification *VerifiedBackup `json:"verification,omitempty"`
	// Trace is the id of the run's trace, "" if it was not traced.
	Trace string `json:"trace,omitempty"`
	// Held is why somebody holds it, "" for nobody, and ExpiresSet when it expires where somebody
	// has said that after it was made.
	Held       string     `json:"held,omitempty"`
	ExpiresSet *time.Time `json:"expiresSet,omitempty"`
	// ExpiresLater is when it expires where that is later than its document says, because it took
	// longer than its TTL.
	ExpiresLater *time.Time `json:"expiresLater,omitempty"`
}

// LocationStatus is a row of `location get` and the answer of `location check`.
type LocationStatus struct {
	Name       string `json:"name"`
	Provider   string `json:"provider"`
	Bucket     string `json:"bucket"`
	Prefix     string `json:"prefix,omitempty"`
	AccessMode string `json:"accessMode"`
	Default    bool   `json:"default"`
	Phase      string `json:"phase"` // Available or Unavailable
	Message    string `json:"message,omitempty"`
	// Reason is a word for why it is Unavailable, such as AccessDenied; see store.Reason.
	Reason string `json:"reason,omitempty"`
	// LastValidated is when Phase was found out.
	LastValidated *time.Time `json:"lastValidated,omitempty"`
	// Credentials says where they come from: never what they are.
	Credentials  string       `json:"credentials,omitempty"`
	Capabilities []Capability `json:"capabilities,omitempty"`
	// Place is a digest of the endpoint, bucket and prefix.
	Place string `json:"place,omitempty"`
}

// Capability is one probe of `location check`.
type Capability struct {
	Name        string `json:"name"`
	OK          bool   `json:"ok"`
	Detail      string `json:"detail,omitempty"`
	Consequence string `json:"consequence,omitempty"`
}

// ServerStatus is the worker's part of `version`.
type ServerStatus struct {
	Version    string `json:"version"`
	Cluster    string `json:"cluster"`
	Kubernetes string `json:"kubernetes"`
	// ClusterUID is the UID of the cluster's namespace kube-system.
	ClusterUID string `json:"clusterUID,omitempty"`
	// Configuration is the digest of the names and places of the storage locations.
	Configuration string `json:"configuration,omitempty"`
	// MissingSearchAttributes are not registered in Temporal: runs cannot be searched by them.
	MissingSearchAttributes []string `json:"missingSearchAttributes,omitempty"`
}

// DeleteBackupInput starts a DeleteBackup workflow. Location is where the backup lies;
// empty means the one location that has it.
type DeleteBackupInput struct {
	Name     string `json:"name"`
	Location string `json:"storageLocation,omitempty"`
	// Cluster is the cluster whose backup is meant, such as one that is gone; "" is that of the
	// worker. A collection names none: it has chosen by the manifest.
	Cluster string `json:"cluster,omitempty"`
	// UID asks for the backup of that UID and for no later one of the name.
	UID string `json:"uid,omitempty"`
	// ExpiredAt asks to delete it only if its time is still over then: somebody may hold it
	// or give it more time after it was chosen.
	ExpiredAt time.Time `json:"expiredAt,omitzero"`
	// OneActivity has DeleteExpired do all of it, for a collection of hundreds: each activity costs
	// Temporal five transactions. Collections that began before ask for the phases.
	OneActivity bool `json:"oneActivity,omitempty"`
	// Place is a digest of where the location is: a worker that has it elsewhere finds no backup of
	// the name, and that is no deletion.
	Place string `json:"place,omitempty"`
	// Within is how long OneActivity may take: a collection tries again later, and does not sit out
	// an outage while others wait. Collections that began before name none.
	Within time.Duration `json:"within,omitempty"`
}

// DeletePlan is what a deletion works through.
type DeletePlan struct {
	Name     string `json:"name"`
	Location string `json:"storageLocation"`
	UID      string `json:"uid,omitempty"`
	Files    int    `json:"files"`

	Snapshots int `json:"snapshots,omitempty"`
	// Unread says what of the backup could not be read, so that snapshots that only
	// it names are left.
	Unread []string `json:"unread,omitempty"`

	Binding Binding `json:"binding,omitzero"`
}

// DeleteResult says what was removed.
type DeleteResult struct {
	Name  string `json:"name"`
	Files int    `json:"files"`
	// Retained are files that the store keeps (Object Lock) and snapshots that the
	// provider keeps, with the reason.
	Retained []string `json:"retained,omitempty"`

	Snapshots int `json:"snapshots,omitempty"`
}

// With adds to the files that were deleted the snapshots that were, and all that is left with
// the reason why.
func (r DeleteResult) With(s SnapshotDeletion, p DeletePlan) DeleteResult {
	r.Snapshots += s.Deleted + s.Gone
	r.Retained = slices.Concat(r.Retained, s.Retained, p.Unread)
	return r
}
