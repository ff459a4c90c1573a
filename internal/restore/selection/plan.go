package selection

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	velerov1 "github.com/vmware-tanzu/velero/pkg/apis/velero/v1"

	"github.com/lifeboat-backup/lifeboat/internal/archive"
	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/failure"
	"github.com/lifeboat-backup/lifeboat/internal/filter"
	"github.com/lifeboat-backup/lifeboat/internal/heartbeat"
	"github.com/lifeboat-backup/lifeboat/internal/kube"
	"github.com/lifeboat-backup/lifeboat/internal/plan"
	"github.com/lifeboat-backup/lifeboat/internal/report"
	"github.com/lifeboat-backup/lifeboat/internal/repository"
	"github.com/lifeboat-backup/lifeboat/internal/resource"
	"github.com/lifeboat-backup/lifeboat/internal/restore"
)

// Volumes are the questions of a plan that package volumes answers. That package lies
// beside this one, and the two do not import each other.
type Volumes struct {
	// Plan decides what becomes of volumes. touched says that a selected object has to do
	// with one; without any the answer is nil.
	Plan func(ctx context.Context, r *restore.Service, s *restore.Run, cat kube.Catalog, touched bool) (*restore.Volumes, []report.Reason, error)
	// Probe has drivers look for the snapshots that nothing else has looked for yet.
	Probe func(ctx context.Context, r *restore.Service, s *restore.Run, plan *restore.Volumes) ([]report.Reason, error)
}

// Plan selects objects by the index and orders them into levels and tasks. Objects are read
// only where selected ones may need others that the filters leave out, by label, name or
// scope. It may repeat: the plan that was stored first stays.
func Plan(ctx context.Context, r *restore.Service, p *heartbeat.Recorder, volumes Volumes, in contract.PlanRestoreInput) (contract.RestorePlan, error) {
	s, err := r.OpenRun(ctx, in.Archive.Ref)
	if err != nil {
		return contract.RestorePlan{}, err
	}
	cat, err := r.Kube.Discover(ctx)
	if err != nil {
		return contract.RestorePlan{}, fmt.Errorf("discover resource types: %w", err)
	}
	s.WaitsFor = p.WaitsFor
	doc := &s.Plan
	if err := choosePlan(ctx, r, s, volumes, cat); err != nil {
		return contract.RestorePlan{}, err
	}
	if err := checkIntact(ctx, s, doc.Plan); err != nil {
		return contract.RestorePlan{}, fmt.Errorf("check backup %s: %w", s.Archive.Backup, err)
	}
	p.Count(int64(doc.Plan.Objects), 0)
	// The plan is stored before the probe, because it tells what the probe may have made,
	// for whoever has to clean up after it.
	if err := repository.CreateStaged(ctx, s.Stage, repository.PlanFile, doc); err != nil {
		return contract.RestorePlan{}, err
	}
	reasons, err := volumes.Probe(ctx, r, s, doc.Volumes)
	if err != nil {
		return contract.RestorePlan{}, err
	}
	if len(reasons) > 0 { // attempts that find others agree on the first
		err = repository.CreateStaged(ctx, s.Stage, repository.ProbedFile, &reasons)
	}
	doc.Reasons = append(doc.Reasons, reasons...)
	return doc.Summary(s), err
}

// checkMapping refuses a mapping of a namespace that the backup does not have where the restore
// writes over what exists: what it was mistyped for would be restored into its original, and
// a warning afterwards brings nothing back.
func (x *selection) checkMapping() error {
	spec := &x.s.Restore.Spec
	if spec.ExistingResourcePolicy != velerov1.PolicyTypeUpdate {
		return nil
	}
	for _, from := range slices.Sorted(maps.Keys(spec.NamespaceMapping)) {
		if !x.namespaces[from] {
			return failure.Invalid("spec.namespaceMapping[%s]: the backup has no namespace %s, and existingResourcePolicy: update would write over the originals of what is not mapped; correct the name or leave it out", from, from)
		}
	}
	return nil
}

// choosePlan fills in the plan of a run: what is restored, in which order, and what becomes
// of volumes.
func choosePlan(ctx context.Context, r *restore.Service, s *restore.Run, volumes Volumes, cat kube.Catalog) (err error) {
	doc, resolve := &s.Plan, kube.FilterResolver(cat)
	doc.Filter, doc.Reasons, err = filter.NewRestore(&s.Restore.Spec, s.Restore.Names, resolve, filter.Contents{Resources: s.Arc.Resources()})
	if err != nil {
		return err
	}
	x, err := newSelection(ctx, s, r.Rules, resolve, unservedTypes(s, cat))
	if err != nil {
		return err
	}
	if err := x.checkMapping(); err != nil {
		return err
	}
	doc.Reasons = append(doc.Reasons, doc.Filter.UnmatchedNamespaces(slices.Sorted(maps.Keys(x.namespaces)))...)
	if err := x.addDependencies(ctx, append(slices.Sorted(maps.Keys(x.unserved)), resource.Pods)...); err != nil {
		return err
	}
	var reasons []report.Reason
	if doc.Volumes, reasons, err = volumes.Plan(ctx, r, s, cat, x.volumes); err != nil {
		return err
	}
	doc.Reasons = append(doc.Reasons, reasons...)
	s.Index = doc.Volumes.Index()
	if err := errors.Join(x.addBoundVolumes(ctx), x.addDependencies(ctx, resource.VolumeSnapshots)); err != nil {
		return err
	}
	if x.leftOut > 0 {
		doc.Reasons = append(doc.Reasons, report.New(report.ClusterScopedLeft, fmt.Sprintf(
			"%d cluster-scoped objects of the backup are not restored, because the spec leaves namespaces out", x.leftOut)))
	}
	doc.Reasons = append(doc.Reasons, x.lostReasons()...)
	if doc.Plan = x.inventory.Plan(plan.RestoreOptions{}); doc.Plan.Objects == 0 {
		doc.Reasons = append(doc.Reasons, report.New(report.NothingSelected, "the filters select no object of the backup"))
	}
	return nil
}

// checkIntact reads every member that a plan touches once and checks it against the
// manifest, so that a damaged backup is refused before the cluster is written to and not
// half-way. It costs a fraction of a second for 50,000 objects.
func checkIntact(ctx context.Context, s *restore.Run, p plan.RestorePlan) error {
	for _, r := range touchedMembers(p) {
		err := s.Arc.Walk(ctx, r.From, r.To, func(int, archive.Entry, []byte) error { return ctx.Err() })
		if err != nil {
			return err
		}
	}
	return nil
}

// touchedMembers returns the members of all tasks as ranges that do not overlap.
func touchedMembers(p plan.RestorePlan) []plan.Range {
	var all, out []plan.Range
	for _, l := range p.Levels {
		for _, t := range l.Tasks {
			all = append(all, t.Ranges...)
		}
	}
	slices.SortFunc(all, func(a, b plan.Range) int { return a.From - b.From })
	for _, r := range all {
		if n := len(out); n > 0 && r.From <= out[n-1].To {
			out[n-1].To = max(out[n-1].To, r.To)
			continue
		}
		out = append(out, r)
	}
	return out
}
