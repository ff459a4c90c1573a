package backup

import (
	"context"
	"fmt"
	"time"

	velerov1 "github.com/vmware-tanzu/velero/pkg/apis/velero/v1"

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
	"github.com/lifeboat-backup/lifeboat/internal/volume/location"
)

// Service holds what the activities of Backup and DeleteBackup depend on.
type Service struct {
	Config    *config.Config
	Kube      *kube.Client
	Locations *repository.Locations
	Snapshots *location.Set
	Rules     *resource.Registry
	Runs      Runs

	Technologies volume.Technologies
}

// Runs tells whether the run that holds a name lock is still alive.
type Runs interface {
	// Closed is true only if the run has ended: it is known to have, or no run is that old.
	// A run of another Temporal is unknown, hence not closed until then.
	Closed(ctx context.Context, run contract.Run) (bool, error)
}

// Plan is everything that later activities need to know of a backup; it is
// written to staging once, by Prepare.
type Plan struct {
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
	Conditional bool                 `json:"conditional"` // whether the store honours If-None-Match
	Reasons     []report.Reason      `json:"reasons"`
	Volumes     VolumePlan           `json:"volumes,omitzero"`
	Binding     contract.Binding     `json:"binding,omitzero"`
	Revision    string               `json:"revision,omitempty"` // the state that Exact lists show; see Run.Revision
	Plain       []string             `json:"plain,omitempty"`    // types that are not listed at the revision
	Tags        map[string]string    `json:"tags,omitempty"`     // of the storage location, for snapshots

	policies *volume.Policies // only while the backup is planned
}

// FindResource finds the discovered type of a group-resource.
func (p *Plan) FindResource(groupResource string) (kube.Resource, bool) {
	return kube.Catalog{Resources: p.Resources}.Find(groupResource)
}

// ForDrivers is the part of the plan that the drivers of volumes know.
func (p *Plan) ForDrivers() *volume.Backup {
	return &volume.Backup{
		UID: p.UID, Name: p.Backup.Name, Cluster: p.Run.Cluster, StorageLocation: p.Backup.Spec.StorageLocation,
		Place: p.Binding.Place, Labels: resource.MergeLabels(p.Tags, p.Backup.Labels), SnapshotTimeout: p.Backup.Spec.CSISnapshotTimeout.Duration,
		SnapshotLocation: p.Volumes.Location, Volumes: p.Volumes.Volumes,
	}
}

// Run is a backup in progress: its store, staging and plan.
type Run struct {
	Store   store.Store
	Staging repository.Staging
	Plan    Plan
	Layout  layout.Backup
}

// Open reads the plan of a backup that Prepare has written to staging, for an activity that
// asks or changes the cluster: it fails with failure.WrongWorker in another one.
func (s *Service) Open(ctx context.Context, ref contract.BackupRef) (*Run, error) {
	run, err := s.OpenStaged(ctx, ref)
	if err != nil {
		return nil, err
	}
	return run, binding.CheckCluster(ctx, s.Kube, run.Plan.Binding)
}

// OpenStaged is Open for an activity that has to do with the bucket alone.
func (s *Service) OpenStaged(ctx context.Context, ref contract.BackupRef) (*Run, error) {
	_, st, err := s.Writable(ctx, ref)
	if err != nil {
		return nil, err
	}
	run := &Run{Store: st, Staging: repository.NewStaging(st, ref.UID), Layout: layout.Backup{Name: ref.Name}}
	if err := run.Staging.Get(ctx, repository.PlanFile, &run.Plan); err != nil {
		return nil, fmt.Errorf("open backup %s: %w", ref.Name, err)
	}
	return run, nil
}

// Writable is the location of a run, which has to be where the run has its files.
func (s *Service) Writable(ctx context.Context, ref contract.BackupRef) (*velerov1.BackupStorageLocation, store.Store, error) {
	if err := s.Locations.CheckPlace(ref.Location, ref.Binding.Place); err != nil {
		return nil, nil, err
	}
	return s.Locations.Writable(ctx, ref.Location)
}
