package restore

import (
	"cmp"
	"context"
	"errors"
	"fmt"

	"github.com/lifeboat-backup/lifeboat/internal/repository"
	"github.com/lifeboat-backup/lifeboat/internal/resource"
	"github.com/lifeboat-backup/lifeboat/internal/store"
)

// ReadDisks reads what was made so far; none was where the plan has no disks.
func (s *Run) ReadDisks(ctx context.Context) error {
	s.Disks = map[string]Disk{}
	if s.Plan.Volumes.Count((*Volume).NeedsDisk) == 0 {
		return nil
	}
	err := s.Stage.Get(ctx, repository.DisksFile, &s.Disks)
	if errors.Is(err, store.ErrNotFound) {
		return nil
	}
	return err
}

// NoDisk says why an object cannot be restored whose volume's disk was not made. A
// claim without its volume would stay pending, and be in the way of the next restore.
func (s *Run) NoDisk(gr, namespace, name string) string {
	var v *Volume
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
	c.VolumeFate = func(pv string) resource.Fate {
		if v := s.Index.Pvs[pv]; v != nil {
			return v.fate()
		}
		return resource.FateDynamic
	}
	c.Disk = s.diskOf
	c.Claim = s.Index.claim
	c.Class = func(class string) string { return cmp.Or(s.Plan.Volumes.Classes[class], class) }
	c.Taken = func(namespace, name string) bool { return s.Index.Taken[resource.ObjectName(namespace, name)] }
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
		d = Disk{ID: plannedDisk, Zone: v.Disk.Zone}
	}
	return resource.Disk{ID: d.ID, Zone: d.Zone, Name: v.Disk.Name}
}
