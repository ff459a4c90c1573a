package activities

import (
	"context"
	"fmt"
	"time"

	velerov1 "github.com/vmware-tanzu/velero/pkg/apis/velero/v1"

	"github.com/lifeboat-backup/lifeboat/internal/archive"
	"github.com/lifeboat-backup/lifeboat/internal/config"
	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/filter"
	"github.com/lifeboat-backup/lifeboat/internal/kube"
	"github.com/lifeboat-backup/lifeboat/internal/plan"
	"github.com/lifeboat-backup/lifeboat/internal/report"
	"github.com/lifeboat-backup/lifeboat/internal/resource"
	"github.com/lifeboat-backup/lifeboat/internal/store"
	"github.com/lifeboat-backup/lifeboat/internal/volume"
)

// Backup holds what the activities of Backup and DeleteBackup depend on.
type Backup struct {
	Config    *config.Config
	Kube      *kube.Client
	Locations *Locations
	Snapshots *SnapshotLocations
	Rules     *resource.Registry
	Runs      Runs

	quotas csiQuotas // shared by all that this worker does
}

// Runs tells whether the run that holds a claim is still alive.
type Runs interface {
	// Closed is true only if the run is known and has ended. A run of another
	// Temporal is unknown, hence not closed.
	Closed(ctx context.Context, workflowID, runID string) (bool, error)
}

// planFile is the name of the plan in staging.
const planFile = "plan.json"

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

// resolver lets filters resolve names by discovery.
func resolver(cat kube.Catalog) filter.Resolver {
	return func(name string) (filter.Type, bool) {
		r, ok := cat.Find(name)
		return filterType(r), ok
	}
}

func filterType(r kube.Resource) filter.Type {
	return filter.Type{
		GroupResource: r.GroupResource(), Group: r.Group, Version: r.Version,
		Kind: r.Kind, Namespaced: r.Namespaced,
	}
}

// opened is a backup in progress: its store, staging and plan.
type opened struct {
	st     store.Store
	stage  staging
	plan   backupPlan
	layout archive.Layout
}

func (b *Backup) open(ctx context.Context, ref contract.BackupRef) (*opened, error) {
	_, st, err := b.Locations.writable(ctx, ref.Location)
	if err != nil {
		return nil, err
	}
	o := &opened{st: st, stage: newStaging(st, ref.UID), layout: archive.Layout{Backup: ref.Name}}
	if err := o.stage.get(ctx, planFile, &o.plan); err != nil {
		return nil, fmt.Errorf("open backup %s: %w", ref.Name, err)
	}
	return o, nil
}

// scheduleLabel names the schedule that a backup was made by.
const scheduleLabel = velerov1.ScheduleNameLabel
