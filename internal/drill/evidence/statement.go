package evidence

// StatementType is the type of in-toto's Statement, version 1.
const StatementType = "https://in-toto.io/Statement/v1"

// PredicateType names this form of evidence. It changes whenever a reader of the old form
// could not read the new one.
const PredicateType = "https://github.com/lifeboat-backup/lifeboat/restore-drill/v1"

// maxPast is how many drills before it a drill repeats the figures of.
const maxPast = 40

// Statement is in-toto's Statement, version 1: a predicate about subjects.
type Statement struct {
	// Type is in-toto's.
	Type StatementTypeName `json:"_type"`
	// Subject is what the drill was made with: first the backup's manifest, then the record of each snapshot, in the order of predicate.source.snapshots.
	Subject []Subject `json:"subject,omitempty"`
	// PredicateType names this form of evidence.
	PredicateType PredicateTypeName `json:"predicateType"`
	// Predicate is what the drill has to say.
	Predicate Predicate `json:"predicate"`
}

// StatementTypeName is StatementType and nothing else.
type StatementTypeName string

func (StatementTypeName) values() []string { return []string{StatementType} }

// PredicateTypeName is PredicateType and nothing else.
type PredicateTypeName string

func (PredicateTypeName) values() []string { return []string{PredicateType} }

// Subject is a file, or a record of one, with the digest of its bytes.
type Subject struct {
	// Name is a key of the storage location, or what source.snapshots calls the record.
	Name string `json:"name"`
	// Digest is of the bytes as they are stored.
	Digest DigestSet `json:"digest"`
}

// DigestSet is in-toto's, with SHA-256 only.
type DigestSet struct {
	// SHA256 of the bytes.
	SHA256 Digest `json:"sha256"`
}

// Predicate is what a drill has to say.
type Predicate struct {
	// Drill says what was run, and when.
	Drill Drill `json:"drill"`
	// Claim is what the drill proves.
	Claim Claim `json:"claim"`
	// Objective is what it had to reach.
	Objective Objective `json:"objective"`
	// Source is the backup that was restored.
	Source Source `json:"source"`
	// Target is where it was restored to.
	Target Target `json:"target"`
	// Measured is how long it took, and how old the data is.
	Measured Measured `json:"measured"`
	// Objects accounts for every object of the manifest.
	Objects Objects `json:"objects"`
	// Assertions are what the user wanted to hold of the restored data.
	Assertions []Assertion `json:"assertions,omitempty"`
	// Neutralised is what was changed so that the copy reaches nothing outside.
	Neutralised []Neutralised `json:"neutralised,omitempty"`
	// Isolation is how the copy was kept to itself.
	Isolation *Isolation `json:"isolation,omitempty"`
	// Teardown is what became of the copy.
	Teardown Teardown `json:"teardown"`
	// NegativeControl shows that the checks can fail.
	NegativeControl NegativeControl `json:"negativeControl"`
	// NotShown is what this evidence does not show.
	NotShown []NotShown `json:"notShown,omitempty"`
	// Checklist is how questions about the installation were answered by measurement.
	Checklist []Check `json:"checklist,omitempty"`
	// Chain is the place among the drills before and after.
	Chain Chain `json:"chain"`
	// Past repeats the figures of the drills before it, the last one last, at most 40.
	Past []Past `json:"past,omitempty"`
}

// Drill says what was run, and when.
type Drill struct {
	// ID is unique.
	ID string `json:"id"`
	// Name is the user's.
	Name string `json:"name"`
	// Kind tells a drill from a rehearsal. Workers write evidence of drills only.
	Kind Kind `json:"kind"`
	// Workflow is the id of the workflow that ran it, and Run that of its run.
	Workflow string `json:"workflow,omitempty"`
	// Run is the id of the workflow's run.
	Run string `json:"run,omitempty"`
	// Software is the version of the program.
	Software string `json:"software"`
	// Asked is when the restore was asked for: all durations begin here.
	Asked Moment `json:"asked"`
	// Finished is when everything was over, the teardown included.
	Finished Moment `json:"finished"`
}

// Claim is what the drill proves.
type Claim struct {
	// Level is the highest that was proven, with all below it.
	Level Level `json:"level"`
	// Verdict is passed if there is no failure.
	Verdict Verdict `json:"verdict"`
	// Failures are what speaks against the drill.
	Failures []Failure `json:"failures,omitempty"`
	// Levels are L0 to L5, in order.
	Levels []LevelResult `json:"levels,omitempty"`
}

// Failure is one thing that speaks against the drill.
type Failure struct {
	// Code is for programs.
	Code FailureCode `json:"code"`
	// Detail is for people.
	Detail string `json:"detail"`
}

