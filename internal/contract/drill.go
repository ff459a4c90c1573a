package contract

import (
	"time"

	"github.com/lifeboat-backup/lifeboat/internal/drill/definition"
	"github.com/lifeboat-backup/lifeboat/internal/drill/evidence"
)

// Levels of a drill, beside those of a rehearsal.
const (
	LevelVolumes   = "L3" // volumes were made, and their file systems can be read
	LevelReady     = "L4" // workloads are ready
	LevelAssertion = "L5" // the user's assertions hold
)

// Signals of a RestoreDrill workflow.
const (
	// KeepDrill asks to keep the copy for inspection: KeepDrillInput.
	KeepDrill = "keep"
	// StopDrill asks to end early: the phase that runs ends, the copy is removed and the evidence
	// says that the drill was aborted. Of a copy that is kept it ends the keeping.
	StopDrill = "stop"
)

// DrillLabel is on everything in a cluster that a drill has made; its value is the drill's id.
const DrillLabel = "lifeboat-backup.github.io/drill"

// DrillClusterLabel is beside it; its value is the name of the cluster in the worker's
// configuration. Another Lifeboat may serve the same API server under a name of its own: its drills
// run at the same time, and are not lost.
const DrillClusterLabel = "lifeboat-backup.github.io/drill-cluster"

// DrillLabels are both.
func DrillLabels(cluster, drill string) map[string]string {
	return map[string]string{DrillLabel: drill, DrillClusterLabel: cluster}
}

// DrillPartLabel says of an object that a drill has made for itself, and not of the backup, what it
// is for.
const DrillPartLabel = "lifeboat-backup.github.io/drill-part"

// DrillInput starts a RestoreDrill workflow. Its workflow id has to be DrillID: that is the lock
// by which the drills of a cluster never overlap.
type DrillInput struct {
	// Name is the user's; in the evidence, and in the names of namespaces that it chooses itself.
	Name string          `json:"name"`
	Spec definition.Spec `json:"spec"`
	// Slot is the time of the schedule for which the drill is run.
	Slot *DrillSlot `json:"slot,omitempty"`
}

// UnmarshalJSON refuses unknown fields: a mistyped filter must not restore everything.
func (d *DrillInput) UnmarshalJSON(data []byte) error {
	type plain DrillInput
	return strict(data, (*plain)(d))
}

// DrillSlot is a time of a schedule of drills.
type DrillSlot struct {
	Schedule string       `json:"schedule"`
	Due      time.Time    `json:"due"`
	Next     time.Time    `json:"next,omitzero"`
	Missed   []MissedSlot `json:"missed,omitempty"`
}

// MissedSlot is a time for which no drill was run.
type MissedSlot struct {
	Due    time.Time `json:"due"`
	Reason string    `json:"reason"`
}

// KeepDrillInput is the argument of the signal KeepDrill.
type KeepDrillInput struct {
	// For is how long the copy is kept after the last check, at most a week.
	For time.Duration `json:"for"`
}

// Isolation asks for a copy beside the original that reaches and changes nothing outside of its
// namespaces. It is set by drills.
type Isolation struct {
	// Drill is the drill's id; all that is made carries it.
	Drill string `json:"drill"`
	// Cluster is the name of the cluster in the worker's configuration.
	Cluster string `json:"cluster,omitempty"`
	// AllowedKinds are the types of custom resources that may be created.
	AllowedKinds []string `json:"allowedKinds,omitempty"`
	// InitializationRate is how fast EBS loads disks that the restore makes, in MiB/s; 0 leaves it
	// to the volume snapshot location.
	InitializationRate int32 `json:"initializationRate,omitempty"`
}

// PrepareDrillInput asks to check a drill and to choose its backup.
type PrepareDrillInput struct {
	Drill DrillInput `json:"drill"`
	Run   Run        `json:"run"`
	Now   time.Time  `json:"now"`
}

// DrillPlan is what a drill is going to do.
type DrillPlan struct {
	ID       string       `json:"id"`
	Backup   string       `json:"backup"`
	Location string       `json:"storageLocation"`
	Restore  RestoreInput `json:"restore"`
	// Ready is how long workloads may take, Most how long all may take but the teardown.
	Ready time.Duration `json:"ready"`
	Most  time.Duration `json:"most"`
	// Read is how long it may take to read the volumes through.
	Read time.Duration `json:"read,omitempty"`
	Keep time.Duration `json:"keep,omitempty"`
	// Assertions is how many there are.
	Assertions int `json:"assertions,omitempty"`
	// Refused says why the backup cannot be drilled as it is asked for. The drill ends before it has
	// begun then, and leaves evidence: the backup is known.
	Refused *DrillRefusal `json:"refused,omitempty"`
}

// DrillRefusal is an error that is part of a plan.
type DrillRefusal struct {
	Type    string `json:"type"` // one of the error types of this package
	Message string `json:"message"`
}

// DrillRef names a drill and its restore in the later activities.
type DrillRef struct {
	ID      string     `json:"id"`
	Restore RestoreRef `json:"restore"`
}

