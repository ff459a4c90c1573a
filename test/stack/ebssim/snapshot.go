package ebssim

import (
	"errors"
	"fmt"
	"os"
	"time"
)

// snapshot is a snapshot's record. Its state follows from the times in it, unless
// a fault or the admin API set one.
type snapshot struct {
	ID          string            `json:"id"`
	VolumeID    string            `json:"volumeID"`
	SizeGiB     int               `json:"sizeGiB"`
	Bytes       int64             `json:"bytes"`
	Description string            `json:"description,omitempty"`
	Encrypted   bool              `json:"encrypted,omitempty"`
	KMSKeyID    string            `json:"kmsKeyID,omitempty"`
	Started     time.Time         `json:"started"`
	Visible     time.Time         `json:"visible"`
	Completes   time.Time         `json:"completes"`
	Tags        map[string]string `json:"tags,omitempty"`
	// Fails ends it in state error at Completes; Stuck keeps it pending.
	Fails bool  `json:"fails,omitempty"`
	Stuck bool  `json:"stuck,omitempty"`
	Lock  *lock `json:"lock,omitempty"`
	// Owner is another account, which has shared it; empty is this one.
	Owner string `json:"owner,omitempty"`
	// Archived is one in the archive tier, of which no volume can be made.
	Archived bool `json:"archived,omitempty"`
	// Other numbers, from 1, those that nobody made by a call.
	Other int `json:"other,omitempty"`
	// Deleted is when it was deleted, until Lingers some calls still show it, BinExit is when the
	// Recycle Bin lets it go. One deleted while pending counts against limits until it would have ended.
	Deleted time.Time `json:"deleted,omitzero"`
	Lingers time.Time `json:"lingers,omitzero"`
	BinExit time.Time `json:"binExit,omitzero"`
}

// The states of snapshots.
const (
	statePending   = "pending"
	stateCompleted = "completed"
	stateError     = "error"
	// stateArchived is a completed snapshot in the archive tier, for MoveSnapshot.
	stateArchived = "archived"
	// stateShared is a completed snapshot that another account has shared, for MoveSnapshot.
	stateShared = "shared"
)

// OtherAccount owns what is shared with this one.
const OtherAccount = "444455556666"

const stuckProgress = 57 // where a stuck snapshot stands, in percent

func (s *snapshot) state(now time.Time) string {
	switch {
	case s.Stuck || now.Before(s.Completes):
		return statePending
	case s.Fails:
		return stateError
	}
	return stateCompleted
}

// progress is in percent. It reaches 100 only with the end.
func (s *snapshot) progress(now time.Time) int {
	if s.state(now) != statePending {
		return 100
	}
	done := 0
	if whole := s.Completes.Sub(s.Started); whole > 0 {
		done = min(99, int(100*now.Sub(s.Started)/whole))
	}
	if s.Stuck {
		return min(done, stuckProgress)
	}
	return done
}

func (s *snapshot) message(now time.Time) string {
	if s.state(now) == stateError {
		return "Internal error: the snapshot of the volume could not be completed"
	}
	return ""
}

func (s *snapshot) tier() string {
	if s.Archived {
		return "archive"
	}
	return "standard"
}

func (s *snapshot) inBin() bool { return !s.BinExit.IsZero() }

// tagsShown are those that this account sees: none of a snapshot that another has shared.
func (s *snapshot) tagsShown() map[string]string {
	if s.Owner != "" {
		return nil
	}
	return s.Tags
}

// gone says if nothing depends on it any more.
func (s *snapshot) gone(now time.Time) bool {
	if s.Deleted.IsZero() || now.Before(s.Lingers) {
		return false
	}
	if s.inBin() {
		return !now.Before(s.BinExit)
	}
	return !now.Before(s.Completes)
}

// forgetSnapshot removes the data and the record.
func (s *Sim) forgetSnapshot(id string) error {
	delete(s.snapshots, id)
	return errors.Join(s.journal.Delete(kindSnapshot, id), os.RemoveAll(s.snapshotDir(id)))
}

// admitSnapshots checks the limits for one new snapshot of each of the volumes.
func (s *Sim) admitSnapshots(volumes []*volume, now time.Time) error {
	pending, unfinished := s.pendingSnapshots(now)
	for _, v := range volumes {
		if gap := s.limits.SnapshotInterval.D(); gap > 0 && now.Sub(v.LastSnapshot) < gap {
			return errSnapshotRate()
		}
		if limit := s.volumeLimit(v); limit > 0 && unfinished[v.ID] >= limit {
			return errConcurrent(v.ID)
		}
	}
	if limit := s.limits.PendingPerAccount; limit > 0 && pending+len(volumes) > limit {
		return errPending(limit)
	}
	return nil
}

// pendingSnapshots counts an account's pending ones, and those of each volume
// that pend or failed: EC2 counts a failed one against its volume until it is
// deleted.
func (s *Sim) pendingSnapshots(now time.Time) (account int, byVolume map[string]int) {
	byVolume = map[string]int{}
	for _, snap := range s.snapshots {
		switch state := snap.state(now); {
		case state == statePending:
			account++
			byVolume[snap.VolumeID]++
		case state == stateError && snap.Deleted.IsZero():
			byVolume[snap.VolumeID]++
		}
	}
	return account, byVolume
}

// volumeLimit is one for the volume types on hard disks.
func (s *Sim) volumeLimit(v *volume) int {
	if v.Type == "st1" || v.Type == "sc1" {
		return min(1, s.limits.PendingPerVolume)
	}
	return s.limits.PendingPerVolume
}

// snapshotTime is how long a snapshot of a size takes.
func (l Limits) snapshotTime(sizeGiB int) time.Duration {
	return l.SnapshotBase.D() + time.Duration(sizeGiB)*l.SnapshotPerGiB.D()
}

func percent(n int) string { return fmt.Sprintf("%d%%", n) }