// LevelResult is what became of one level.
type LevelResult struct {
	// Level is the one that is told of.
	Level Level `json:"level"`
	// Outcome is what became of it.
	Outcome LevelOutcome `json:"outcome"`
	// Checked is how many things were looked at: files, objects, volumes, workloads, assertions.
	Checked Count `json:"checked"`
	// Good is how many of them were as they should be.
	Good Count `json:"good"`
	// Detail says what failed, or why it was not tried.
	Detail string `json:"detail,omitempty"`
}

// Objective is what the drill had to reach.
type Objective struct {
	// Level is the least that has to be proven.
	Level Level `json:"level"`
	// RTO is how long the proof may take from when the restore is asked for; absent without an objective.
	RTO Millis `json:"rtoMs,omitempty"`
	// RPO is how old the newest data, and how large a gap between good backups, may be; absent without an objective.
	RPO Millis `json:"rpoMs,omitempty"`
}

// Cluster is a Kubernetes cluster.
type Cluster struct {
	// Name is the one of the worker's configuration.
	Name string `json:"name"`
	// UID is that of the namespace kube-system.
	UID string `json:"uid"`
	// Kubernetes is the version of the API server.
	Kubernetes string `json:"kubernetes"`
}

// Source is the backup that was restored.
type Source struct {
	// Cluster is the one that was backed up.
	Cluster Cluster `json:"cluster"`
	// Backup is the one that was restored.
	Backup Backup `json:"backup"`
	// Snapshots are those of volumes that the drill made disks of, each with a subject.
	Snapshots []Snapshot `json:"snapshots,omitempty"`
}

// Backup is the one that was restored.
type Backup struct {
	// Name of the backup.
	Name string `json:"name"`
	// UID of the backup.
	UID string `json:"uid"`
	// Location is the name of the storage location.
	Location string `json:"location"`
	// Manifest is the name of the first subject. A backup of Velero has no manifest: it is the tarball then.
	Manifest string `json:"manifest"`
	// Objects is how many objects the manifest counts.
	Objects Count `json:"objects"`
	// Bytes is how large the tarball is.
	Bytes Count `json:"bytes"`
	// Started is when the backup began.
	Started Moment `json:"started"`
}

// Snapshot is one of a volume.
type Snapshot struct {
	// Record is the name of the subject with the digest of the backup's record of this snapshot.
	Record string `json:"record"`
	// Volume is the claim, as namespace/name.
	Volume string `json:"volume"`
	// Driver made the snapshot.
	Driver string `json:"driver"`
	// Handle is what the driver calls it.
	Handle string `json:"handle"`
	// Taken is the moment whose data it holds.
	Taken Moment `json:"taken"`
	// Bytes is the size of the volume.
	Bytes Count `json:"bytes"`
}

// Target is where the backup was restored to.
type Target struct {
	// Cluster may be one that was made for the drill.
	Cluster Cluster `json:"cluster"`
	// Provider is what the target is: a cluster, or a control plane that is thrown away, and how it was made.
	Provider string `json:"provider"`
	// Namespaces are those that were mapped.
	Namespaces []NamespaceMapping `json:"namespaces,omitempty"`
}

// NamespaceMapping is where the objects of a namespace went.
type NamespaceMapping struct {
	// From is the namespace in the backup.
	From string `json:"from"`
	// To is the namespace in the target.
	To string `json:"to"`
}

// Measured is how long the drill took, and how old the data is.
type Measured struct {
	// Phases are parts of the drill, in their order.
	Phases []Phase `json:"phases,omitempty"`
	// RTO is how long it took; absent if no phase was reached.
	RTO *RTO `json:"rto,omitempty"`
	// RPO is how old the data is.
	RPO RPO `json:"rpo"`
	// Bytes is how much data of volumes was restored.
	Bytes Count `json:"bytes"`
	// InitializationRate is what was asked of EBS for loading volumes from their snapshots, in MiB/s; absent for the default.
	InitializationRate Count `json:"volumeInitializationRate,omitempty"`
}

// Phase is a part of the drill.
type Phase struct {
	// Name of the phase.
	Name PhaseName `json:"name"`
	// Started is when it began.
	Started Moment `json:"started"`
	// Finished is when it ended.
	Finished Moment `json:"finished"`
}

// RTO is how long after it was asked for the restore was good for something.
type RTO struct {
	// Proven is when the last phase ended, readThrough apart: it is compared with the objective.
	Proven Millis `json:"provenMs"`
	// Ready is when workloads were ready.
	Ready Millis `json:"readyMs,omitempty"`
	// ReadThrough is when all data had been read once.
	ReadThrough Millis `json:"readThroughMs,omitempty"`
}

