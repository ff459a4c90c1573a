package restore

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/lifeboat-backup/lifeboat/internal/archive"
	"github.com/lifeboat-backup/lifeboat/internal/archive/layout"
	"github.com/lifeboat-backup/lifeboat/internal/binding"
	"github.com/lifeboat-backup/lifeboat/internal/config"
	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/filter"
	"github.com/lifeboat-backup/lifeboat/internal/kube"
	"github.com/lifeboat-backup/lifeboat/internal/plan"
	"github.com/lifeboat-backup/lifeboat/internal/report"
	"github.com/lifeboat-backup/lifeboat/internal/repository"
	"github.com/lifeboat-backup/lifeboat/internal/resource"
	"github.com/lifeboat-backup/lifeboat/internal/store"
	"github.com/lifeboat-backup/lifeboat/internal/volume"
)

// Service holds what the steps of a restore depend on.
type Service struct {
	Config    *config.Config
	Kube      *kube.Client
	Locations *repository.Locations
	Rules     *resource.Registry

	Technologies volume.Technologies // by which the data of volumes comes back

	opened repository.Archives
	memory memory
}

// openDoc is the document in staging of what OpenArchive found.
type openDoc struct {
	Restore contract.RestoreInput  `json:"restore"` // with defaults filled in
	UID     string                 `json:"uid"`
	Run     contract.Run           `json:"run"`
	Archive contract.OpenedArchive `json:"archive"`
	// Source is the location of the backup. Staging and results lie in the location of the
	// Archive's Ref, which is another one where Source is read-only.
	Source string `json:"source"`
	// SourcePlace is the digest of where Source is.
	SourcePlace string `json:"sourcePlace,omitempty"`
	// Damaged are the members of the archive that are left out of a restore that may be of a
	// corrupt backup. They are kept here so that every activity leaves out the same ones.
	Damaged []int           `json:"damaged,omitempty"`
	Reasons []report.Reason `json:"reasons,omitempty"`
	// Changes are kept here so that every activity makes the same ones, whatever has become
	// of their ConfigMaps meanwhile.
	Changes Changes `json:"changes,omitzero"`
}

// Plan is what PlanRestore decided; ApplyTask works through it.
type Plan struct {
	Filter  *filter.Restore  `json:"filter"`
	Plan    plan.RestorePlan `json:"plan"`
	Volumes *Volumes         `json:"volumes,omitempty"` // nil if no object has to do with any
	Related []resource.Ref   `json:"related,omitempty"` // restored because selected objects need them, volumes aside
	Reasons []report.Reason  `json:"reasons,omitempty"`
}

// Summary counts what the workflow is told of a plan.
func (d *Plan) Summary(s *Run) contract.RestorePlan {
	n := report.Tally(append(slices.Clone(s.Reasons), d.Reasons...))
	out := contract.RestorePlan{Ref: s.Archive.Ref, Objects: int64(d.Plan.Objects), Warnings: n.Warnings, Errors: n.Errors}
	out.Volumes = d.Volumes.Count((*volume.Restore).HasData)
	out.Disks = d.Volumes.Count((*volume.Restore).NeedsDisk)
	out.Claims = d.Volumes.Count((*volume.Restore).Awaited)
	for _, l := range d.Plan.Levels {
		out.Levels = append(out.Levels, contract.LevelPlan{
			Name: l.Name, Tasks: len(l.Tasks), Objects: int64(l.Objects), CRDs: l.Level == plan.Definitions, LinkOwners: l.Level == plan.Admission,
		})
	}
	return out
}

// RefOf turns the key of an object in the archive into a reference of the rules.
func RefOf(k archive.Key) resource.Ref {
	return resource.Ref{Resource: k.Resource, Namespace: k.Namespace, Name: k.Name}
}

// DependencySet returns the objects that are restored because selected ones need them,
// volumes aside.
func (d *Plan) DependencySet() map[resource.Ref]bool {
	out := make(map[resource.Ref]bool, len(d.Related))
	for _, ref := range d.Related {
		out[ref] = true
	}
	return out
}

// Run is a restore in progress: its store, staging, archive and plan.
type Run struct {
	openDoc
	St    store.Store
	Stage repository.Staging
	Arc   *archive.Archive
	Plan  Plan
	Index *volumeIndex           // of the plan's volumes
	Disks map[string]volume.Disk // by PV; see ReadDisks
	Ends  map[string]ClaimEnd    // of awaited claims; see readClaims

	Actions map[string]report.Action // of claims and volumes; see NoteAction

	Dependencies map[resource.Ref]bool // the plan's Related

	WaitsFor func(what string) // says what the activity waits for; nil where nobody listens
}