// DrillBytes is what became of the bytes of a backup that were held against its manifest.
type DrillBytes struct {
	Files   int    `json:"files"`
	Bytes   int64  `json:"bytes"`
	Damage  string `json:"damage,omitempty"`  // what is not as it was written
	Foreign bool   `json:"foreign,omitempty"` // of Velero's: there is no manifest
}

// IsolateDrillInput asks for the namespaces of a copy, closed to the outside.
type IsolateDrillInput struct {
	Ref    DrillRef          `json:"ref"`
	Budget definition.Budget `json:"budget,omitzero"`
}

// DrillObjects counts the objects of a backup by what became of them. The whole account lies in
// staging.
type DrillObjects struct {
	Total     int64 `json:"total"`
	Selected  int64 `json:"selected"` // that the drill was to bring back
	Equal     int64 `json:"equal"`
	Changed   int64 `json:"changed"`
	Left      int64 `json:"left"`      // of the selected, by a rule
	Accepted  int64 `json:"accepted"`  // of those: that the API server would have taken
	Refused   int64 `json:"refused"`   // by the API server
	Different int64 `json:"different"` // created, and not as the backup has them
}

// CheckDrillInput asks about the copy of a drill.
type CheckDrillInput struct {
	Ref DrillRef `json:"ref"`
}

// DrillReady says how far the workloads and volumes of a copy are.
type DrillReady struct {
	Workloads DrillCheck `json:"workloads"`
	Volumes   DrillCheck `json:"volumes"`
	// Running is how many of the workloads are pods or run some: a quota is among them, too.
	Running int `json:"running,omitempty"`
}

// Done says that there is nothing more to wait for.
func (r DrillReady) Done() bool { return r.Workloads.Done() && r.Volumes.Done() }

// DrillCheck counts what was looked at, and what of it was as it should be.
type DrillCheck struct {
	Checked int `json:"checked"`
	Good    int `json:"good"`
	// Detail names the first that are not, and why.
	Detail string `json:"detail,omitempty"`
}

// Done says that all are as they should be.
func (c DrillCheck) Done() bool { return c.Good == c.Checked }

// ReadVolumesInput asks to have the volumes of a copy read through.
type ReadVolumesInput struct {
	Ref DrillRef `json:"ref"`
	// Start is how long a pod that reads may take until it does.
	Start time.Duration `json:"start"`
	// Outside is the address that these pods must not reach, "" for the API server.
	Outside string `json:"outside,omitempty"`
}

// DrillReading says how far the volumes of a copy are read through.
type DrillReading struct {
	// Volumes are those that pods mount, and those that have data of the backup: good ones have a
	// file system that can be read.
	Volumes DrillCheck `json:"volumes"`
	// Data is how many have data of the backup, Through how many of them have been read from one
	// end to the other, Going how many are being read.
	Data    int `json:"data"`
	Through int `json:"through"`
	Going   int `json:"going"`
	// Files and Bytes are how much was read.
	Files int64 `json:"files,omitempty"`
	Bytes int64 `json:"bytes,omitempty"`
	// Unread names the first that were not read through, and why.
	Unread string `json:"unread,omitempty"`
	// Tried is how many of the pods that read have tried to leave the copy, Reached how many got through.
	Tried   int64 `json:"tried,omitempty"`
	Reached int64 `json:"reached,omitempty"`
}

// AssertDrillInput asks to try the assertions.
type AssertDrillInput struct {
	Ref        DrillRef               `json:"ref"`
	Assertions []definition.Assertion `json:"assertions"`
	Probe      *definition.Probe      `json:"probe,omitempty"`
	// Keep says that the copy will be kept: faults that break it are not planted.
	Keep bool `json:"keep,omitempty"`
}

// DrillAssertions are the results, in the words of the evidence.
type DrillAssertions struct {
	Results []evidence.Assertion `json:"results,omitempty"`
}

// DrillControl is what became of the faults that were planted in the copy.
type DrillControl struct {
	Faults []evidence.Fault `json:"faults,omitempty"`
	// Spared says that the copy was not broken, since it is kept.
	Spared bool `json:"spared,omitempty"`
}

// TearDownInput asks to remove what a drill has made, or what all drills but this one have left:
// drills never overlap, so these are lost.
type TearDownInput struct {
	Ref DrillRef `json:"ref"`
	// Disks are volumes of EC2 that were seen behind the copy before: DrillRemains.Disks.
	Disks []string `json:"disks,omitempty"`
}

// DrillRemains is what is still there of drills, by type. Nothing is a scan that found none.
type DrillRemains struct {
	Types []DrillRemain `json:"types,omitempty"`
	// Names are the first of them with what holds them, such as a finalizer.
	Names []evidence.Leftover `json:"names,omitempty"`
	// Disks are the volumes of EC2 that are, or were, behind volumes of the copy, for the next look.
	Disks []string `json:"disks,omitempty"`
	// Looked says that EC2 was looked at, Unlooked why it was not; neither where no location reaches it.
	Looked   bool   `json:"looked,omitempty"`
	Unlooked string `json:"unlooked,omitempty"`
}

