package backup

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	velerov1 "github.com/vmware-tanzu/velero/pkg/apis/velero/v1"
	"golang.org/x/sync/errgroup"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/lifeboat-backup/lifeboat/internal/archive"
	"github.com/lifeboat-backup/lifeboat/internal/binding"
	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/failure"
	"github.com/lifeboat-backup/lifeboat/internal/filter"
	"github.com/lifeboat-backup/lifeboat/internal/kube"
	"github.com/lifeboat-backup/lifeboat/internal/plan"
	"github.com/lifeboat-backup/lifeboat/internal/report"
	"github.com/lifeboat-backup/lifeboat/internal/repository"
	"github.com/lifeboat-backup/lifeboat/internal/store"
	"github.com/lifeboat-backup/lifeboat/internal/volume"
)

// Prepare validates the input, locks the name, discovers the types of the cluster and plans
// shards and volumes. It may repeat: the name lock is its own, and the plan that was written
// first stays, for later phases may work by it.
func (s *Service) Prepare(ctx context.Context, in contract.PrepareBackupInput, abandon AbandonRun) (contract.BackupPlan, error) {
	if err := validateBackup(in.Backup); err != nil {
		return contract.BackupPlan{}, err
	}
	bsl, st, err := s.Locations.Writable(ctx, in.Backup.Spec.StorageLocation)
	if err != nil {
		return contract.BackupPlan{}, err
	}
	if err := s.Locations.Reach(ctx, bsl); err != nil { // told at once, and tried again
		return contract.BackupPlan{}, locationError(bsl, err)
	}
	in.Backup.Spec.StorageLocation = bsl.Name
	conditional, err := st.Conditional(ctx)
	if err != nil {
		return contract.BackupPlan{}, locationError(bsl, fmt.Errorf("probe conditional writes: %w", err))
	}
	bound, err := binding.Begin(ctx, s.Kube, s.Locations, bsl, st)
	if err != nil {
		return contract.BackupPlan{}, err
	}
	if err := s.lockName(ctx, st, in, abandon); err != nil {
		return contract.BackupPlan{}, err
	}
	doc, total, err := s.makePlan(ctx, in, conditional)
	if err != nil {
		return contract.BackupPlan{}, err
	}
	doc.Binding, doc.Tags = bound, store.LocationTags(bsl)
	if err := repository.CreateStaged(ctx, repository.NewStaging(st, in.UID), repository.PlanFile, doc); err != nil {
		return contract.BackupPlan{}, err
	}
	return s.planSummary(doc, total), nil
}

// makePlan plans the backup and counts its objects. conditional says whether the store
// honours conditional writes.
func (s *Service) makePlan(ctx context.Context, in contract.PrepareBackupInput, conditional bool) (doc *Plan, total int64, err error) {
	if doc, err = s.discoverPlan(ctx, in); err != nil {
		return nil, 0, err
	}
	doc.Conditional = conditional
	if !conditional {
		doc.Reasons = append(doc.Reasons, report.New(report.StoreDegraded,
			fmt.Sprintf("location %s does not honour conditional writes: two backups of one name that start in the same second are not told apart", in.Backup.Spec.StorageLocation)))
	}
	if err := s.planVolumes(ctx, doc); err != nil {
		return nil, 0, err
	}
	total, err = s.planShards(ctx, doc)
	return doc, total, err
}

// planSummary counts what the workflow is told of the plan.
func (s *Service) planSummary(doc *Plan, total int64) contract.BackupPlan {
	n := report.Tally(doc.Reasons)
	return contract.BackupPlan{
		Name: doc.Backup.Name, UID: doc.UID, Location: doc.Backup.Spec.StorageLocation,
		Shards: len(doc.Shards), Objects: total, Expires: doc.Expires, Related: doc.Related,
		Schedule: doc.Backup.Labels[repository.LabelSchedule], Warnings: n.Warnings, Errors: n.Errors,
		Units: len(doc.Volumes.Units), Volumes: doc.Volumes.snapshotCount(),
		UnitTime: doc.unitTimeout(s.Config.Limits.PendingSnapshots), Binding: doc.Binding,
	}
}

