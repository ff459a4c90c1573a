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
	"github.com/lifeboat-backup/lifeboat/internal/volume"
	"github.com/lifeboat-backup/lifeboat/internal/volume/location"
)

// Backup holds what the activities of Backup depend on.
type Backup struct {
	Config    *config.Config
	Kube      *kube.Client
	Locations *repository.Locations
	Snapshots *location.Set
	Rules     *resource.Registry
	Runs      Runs

	rooms csiRooms // shared by all that this worker does
}

// Runs tells whether the run that holds a claim is still alive.
type Runs interface {
	// Closed is true only if the run is known and has ended. A run of another
	// Temporal is unknown, hence not closed.
	Closed(ctx context.Context, workflowID, runID string) (bool, error)
}

// backupPlan is everything that later activities need to know of a backup; it is
// written to staging once, by Prepare.
type backupPlan struct {
	Backup      contract.BackupInput `json:"backup"` // with defaults filled in
	UID         string               `json:"uid"`
	Run         contract.Run         `json:"run"`
	Started     time.Time            `json:"started"`
	Planned     time.Time            `json:"planned"`
	Expires     time.Time            `json:"expires"`
	Kubernetes  kube.ServerVersion   `json:"kubernetes"`
	Resources   []kube.Resource      `json:"resources"`
	Filter      *filter.Backup       `json:"filter"`
	Shards      []plan.Shard         `json:"shards"`
	Related     bool                 `json:"related"`
	Conditional bool                 `json:"conditional"` // the store honours If-None-Match
	Reasons     []report.Reason      `json:"reasons"`
	Volumes     volumePlan           `json:"volumes,omitzero"`

	policies *volume.Policies // while it is planned
}

// resource finds the discovered type of a group-resource.
func (p *backupPlan) resource(groupResource string) (kube.Resource, bool) {
	return kube.Catalog{Resources: p.Resources}.Find(groupResource)
}

// opened is a backup in progress: its store, staging and plan.
type opened struct {
	st     store.Store
	stage  repository.Staging
	plan   backupPlan
	layout archive.Layout
}

func (b *Backup) open(ctx context.Context, ref contract.BackupRef) (*opened, error) {
	_, st, err := b.Locations.Writable(ctx, ref.Location)
	if err != nil {
		return nil, err
	}
	o := &opened{st: st, stage: repository.NewStaging(st, ref.UID), layout: archive.Layout{Backup: ref.Name}}
	if err := o.stage.Get(ctx, repository.PlanFile, &o.plan); err != nil {
		return nil, fmt.Errorf("open backup %s: %w", ref.Name, err)
	}
	return o, nil
}
