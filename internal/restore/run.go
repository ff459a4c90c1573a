package restore

import (
	"context"
	"fmt"
	"time"

	"github.com/lifeboat-backup/lifeboat/internal/archive"
	"github.com/lifeboat-backup/lifeboat/internal/config"
	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/filter"
	"github.com/lifeboat-backup/lifeboat/internal/kube"
	"github.com/lifeboat-backup/lifeboat/internal/plan"
	"github.com/lifeboat-backup/lifeboat/internal/report"
	"github.com/lifeboat-backup/lifeboat/internal/repository"
	"github.com/lifeboat-backup/lifeboat/internal/resource"
	"github.com/lifeboat-backup/lifeboat/internal/store"
	"github.com/lifeboat-backup/lifeboat/internal/volume/location"
)

// Service holds what the steps of a restore depend on.
type Service struct {
	Config    *config.Config
	Kube      *kube.Client
	Locations *repository.Locations
	Snapshots *location.Set
	Rules     *resource.Registry

	opened repository.Archives
}

// openDoc is what OpenArchive found.
type openDoc struct {
	Restore contract.RestoreInput  `json:"restore"` // with defaults filled in
	UID     string                 `json:"uid"`
	Run     contract.Run           `json:"run"`
	Archive contract.OpenedArchive `json:"archive"`
	// Source is the location of the backup; staging and results lie in that of
	// the Archive's Ref, which is another where Source is ReadOnly.
	Source  string          `json:"source"`
	Reasons []report.Reason `json:"reasons,omitempty"`
	// Changes are what every activity makes of objects, whatever has become of the
	// ConfigMaps meanwhile.
	Changes Changes `json:"changes,omitzero"`
}

// Plan is what PlanRestore decided; ApplyTask works through it.
type Plan struct {
	Filter  *filter.Restore  `json:"filter"`
	Plan    plan.RestorePlan `json:"plan"`
	Volumes *Volumes         `json:"volumes,omitempty"` // nil: no object has to do with any
	Related []resource.Ref   `json:"related,omitempty"` // restored because selected objects need them, volumes aside
	Reasons []report.Reason  `json:"reasons,omitempty"`
}

// Run is a restore in progress: its store, staging, archive and plan.
type Run struct {
	openDoc
	St    store.Store
	Stage repository.Staging
	Arc   *archive.Archive
	Plan  Plan
	Index *volumeIndex        // of the plan's volumes
	Disks map[string]Disk     // by PV; see ReadDisks
	Ends  map[string]ClaimEnd // of awaited claims; see readClaims

	Actions map[string]report.Action // of claims and volumes; see NoteAction

	Brought map[resource.Ref]bool // the plan's Related
}

// OpenRun reads what earlier activities left in staging, except for the plan.
func (r *Service) OpenRun(ctx context.Context, ref contract.RestoreRef) (*Run, error) {
	_, st, err := r.Locations.Get(ctx, ref.Location)
	if err != nil {
		return nil, err
	}
	s := &Run{St: st, Stage: repository.NewStaging(st, ref.UID), Index: new(Volumes).Index()}
	if err := s.Stage.Get(ctx, repository.OpenedBackupFile, &s.openDoc); err != nil {
		return nil, fmt.Errorf("open restore %s: %w", ref.Name, err)
	}
	_, src, err := r.Locations.Get(ctx, s.Source)
	if err != nil {
		return nil, err
	}
	s.Arc, err = r.opened.Get(ref.UID, func() (*archive.Archive, error) {
		return openArchive(ctx, src, s.Stage, s.Archive)
	})
	return s, err
}

// Planned is open with the plan.
func (r *Service) Planned(ctx context.Context, ref contract.RestoreRef) (*Run, error) {
	s, err := r.OpenRun(ctx, ref)
	if err != nil {
		return nil, err
	}
	err = s.Stage.Get(ctx, repository.PlanFile, &s.Plan)
	s.Index, s.Brought = s.Plan.Volumes.Index(), s.Plan.Brought()
	return s, err
}

func openArchive(ctx context.Context, src store.Store, stage repository.Staging, a contract.OpenedArchive) (*archive.Archive, error) {
	if !a.Foreign {
		return archive.Open(ctx, repository.NewSource(src), archive.Layout{Backup: a.Backup})
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

// Started is when the restore began, as the API server's clock may see it: objects
// that carry our label and are older were made by an earlier restore of this name.
func (s *Run) Started() time.Time { return s.Run.Started.Add(-time.Minute) }

// Outage is why the server cannot answer, where that is what err is about; nil where
// it refused. What it said about the object is not repeated: it may quote the object,
// and this error gets into the history.
func (r *Service) Outage(ctx context.Context, err error) error {
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return ctx.Err()
	case kube.IsUnauthorized(err):
		return err
	case kube.IsUnavailable(err):
		return r.Kube.Ping(ctx)
	}
	return nil
}
