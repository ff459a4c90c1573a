package activities

import (
	"cmp"
	"context"
	"errors"
	"fmt"

	"github.com/lifeboat-backup/lifeboat/internal/kube"
	"github.com/lifeboat-backup/lifeboat/internal/repository"
	"github.com/lifeboat-backup/lifeboat/internal/resource"
	"github.com/lifeboat-backup/lifeboat/internal/store"
)

// readDisks reads what was made so far; none was where the plan has no disks.
func (s *session) readDisks(ctx context.Context) error {
	s.disks = map[string]disk{}
	if s.plan.Volumes.count((*restoreVolume).needsDisk) == 0 {
		return nil
	}
	err := s.stage.Get(ctx, repository.DisksFile, &s.disks)
	if errors.Is(err, store.ErrNotFound) {
		return nil
	}
	return err
}

// noDisk says why an object cannot be restored whose volume's disk was not made. A
// claim without its volume would stay pending, and be in the way of the next restore.
func (s *session) noDisk(gr, namespace, name string) string {
	var v *restoreVolume
	switch gr {
	case resource.PersistentVolumes:
		v = s.index.pvs[name]
	case resource.PersistentVolumeClaims:
		v = s.index.claims[kube.ObjectName(namespace, name)]
	}
	if v == nil || !v.needsDisk() || s.Restore.DryRun {
		return ""
	}
	d, made := s.disks[v.PV]
	switch {
	case d.Failed != "":
		return fmt.Sprintf("no volume could be made of snapshot %s: %s", v.Disk.Snapshot.ID, d.Failed)
	case !made || !d.Ready:
		return fmt.Sprintf("no volume was made of snapshot %s", v.Disk.Snapshot.ID)
	}
	return ""
}

// volumeRules answers the rules' questions about volumes.
func (s *session) volumeRules(c *resource.Context) {
	if s.plan.Volumes == nil {
		return
	}
	c.VolumeFate = func(pv string) resource.Fate {
		if v := s.index.pvs[pv]; v != nil {
			return v.fate()
		}
		return resource.FateDynamic
	}
	c.Disk = s.diskOf
	c.Claim = s.index.claim
	c.Class = func(class string) string { return cmp.Or(s.plan.Volumes.Classes[class], class) }
	c.Taken = func(namespace, name string) bool { return s.index.taken[kube.ObjectName(namespace, name)] }
}

// plannedDisk stands for the id of a disk that a dry run does not make.
const plannedDisk = "vol-to-be-made"

func (s *session) diskOf(pv string) resource.Disk {
	v := s.index.pvs[pv]
	if v == nil || v.Disk == nil {
		return resource.Disk{}
	}
	d := s.disks[pv]
	if s.Restore.DryRun {
		d = disk{ID: plannedDisk, Zone: v.Disk.Zone}
	}
	return resource.Disk{ID: d.ID, Zone: d.Zone, Name: v.Disk.Name}
}
