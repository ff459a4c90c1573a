package catalog

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/lifeboat-backup/lifeboat/internal/archive/layout"
	"github.com/lifeboat-backup/lifeboat/internal/aws/ebs"
	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/parallel"
	"github.com/lifeboat-backup/lifeboat/internal/store"
	"github.com/lifeboat-backup/lifeboat/internal/volume"
	"github.com/lifeboat-backup/lifeboat/internal/volume/location"
)

const (
	// measureTimeout bounds the lists of blocks: the read itself ends after one minute. What
	// is not measured by then is named.
	measureTimeout = 45 * time.Second
	// measuredAtOnce stays below the 50 requests a second that an account has of the EBS
	// direct APIs, at some 100 ms each.
	measuredAtOnce = 4
	// unmeasuredInAnswer bounds the reasons in an answer.
	unmeasuredInAnswer = 50
)

// backupCost measures the files of a backup and, by lists of blocks, its EBS snapshots. No
// data is read.
func (c *Reader) backupCost(ctx context.Context, in contract.ReadInput) (contract.ReadResult, error) {
	found, unread, err := c.findBackup(ctx, in)
	if err != nil {
		return contract.ReadResult{}, err
	}
	cost := &contract.BackupCost{Name: in.Name, Location: found.Location.Name}
	if err := found.Store.List(ctx, layout.BackupDir(in.Name), func(i store.Info) error { cost.ObjectBytes += i.Size; return nil }); err != nil {
		return contract.ReadResult{}, err
	}
	files := layout.Backup{Name: in.Name}
	manifest, err := fillDetails(ctx, found.Store, files, &contract.Details{})
	if err != nil {
		return contract.ReadResult{}, err
	}
	volumes, err := allVolumes(ctx, found.Store, manifest, files)
	if err != nil {
		return contract.ReadResult{}, err
	}
	limited, cancel := context.WithTimeout(ctx, measureTimeout)
	defer cancel()
	m := measurement{cost: cost}
	c.measure(limited, &m, ebsSnapshots(volumes))
	return contract.ReadResult{Cost: cost, Unread: unread}, ctx.Err()
}

// ebsSnapshots are the snapshots of EBS that a backup names. Data that Velero moved elsewhere
// has none.
func ebsSnapshots(volumes []contract.VolumeSummary) (ids []string) {
	for _, v := range volumes {
		isEBS := v.Method == string(volume.VeleroNative) || volume.IsEBSDriver(v.Driver)
		if isEBS && !v.Moved && strings.HasPrefix(v.Snapshot, "snap-") && !slices.Contains(ids, v.Snapshot) {
			ids = append(ids, v.Snapshot)
		}
	}
	return ids
}

// measurement collects what several goroutines measure.
type measurement struct {
	mu   sync.Mutex
	cost *contract.BackupCost
}

func (m *measurement) add(id string, bytes int64, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	switch {
	case err == nil:
		m.cost.Snapshots++
		m.cost.SnapshotBytes += bytes
	case len(m.cost.Unmeasured) < unmeasuredInAnswer:
		m.cost.Unmeasured = append(m.cost.Unmeasured, fmt.Sprintf("%s: %v", id, err))
	default:
		m.cost.MoreUnmeasured++
	}
}

// measure looks for the snapshots in each account and Region of the configuration: a backup
// does not say where those of a CSI driver lie.
func (c *Reader) measure(ctx context.Context, m *measurement, ids []string) {
	reason := fmt.Errorf("it exists in no volume snapshot location of the worker's configuration")
	for i := range c.Config.VolumeSnapshotLocations {
		if len(ids) == 0 {
			return
		}
		name := c.Config.VolumeSnapshotLocations[i].Name
		left, err := c.measureIn(ctx, m, name, ids)
		if err != nil {
			reason = fmt.Errorf("volume snapshot location %s: %w", name, err)
			continue
		}
		ids = left
	}
	for _, id := range ids {
		m.add(id, 0, reason)
	}
}

// measureIn measures the snapshots that lie in a location, and gives the others.
func (c *Reader) measureIn(ctx context.Context, m *measurement, name string, ids []string) (left []string, err error) {
	_, loc, err := c.Snapshots.Get(ctx, name)
	if err != nil {
		return nil, err
	}
	here, err := loc.OwnSnapshots(ctx, ids)
	if err != nil {
		return nil, err
	}
	var volumes []string
	for _, id := range ids {
		if s, ok := here[id]; !ok {
			left = append(left, id)
		} else if !slices.Contains(volumes, s.VolumeID) {
			volumes = append(volumes, s.VolumeID)
		}
	}
	chains, err := loc.OwnSnapshotsOf(ctx, volumes)
	if err != nil {
		return nil, err
	}
	return left, parallel.ForEach(ctx, measuredAtOnce, ids, func(ctx context.Context, id string) error {
		if s, ok := here[id]; ok {
			bytes, err := addedBytes(ctx, loc, chains, s)
			m.add(id, bytes, err)
		}
		return nil
	})
}

// addedBytes are the blocks that a snapshot adds to the one before it in the chain of its
// volume: what EBS stores, and charges, for it. The first has all of its blocks. One of a
// volume that was restored from a snapshot counts as the first of a chain, and so does a copy, though
// EBS may share blocks there.
func addedBytes(ctx context.Context, loc *ebs.Location, chains []ebs.Snapshot, s ebs.Snapshot) (int64, error) {
	if before := snapshotBefore(chains, s); before != "" && s.VolumeID != location.CopiedVolume {
		return loc.ChangedBytes(ctx, before, s.ID)
	}
	return loc.BlockBytes(ctx, s.ID)
}

// snapshotBefore is the last complete snapshot of the volume before s. all are the oldest first.
func snapshotBefore(all []ebs.Snapshot, s ebs.Snapshot) (id string) {
	for _, other := range all {
		if other.ID == s.ID {
			return id
		}
		if other.VolumeID == s.VolumeID && other.State == ebs.SnapshotCompleted && !other.Archived {
			id = other.ID
		}
	}
	return ""
}
