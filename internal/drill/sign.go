package drill

import (
	"cmp"
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"slices"

	"github.com/lifeboat-backup/lifeboat/internal/archive/layout"
	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/drill/evidence"
	"github.com/lifeboat-backup/lifeboat/internal/failure"
	"github.com/lifeboat-backup/lifeboat/internal/repository/drills"
	"github.com/lifeboat-backup/lifeboat/internal/restore"
	"github.com/lifeboat-backup/lifeboat/internal/store"
)

// Sign writes down what a drill has found, signs it and stores it as the next of the cluster's
// chain. It may repeat: evidence of this drill that is there is the result. Where nothing may be
// written the result holds the evidence, and nothing else does.
func (s *Service) Sign(ctx context.Context, in contract.SignDrillInput) (contract.DrillResult, error) {
	key, err := s.Key(ctx)
	if err != nil {
		return contract.DrillResult{}, failure.Unusable("drill: drills.signingKey: %w", err)
	}
	bsl, st, err := drills.Location(ctx, s.Locations)
	if err != nil {
		return contract.DrillResult{}, err
	}
	if st == nil {
		statement, file, err := s.signFindings(ctx, in, nil, nil, key)
		if err != nil {
			return contract.DrillResult{}, err
		}
		res := resultOf(in, statement, "", "")
		res.Evidence = string(file)
		return res, nil
	}
	return s.signNext(ctx, in, st, bsl.Name, key)
}

// signNext signs the evidence as the next of the chain in a location, and stores it.
func (s *Service) signNext(ctx context.Context, in contract.SignDrillInput, st store.Store, location string, key ed25519.PrivateKey) (contract.DrillResult, error) {
	last, err := drills.Last(ctx, st, s.Config.Cluster)
	if err != nil {
		return contract.DrillResult{}, err
	}
	if last != nil && last.Evidence.Statement.Predicate.Drill.ID == in.Plan.ID {
		return resultOf(in, last.Evidence.Statement, location, last.Key), nil
	}
	statement, file, err := s.signFindings(ctx, in, last, st, key)
	if err != nil {
		return contract.DrillResult{}, err
	}
	sequence := int64(statement.Predicate.Chain.Sequence)
	err = drills.Write(ctx, st, s.Config.Cluster, sequence, file)
	if errors.Is(err, store.ErrExists) { // of another drill: the next attempt follows it
		return contract.DrillResult{}, fmt.Errorf("drill %d was written meanwhile: %w", sequence, err)
	}
	if err != nil {
		return contract.DrillResult{}, err
	}
	return resultOf(in, statement, location, drills.Key(s.Config.Cluster, sequence)), nil
}

// signFindings makes the statement, as part of the chain in st that ends with last, and signs it; nil begins
// a chain.
func (s *Service) signFindings(ctx context.Context, in contract.SignDrillInput, last *drills.File, st store.Store, key ed25519.PrivateKey) (evidence.Statement, []byte, error) {
	facts, err := s.readFacts(ctx, in, last, st)
	if errors.Is(err, store.ErrNotFound) {
		return evidence.Statement{}, nil, failure.NotFound("write the evidence: what it is about is gone: %w", err)
	}
	if err != nil {
		return evidence.Statement{}, nil, fmt.Errorf("write the evidence: %w", err)
	}
	statement := facts.statement()
	file, err := evidence.Sign(statement, key)
	if err != nil { // no retry says anything else
		return evidence.Statement{}, nil, failure.Invalid("%w", err)
	}
	return statement, file, nil
}

// readFacts reads what the evidence needs and the workflow does not carry.
func (s *Service) readFacts(ctx context.Context, in contract.SignDrillInput, last *drills.File, st store.Store) (*facts, error) {
	in.Assertions = append(slices.Clone(in.Assertions), s.untried(in)...)
	f := &facts{in: in, software: s.Software, cluster: s.Config.Cluster, last: last, account: newAccount(), checklist: s.askChecklist(ctx)}
	var err error
	if f.target, err = s.targetCluster(ctx); err != nil {
		return nil, err
	}
	if err = s.readBackup(ctx, f); err != nil {
		return nil, err
	}
	since, err := s.judgedUntil(ctx, f, st)
	if err != nil {
		return nil, err
	}
	if f.worstGap, f.goodBackups, err = s.gaps(ctx, f, since); err != nil {
		return nil, err
	}
	if in.Ref.Restore.Name == "" {
		return f, nil // the backup was not opened: its objects are not known
	}
	// Where planning failed there is no plan, and the run has no volumes.
	if f.run, err = s.copyOf(ctx, in.Ref); err != nil && !restore.IsGone(err) {
		return nil, err
	}
	if in.Objects != nil {
		if err := f.run.Stage.Get(ctx, accountFile, &f.account); err != nil {
			return nil, err
		}
	}
	return f, nil
}

func (s *Service) targetCluster(ctx context.Context) (evidence.Cluster, error) {
	uid, err := s.Kube.Identity(ctx)
	if err != nil {
		return evidence.Cluster{}, err
	}
	types, err := s.Kube.Discover(ctx)
	if err != nil {
		return evidence.Cluster{}, err
	}
	return evidence.Cluster{Name: s.Config.Cluster, UID: uid, Kubernetes: cmp.Or(types.ServerVersion.GitVersion, unknown)}, nil
}

// resultOf sums a statement up.
func resultOf(in contract.SignDrillInput, s evidence.Statement, location, key string) contract.DrillResult {
	p := s.Predicate
	res := contract.DrillResult{
		Name: p.Drill.Name, ID: p.Drill.ID, Backup: p.Source.Backup.Name, Level: string(p.Claim.Level), Verdict: string(p.Claim.Verdict),
		RPO: p.Measured.RPO.Worst().Duration(), Sequence: int64(p.Chain.Sequence), Asked: p.Drill.Asked.Time(), Finished: p.Drill.Finished.Time(),
		Location: location, Key: key, Kept: in.Teardown.Kept,
	}
	for _, f := range p.Claim.Failures {
		res.Failures = append(res.Failures, string(f.Code)+": "+f.Detail)
	}
	if rto := p.Measured.RTO; rto != nil {
		res.RTO, res.Ready, res.ReadThrough = p.TimeToProof().Duration(), rto.Ready.Duration(), rto.ReadThrough.Duration()
	}
	return res
}

// readBackup reads what there is to say of the backup: its document, the digest of its manifest
// and the records of its snapshots.
func (s *Service) readBackup(ctx context.Context, f *facts) error {
	_, st, err := s.Locations.Get(ctx, f.in.Plan.Location)
	if err != nil {
		return err
	}
	return f.readBackup(ctx, st, layout.Backup{Name: f.in.Plan.Backup})
}
