package drill

import (
	"cmp"
	"context"
	"maps"
	"slices"

	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/drill/readiness"
	"github.com/lifeboat-backup/lifeboat/internal/restore"
	"github.com/lifeboat-backup/lifeboat/internal/volume"
)

// CheckReady says how far the workloads and the volumes of the copy are. It reads only.
func (s *Service) CheckReady(ctx context.Context, in contract.CheckDrillInput) (contract.DrillReady, error) {
	run, err := s.copyOf(ctx, in.Ref)
	if err != nil {
		return contract.DrillReady{}, err
	}
	return s.lookAt(ctx, run)
}

func (s *Service) lookAt(ctx context.Context, run *restore.Run) (contract.DrillReady, error) {
	return readiness.Look(ctx, s.Kube, targets(run))
}

// ReadVolumes has every volume with data of the backup read through by a pod of its own, and says
// how far that is: L3. It may repeat, and is asked until nothing is being read.
func (s *Service) ReadVolumes(ctx context.Context, in contract.ReadVolumesInput) (contract.DrillReading, error) {
	run, err := s.copyOf(ctx, in.Ref)
	if err != nil {
		return contract.DrillReading{}, err
	}
	reader := readiness.Reader{Client: s.Kube, Drill: in.Ref.ID, Cluster: s.Config.Cluster, Image: s.Config.Drills.Image, Start: in.Start, Outage: s.Restore.Outage, Outside: cmp.Or(in.Outside, s.APIServer)}
	return reader.Read(ctx, targets(run), withData(run))
}

// withData are the claims of the copy, as namespace/name, whose volumes have data of the backup.
func withData(run *restore.Run) map[string]bool {
	all := map[string]bool{}
	run.Plan.Volumes.Count(func(v *volume.Restore) bool {
		if v.HasData() && v.Claim != "" {
			all[v.Target+"/"+v.Claim] = true
		}
		return false
	})
	return all
}

// targets are the namespaces of a copy, sorted.
func targets(run *restore.Run) []string {
	return slices.Sorted(maps.Values(run.Restore.Spec.NamespaceMapping))
}
