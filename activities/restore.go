package activities

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

// Restore holds what the activities of Restore depend on.
type Restore struct {
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
	Changes changes `json:"changes,omitzero"`
}

// restorePlan is what PlanRestore decided; ApplyTask works through it.
type restorePlan struct {
	Filter  *filter.Restore  `json:"filter"`
	Plan    plan.RestorePlan `json:"plan"`
	Volumes *restoreVolumes  `json:"volumes,omitempty"` // nil: no object has to do with any
	Related []resource.Ref   `json:"related,omitempty"` // restored because selected objects need them, volumes aside
	Reasons []report.Reason  `json:"reasons,omitempty"`
}

// session is a restore in progress: its store, staging, archive and plan.
type session struct {
	openDoc
	st    store.Store
	stage repository.Staging
	arc   *archive.Archive
	plan  restorePlan
	index *volumeIndex        // of the plan's volumes
	disks map[string]disk     // by PV; see readDisks
	ends  map[string]claimEnd // of awaited claims; see readClaims

	actions map[string]report.Action // of claims and volumes; see noteAction

	brought map[resource.Ref]bool // the plan's Related
}

// open reads what earlier activities left in staging, except for the plan.
func (r *Restore) open(ctx context.Context, ref contract.RestoreRef) (*session, error) {
	_, st, err := r.Locations.Get(ctx, ref.Location)
	if err != nil {
		return nil, err
	}
	s := &session{st: st, stage: repository.NewStaging(st, ref.UID), index: new(restoreVolumes).index()}
	if err := s.stage.Get(ctx, repository.OpenedBackupFile, &s.openDoc); err != nil {
		return nil, fmt.Errorf("open restore %s: %w", ref.Name, err)
	}
	_, src, err := r.Locations.Get(ctx, s.Source)
	if err != nil {
		return nil, err
	}
	s.arc, err = r.opened.Get(ref.UID, func() (*archive.Archive, error) {
		return openArchive(ctx, src, s.stage, s.Archive)
	})
	return s, err
}

// planned is open with the plan.
func (r *Restore) planned(ctx context.Context, ref contract.RestoreRef) (*session, error) {
	s, err := r.open(ctx, ref)
	if err != nil {
		return nil, err
	}
	err = s.stage.Get(ctx, repository.PlanFile, &s.plan)
	s.index, s.brought = s.plan.Volumes.index(), s.plan.brought()
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

// started is when the restore began, as the API server's clock may see it: objects
// that carry our label and are older were made by an earlier restore of this name.
func (s *session) started() time.Time { return s.Run.Started.Add(-time.Minute) }
