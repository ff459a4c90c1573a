package native

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/lifeboat-backup/lifeboat/internal/aws/ebs"
	"github.com/lifeboat-backup/lifeboat/internal/parallel"
	"github.com/lifeboat-backup/lifeboat/internal/poll"
	"github.com/lifeboat-backup/lifeboat/internal/volume"
)

const (
	// diskWindow is how many volumes are asked for at a time.
	diskWindow = 16
	// createAfterCancel is how long a call that makes a volume goes on when the restore is
	// cancelled: it may make one all the same, which is to be known then.
	createAfterCancel = 15 * time.Second
)

// provisioner is one call of Provision.
type provisioner struct {
	*Restorer
	made *volume.Ledger

	mu    sync.Mutex
	again error // of a volume that EC2 may make at another try
}

// Provision makes the EBS volumes of snapshots, or looks how far they are. Volumes are
// found again by their tags and by the client token that EC2 knows a request by. The
// error of one that is to be asked for again is for the caller's retry.
func (r *Restorer) Provision(ctx context.Context, all []*volume.Restore, made *volume.Ledger) error {
	p := &provisioner{Restorer: r, made: made}
	err := p.createVolumes(ctx, all)
	if err == nil {
		err = p.lookAtPending(ctx, all)
	}
	return errors.Join(err, p.again)
}

// createVolumes asks for the volumes that EC2 has not agreed to make yet. One that it
// fails to make does not keep the others from being asked for.
func (p *provisioner) createVolumes(ctx context.Context, all []*volume.Restore) error {
	return parallel.ForEach(ctx, diskWindow, all, func(ctx context.Context, v *volume.Restore) error {
		before := p.made.Disk(v.PV)
		if before.IsSettled() {
			return nil
		}
		d, err := p.createVolume(ctx, v, before)
		if err != nil {
			return fmt.Errorf("make the volume of %s: %w", v.PV, err)
		}
		p.made.Record(v.PV, d)
		return nil
	})
}

// createVolume makes one volume. What EC2 will never do is recorded, and so is how often
// it has failed; that the volume is to be asked for again is left in p.again. The error is
// what concerns all volumes.
func (p *provisioner) createVolume(ctx context.Context, v *volume.Restore, before volume.Disk) (volume.Disk, error) {
	_, loc, err := p.Locations.Get(ctx, v.Disk.Location)
	if err != nil {
		return before, err
	}
	longer, cancel := poll.Outlive(ctx, createAfterCancel)
	defer cancel()
	made, err := loc.CreateVolume(longer, p.requestOf(v))
	switch {
	case err == nil:
		d := diskOf(made, v.Disk.Zone)
		d.Asked = time.Now()
		return d, nil
	case ctx.Err() != nil || concernsAll(err):
		return before, err
	}
	next := afterRefusal(before, v, err)
	if !next.IsSettled() {
		p.tryAgain(fmt.Errorf("make the volume of %s, try %d: %w", v.PV, next.Tries, err))
	}
	return next, nil
}

func (p *provisioner) requestOf(v *volume.Restore) ebs.VolumeRequest {
	return ebs.VolumeRequest{
		RestoreUID: p.Run.UID, PV: v.PV, Snapshot: ebs.Snapshot(v.Disk.Snapshot), Zone: v.Disk.Zone,
		Type: v.Disk.Type, IOPS: v.Disk.IOPS, Throughput: v.Disk.Throughput, InitializationRate: v.Disk.InitializationRate, MultiAttach: v.Disk.MultiAttach, AutoMode: v.Disk.Driver == volume.DriverEBSAuto, SizeGiB: roundUpToGiB(v.Capacity),
		Tags: p.tags(),
	}
}

// tags say whose the volumes are. Those of a restore that an older worker began know no place.
func (p *provisioner) tags() map[string]string {
	tags := map[string]string{ebs.TagCluster: p.Run.Cluster}
	if p.Run.Place != "" {
		tags[ebs.TagPlace] = p.Run.Place
	}
	return tags
}

func (p *provisioner) tryAgain(err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.again = cmp.Or(p.again, err)
}

// roundUpToGiB turns bytes into GiB, in which EBS counts.
func roundUpToGiB(bytes int64) int32 { return int32((bytes + 1<<30 - 1) >> 30) }

// lookAtPending asks how far volumes are that were not ready when they were last seen.
// None is waited for without end, see afterLook.
func (p *provisioner) lookAtPending(ctx context.Context, all []*volume.Restore) error {
	pending := map[string][]*volume.Restore{}
	for _, v := range all {
		if p.made.Disk(v.PV).IsPending() {
			pending[v.Disk.Location] = append(pending[v.Disk.Location], v)
		}
	}
	for location, volumes := range pending {
		if err := p.lookAtLocation(ctx, location, volumes); err != nil {
			return err
		}
	}
	return nil
}

func (p *provisioner) lookAtLocation(ctx context.Context, location string, pending []*volume.Restore) error {
	_, loc, err := p.Locations.Get(ctx, location)
	if err != nil {
		return err
	}
	ids := make([]string, 0, len(pending))
	for _, v := range pending {
		ids = append(ids, p.made.Disk(v.PV).ID)
	}
	found, err := loc.Volumes(ctx, ids)
	if err != nil {
		return fmt.Errorf("look at volumes: %w", err)
	}
	for _, v := range pending {
		d := p.made.Disk(v.PV)
		seen, shown := found[d.ID]
		p.made.Record(v.PV, afterLook(d, seen, shown, v, p.Run.OperationTimeout, time.Now()))
	}
	return nil
}

// Probe has nothing to do: Check has asked EC2 for every snapshot.
func (r *Restorer) Probe(context.Context, []*volume.Restore) (volume.Findings, error) {
	return volume.Findings{}, nil
}

// ClaimObjects are none: claims are bound to the volumes that Provision has made.
func (r *Restorer) ClaimObjects(*volume.Restore) ([]volume.Object, error) { return nil, nil }

// Diagnose has nothing to say: the volume is there before its claim is.
func (r *Restorer) Diagnose(context.Context, *volume.Restore, time.Duration) (volume.Diagnosis, error) {
	return volume.Diagnosis{}, nil
}