func validateBackup(in contract.BackupInput) error {
	if err := archive.ValidateName(in.Name); err != nil {
		return failure.Invalid("name: %w", err)
	}
	if problems := append(filter.ValidateMetadata("", in.Labels, in.Annotations), filter.ValidateBackup(&in.Spec)...); len(problems) > 0 {
		return filter.FieldErrors(problems)
	}
	return nil
}

// discoverPlan lists types and namespaces and resolves the filters against them.
func (s *Service) discoverPlan(ctx context.Context, in contract.PrepareBackupInput) (*Plan, error) {
	cat, err := s.Kube.Discover(ctx)
	if err != nil {
		return nil, fmt.Errorf("discover resource types: %w", err)
	}
	namespaces, err := s.listNamespaces(ctx)
	if err != nil {
		return nil, err
	}
	s.setDefaults(&in.Backup.Spec)
	policies, err := s.readPolicies(ctx, &in.Backup.Spec)
	if err != nil {
		return nil, err
	}
	f, reasons, err := resolveFilter(in.Backup.Spec, policies, cat, namespaces)
	if err != nil {
		return nil, err
	}
	reasons = append(reasons, unavailableGroups(cat.Failures, f, reasons)...)
	started := in.Run.Started.Truncate(time.Second)
	return &Plan{
		Backup: in.Backup, UID: in.UID, Run: in.Run,
		Started: started, Planned: time.Now().UTC(), Expires: started.Add(in.Backup.Spec.TTL.Duration),
		Kubernetes: cat.ServerVersion, Resources: listableTypes(cat.Resources),
		Filter: f, Reasons: reasons, policies: policies,
	}, nil
}

// unavailableGroups returns the reasons for groups that did not answer discovery. It is no
// error where the spec names types that are all known, nor for a group of metrics, which has
// nothing that could be stored.
func unavailableGroups(failures []kube.GroupFailure, f *filter.Backup, reasons []report.Reason) (out []report.Reason) {
	unknown := slices.ContainsFunc(reasons, func(r report.Reason) bool { return r.Code == report.TypeUnknown })
	for _, g := range failures {
		r := report.New(report.GroupUnavailable, g.Group+": "+g.Reason)
		if f.NamesTypes() && !unknown || strings.HasSuffix("."+g.Group, ".metrics.k8s.io") {
			r = r.As(report.Warning)
		}
		out = append(out, r)
	}
	return out
}

// resolveFilter resolves the filters of the spec and of the policies against the cluster. It
// works on a copy of the spec: the Backup document keeps what the user wrote.
func resolveFilter(spec velerov1.BackupSpec, policies *volume.Policies, cat kube.Catalog, namespaces []filter.Namespace) (*filter.Backup, []report.Reason, error) {
	if err := policies.Merge(&spec); err != nil {
		return nil, nil, err
	}
	return filter.NewBackup(&spec, kube.FilterResolver(cat), namespaces)
}

// setDefaults fills in the defaults of Velero's server (docs/VELERO.md 3.1), so that readers
// of the document see what was in force.
func (s *Service) setDefaults(spec *velerov1.BackupSpec) {
	setDefault(&spec.TTL, s.Config.DefaultBackupTTL.Duration)
	setDefault(&spec.CSISnapshotTimeout, 10*time.Minute)
	setDefault(&spec.ItemOperationTimeout, 4*time.Hour)
}

// setDefault leaves a duration alone that the user has set.
func setDefault(field *metav1.Duration, value time.Duration) {
	if field.Duration == 0 {
		field.Duration = value
	}
}

// listableTypes keeps the types that can be backed up and restored, by the same verbs as
// Velero.
func listableTypes(all []kube.Resource) []kube.Resource {
	var out []kube.Resource
	for _, r := range all {
		if r.Can("list", "create", "get", "delete") {
			out = append(out, r)
		}
	}
	return out
}

