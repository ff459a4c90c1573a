package drill

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/drill/readiness"
	"github.com/lifeboat-backup/lifeboat/internal/restore"
)

// CheckReady says how far the workloads and the volumes of the copy are. It reads only.
func (s *Service) CheckReady(ctx context.Context, in contract.CheckDrillInput) (contract.DrillReady, error) {
	run, err := s.copyOf(ctx, in.Ref)
	if err != nil {
		return contract.DrillReady{}, err
	}
	ready, err := s.lookAt(ctx, run)
	if err != nil || ready.Running > 0 {
		return ready, err
	}
	var a account
	if err := run.Stage.Get(ctx, accountFile, &a); err != nil {
		return contract.DrillReady{}, err
	}
	return withMissing(ready, a.Workloads), nil
}

// withMissing counts what the backup has of pods and their controllers as not ready where the copy has
// nothing that runs: a controller may still have to make it, and nothing proves nothing.
func withMissing(ready contract.DrillReady, inBackup int) contract.DrillReady {
	if ready.Running == 0 && inBackup > 0 {
		w := &ready.Workloads
		w.Checked += inBackup
		why := fmt.Sprintf("the backup has %d pods and controllers of pods, and nothing runs in the copy", inBackup)
		w.Detail = joinTexts(why, w.Detail)
	}
	return ready
}

func (s *Service) lookAt(ctx context.Context, run *restore.Run) (contract.DrillReady, error) {
	return readiness.Look(ctx, s.Kube, targets(run), time.Now())
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
	for v := range run.Plan.Volumes.All() {
		if v.HasData() && v.Claim != "" {
			all[v.Target+"/"+v.Claim] = true
		}
	}
	return all
}

// targets are the namespaces of a copy, sorted.
func targets(run *restore.Run) []string {
	return slices.Sorted(maps.Values(run.Restore.Spec.NamespaceMapping))
}
