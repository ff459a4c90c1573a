package activities

import (
	"cmp"
	"errors"
	"fmt"
	"time"

	"github.com/lifeboat-backup/lifeboat/internal/aws/ebs"
	"github.com/lifeboat-backup/lifeboat/internal/aws/ebs/quota"
	"github.com/lifeboat-backup/lifeboat/internal/volume/native"
)

const (
	// capacityAttempts is how often a volume is asked for in a zone that has no
	// capacity for it: over some 15 s. Whoever waits for capacity waits for hours.
	capacityAttempts = 5
	// goneAfter is how long a volume that EC2 has shown before may be missing: its
	// answers differ for seconds, while they spread.
	goneAfter = 10 * time.Second
	// operationTimeout is itemOperationTimeout where the spec has none, as with
	// Velero.
	operationTimeout = 4 * time.Hour
)

// disk is an EBS volume that the restore made, or why it did not.
type disk struct {
	ID     string `json:"id,omitempty"`
	Zone   string `json:"zone,omitempty"`
	Ready  bool   `json:"ready,omitempty"`
	Failed string `json:"failed,omitempty"`
	// Tries is how often EC2 has failed to make it so far.
	Tries int `json:"tries,omitempty"`
	// Asked is when EC2 agreed to make it, Seen that it was shown since, Missing
	// since when it is not.
	Asked   time.Time `json:"asked,omitzero"`
	Seen    bool      `json:"seen,omitempty"`
	Missing time.Time `json:"missing,omitzero"`
}

func diskOf(v ebs.Volume, zone string) disk {
	d := disk{ID: v.ID, Zone: cmp.Or(v.Zone, zone), Ready: v.State == ebs.VolumeAvailable || v.State == ebs.VolumeInUse}
	switch v.State {
	case ebs.VolumeFailed, ebs.VolumeDeleting, ebs.VolumeDeleted:
		d.Failed = fmt.Sprintf("EBS volume %s is in state %q", v.ID, v.State)
	}
	return d
}

// asked notes when, for the waits that follow.
func (d disk) asked(at time.Time) disk {
	d.Asked = at
	return d
}

// settled: there is a volume, or there will be none; it need not be asked for again.
func (d disk) settled() bool { return d.ID != "" || d.Failed != "" }

// pending: EC2 has agreed to make it and has not said that it is ready.
func (d disk) pending() bool { return d.ID != "" && !d.Ready && d.Failed == "" }

// ofAll: the error is not one volume's. A denial ends the restore, an outage is sat
// out by the activity's retries.
func ofAll(err error) bool {
	return errors.Is(err, ebs.ErrDenied) || errors.Is(err, ebs.ErrCredentials) || !ebs.IsRefusal(err)
}

// refused counts a try that failed. A volume that EC2 will not make, or has failed to
// make as often as it may, is given up: it must not hold up all others.
func (d disk) refused(v *restoreVolume, err error) disk {
	d.Tries++
	switch {
	case errors.Is(err, ebs.ErrCapacity) && d.Tries >= capacityAttempts:
		d.Failed = fmt.Sprintf("EBS has no capacity for a %s volume of %s in zone %s (asked %d times): %v; restore it later, or from a cluster with nodes in another zone only",
			cmp.Or(v.Disk.Type, "default"), size(v.Capacity), v.Disk.Zone, d.Tries, err)
	case ebs.IsFinal(err), errors.Is(err, ebs.ErrState):
		d.Failed = err.Error()
	case d.Tries >= native.CreateAttempts:
		d.Failed = fmt.Sprintf("EC2 failed %d times to make it in zone %s: %v", d.Tries, v.Disk.Zone, err)
	}
	return d
}

// after is what a look at EC2 makes of a pending disk. limit is itemOperationTimeout.
func (d disk) after(seen ebs.Volume, shown bool, v *restoreVolume, limit time.Duration, now time.Time) disk {
	next := d
	if shown {
		next = diskOf(seen, v.Disk.Zone)
		next.Asked, next.Seen = d.Asked, true
	} else if d.Missing.IsZero() {
		next.Missing = now
	}
	if next.Asked.IsZero() { // of a worker that did not note it
		next.Asked = now
	}
	if next.pending() {
		next.Failed = next.late(v, limit, now)
	}
	return next
}

// late says why a pending disk is not waited for any longer, or "".
func (d disk) late(v *restoreVolume, limit time.Duration, now time.Time) string {
	missing := time.Duration(0)
	if !d.Missing.IsZero() {
		missing = now.Sub(d.Missing)
	}
	switch {
	case d.Seen && missing >= goneAfter:
		return fmt.Sprintf("EBS volume %s, which was made for it, is gone%s", d.ID, keyHint(v))
	case !d.Seen && missing >= quota.VisibleWithin:
		return fmt.Sprintf("EC2 agreed to make EBS volume %s and did not show it for %s%s", d.ID, quota.VisibleWithin, keyHint(v))
	case d.Missing.IsZero() && now.Sub(d.Asked) >= limit: // one that is not shown has its own limit
		return fmt.Sprintf(`EBS volume %s was still "creating" after itemOperationTimeout (%s); it is deleted if EC2 allows that yet, otherwise delete it`, d.ID, limit)
	}
	return ""
}

// keyHint: EC2 drops a new volume without a word if the key cannot be used.
func keyHint(v *restoreVolume) string {
	if !v.Disk.Snapshot.Encrypted {
		return ""
	}
	return "; the snapshot is encrypted: check that the worker's role may use its key (kms:CreateGrant, kms:Decrypt, kms:GenerateDataKeyWithoutPlaintext) and that the key is enabled"
}

// operationLimit is the restore's itemOperationTimeout.
func (s *session) operationLimit() time.Duration {
	return cmp.Or(s.Restore.Spec.ItemOperationTimeout.Duration, operationTimeout)
}
