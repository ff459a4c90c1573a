// Package retention decides which backups may be deleted because their time is over. It is
// pure: what it knows of backups it is told, and what it decides others carry out.
//
// The rules, in the order in which they are asked:
//
//   - A backup whose time is not over stays. Its time is over at its expiration; one that
//     nobody has set afterwards is never earlier than an hour after it was completed: a
//     backup that takes longer than its TTL would else be gone before anybody could use it.
//     Velero counts from the start alone.
//   - One that is not finished, is held, or was made by Velero and not asked for, stays.
//   - The newest good backups of a schedule stay, as many as the floor says. A good backup
//     is complete and not known to be damaged; where a schedule has fewer, partially failed
//     ones fill up: the last copy of something is better than none. What another server may
//     delete at any time fills nothing.
package retention

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	velerov1 "github.com/vmware-tanzu/velero/pkg/apis/velero/v1"
)

// UsableFor is how long a finished backup is kept in any case.
const UsableFor = time.Hour

// DefaultFloor is how many good backups of a schedule are never deleted.
const DefaultFloor = 1

// Backup is what has to be known of a backup. Times are zero where they are not known;
// no Expires is never.
type Backup struct {
	Name      string
	UID       string
	Schedule  string // "" for none: such a backup has no floor
	Phase     velerov1.BackupPhase
	Started   time.Time
	Completed time.Time
	Expires   time.Time
	Set       bool   // somebody has said when it expires, after it was made
	Ours      bool   // Lifeboat made it
	Damaged   bool   // a verification has found damage
	Hold      string // why somebody holds it, "" for nobody
	Foreign   string // why it is not ours to delete; such a backup protects nothing
}

// ExpiresAt is when the backup's time is over, zero for never.
func (b *Backup) ExpiresAt() time.Time {
	if usable := b.Completed.Add(UsableFor); !b.Set && !b.Expires.IsZero() && !b.Completed.IsZero() && usable.After(b.Expires) {
		return usable
	}
	return b.Expires
}

// IsExpired tells whether the backup's time is over.
func (b *Backup) IsExpired(now time.Time) bool {
	end := b.ExpiresAt()
	return !end.IsZero() && !now.Before(end)
}

// Policy is what the configuration says about retention.
type Policy struct {
	Floor  int  // good backups of each schedule that are never deleted
	Velero bool // backups that Velero made are deleted too
}

// Decision is what becomes of an expired backup.
type Decision struct {
	Backup
	Delete bool
	Reason string // why it stays; "" if it goes
}

// Decide tells of every expired backup of a location whether it goes, the oldest first.
// It has to be given all backups of the location, or the floor is not known.
func Decide(all []Backup, p Policy, now time.Time) []Decision {
	protected := NewestGood(all, p)
	var out []Decision
	for _, b := range all {
		if !b.IsExpired(now) {
			continue
		}
		reason := reasonToStay(b, p, slices.Contains(protected, b.Name))
		out = append(out, Decision{Backup: b, Delete: reason == "", Reason: reason})
	}
	slices.SortStableFunc(out, func(a, b Decision) int {
		return cmp.Or(a.ExpiresAt().Compare(b.ExpiresAt()), cmp.Compare(a.Name, b.Name))
	})
	return out
}

func reasonToStay(b Backup, p Policy, protected bool) string {
	switch {
	case b.Foreign != "":
		return b.Foreign
	case b.Hold != "":
		return "held: " + b.Hold
	case !b.Ours && !p.Velero:
		return "made by Velero, whose own server deletes it"
	case !isFinished(b.Phase):
		return "its phase is " + cmp.Or(string(b.Phase), "unknown")
	case protected:
		return fmt.Sprintf("among the last %d good backups of schedule %s", p.Floor, b.Schedule)
	}
	return ""
}

// isFinished tells that nobody works on the backup any more. A document that cannot be
// read says nothing, and is left to a person.
func isFinished(phase velerov1.BackupPhase) bool {
	switch phase {
	case velerov1.BackupPhaseCompleted, velerov1.BackupPhasePartiallyFailed, velerov1.BackupPhaseFailed,
		velerov1.BackupPhaseFailedValidation, velerov1.BackupPhaseDeleting:
		return true
	}
	return false
}

// NewestGood names the backups that the floor protects.
func NewestGood(all []Backup, p Policy) (protected []string) {
	schedules := map[string][]Backup{}
	for _, b := range all {
		if b.Schedule != "" && b.Foreign == "" && (b.Ours || p.Velero) && goodness(&b) > 0 {
			schedules[b.Schedule] = append(schedules[b.Schedule], b)
		}
	}
	for _, made := range schedules {
		slices.SortFunc(made, func(a, b Backup) int {
			return cmp.Or(cmp.Compare(goodness(&b), goodness(&a)), b.Started.Compare(a.Started), cmp.Compare(b.Name, a.Name))
		})
		for _, b := range made[:min(max(p.Floor, 0), len(made))] {
			protected = append(protected, b.Name)
		}
	}
	return protected
}

// goodness ranks what a backup is worth; 0 is nothing.
func goodness(b *Backup) int {
	switch {
	case b.Damaged:
		return 0
	case b.Phase == velerov1.BackupPhaseCompleted:
		return 2
	case b.Phase == velerov1.BackupPhasePartiallyFailed:
		return 1
	}
	return 0
}
