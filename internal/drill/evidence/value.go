package evidence

import (
	"crypto/sha256"
	"encoding/hex"
	"time"
)

// Digest is a SHA-256, in 64 lower-case hexadecimal digits.
type Digest string

// DigestOf is the digest of some bytes.
func DigestOf(b []byte) Digest {
	sum := sha256.Sum256(b)
	return Digest(hex.EncodeToString(sum[:]))
}

// Moment is a time in UTC, to the millisecond: 2026-01-02T15:04:05.000Z.
type Moment string

const momentLayout = "2006-01-02T15:04:05.000Z"

// MomentOf is a time as evidence writes it; what is below a millisecond is cut off. The zero
// time is no moment.
func MomentOf(t time.Time) Moment {
	if t.IsZero() {
		return ""
	}
	return Moment(t.UTC().Truncate(time.Millisecond).Format(momentLayout))
}

// Time is the moment as a time, the zero time if it is none.
func (m Moment) Time() time.Time {
	t, err := time.Parse(momentLayout, string(m))
	if err != nil {
		return time.Time{}
	}
	return t
}

// Since is how long after another moment this one is.
func (m Moment) Since(earlier Moment) Millis {
	return Millis(m.Time().Sub(earlier.Time()).Milliseconds())
}

// Millis is a duration in milliseconds.
type Millis int64

// MillisOf is a duration as evidence writes it.
func MillisOf(d time.Duration) Millis { return Millis(d.Milliseconds()) }

// Duration is the duration as Go has it.
func (m Millis) Duration() time.Duration { return time.Duration(m) * time.Millisecond }

// Count is a number of things, or of bytes.
type Count int64

// maxNumber is the largest integer that every JSON reader keeps exactly (RFC 8259, section 6).
const maxNumber = 1<<53 - 1

// enumerated is a string of which the schema lists the values.
type enumerated interface{ values() []string }

// Level is how much of a backup a drill has proven. Each includes those below.
type Level string

// The levels, lowest first.
const (
	LevelNone Level = "none" // not even L0
	L0        Level = "L0"   // every byte agrees with the manifest
	L1        Level = "L1"   // the API server's dry run took every object
	L2        Level = "L2"   // every object was created and equals the backup's
	L3        Level = "L3"   // volumes were made and their file systems can be read
	L4        Level = "L4"   // workloads are ready
	L5        Level = "L5"   // the user's assertions hold
)

func (Level) values() []string { return []string{"none", "L0", "L1", "L2", "L3", "L4", "L5"} }

// Rank orders levels; none is 0.
func (l Level) Rank() int { return rank(l.values(), string(l)) }

func rank(values []string, value string) int {
	for i, v := range values {
		if v == value {
			return i
		}
	}
	return -1
}

// LevelOutcome is what became of one level.
type LevelOutcome string

// What can become of a level.
const (
	LevelProven   LevelOutcome = "proven"
	LevelFailed   LevelOutcome = "failed"
	LevelNotTried LevelOutcome = "notTried"
)

func (LevelOutcome) values() []string { return []string{"proven", "failed", "notTried"} }

// Kind tells a drill from a rehearsal.
type Kind string

// A drill restores an application with its data, a rehearsal the objects of a backup into a
// control plane that is thrown away.
const (
	KindDrill     Kind = "drill"
	KindRehearsal Kind = "rehearsal"
)

func (Kind) values() []string { return []string{"drill", "rehearsal"} }

// Verdict is whether a drill reached its objective.
type Verdict string

// Verdicts.
const (
	Passed Verdict = "passed"
	Failed Verdict = "failed"
)

func (Verdict) values() []string { return []string{"passed", "failed"} }

// FailureCode says what speaks against a drill. All but Aborted follow from the other fields.
type FailureCode string

// What can speak against a drill.
const (
	LevelMissed        FailureCode = "LEVEL_MISSED"        // less was proven than the objective asks for
	RTOExceeded        FailureCode = "RTO_EXCEEDED"        // slower than the objective
	RPOExceeded        FailureCode = "RPO_EXCEEDED"        // older data, or a larger gap, than the objective allows
	AssertionFailed    FailureCode = "ASSERTION_FAILED"    // an assertion did not hold or was not tried
	ObjectsLost        FailureCode = "OBJECTS_LOST"        // objects did not come back that were to
	IsolationBroken    FailureCode = "ISOLATION_BROKEN"    // pods of the copy can reach what is outside of it
	TeardownIncomplete FailureCode = "TEARDOWN_INCOMPLETE" // something of the drill is left
	ControlUndetected  FailureCode = "CONTROL_UNDETECTED"  // a fault that was planted went unnoticed, or none was planted
	Aborted            FailureCode = "ABORTED"             // cancelled, or ended by an error
)

