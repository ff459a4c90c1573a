package contract

import (
	"cmp"
	"maps"
	"strings"
	"time"

	velerov1 "github.com/vmware-tanzu/velero/pkg/apis/velero/v1"

	"github.com/lifeboat-backup/lifeboat/internal/drill/definition"
)

// AnnotationPrefix begins the annotations that are Lifeboat's own.
const AnnotationPrefix = "lifeboat-backup.github.io/"

// Annotations of a Schedule: what Velero's spec has no field for. A document that has them
// is still one of Velero's, which passes them over.
const (
	AnnotationZone     = AnnotationPrefix + "time-zone"       // of the IANA data base
	AnnotationJitter   = AnnotationPrefix + "jitter"          // a run begins up to so much later
	AnnotationOverlap  = AnnotationPrefix + "overlap"         // OverlapSkip or OverlapBufferOne
	AnnotationCatchUp  = AnnotationPrefix + "catch-up-window" // how late a run may begin
	AnnotationRehearse = AnnotationPrefix + "rehearse"        // which of its backups: see config.Rehearsal
)

// What becomes of a run that is due while the one before goes on.
const (
	OverlapSkip      = "skip"
	OverlapBufferOne = "bufferOne"
)

// Schedule is the definition of a schedule of backups, as Velero's document has it, or of one of
// drills.
type Schedule struct {
	Name        string                `json:"name"`
	Labels      map[string]string     `json:"labels,omitempty"`
	Annotations map[string]string     `json:"annotations,omitempty"`
	Spec        velerov1.ScheduleSpec `json:"spec"`
	// Drill is what is drilled by a schedule of drills; Spec says only when, and its template is
	// empty.
	Drill *definition.Spec `json:"drill,omitempty"`
	// From is what it was applied from: "source/" and the name that somebody has given it, or the
	// base name of a file or directory; "" for one that was made by itself: a later apply
	// from there misses it if it is not among its documents.
	From string `json:"from,omitempty"`
}

// BackupName is the name of the backup of a due time, in Velero's form.
func (s *Schedule) BackupName(due time.Time) string {
	return s.Name + "-" + due.UTC().Format("20060102150405")
}

// Backup is the input of the backup of a due time. As with Velero its labels are those of the
// template, or else of the schedule, and its annotations those of the schedule.
func (s *Schedule) Backup(due time.Time) BackupInput {
	in := BackupInput{Name: s.BackupName(due), Labels: map[string]string{}, Spec: *s.Spec.Template.DeepCopy()}
	from := s.Labels
	if len(s.Spec.Template.Metadata.Labels) > 0 {
		from = s.Spec.Template.Metadata.Labels
	}
	maps.Copy(in.Labels, from)
	in.Labels[velerov1.ScheduleNameLabel] = s.Name
	for key, value := range s.Annotations {
		if strings.HasPrefix(key, AnnotationPrefix) || key == "kubectl.kubernetes.io/last-applied-configuration" {
			continue
		}
		if in.Annotations == nil {
			in.Annotations = map[string]string{}
		}
		in.Annotations[key] = value
	}
	return in
}

// Overlap is what becomes of a run that is due while the one before goes on.
func (s *Schedule) Overlap() string { return cmp.Or(s.Annotations[AnnotationOverlap], OverlapSkip) }

// ChangeSchedulesInput starts a ChangeSchedules workflow.
type ChangeSchedulesInput struct {
	// Drills says that the schedules are those of drills; else they are those of backups.
	Drills bool `json:"drills,omitempty"`
	// Apply are definitions to store. Equal ones are no change; none starts a run.
	Apply []Schedule `json:"apply,omitempty"`
	// Create refuses names that are taken.
	Create bool `json:"create,omitempty"`
	// Sources are what Apply was read from. Schedules that were applied from there before, and
	// are not among Apply, are reported; Prune deletes them.
	Sources []string `json:"sources,omitempty"`
	Prune   bool     `json:"prune,omitempty"`
	// Pause, Unpause and Delete are names.
	Pause   []string `json:"pause,omitempty"`
	Unpause []string `json:"unpause,omitempty"`
	Delete  []string `json:"delete,omitempty"`
	// Run is filled in by the workflow: a repeated attempt reports what the first one did.
	Run string `json:"run,omitempty"`
}

// UnmarshalJSON refuses unknown fields: a mistyped filter must not become a schedule that
// backs up everything.
func (c *ChangeSchedulesInput) UnmarshalJSON(data []byte) error {
	type plain ChangeSchedulesInput
	return strict(data, (*plain)(c))
}

// Outcomes of a ScheduleChange, in kubectl's words where it has one.
const (
	ScheduleCreated    = "created"
	ScheduleConfigured = "configured"
	ScheduleUnchanged  = "unchanged"
	SchedulePruned     = "pruned"
	ScheduleNotApplied = "not applied" // was applied from the source before, and is there still
	SchedulePaused     = "paused"
	ScheduleUnpaused   = "unpaused"
	ScheduleDeleted    = "deleted"
	ScheduleGone       = "not there"
)

// ScheduleChange is what became of a schedule.
type ScheduleChange struct {
	Name     string     `json:"name"`
	Outcome  string     `json:"outcome"`
	Next     *time.Time `json:"next,omitempty"` // due time; none while it is paused
	Warnings []string   `json:"warnings,omitempty"`
}

// ChangeSchedulesResult is what a ChangeSchedules workflow returns.
type ChangeSchedulesResult struct {
	Changes []ScheduleChange `json:"changes"`
}

