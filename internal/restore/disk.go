package restore

import (
	"cmp"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/lifeboat-backup/lifeboat/internal/aws/ebs"
	"github.com/lifeboat-backup/lifeboat/internal/aws/ebs/quota"
	"github.com/lifeboat-backup/lifeboat/internal/volume"
	"github.com/lifeboat-backup/lifeboat/internal/volume/native"
)

// LikeSource makes the new disk like the one that was snapshotted, as far as backup
// and snapshot tell.
func (d *DiskPlan) LikeSource(n volume.NativeSnapshot, s ebs.Snapshot) {
	d.Type = n.Spec.VolumeType
	if n.Spec.VolumeIOPS != nil {
		d.IOPS = int32(max(0, min(*n.Spec.VolumeIOPS, 1<<30)))
	}
	d.IOPS = cmp.Or(tagNumber(s, ebs.TagIOPS), d.IOPS)
	d.Throughput = tagNumber(s, ebs.TagThroughput)
}

func tagNumber(s ebs.Snapshot, key string) int32 {
	n, err := strconv.ParseInt(s.Tags[key], 10, 32)
	if err != nil || n < 0 {
		return 0
	}
	return int32(n)
}

// UnknownSpeed says that the throughput of a gp3 volume is not known and its source may tell it.
func (d *DiskPlan) UnknownSpeed() bool {
	return d.Type == "gp3" && d.Throughput == 0 && d.Snapshot.VolumeID != "" && d.Snapshot.VolumeID != CopiedVolume
}

const (
	// CapacityAttempts is how often a volume is asked for in a zone that has no
	// capacity for it: over some 15 s. Whoever waits for capacity waits for hours.
	CapacityAttempts = 5
	// GoneAfter is how long a volume that EC2 has shown before may be missing: its
	// answers differ for seconds, while they spread.
	GoneAfter = 10 * time.Second
	// operationTimeout is itemOperationTimeout where the spec has none, as with
	// Velero.
	operationTimeout = 4 * time.Hour
)

// Disk is an EBS volume that the restore made, or why it did not.
type Disk struct {
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

// DiskOf is a volume as EC2 shows it; zone is the one that was asked for.
func DiskOf(v ebs.Volume, zone string) Disk {
	d := Disk{ID: v.ID, Zone: cmp.Or(v.Zone, zone), Ready: v.State == ebs.VolumeAvailable || v.State == ebs.VolumeInUse}
	switch v.State {
	case ebs.VolumeFailed, ebs.VolumeDeleting, ebs.VolumeDeleted:
		d.Failed = fmt.Sprintf("EBS volume %s is in state %q", v.ID, v.State)
	}
	return d
}

// AskedAt notes when, for the waits that follow.
func (d Disk) AskedAt(at time.Time) Disk {
	d.Asked = at
	return d
}

// Settled: there is a volume, or there will be none; it need not be asked for again.
func (d Disk) Settled() bool { return d.ID != "" || d.Failed != "" }

// Pending: EC2 has agreed to make it and has not said that it is ready.
func (d Disk) Pending() bool { return d.ID != "" && !d.Ready && d.Failed == "" }

// OfAll: the error is not one volume's. A denial ends the restore, an outage is sat
// out by the activity's retries.
func OfAll(err error) bool {
	return errors.Is(err, ebs.ErrDenied) || errors.Is(err, ebs.ErrCredentials) || !ebs.IsRefusal(err)
}

// Refused counts a try that failed. A volume that EC2 will not make, or has failed to
// make as often as it may, is given up: it must not hold up all others.
func (d Disk) Refused(v *Volume, err error) Disk {
	d.Tries++
	switch {
	case errors.Is(err, ebs.ErrCapacity) && d.Tries >= CapacityAttempts:
		d.Failed = fmt.Sprintf("EBS has no capacity for a %s volume of %s in zone %s (asked %d times): %v; restore it later, or from a cluster with nodes in another zone only",
			cmp.Or(v.Disk.Type, "default"), size(v.Capacity), v.Disk.Zone, d.Tries, err)
	case ebs.IsFinal(err), errors.Is(err, ebs.ErrState):
		d.Failed = err.Error()
	case d.Tries >= native.CreateAttempts:
		d.Failed = fmt.Sprintf("EC2 failed %d times to make it in zone %s: %v", d.Tries, v.Disk.Zone, err)
	}
	return d
}

// After is what a look at EC2 makes of a pending disk. limit is itemOperationTimeout.
func (d Disk) After(seen ebs.Volume, shown bool, v *Volume, limit time.Duration, now time.Time) Disk {
	next := d
	if shown {
		next = DiskOf(seen, v.Disk.Zone)
		next.Asked, next.Seen = d.Asked, true
	} else if d.Missing.IsZero() {
		next.Missing = now
	}
	if next.Asked.IsZero() { // of a worker that did not note it
		next.Asked = now
	}
	if next.Pending() {
		next.Failed = next.late(v, limit, now)
	}
	return next
}

// late says why a pending disk is not waited for any longer, or "".
func (d Disk) late(v *Volume, limit time.Duration, now time.Time) string {
	missing := time.Duration(0)
	if !d.Missing.IsZero() {
		missing = now.Sub(d.Missing)
	}
	switch {
	case d.Seen && missing >= GoneAfter:
		return fmt.Sprintf("EBS volume %s, which was made for it, is gone%s", d.ID, keyHint(v))
	case !d.Seen && missing >= quota.VisibleWithin:
		return fmt.Sprintf("EC2 agreed to make EBS volume %s and did not show it for %s%s", d.ID, quota.VisibleWithin, keyHint(v))
	case d.Missing.IsZero() && now.Sub(d.Asked) >= limit: // one that is not shown has its own limit
		return fmt.Sprintf(`EBS volume %s was still "creating" after itemOperationTimeout (%s); it is deleted if EC2 allows that yet, otherwise delete it`, d.ID, limit)
	}
	return ""
}

// keyHint: EC2 drops a new volume without a word if the key cannot be used.
func keyHint(v *Volume) string {
	if !v.Disk.Snapshot.Encrypted {
		return ""
	}
	return "; the snapshot is encrypted: check that the worker's role may use its key (kms:CreateGrant, kms:Decrypt, kms:GenerateDataKeyWithoutPlaintext) and that the key is enabled"
}

// OperationLimit is the restore's itemOperationTimeout.
func (s *Run) OperationLimit() time.Duration {
	return cmp.Or(s.Restore.Spec.ItemOperationTimeout.Duration, operationTimeout)
}

// CopiedVolume is what EC2 says a copied snapshot was taken of.
const CopiedVolume = "vol-ffffffff"