// RPO is how old the data is.
type RPO struct {
	// Newest is the moment of the newest data in the backup.
	Newest Moment `json:"newest"`
	// Age is how old that was when the restore was asked for.
	Age Millis `json:"ageMs"`
	// WorstGap is the longest time between two good backups since the drill before it.
	WorstGap Millis `json:"worstGapMs"`
	// GoodBackups is how many good backups there were since then.
	GoodBackups Count `json:"goodBackups"`
}

// Objects accounts for every object of the manifest: equal, changed and notRestored add up to total.
type Objects struct {
	// Total is the manifest's count.
	Total Count `json:"total"`
	// Equal came back as they were, after the normalisation that docs/EVIDENCE.md describes.
	Equal Count `json:"equal"`
	// Changed came back with a difference that a rule makes on purpose.
	Changed Count `json:"changed"`
	// NotRestored did not come back.
	NotRestored Count `json:"notRestored"`
	// Kinds are the types of objects, sorted.
	Kinds []KindCount `json:"kinds,omitempty"`
	// Rules are those by which objects were changed, sorted by id.
	Rules []Rule `json:"rules,omitempty"`
}

// KindCount accounts for the objects of a type.
type KindCount struct {
	// Resource is the plural and the group: pods, deployments.apps.
	Resource string `json:"resource"`
	// Total is how many the manifest has.
	Total Count `json:"total"`
	// Equal came back as they were.
	Equal Count `json:"equal"`
	// Changed came back with a difference, each object in one group.
	Changed []ChangedGroup `json:"changed,omitempty"`
	// NotRestored did not come back, each object in one group.
	NotRestored []LostGroup `json:"notRestored,omitempty"`
}

// ChangedGroup is objects that were changed by the same rules.
type ChangedGroup struct {
	// Rules are ids of objects.rules, sorted.
	Rules []string `json:"rules,omitempty"`
	// Count is how many objects.
	Count Count `json:"count"`
	// Objects are names, at most as many as count: not all need to be named.
	Objects []string `json:"objects,omitempty"`
}

// LostGroup is objects that did not come back for the same reason.
type LostGroup struct {
	// Code is for programs.
	Code string `json:"code"`
	// Detail says why.
	Detail string `json:"detail"`
	// Planned is true where the drill leaves such objects out on purpose.
	Planned bool `json:"planned"`
	// Count is how many objects.
	Count Count `json:"count"`
	// Objects are names, at most as many as count: not all need to be named.
	Objects []string `json:"objects,omitempty"`
}

// Rule changes objects on purpose.
type Rule struct {
	// ID is what others call it.
	ID string `json:"id"`
	// Text says what it does, and why.
	Text string `json:"text"`
}

// Assertion is what the user wanted to hold of the restored data.
type Assertion struct {
	// Name is the user's, and unique.
	Name string `json:"name"`
	// Type is how it looks.
	Type AssertionType `json:"type"`
	// Target is where it looks: a pod, a URL, an object.
	Target string `json:"target"`
	// Operator is how the two values are compared.
	Operator Operator `json:"operator"`
	// Recorded is the value that is known to be good.
	Recorded string `json:"recorded,omitempty"`
	// Origin is where that comes from: stored with the backup, or given by the user.
	Origin Origin `json:"origin"`
	// RecordedAt is when it was recorded.
	RecordedAt Moment `json:"recordedAt,omitempty"`
	// Found is the value in the copy.
	Found string `json:"found,omitempty"`
	// Outcome is what became of it.
	Outcome Outcome `json:"outcome"`
	// Attempts is how often it was tried.
	Attempts Count `json:"attempts"`
	// Took is how long the last attempt took.
	Took Millis `json:"tookMs"`
	// Detail says what went wrong.
	Detail string `json:"detail,omitempty"`
}

// Neutralised is a field that was changed so that the copy reaches nothing outside.
type Neutralised struct {
	// Rule is an id of objects.rules.
	Rule string `json:"rule"`
	// Resource is the type of the object.
	Resource string `json:"resource"`
	// Object is its name in the backup, as namespace/name.
	Object string `json:"object"`
	// Field is the path of what was changed.
	Field string `json:"field"`
	// Before is what the backup has.
	Before string `json:"before,omitempty"`
	// After is what was written; absent where the field was removed.
	After string `json:"after,omitempty"`
}

