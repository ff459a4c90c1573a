package drill

import (
	"context"

	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/drill/assertion"
	"github.com/lifeboat-backup/lifeboat/internal/heartbeat"
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
	runner := s.runner(run, p, in)
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

func (s *Service) runner(run *restore.Run, p *heartbeat.Recorder, in contract.AssertDrillInput) *assertion.Runner {
	return &assertion.Runner{
		Client: s.Kube, Namespaces: run.Restore.Spec.NamespaceMapping, Probe: in.Probe,
		Labels:   map[string]string{contract.DrillLabel: in.Ref.ID},
		Progress: func(name string, _ int) { p.WaitsFor("assertion " + name) },
	}
}
