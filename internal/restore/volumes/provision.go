package volumes

import (
	"context"
	"errors"
	"time"

	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/heartbeat"
	"github.com/lifeboat-backup/lifeboat/internal/poll"
	"github.com/lifeboat-backup/lifeboat/internal/report"
	"github.com/lifeboat-backup/lifeboat/internal/repository"
	"github.com/lifeboat-backup/lifeboat/internal/restore"
	"github.com/lifeboat-backup/lifeboat/internal/store"
	"github.com/lifeboat-backup/lifeboat/internal/volume"
)

// Probe has drivers look for the snapshots of which Plan could not tell. A snapshot that is
// missing is an error. It may repeat.
func Probe(ctx context.Context, r *restore.Service, s *restore.Run, plan *restore.Volumes) ([]report.Reason, error) {
	if s.Restore.DryRun {
		return nil, nil
	}
	var all volume.Findings
	err := r.EachRestorer(s.ForDrivers(), plan, func(d volume.Restorer, volumes []*volume.Restore) error {
		found, err := d.Probe(ctx, volumes)
		all.Add(found)
		return err
	})
	if err != nil {
		return nil, err
	}
	return all.Reasons, refusalError("backup "+s.Archive.Backup, all.Refusals)
}

// recordAfterCancel is how long the disks of a cancelled restore may take to be recorded:
// what was made is to be found and deleted.
const recordAfterCancel = 15 * time.Second

// Make makes the disks of volumes, or looks how far they are. It may be called any number
// of times: drivers find what was made.
func Make(ctx context.Context, r *restore.Service, p *heartbeat.Recorder, in contract.RestoreVolumesInput) (contract.DiskStatus, error) {
	s, err := r.Planned(ctx, in.Ref)
	if err != nil {
		return contract.DiskStatus{}, err
	}
	if err := s.ReadDisks(ctx); err != nil {
		return contract.DiskStatus{}, err
	}
	made := volume.NewLedger(s.Disks, func() { p.Count(1, 0) })
	err = r.EachRestorer(s.ForDrivers(), s.Plan.Volumes, func(d volume.Restorer, all []*volume.Restore) error {
		return d.Provision(ctx, all, made)
	})
	longer, cancel := poll.Outlive(ctx, recordAfterCancel)
	defer cancel()
	return countDisks(made.Disks()), errors.Join(err, s.Stage.PutLatest(longer, repository.DisksFile, made.Disks()))
}

func countDisks(disks map[string]volume.Disk) contract.DiskStatus {
	var st contract.DiskStatus
	for _, d := range disks {
		switch {
		case d.Failed != "":
			st.Failed++
		case d.Ready:
			st.Ready++
		default:
			st.Pending++
		}
	}
	return st
}

// Sweep deletes what a restore made and nobody uses. A restore that ended well leaves
// nothing, unless an object was refused. It may repeat.
func Sweep(ctx context.Context, r *restore.Service, stage repository.Staging, ref contract.RestoreRef) error {
	var doc restore.Plan
	err := stage.Get(ctx, repository.PlanFile, &doc)
	if errors.Is(err, store.ErrNotFound) {
		return nil // it was not planned, or an attempt before this one was here
	}
	if err != nil {
		return err
	}
	made := map[string]volume.Disk{}
	if err := stage.GetLatest(ctx, repository.DisksFile, &made); err != nil && !errors.Is(err, store.ErrNotFound) {
		return err
	}
	var errs []error
	err = r.EachRestorer(volume.RestoreRun{UID: ref.UID, Name: ref.Name}, doc.Volumes, func(d volume.Restorer, all []*volume.Restore) error {
		errs = append(errs, d.Sweep(ctx, all, made))
		return nil
	})
	return errors.Join(append(errs, err)...)
}
