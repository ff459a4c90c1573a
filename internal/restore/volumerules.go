package restore

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/lifeboat-backup/lifeboat/internal/repository"
	"github.com/lifeboat-backup/lifeboat/internal/resource"
	"github.com/lifeboat-backup/lifeboat/internal/store"
	"github.com/lifeboat-backup/lifeboat/internal/volume"
)

// ReadDisks reads what was made so far; none was where the plan has no disks.
func (s *Run) ReadDisks(ctx context.Context) error {
	s.Disks = map[string]volume.Disk{}
	if s.Plan.Volumes.Count((*volume.Restore).NeedsDisk) == 0 {
		return nil
	}
	err := s.Stage.GetLatest(ctx, repository.DisksFile, &s.Disks)
	if errors.Is(err, store.ErrNotFound) {
		return nil
	}
	return err
}

// WhyNoDisk says why an object cannot be restored whose volume's disk was not made. A
// claim without its volume would stay pending, and be in the way of the next restore.
func (s *Run) WhyNoDisk(gr, namespace, name string) string {
	var v *volume.Restore
	switch gr {
	case resource.PersistentVolumes:
		v = s.Index.Pvs[name]
	case resource.PersistentVolumeClaims:
		v = s.Index.Claims[resource.ObjectName(namespace, name)]
	}
	if v == nil || !v.NeedsDisk() || s.Restore.DryRun {
		return ""
	}
	d, made := s.Disks[v.PV]
	switch {
	case d.Failed != "":
		return fmt.Sprintf("no volume could be made of snapshot %s: %s", v.Disk.Snapshot.ID, d.Failed)
	case !made || !d.Ready:
		return fmt.Sprintf("no volume was made of snapshot %s", v.Disk.Snapshot.ID)
	}
	return ""
}

// VolumeRules answers the rules' questions about volumes.
func (s *Run) VolumeRules(c *resource.Context) {
	if s.Plan.Volumes == nil {
		return
	}
	c.VolumeDisposition = s.dispositionOf
	c.Disk = s.diskOf
	c.Claim = s.Index.claim
	c.Class = func(class string) string { return cmp.Or(s.Plan.Volumes.Classes[class], class) }
	c.Unused = func(namespace, name string) bool {
		return slices.Contains(s.Plan.Volumes.Unused, resource.ObjectName(namespace, name))
	}
	c.Taken = func(namespace, name string) bool { return s.Index.Taken[resource.ObjectName(namespace, name)] }
}

// dispositionOf is the one of a PersistentVolume. One that a storage class provisions is
// not restored, whether its claim is filled or empty.
func (s *Run) dispositionOf(pv string) volume.Disposition {
	v := s.Index.Pvs[pv]
	if v == nil || v.Disposition.Method() != "" && v.Disk == nil {
		return volume.Dynamic
	}
	return v.Disposition
}

// plannedDisk stands for the id of a disk that a dry run does not make.
const plannedDisk = "vol-to-be-made"

func (s *Run) diskOf(pv string) resource.Disk {
	v := s.Index.Pvs[pv]
	if v == nil || v.Disk == nil {
		return resource.Disk{}
	}
	d := s.Disks[pv]
	if s.Restore.DryRun {
		d = volume.Disk{ID: plannedDisk, Zone: v.Disk.Zone}
	}
	return resource.Disk{ID: d.ID, Zone: d.Zone, Name: v.Disk.Name, Driver: v.Disk.Driver}
}
