package ebssim

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"time"
)

// other is a snapshot that every account has beside one's own: nobody made it by a call.
type other struct {
	owner    string // "" is the account itself
	archived bool
	tags     map[string]string
}

// others are two that another account has shared, one of them with the tags of a backup, which this
// account does not see, and two archived ones of the account's own: what AWS Backup keeps and what
// the CSI driver made of a volume that is long gone.
func others() []other {
	return []other{
		{owner: OtherAccount, tags: map[string]string{"velero.io/backup": "nightly", "velero.io/pv": "pvc-0c5f5e1b"}},
		{owner: OtherAccount},
		{archived: true, tags: map[string]string{"aws:backup:source-resource": "arn:aws:ec2:eu-central-1:111122223333:volume/vol-0aa1bb2cc3dd4ee5f"}},
		{archived: true, tags: map[string]string{"ebs.csi.aws.com/cluster": "true", "CSIVolumeSnapshotName": "snapshot-5b7c1c5a"}},
	}
}

// othersAge is how long before the account's first call its other snapshots were made.
const othersAge = 120 * 24 * time.Hour

func (s *Sim) addOthers(now time.Time) error {
	for i, o := range others() {
		made := now.Add(-othersAge)
		snap := &snapshot{
			ID: newID("snap"), VolumeID: newID("vol"), SizeGiB: 8, Started: made, Visible: made, Completes: made,
			Description: fmt.Sprintf("another's %d", i+1), Tags: o.tags, Owner: o.owner, Archived: o.archived, Other: i + 1,
		}
		s.snapshots[snap.ID] = snap
		if err := errors.Join(os.Mkdir(s.snapshotDir(snap.ID), 0o755), s.journal.Put(kindSnapshot, snap.ID, snap)); err != nil {
			return err
		}
	}
	return nil
}

// CheckOthers wants the account's other snapshots to be as they were at the start: whoever uses the
// simulator has no business with them.
func (s State) CheckOthers() error {
	var errs []error
	want := others()
	if len(s.Others) != len(want) {
		errs = append(errs, fmt.Errorf("snapshots of others: %d are left of %d", len(s.Others), len(want)))
	}
	for _, snap := range s.Others {
		if snap.Where != "" || snap.Lock != "" || !maps.Equal(snap.Tags, want[snap.Other-1].tags) {
			errs = append(errs, fmt.Errorf("snapshot %s, another's: it was changed to %+v", snap.ID, snap))
		}
	}
	return errors.Join(errs...)
}
