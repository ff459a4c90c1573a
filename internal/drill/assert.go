package drill

import (
	"context"
	"fmt"

	velerov1 "github.com/vmware-tanzu/velero/pkg/apis/velero/v1"

	"github.com/lifeboat-backup/lifeboat/internal/archive"
	"github.com/lifeboat-backup/lifeboat/internal/archive/layout"
	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/drill/assertion"
	"github.com/lifeboat-backup/lifeboat/internal/drill/evidence"
	"github.com/lifeboat-backup/lifeboat/internal/drill/isolation"
	"github.com/lifeboat-backup/lifeboat/internal/heartbeat"
	"github.com/lifeboat-backup/lifeboat/internal/hook"
	"github.com/lifeboat-backup/lifeboat/internal/repository"
	"github.com/lifeboat-backup/lifeboat/internal/restore"
)

// Assert tries the assertions, one after the other. One that does not hold is a result. It may
// repeat, from the first that it has no result of.
func (s *Service) Assert(ctx context.Context, p *heartbeat.Recorder, in contract.AssertDrillInput) (contract.DrillAssertions, error) {
	run, err := s.copyOf(ctx, in.Ref)
	if err != nil {
		return contract.DrillAssertions{}, err
	}
	var done contract.DrillAssertions
	if _, err := p.Resume(&done); err != nil {
		return contract.DrillAssertions{}, err
	}
	runner, err := s.runner(ctx, run, p, in)
	if err != nil {
		return contract.DrillAssertions{}, err
	}
	for _, a := range in.Assertions[min(len(done.Results), len(in.Assertions)):] {
		result := runner.Run(ctx, a)
		if err := ctx.Err(); err != nil {
			return contract.DrillAssertions{}, err
		}
		done.Results = append(done.Results, result)
		if err := p.Mark(done, int64(len(done.Results)), 0); err != nil {
			return contract.DrillAssertions{}, err
		}
	}
	return done, nil
}

func (s *Service) runner(ctx context.Context, run *restore.Run, p *heartbeat.Recorder, in contract.AssertDrillInput) (*assertion.Runner, error) {
	recorded, err := s.readRecorded(ctx, run)
	return &assertion.Runner{
		Client: s.Kube, Namespaces: run.Restore.Spec.NamespaceMapping, Recorded: recorded, Probe: in.Probe,
		Labels: contract.DrillLabels(s.Config.Cluster, in.Ref.ID), PriorityClass: isolation.PriorityClassName(s.Config.Cluster),
		Progress: func(name string, _ int) { p.WaitsFor("assertion " + name) },
	}, err
}

// readRecorded reads the values that were recorded with the backup.
func (s *Service) readRecorded(ctx context.Context, run *restore.Run) (map[string]assertion.Recorded, error) {
	_, st, err := s.Locations.Get(ctx, run.Source)
	if err != nil {
		return nil, err
	}
	var doc velerov1.Backup
	if err := repository.GetJSON(ctx, st, layout.Backup{Name: run.Archive.Backup}.Metadata(), &doc); err != nil {
		return nil, err
	}
	values, err := hook.ReadRecorded(doc.Annotations)
	if err != nil {
		return nil, fmt.Errorf("values recorded with backup %s: %w: %w", run.Archive.Backup, archive.ErrCorrupt, err)
	}
	return values, nil
}

// untried are the assertions that the drill did not come to, for the evidence.
func (s *Service) untried(in contract.SignDrillInput) (out []evidence.Assertion) {
	ended, cancel := context.WithCancel(context.Background())
	cancel()
	runner := &assertion.Runner{Client: s.Kube, Namespaces: in.Plan.Restore.Spec.NamespaceMapping, Probe: in.Drill.Spec.Probe}
	for _, a := range in.Drill.Spec.Assertions[min(len(in.Assertions), len(in.Drill.Spec.Assertions)):] {
		res := runner.Run(ended, a)
		res.Outcome, res.Attempts, res.Took, res.Detail, res.Found = evidence.NotChecked, 0, 0, "the drill did not come to it", ""
		out = append(out, res)
	}
	return out
}
