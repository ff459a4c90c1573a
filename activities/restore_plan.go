package activities

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
)

// Plan selects objects by the index and orders them into levels and tasks. Only what
// the filters leave out for its labels, its name or its scope, and selected objects may
// need, is found by reading those. It may repeat: the plan is overwritten.
func (r *Restore) Plan(ctx context.Context, p *heartbeat.Recorder, in contract.PlanRestoreInput) (contract.RestorePlan, error) {
	s, err := r.open(ctx, in.Archive.Ref)
	if err != nil {
		return contract.RestorePlan{}, err
	}
	cat, err := r.Kube.Discover(ctx)
	if err != nil {
		return contract.RestorePlan{}, fmt.Errorf("discover resource types: %w", err)
	}
	doc := &s.plan
	if err := r.choose(ctx, s, cat); err != nil {
		return contract.RestorePlan{}, err
	}
	if err := s.intact(ctx, doc.Plan); err != nil {
		return contract.RestorePlan{}, fmt.Errorf("check backup %s: %w", s.Archive.Backup, err)
	}
	p.Count(int64(doc.Plan.Objects), 0)
	// The plan is kept first: it tells what to clean up of what the probe makes.
	if err := s.stage.Put(ctx, repository.PlanFile, doc); err != nil {
		return contract.RestorePlan{}, err
	}
	reasons, err := r.probe(ctx, s, doc.Volumes, usualProbe())
	if err != nil {
		return contract.RestorePlan{}, err
	}
	doc.Reasons = append(doc.Reasons, reasons...)
	return doc.summary(s), s.stage.Put(ctx, repository.PlanFile, doc)
}

// choose fills in the plan of a session: what is restored, in which order, and what
// becomes of volumes.
func (r *Restore) choose(ctx context.Context, s *session, cat kube.Catalog) (err error) {
	doc := &s.plan
	doc.Filter, doc.Reasons, err = filter.NewRestore(&s.Restore.Spec, s.Restore.Names, kube.FilterResolver(cat), filter.Contents{Resources: s.arc.Resources()})
	if err != nil {
		return err
	}
	x, err := s.selection(ctx, r.Rules, kube.FilterResolver(cat))
	if err != nil {
		return err
	}
	doc.Reasons = append(doc.Reasons, doc.Filter.OddNamespaces(slices.Sorted(maps.Keys(x.namespaces)))...)
	if err := x.bring(ctx, resource.Pods); err != nil {
		return err
	}
	var reasons []report.Reason
	if doc.Volumes, reasons, err = r.planVolumes(ctx, s, cat, x.volumes); err != nil {
		return err
	}
	doc.Reasons = append(doc.Reasons, reasons...)
	s.index = doc.Volumes.index()
	if err := errors.Join(x.bringVolumes(ctx), x.bring(ctx, resource.VolumeSnapshots)); err != nil {
		return err
	}
	if doc.Plan = x.census.Plan(plan.RestoreOptions{}); doc.Plan.Objects == 0 {
		doc.Reasons = append(doc.Reasons, report.New(report.NothingSelected, "the filters select no object of the backup"))
	}
	return nil
}

func (d *restorePlan) summary(s *session) contract.RestorePlan {
	n := report.Tally(append(slices.Clone(s.Reasons), d.Reasons...))
	out := contract.RestorePlan{Ref: s.Archive.Ref, Objects: int64(d.Plan.Objects), Warnings: n.Warnings, Errors: n.Errors}
	out.Volumes = d.Volumes.count((*restoreVolume).hasData)
	out.Disks = d.Volumes.count((*restoreVolume).needsDisk)
	out.Claims = d.Volumes.count((*restoreVolume).awaited)
	for _, l := range d.Plan.Levels {
		out.Levels = append(out.Levels, contract.LevelPlan{
			Name: l.Name, Tasks: len(l.Tasks), Objects: int64(l.Objects), CRDs: l.Level == plan.Definitions,
		})
	}
	return out
}