// TellWait says what the activity waits for, "" for nothing.
func (s *Run) TellWait(what string) {
	if s.WaitsFor != nil {
		s.WaitsFor(what)
	}
}

// OpenRun reads what earlier activities left in staging, except for the plan, for an
// activity that asks or changes the cluster: it fails with failure.WrongWorker in another.
func (r *Service) OpenRun(ctx context.Context, ref contract.RestoreRef) (*Run, error) {
	s, err := r.openStaged(ctx, ref)
	if err != nil {
		return nil, err
	}
	return s, binding.CheckCluster(ctx, r.Kube, s.Archive.Ref.Binding)
}

// openStaged is OpenRun for an activity that has to do with the bucket alone.
func (r *Service) openStaged(ctx context.Context, ref contract.RestoreRef) (*Run, error) {
	st, err := r.workIn(ctx, ref)
	if err != nil {
		return nil, err
	}
	s := &Run{St: st, Stage: repository.NewStaging(st, ref.UID), Index: new(Volumes).Index()}
	if err := s.Stage.Get(ctx, repository.OpenedBackupFile, &s.openDoc); err != nil {
		return nil, fmt.Errorf("open restore %s: %w", ref.Name, err)
	}
	if err := r.Locations.CheckPlace(s.Source, s.SourcePlace); err != nil {
		return nil, err
	}
	_, src, err := r.Locations.Get(ctx, s.Source)
	if err != nil {
		return nil, err
	}
	s.Arc, err = r.opened.Get(ref.UID, func() (*archive.Archive, error) {
		arc, err := openArchive(ctx, src, s.Stage, s.Archive)
		if err == nil {
			arc.LeaveOut(s.Damaged)
		}
		return arc, err
	})
	return s, err
}

// IsGone says that a restore has left nothing in staging: it was never opened, or has been
// cleared.
func IsGone(err error) bool { return errors.Is(err, store.ErrNotFound) }

// Planned reads what OpenRun does, and the plan.
func (r *Service) Planned(ctx context.Context, ref contract.RestoreRef) (*Run, error) {
	s, err := r.OpenRun(ctx, ref)
	if err != nil {
		return nil, err
	}
	return s, s.readPlan(ctx)
}

func (s *Run) readPlan(ctx context.Context) error {
	err := s.Stage.Get(ctx, repository.PlanFile, &s.Plan)
	s.Index, s.Dependencies = s.Plan.Volumes.Index(), s.Plan.DependencySet()
	return err
}

// readProbed adds the reasons of the drivers that looked for snapshots to those of the plan.
func (s *Run) readProbed(ctx context.Context) error {
	var reasons []report.Reason
	err := s.Stage.Get(ctx, repository.ProbedFile, &reasons)
	if errors.Is(err, store.ErrNotFound) {
		return nil
	}
	s.Plan.Reasons = append(s.Plan.Reasons, reasons...)
	return err
}

// openArchive opens Lifeboat's archive of the backup, or the one in staging that was made of
// Velero's tarball.
func openArchive(ctx context.Context, src store.Store, stage repository.Staging, a contract.OpenedArchive) (*archive.Archive, error) {
	if !a.Foreign {
		return archive.Open(ctx, repository.NewSource(src), layout.Backup{Name: a.Backup})
	}
	data, err := repository.GetBytes(ctx, stage.Store, stage.Key(repository.RecutChunksFile))
	if err != nil {
		return nil, err
	}
	refs, err := archive.DecodeChunkRefs(repository.RecutChunksFile, data)
	if err != nil {
		return nil, err
	}
	return archive.OpenStaged(repository.NewSource(stage.Store), refs)
}

// Started is when the restore began, less a minute by which the clock of the API server may
// be behind. Objects that carry the label of this restore and are older were made by an
// earlier restore of this name.
func (s *Run) Started() time.Time { return s.Run.Started.Add(-time.Minute) }

// Outage returns why the API server cannot answer, if that is what err is about, and nil if it
// refused. Its words about the object are not repeated, because they may quote the object
// and this error gets into the workflow's history.
func (r *Service) Outage(ctx context.Context, err error) error {
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return ctx.Err()
	case kube.IsUnauthorized(err):
		return err
	case apierrors.IsTooManyRequests(err):
		return errors.New("the API server sheds load (429)") // whatever the object
	case kube.IsUnavailable(err):
		return r.Kube.Ping(ctx)
	}
	return nil
}