// Isolation is how the copy was kept to itself.
type Isolation struct {
	// Policy says what was in force.
	Policy string `json:"policy"`
	// Outside is an address outside of the copy, which answers the worker.
	Outside string `json:"outside,omitempty"`
	// Tried is how many pods of the copy have tried to connect to it.
	Tried Count `json:"tried"`
	// Reached is how many of them got through.
	Reached Count `json:"reached"`
	// Accepted is whether the drill's document takes a network that lets them through.
	Accepted bool `json:"accepted"`
}

// Teardown is what became of the copy.
type Teardown struct {
	// Outcome is whether anything is left.
	Outcome TeardownOutcome `json:"outcome"`
	// Started is when it began.
	Started Moment `json:"started,omitempty"`
	// Finished is when it ended.
	Finished Moment `json:"finished,omitempty"`
	// KeptUntil is the deadline of a copy that is kept.
	KeptUntil Moment `json:"keptUntil,omitempty"`
	// LeakScan is how many objects and disks of the drill were looked for afterwards, by type.
	LeakScan []Leak `json:"leakScan,omitempty"`
	// Left is what could not be removed, with the reason.
	Left []Leftover `json:"left,omitempty"`
}

// Leak is a type that was looked for after the teardown.
type Leak struct {
	// Type of objects in the cluster or of resources outside.
	Type string `json:"type"`
	// Made is how many the drill made.
	Made Count `json:"made"`
	// Found is how many were still there.
	Found Count `json:"found"`
}

// Leftover could not be removed.
type Leftover struct {
	// Type of the object.
	Type string `json:"type"`
	// Name of the object.
	Name string `json:"name"`
	// Detail says why, for instance the finalizer.
	Detail string `json:"detail"`
}

// NegativeControl shows that the checks can fail.
type NegativeControl struct {
	// Outcome is detected if every fault was.
	Outcome ControlOutcome `json:"outcome"`
	// Faults are what was planted.
	Faults []Fault `json:"faults,omitempty"`
	// Detail says why none was planted.
	Detail string `json:"detail,omitempty"`
}

// Fault was planted in a copy.
type Fault struct {
	// Planted says what was broken.
	Planted string `json:"planted"`
	// Check is the level, or the name of the assertion, that has to fail.
	Check string `json:"check"`
	// Detected is true if it did.
	Detected bool `json:"detected"`
	// Found is what the check said.
	Found string `json:"found"`
}

// NotShown is a limit of the evidence.
type NotShown struct {
	// Topic is what it is about.
	Topic string `json:"topic"`
	// Text says what is not shown, and what would show it.
	Text string `json:"text"`
}

// Check is a question about the installation.
type Check struct {
	// ID is unique.
	ID string `json:"id"`
	// Question is for people.
	Question string `json:"question"`
	// Answer is what was measured.
	Answer Answer `json:"answer"`
	// Found is the value.
	Found string `json:"found,omitempty"`
	// Remedy says what to do if the answer is not yes.
	Remedy string `json:"remedy,omitempty"`
}

// Chain is the place among the drills before and after.
type Chain struct {
	// Name of the chain: drills of one cluster are one chain.
	Name string `json:"name"`
	// Sequence counts the drills of the chain from 1, failed ones included.
	Sequence Count `json:"sequence"`
	// Previous is the digest of the evidence of the drill before it, as a file; absent in the first.
	Previous Digest `json:"previous,omitempty"`
	// Schedule is the name of the schedule; absent for a drill that was started by hand.
	Schedule string `json:"schedule,omitempty"`
	// Slot is the time of the schedule for which the drill was run.
	Slot Moment `json:"slot,omitempty"`
	// NextSlot is the time of the schedule that comes after.
	NextSlot Moment `json:"nextSlot,omitempty"`
	// Missed are times of the schedule since its last drill for which none was run.
	Missed []MissedSlot `json:"missed,omitempty"`
}

// MissedSlot is a time of the schedule without a drill.
type MissedSlot struct {
	// Slot is the time.
	Slot Moment `json:"slot"`
	// Reason says why.
	Reason string `json:"reason"`
}

// Past repeats the figures of a drill before.
type Past struct {
	// Sequence is its number in the chain.
	Sequence Count `json:"sequence"`
	// Evidence is the digest of its evidence, as a file.
	Evidence Digest `json:"evidence"`
	// Asked is when the restore was asked for.
	Asked Moment `json:"asked"`
	// Verdict is whether it passed.
	Verdict Verdict `json:"verdict"`
	// Level is what it proved.
	Level Level `json:"level"`
	// RTO is how long it took; absent if it did not get that far.
	RTO Millis `json:"rtoMs,omitempty"`
	// RPO is the larger of the age of its data and the worst gap.
	RPO Millis `json:"rpoMs"`
}
