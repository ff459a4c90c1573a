package native

import (
	"cmp"
	"errors"
	"fmt"
	"time"

	"github.com/lifeboat-backup/lifeboat/internal/aws/ebs"
	"github.com/lifeboat-backup/lifeboat/internal/aws/ebs/quota"
	"github.com/lifeboat-backup/lifeboat/internal/volume"
)

const (
	// capacityAttempts is how often a volume is asked for in a zone that has no
	// capacity for it: over some 15 s. Whoever waits for capacity waits for hours.
	capacityAttempts = 5
	// goneAfter is how long a volume that EC2 has shown before may be missing: its
	// answers differ for seconds, while they spread.
	goneAfter = 10 * time.Second
)

// diskOf is a volume as EC2 shows it; zone is the one that was asked for.
func diskOf(v ebs.Volume, zone string) volume.Disk {
	d := volume.Disk{ID: v.ID, Zone: cmp.Or(v.Zone, zone), Ready: v.State == ebs.VolumeAvailable || v.State == ebs.VolumeInUse}
	switch v.State {
	case ebs.VolumeFailed, ebs.VolumeDeleting, ebs.VolumeDeleted:
		d.Failed = fmt.Sprintf("EBS volume %s is in state %q", v.ID, v.State)
	}
	return d
}

// concernsAll: the error is not one volume's. A denial ends the restore, an outage is sat
// out by the activity's retries.
func concernsAll(err error) bool {
	return errors.Is(err, ebs.ErrDenied) || errors.Is(err, ebs.ErrCredentials) || !ebs.IsRefusal(err)
}

// afterRefusal counts a try that failed. A volume that EC2 will not make, or has failed to
// make as often as it may, is given up: it must not hold up all others.
func afterRefusal(d volume.Disk, v *volume.Restore, err error) volume.Disk {
	d.Tries++
	switch {
	case errors.Is(err, ebs.ErrCapacity) && d.Tries >= capacityAttempts:
		d.Failed = fmt.Sprintf("EBS has no capacity for a %s volume of %s in zone %s (asked %d times): %v; restore it later, or from a cluster with nodes in another zone only",
			cmp.Or(v.Disk.Type, "default"), volume.SizeText(v.Capacity), v.Disk.Zone, d.Tries, err)
	case ebs.IsFinal(err), errors.Is(err, ebs.ErrState):
		d.Failed = err.Error()
	case d.Tries >= CreateAttempts:
		d.Failed = fmt.Sprintf("EC2 failed %d times to make it in zone %s: %v", d.Tries, v.Disk.Zone, err)
	}
	return d
}

// afterLook is what a look at EC2 makes of a pending disk. limit is itemOperationTimeout.
func afterLook(d volume.Disk, seen ebs.Volume, shown bool, v *volume.Restore, limit time.Duration, now time.Time) volume.Disk {
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
	if next.IsPending() {
		next.Failed = whyLate(next, v, limit, now)
	}
	return next
}

// whyLate says why a pending disk is not waited for any longer, or "".
func whyLate(d volume.Disk, v *volume.Restore, limit time.Duration, now time.Time) string {
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

// keyHint: EC2 drops a new volume without a word if the key cannot be used, its own key or
// that of its snapshot.
func keyHint(v *volume.Restore) string {
	why, key := "the snapshot is encrypted", cmp.Or(v.Disk.Snapshot.KMSKeyID, "its key")+", and the location's ebsKmsKeyId if it names one,"
	if !v.Disk.Snapshot.Encrypted {
		why, key = "if the location names a key (ebsKmsKeyId) or the account encrypts new volumes by default", "that key"
	}
	return "; " + why + ": check that the worker's role may use " + key + " (kms:CreateGrant, kms:Decrypt, kms:GenerateDataKeyWithoutPlaintext) and that the key is enabled; " +
		"if it is gone for good, so is what it encrypted"
}