func (FailureCode) values() []string {
	return []string{
		"LEVEL_MISSED", "RTO_EXCEEDED", "RPO_EXCEEDED", "ASSERTION_FAILED", "OBJECTS_LOST",
		"ISOLATION_BROKEN", "TEARDOWN_INCOMPLETE", "CONTROL_UNDETECTED", "ABORTED",
	}
}

// Remedy says what to do about what speaks against a drill; docs/TROUBLESHOOTING.md has more.
func (c FailureCode) Remedy() string {
	switch c {
	case LevelMissed:
		return "the first level that is not proven says what failed there: mend it, or ask for less with --level"
	case RTOExceeded:
		return "the longest phase says where the time went; 'lifeboat restore estimate' predicts what is to be expected"
	case RPOExceeded:
		return "look at 'lifeboat schedule describe' for runs that were missed or failed, or back up more often"
	case AssertionFailed:
		return "compare the recorded with the found value; 'lifeboat drill run --keep-for 1h' keeps the copy for a look"
	case ObjectsLost:
		return "'lifeboat drill report FILE --html page.html' names them with the reason of each"
	case IsolationBroken:
		return "have the network plug-in enforce NetworkPolicies (docs/DRILLS.md), or take it in the drill's document: network.allowOpen: true"
	case TeardownIncomplete:
		return "remove what is named, by the finalizer that holds it; garbage collection tries again"
	case ControlUndetected:
		return "trust no level of this drill: the check that missed the fault is named; its assertions are too weak, or it ended early"
	case Aborted:
		return "mend what the reason names, then 'lifeboat drill run' again"
	}
	return ""
}

// PhaseName is a part of a drill whose time is measured.
type PhaseName string

// The phases, in the order in which they begin.
const (
	PhaseRead        PhaseName = "read"
	PhaseVolumes     PhaseName = "volumes"
	PhaseObjects     PhaseName = "objects"
	PhaseReady       PhaseName = "ready"
	PhaseAssertions  PhaseName = "assertions"
	PhaseReadThrough PhaseName = "readThrough" // all data read once: restored volumes come cold
)

func (PhaseName) values() []string {
	return []string{"read", "volumes", "objects", "ready", "assertions", "readThrough"}
}

// AssertionType is how an assertion looks.
type AssertionType string

func (AssertionType) values() []string {
	return []string{"exec", "http", "tcp", "job", "object", "condition"}
}

// Operator is how an assertion compares what it found with what is recorded.
type Operator string

// Equals compares byte by byte.
const Equals Operator = "equals"

func (Operator) values() []string { return []string{"equals", "matches", "succeeds", "exists"} }

// Origin is where the recorded value of an assertion comes from.
type Origin string

func (Origin) values() []string { return []string{"backup", "user"} }

// Outcome is what became of an assertion.
type Outcome string

// What can become of an assertion.
const (
	Held       Outcome = "held"
	Broken     Outcome = "failed"
	NotChecked Outcome = "notChecked"
)

func (Outcome) values() []string { return []string{"held", "failed", "notChecked"} }

// TeardownOutcome is whether anything of a drill is left.
type TeardownOutcome string

// What can become of the copy.
const (
	TeardownComplete TeardownOutcome = "complete"
	TeardownPartial  TeardownOutcome = "incomplete"
	TeardownKept     TeardownOutcome = "kept" // on request, until a deadline
)

func (TeardownOutcome) values() []string { return []string{"complete", "incomplete", "kept"} }

// ControlOutcome is whether the checks of a drill can fail.
type ControlOutcome string

// What can become of the negative control.
const (
	ControlDetected ControlOutcome = "detected"
	ControlMissed   ControlOutcome = "undetected"
	ControlNotTried ControlOutcome = "notTried"
)

func (ControlOutcome) values() []string { return []string{"detected", "undetected", "notTried"} }

// Answer is what a question of the checklist was answered with.
type Answer string

func (Answer) values() []string { return []string{"yes", "no", "unknown"} }