// ScheduledRunInput starts a ScheduledBackup or a ScheduledDrill workflow.
type ScheduledRunInput struct {
	Schedule string `json:"schedule"`
	// Revision says which form of the schedule Temporal has: a worker compares it.
	Revision string `json:"revision,omitempty"`
}

// UnmarshalJSON refuses unknown fields.
func (s *ScheduledRunInput) UnmarshalJSON(data []byte) error {
	type plain ScheduledRunInput
	return strict(data, (*plain)(s))
}

// Outcomes of a due time.
const (
	SlotRunning = "running" // or waits for its turn
	SlotRan     = "ran"
	SlotFailed  = "failed"
	SlotSkipped = "skipped" // the run before went on, or another drill
	SlotMissed  = "missed"  // nobody was there to start it in time
	SlotPaused  = "paused"
)

// ScheduleSlot is a due time and what became of it.
type ScheduleSlot struct {
	Due     time.Time `json:"due"`
	Outcome string    `json:"outcome"`
	Reason  string    `json:"reason,omitempty"`
	Backup  string    `json:"backup,omitempty"`
	Phase   string    `json:"phase,omitempty"` // of the backup; of a drill Completed if it has passed
	Started time.Time `json:"started,omitzero"`
	Ended   time.Time `json:"ended,omitzero"`
	// Triggered is a run that somebody asked for: its time is no due time.
	Triggered bool `json:"triggered,omitempty"`
	Run       Run  `json:"run,omitzero"`
}

// Succeeded tells of a run that left a good backup, or of a drill that has passed.
func (s ScheduleSlot) Succeeded() bool { return s.Outcome == SlotRan && s.Phase == "Completed" }

// BeginSlotInput asks whether a run of a schedule is to take a backup, or to run a drill.
type BeginSlotInput struct {
	Drills   bool      `json:"drills,omitempty"` // of which schedules it is
	Schedule string    `json:"schedule"`
	Due      time.Time `json:"due"` // for which Temporal started the run
	Now      time.Time `json:"now"` // by Temporal's clock
	Run      Run       `json:"run"`
}

// BegunSlot is the due time that the run is for, and the backup to take or the drill to run; none
// if the slot has an outcome already.
type BegunSlot struct {
	Slot   ScheduleSlot `json:"slot"`
	Backup *BackupInput `json:"backup,omitempty"`
	Drill  *DrillInput  `json:"drill,omitempty"`
	// Until is how long a drill may wait for another one.
	Until time.Time `json:"until,omitzero"`
}

// TakeTurnInput asks whether a run may begin its backup now.
type TakeTurnInput struct {
	Schedule string    `json:"schedule"`
	Due      time.Time `json:"due"`
	Run      Run       `json:"run"`
	// Location is where the backup is to be stored, "" in the default one.
	Location string `json:"storageLocation,omitempty"`
}

// Turn is the answer.
type Turn struct {
	Taken bool `json:"taken"`
	// Ahead are the runs that have a turn or wait longer.
	Ahead int `json:"ahead,omitempty"`
}

// EndSlotInput records what became of a due time, and gives the turn back.
type EndSlotInput struct {
	Drills   bool         `json:"drills,omitempty"` // of which schedules it is
	Schedule string       `json:"schedule"`
	Slot     ScheduleSlot `json:"slot"`
}

// Phases of a schedule.
const (
	ScheduleEnabled = "Enabled"
	ScheduleOff     = "Paused"
	ScheduleInvalid = "Invalid"
)

// ScheduleStatus is a row of `schedule get` and the answer of `schedule describe`.
type ScheduleStatus struct {
	Schedule Schedule `json:"schedule"`
	// Source is where the definition comes from: "cli", or "config" for the worker's
	// configuration.
	Source  string    `json:"source"`
	Phase   string    `json:"phase"`
	Message string    `json:"message,omitempty"` // the field that is wrong and the remedy
	Created time.Time `json:"created"`
	Changed time.Time `json:"changed"`
	// PausedSince is set while it is paused.
	PausedSince *time.Time `json:"pausedSince,omitempty"`
	// PausedByHand is set where that holds whatever its document says.
	PausedByHand bool       `json:"pausedByHand,omitempty"`
	Zone         string     `json:"timeZone,omitempty"`
	Overlap      string     `json:"overlap"`
	CatchUp      string     `json:"catchUpWindow"` // that is in force
	Jitter       string     `json:"jitter,omitempty"`
	Rehearse     string     `json:"rehearse,omitempty"` // always, daily, weekly or never
	TTL          string     `json:"ttl,omitempty"`      // of the backups
	Next         *time.Time `json:"next,omitempty"`
	// LastResult is what became of the last due time whose run does not go on.
	LastResult *ScheduleSlot `json:"lastResult,omitempty"`
	// LastSuccess is the last run whose backup is Completed, or whose drill has passed.
	LastSuccess *ScheduleSlot `json:"lastSuccess,omitempty"`
	// RPOSeconds is the age of the data of that backup.
	RPOSeconds *int64   `json:"rpoSeconds,omitempty"`
	Warnings   []string `json:"warnings,omitempty"`
	// Counts are how many due times had each outcome since the schedule was created.
	Counts map[string]int64 `json:"counts,omitempty"`
	// Slots are the last due times, newest first. A list has none.
	Slots []ScheduleSlot `json:"slots,omitempty"`
}
