package volumes

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/lifeboat-backup/lifeboat/internal/aws/ebs"
	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/heartbeat"
	"github.com/lifeboat-backup/lifeboat/internal/repository"
	"github.com/lifeboat-backup/lifeboat/internal/restore"
)

// diskWindow is how many volumes are asked for at a time.
const diskWindow = 16

// Make makes the EBS volumes of native snapshots, or looks how far they are. It
// may be called any number of times: volumes are found again by their tags and by the
// client token that EC2 knows a request by.
func Make(ctx context.Context, r *restore.Service, p *heartbeat.Recorder, in contract.RestoreVolumesInput) (contract.DiskStatus, error) {
	s, err := r.Planned(ctx, in.Ref)
	if err != nil {
		return contract.DiskStatus{}, err
	}
	if err := s.ReadDisks(ctx); err != nil {
		return contract.DiskStatus{}, err
	}
	m := &diskMaker{r: r, s: s, recorder: p, disks: s.Disks}
	err = m.make(ctx)
	if err == nil {
		err = m.look(ctx)
	}
	// Also of a run that is cancelled: what was made is to be found and deleted.
	after, cancel := outlive(ctx, afterCancel)
	defer cancel()
	return m.status(), errors.Join(err, m.again, s.Stage.Put(after, repository.DisksFile, m.disks))
}

// afterCancel is how long a call goes on that would leave something behind if it were
// broken off.
const afterCancel = 15 * time.Second

// outlive is a context that ends some time after ctx does.
func outlive(ctx context.Context, by time.Duration) (context.Context, context.CancelFunc) {
	longer, cancel := context.WithCancel(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, func() { time.AfterFunc(by, cancel) })
	return longer, func() { stop(); cancel() }
}

// diskMaker makes the disks of one restore.
type diskMaker struct {
	r        *restore.Service
	s        *restore.Run
	recorder *heartbeat.Recorder
	mu       sync.Mutex
	disks    map[string]restore.Disk
	again    error // of a volume that EC2 may make at another try
}

// make asks for the volumes that EC2 has not agreed to make yet. One that it fails to
// make does not keep the others from being asked for.
func (m *diskMaker) make(ctx context.Context) error {
	group, gctx := errgroup.WithContext(ctx)
	group.SetLimit(diskWindow)
	for i := range m.s.Plan.Volumes.Volumes {
		v := &m.s.Plan.Volumes.Volumes[i]
		before := m.get(v.PV)
		if before.Settled() || !v.NeedsDisk() {
			continue
		}
		group.Go(func() error {
			if gctx.Err() != nil {
				return gctx.Err()
			}
			d, err := m.one(gctx, v, before)
			if err != nil {
				return fmt.Errorf("make the volume of %s: %w", v.PV, err)
			}
			m.set(v.PV, d)
			m.recorder.Count(1, 0)
			return nil
		})
	}
	return group.Wait()
}

// one makes one volume. What EC2 will never do is recorded, and so is how often it
// has failed; that the volume is to be asked for again is left in m.again, for the
// activity's retry. The error is what concerns all volumes.
func (m *diskMaker) one(ctx context.Context, v *restore.Volume, before restore.Disk) (restore.Disk, error) {
	_, loc, err := m.r.Snapshots.Get(ctx, v.Disk.Location)
	if err != nil {
		return before, err
	}
	// A call that is on its way when the run is cancelled makes a volume all the same:
	// it is waited for, so that the volume is known.
	calm, cancel := outlive(ctx, afterCancel)
	defer cancel()
	made, err := loc.CreateVolume(calm, ebs.VolumeRequest{
		RestoreUID: m.s.UID, PV: v.PV, Snapshot: v.Disk.Snapshot, Zone: v.Disk.Zone,
		Type: v.Disk.Type, IOPS: v.Disk.IOPS, Throughput: v.Disk.Throughput, SizeGiB: gib(v.Capacity),
		Tags: map[string]string{ebs.TagBackup: m.s.Archive.Backup, ebs.TagCluster: m.s.Run.Cluster},
	})
	switch {
	case err == nil:
		return restore.DiskOf(made, v.Disk.Zone).AskedAt(time.Now()), nil
	case ctx.Err() != nil || restore.OfAll(err):
		return before, err
	}
	next := before.Refused(v, err)
	if !next.Settled() {
		m.tryAgain(fmt.Errorf("make the volume of %s, try %d: %w", v.PV, next.Tries, err))
	}
	return next, nil
}

func (m *diskMaker) tryAgain(err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.again = cmp.Or(m.again, err)
}

// gib rounds bytes up, as EBS counts in GiB.
func gib(bytes int64) int32 { return int32((bytes + 1<<30 - 1) >> 30) }

// look asks how far volumes are that were not ready when they were last seen. None is
// waited for without end, see disk.after.
func (m *diskMaker) look(ctx context.Context) error {
	pending := map[string][]*restore.Volume{}
	for i := range m.s.Plan.Volumes.Volumes {
		v := &m.s.Plan.Volumes.Volumes[i]
		if d, ok := m.disks[v.PV]; ok && d.Pending() {
			pending[v.Disk.Location] = append(pending[v.Disk.Location], v)
		}
	}
	for location, volumes := range pending {
		_, loc, err := m.r.Snapshots.Get(ctx, location)
		if err != nil {
			return err
		}
		ids := make([]string, 0, len(volumes))
		for _, v := range volumes {
			ids = append(ids, m.disks[v.PV].ID)
		}
		found, err := loc.Volumes(ctx, ids)
		if err != nil {
			return fmt.Errorf("look at volumes: %w", err)
		}
		for _, v := range volumes {
			d := m.disks[v.PV]
			seen, shown := found[d.ID]
			m.disks[v.PV] = d.After(seen, shown, v, m.s.OperationLimit(), time.Now())
		}
	}
	return nil
}

func (m *diskMaker) get(pv string) restore.Disk {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.disks[pv]
}

func (m *diskMaker) set(pv string, d restore.Disk) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.disks[pv] = d
}

func (m *diskMaker) status() contract.DiskStatus {
	var st contract.DiskStatus
	for _, d := range m.disks {
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
