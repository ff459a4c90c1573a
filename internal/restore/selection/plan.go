package selection

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/filter"
	"github.com/lifeboat-backup/lifeboat/internal/heartbeat"
	"github.com/lifeboat-backup/lifeboat/internal/kube"
	"github.com/lifeboat-backup/lifeboat/internal/plan"
	"github.com/lifeboat-backup/lifeboat/internal/report"
	"github.com/lifeboat-backup/lifeboat/internal/repository"
	"github.com/lifeboat-backup/lifeboat/internal/resource"
	"github.com/lifeboat-backup/lifeboat/internal/restore"
)

// Volumes are what planning asks of package volumes, which lies beside this one.
type Volumes struct {
	// Plan decides what becomes of volumes; nil if no selected object has to do with any.
	Plan func(ctx context.Context, r *restore.Service, s *restore.Run, cat kube.Catalog, touched bool) (*restore.Volumes, []report.Reason, error)
	// Probe has drivers look for the snapshots that nobody has looked for.
	Probe func(ctx context.Context, r *restore.Service, s *restore.Run, plan *restore.Volumes) ([]report.Reason, error)
}

// Plan selects objects by the index and orders them into levels and tasks. Only what
// the filters leave out for its labels, its name or its scope, and selected objects may
// need, is found by reading those. It may repeat: the plan is overwritten.
func Plan(ctx context.Context, r *restore.Service, p *heartbeat.Recorder, volumes Volumes, in contract.PlanRestoreInput) (contract.RestorePlan, error) {
	s, err := r.OpenRun(ctx, in.Archive.Ref)
	if err != nil {
		return contract.RestorePlan{}, err
	}
	cat, err := r.Kube.Discover(ctx)
	if err != nil {
		return contract.RestorePlan{}, fmt.Errorf("discover resource types: %w", err)
	}
	doc := &s.Plan
	if err := choosePlan(ctx, r, s, volumes, cat); err != nil {
		return contract.RestorePlan{}, err
	}
	if err := checkIntact(ctx, s, doc.Plan); err != nil {
		return contract.RestorePlan{}, fmt.Errorf("check backup %s: %w", s.Archive.Backup, err)
	}
	p.Count(int64(doc.Plan.Objects), 0)
	// The plan is kept first: it tells what to clean up of what the probe makes.
	if err := s.Stage.Put(ctx, repository.PlanFile, doc); err != nil {
		return contract.RestorePlan{}, err
	}
	reasons, err := volumes.Probe(ctx, r, s, doc.Volumes)
	if err != nil {
		return contract.RestorePlan{}, err
	}
	doc.Reasons = append(doc.Reasons, reasons...)
	return doc.Summary(s), s.Stage.Put(ctx, repository.PlanFile, doc)
}

// choosePlan fills in the plan of a session: what is restored, in which order, and what
// becomes of volumes.
func choosePlan(ctx context.Context, r *restore.Service, s *restore.Run, volumes Volumes, cat kube.Catalog) (err error) {
	doc := &s.Plan
	doc.Filter, doc.Reasons, err = filter.NewRestore(&s.Restore.Spec, s.Restore.Names, kube.FilterResolver(cat), filter.Contents{Resources: s.Arc.Resources()})
	if err != nil {
		return err
	}
	x, err := newSelection(ctx, s, r.Rules, kube.FilterResolver(cat))
	if err != nil {
		return err
	}
	doc.Reasons = append(doc.Reasons, doc.Filter.OddNamespaces(slices.Sorted(maps.Keys(x.namespaces)))...)
	if err := x.bring(ctx, resource.Pods); err != nil {
		return err
	}
	var reasons []report.Reason
	if doc.Volumes, reasons, err = volumes.Plan(ctx, r, s, cat, x.volumes); err != nil {
		return err
	}
	doc.Reasons = append(doc.Reasons, reasons...)
	s.Index = doc.Volumes.Index()
	if err := errors.Join(x.bringVolumes(ctx), x.bring(ctx, resource.VolumeSnapshots)); err != nil {
		return err
	}
	if doc.Plan = x.census.Plan(plan.RestoreOptions{}); doc.Plan.Objects == 0 {
		doc.Reasons = append(doc.Reasons, report.New(report.NothingSelected, "the filters select no object of the backup"))
	}
	return nil
}