// DrillRemain counts the objects of a type.
type DrillRemain struct {
	Type  string `json:"type"`
	Found int    `json:"found"`
}

// Total is how many there are.
func (r DrillRemains) Total() (n int) {
	for _, t := range r.Types {
		n += t.Found
	}
	return n
}

// AlwaysScanned are the types that every leak scan tells of, also where there was none.
func AlwaysScanned() []string {
	return []string{"jobs.batch", "namespaces", "persistentvolumes", "priorityclasses.scheduling.k8s.io", "volumesnapshotcontents"}
}

// Types of the leak scan that are of EC2: snapshots of the copy's volumes, and the volumes.
const (
	EC2Snapshots = "snapshots.ec2"
	EC2Volumes   = "volumes.ec2"
)

// LeakScan is how many objects there were of each type, and how many are left.
func LeakScan(made map[string]int, left DrillRemains) []evidence.Leak {
	var scan []evidence.Leak
	kinds := AlwaysScanned()
	if left.Looked {
		kinds = append(kinds, EC2Snapshots, EC2Volumes)
	}
	for _, kind := range kinds {
		l := evidence.Leak{Type: kind, Made: evidence.Count(made[kind])}
		for _, t := range left.Types {
			if t.Type == kind {
				l.Found = evidence.Count(t.Found)
			}
		}
		scan = append(scan, l)
	}
	return scan
}

// DrillPhase is a part of a drill whose time is measured.
type DrillPhase struct {
	Name     string    `json:"name"`
	Started  time.Time `json:"started"`
	Finished time.Time `json:"finished"`
}

// DrillTeardown is what became of the copy.
type DrillTeardown struct {
	Started  time.Time           `json:"started,omitzero"`
	Finished time.Time           `json:"finished,omitzero"`
	Kept     time.Time           `json:"kept,omitzero"` // until then
	Scan     []evidence.Leak     `json:"scan,omitempty"`
	Left     []evidence.Leftover `json:"left,omitempty"`
	// Unlooked says why EC2 was not looked at.
	Unlooked string `json:"unlooked,omitempty"`
}

// SignDrillInput has all that a drill has found, to be written down and signed.
type SignDrillInput struct {
	Drill    DrillInput `json:"drill"`
	Run      Run        `json:"run"`
	Plan     DrillPlan  `json:"plan"`
	Ref      DrillRef   `json:"ref"`
	Asked    time.Time  `json:"asked"`
	Finished time.Time  `json:"finished"`

	Phases     []DrillPhase         `json:"phases,omitempty"`
	Bytes      *DrillBytes          `json:"bytes,omitempty"` // nil was not reached; so are the others
	Objects    *DrillObjects        `json:"objects,omitempty"`
	Ready      *DrillReady          `json:"ready,omitempty"`
	Assertions []evidence.Assertion `json:"assertions,omitempty"`
	Reading    *DrillReading        `json:"reading,omitempty"`
	Control    DrillControl         `json:"control,omitzero"`
	Teardown   DrillTeardown        `json:"teardown"`
	// Unawaited says that nobody waited until workloads are ready, for no more than L2 is asked for.
	Unawaited bool `json:"unawaited,omitempty"`
	// Aborted says why the drill ended before its end.
	Aborted string `json:"aborted,omitempty"`
}

// NotifyDrillInput asks to tell somebody of the result of a drill whose evidence is written.
type NotifyDrillInput struct {
	Notification definition.Notification `json:"notification"`
	Result       DrillResult             `json:"result"`
	// Unsigned says why there is no evidence: the message is what Result says then.
	Unsigned string `json:"unsigned,omitempty"`
}

// DrillResult is what a RestoreDrill workflow returns.
type DrillResult struct {
	Name     string   `json:"name"`
	ID       string   `json:"id"`
	Backup   string   `json:"backup"`
	Level    string   `json:"level"`
	Verdict  string   `json:"verdict"`
	Failures []string `json:"failures,omitempty"` // code: detail
	// RTO, Ready, ReadThrough and RPO are as the evidence has them.
	RTO         time.Duration `json:"rto,omitempty"`
	Ready       time.Duration `json:"timeToReady,omitempty"`
	ReadThrough time.Duration `json:"timeToReadThrough,omitempty"`
	RPO         time.Duration `json:"rpo"`
	// Sequence is the number of the drill in the chain of the cluster.
	Sequence int64     `json:"sequence"`
	Asked    time.Time `json:"asked"`
	Finished time.Time `json:"finished"`
	// Location and Key are where the evidence lies; where nothing may be written it is in
	// Evidence, and nowhere else.
	Location string    `json:"storageLocation,omitempty"`
	Key      string    `json:"key,omitempty"`
	Evidence string    `json:"evidence,omitempty"`
	Kept     time.Time `json:"keptUntil,omitzero"`
	// Warnings are what went wrong and speaks not against the drill: who could not be told of it.
	Warnings []string `json:"warnings,omitempty"`
}

// Passed says that nothing speaks against the drill.
func (r DrillResult) Passed() bool { return r.Verdict == string(evidence.Passed) }