func (s *Service) listNamespaces(ctx context.Context) ([]filter.Namespace, error) {
	all, err := s.Kube.Namespaces(ctx)
	if err != nil {
		return nil, fmt.Errorf("list namespaces: %w", err)
	}
	out := make([]filter.Namespace, 0, len(all))
	for _, n := range all {
		out = append(out, filter.Namespace{Name: n.Name, Labels: n.Labels, Active: !n.Deleting && n.Phase == "Active"})
	}
	return out, nil
}

// planShards counts objects type by type, cuts the work into shards and returns the number of
// all objects.
func (s *Service) planShards(ctx context.Context, doc *Plan) (int64, error) {
	f := doc.Filter
	var types []filter.Type
	var listed []kube.Resource
	for _, r := range doc.Resources {
		t := kube.FilterType(r)
		types = append(types, t)
		switch f.IncludeType(t) {
		case filter.All:
			listed = append(listed, r)
		case filter.RelatedOnly:
			doc.Related = doc.Related || !filter.NeverListed(t.GroupResource)
		case filter.None:
		}
	}
	before, err := s.Kube.Revision(ctx)
	if err != nil {
		return 0, err
	}
	counts, counted, err := s.countTypes(ctx, listed, f)
	if err != nil {
		return 0, err
	}
	after, err := s.Kube.Revision(ctx)
	if err != nil {
		return 0, err
	}
	doc.planRevision(before, after, counts, counted)
	var total int64
	for _, n := range counts {
		total += max(n.Count, 0)
	}
	doc.Reasons = append(doc.Reasons, f.CheckTypes(types)...)
	doc.Related = doc.Related || len(f.Selectors()) > 1 || f.Selectors()[0] != ""
	doc.Shards = plan.Export(counts, f, plan.ExportOptions{Parallelism: s.Config.Limits.ExportShards})
	return total, nil
}

const (
	// maxCountsAtOnce bounds how many types are counted at a time.
	maxCountsAtOnce = 16
	// minCountToSplit is the number of objects from which a type may be cut into shards by
	// namespace, so that it pays to know how they are spread.
	minCountToSplit = 5000
	// maxNamespacesToCount bounds what that costs: one small call a namespace.
	maxNamespacesToCount = 200
)

// countTypes counts the objects of types, in parallel, and returns the revisions that it saw.
func (s *Service) countTypes(ctx context.Context, types []kube.Resource, f *filter.Backup) (counts []plan.TypeCount, revisions []string, err error) {
	counts, revisions = make([]plan.TypeCount, len(types)), make([]string, len(types))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(maxCountsAtOnce)
	for i, r := range types {
		group.Go(func() (err error) {
			counts[i], revisions[i], err = s.countObjects(ctx, r, f)
			return err
		})
	}
	return counts, revisions, group.Wait()
}

// countObjects counts the objects of a type, -1 for an unknown number, and returns the
// revision at which there were as many. A type that cannot be counted is listed all the same,
// and fails there with its reason.
func (s *Service) countObjects(ctx context.Context, r kube.Resource, f *filter.Backup) (out plan.TypeCount, revision string, err error) {
	out = plan.TypeCount{Type: kube.FilterType(r), Count: -1}
	names, ns := f.Namespaces(), ""
	if r.Namespaced && !f.AllNamespaces() && len(names) == 1 {
		ns = names[0]
	}
	n, revision, err := s.Kube.Count(ctx, r, ns)
	if err != nil {
		return out, "", ctx.Err()
	}
	out.Count = n
	if !r.Namespaced || ns != "" || n < minCountToSplit || len(names) > maxNamespacesToCount {
		return out, revision, nil
	}
	out.PerNamespace = map[string]int64{}
	for _, ns := range names {
		if out.PerNamespace[ns], _, err = s.Kube.Count(ctx, r, ns); err != nil {
			out.PerNamespace = nil
			return out, revision, ctx.Err()
		}
	}
	return out, revision, nil
}

// locationError says which location an error is about.
func locationError(bsl *velerov1.BackupStorageLocation, err error) error {
	return fmt.Errorf("storage location %s (bucket %s): %w", bsl.Name, bsl.Spec.ObjectStorage.Bucket, err)
}
