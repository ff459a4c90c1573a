package restore

import (
	"cmp"
	"fmt"
	"time"

	"github.com/lifeboat-backup/lifeboat/internal/volume"
)

// operationTimeout is itemOperationTimeout where the spec has none, as with Velero.
const operationTimeout = 4 * time.Hour

// ForDrivers is what the drivers of its volumes know of a restore.
func (s *Run) ForDrivers() volume.RestoreRun {
	place := s.Archive.Ref.Binding.Place
	if s.Archive.Ref.Location == memoryLocation {
		place = s.SourcePlace // who looks for what is ours knows places in buckets
	}
	return volume.RestoreRun{
		UID: s.UID, Name: s.Restore.Name, Backup: s.Archive.Backup, Cluster: s.Run.Cluster, Place: place,
		OperationTimeout: cmp.Or(s.Restore.Spec.ItemOperationTimeout.Duration, operationTimeout),
	}
}

// EachRestorer calls fn for the driver of each method that brings data of the plan back,
// with the volumes it is for, until one fails.
func (r *Service) EachRestorer(run volume.RestoreRun, plan *Volumes, fn func(volume.Restorer, []*volume.Restore) error) error {
	for _, t := range r.Technologies {
		all := plan.WithData(t.Method)
		if len(all) == 0 {
			continue
		}
		if err := fn(t.Restorer(run), all); err != nil {
			return err
		}
	}
	return nil
}

// RestorerOf is the driver that brings the data of a volume back.
func (r *Service) RestorerOf(run volume.RestoreRun, v *volume.Restore) (volume.Restorer, error) {
	t, ok := r.Technologies.Find(v.Disposition.Method())
	if !ok {
		return nil, fmt.Errorf("volume %s: this worker does not know how to restore data by %q", v.PV, v.Disposition.Method())
	}
	return t.Restorer(run), nil
}
