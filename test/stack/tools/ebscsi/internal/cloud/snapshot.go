package cloud

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"
)

// SnapshotNameTag holds the name that the CSI sidecar chose: snapshots have no
// client token, so a repeated call finds its snapshot by this tag.
const SnapshotNameTag = "CSIVolumeSnapshotName"

// visibleAfter is how long EC2 may deny that a snapshot which it just made exists.
const visibleAfter = 30 * time.Second

// CreateSnapshot snapshots a volume, or finds the snapshot that an earlier call
// with this name made. It does not wait: a snapshot is pending for a while.
// ErrMismatch means that the name belongs to another volume's snapshot.
func (c *Client) CreateSnapshot(ctx context.Context, name, volumeID string, tags map[string]string) (types.Snapshot, error) {
	defer c.snapshots.locks.lock(name)()
	found, err := c.snapshotNamed(ctx, name)
	if err == nil {
		if from := aws.ToString(found.VolumeId); from != volumeID {
			return found, fmt.Errorf("create snapshot %s: %w: it is of volume %s", name, ErrMismatch, from)
		}
		return found, nil
	}
	if !errors.Is(err, ErrNotFound) {
		return types.Snapshot{}, fmt.Errorf("create snapshot %s: %w", name, err)
	}
	out, err := c.ec2.CreateSnapshot(ctx, &ec2.CreateSnapshotInput{
		VolumeId: aws.String(volumeID), Description: aws.String("Created by the stack's EBS CSI driver for volume " + volumeID),
		TagSpecifications: tagsFor(types.ResourceTypeSnapshot, tags),
	})
	if err != nil {
		return types.Snapshot{}, fmt.Errorf("create snapshot %s of %s: %w", name, volumeID, typed(err))
	}
	made := types.Snapshot{
		SnapshotId: out.SnapshotId, VolumeId: out.VolumeId, State: out.State,
		StartTime: out.StartTime, VolumeSize: out.VolumeSize, Progress: out.Progress,
	}
	c.snapshots.put(name, made)
	return made, nil
}

// snapshotNamed asks by id if this process made it: EC2 finds by a tag only some
// time after it was set, and by id soon after, but not at once.
func (c *Client) snapshotNamed(ctx context.Context, name string) (types.Snapshot, error) {
	made, known := c.snapshots.get(name)
	if !known {
		return c.byName.get(ctx, name)
	}
	snapshot, err := c.byID.get(ctx, aws.ToString(made.SnapshotId))
	if errors.Is(err, ErrNotFound) && time.Since(aws.ToTime(made.StartTime)) < visibleAfter {
		return made, nil
	}
	return snapshot, err
}

// Snapshot gives a snapshot as it is. It fails with what EC2 says of any snapshot that was
// asked for in the same round.
func (c *Client) Snapshot(ctx context.Context, id string) (types.Snapshot, error) {
	snapshot, err := c.listed.get(ctx, id)
	if err != nil {
		return snapshot, fmt.Errorf("describe snapshot: %w", err)
	}
	return snapshot, nil
}

// snapshotsListed names the snapshots by their ids, all of which EC2 wants to exist.
func (c *Client) snapshotsListed(ctx context.Context, ids []string) (map[string]types.Snapshot, error) {
	out, err := c.ec2.DescribeSnapshots(ctx, &ec2.DescribeSnapshotsInput{SnapshotIds: ids})
	if err != nil {
		return nil, err
	}
	found := map[string]types.Snapshot{}
	for _, s := range out.Snapshots {
		found[aws.ToString(s.SnapshotId)] = s
	}
	return found, nil
}

func (c *Client) snapshotsByID(ctx context.Context, ids []string) (map[string]types.Snapshot, error) {
	return c.findSnapshots(ctx, "snapshot-id", ids, func(s types.Snapshot) string { return aws.ToString(s.SnapshotId) })
}

func (c *Client) snapshotsByName(ctx context.Context, names []string) (map[string]types.Snapshot, error) {
	return c.findSnapshots(ctx, "tag:"+SnapshotNameTag, names, func(s types.Snapshot) string { return Tag(s.Tags, SnapshotNameTag) })
}

func (c *Client) findSnapshots(ctx context.Context, filter string, values []string, key func(types.Snapshot) string) (map[string]types.Snapshot, error) {
	pages := ec2.NewDescribeSnapshotsPaginator(c.ec2, &ec2.DescribeSnapshotsInput{
		Filters: []types.Filter{{Name: aws.String(filter), Values: values}}, MaxResults: aws.Int32(1000),
	})
	found := map[string]types.Snapshot{}
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, fmt.Errorf("describe snapshots: %w", typed(err))
		}
		for _, snapshot := range page.Snapshots {
			found[key(snapshot)] = snapshot
		}
	}
	return found, nil
}

// Snapshots is one page of the account's snapshots, those of one volume if it is
// named. next is empty on the last page.
func (c *Client) Snapshots(ctx context.Context, volumeID, token string, limit int32) (page []types.Snapshot, next string, err error) {
	in := &ec2.DescribeSnapshotsInput{OwnerIds: []string{"self"}, NextToken: nonEmpty(token), MaxResults: positive(limit)}
	if volumeID != "" {
		in.Filters = []types.Filter{{Name: aws.String("volume-id"), Values: []string{volumeID}}}
	}
	out, err := c.ec2.DescribeSnapshots(ctx, in)
	if err != nil {
		return nil, "", fmt.Errorf("describe snapshots: %w", typed(err))
	}
	return out.Snapshots, aws.ToString(out.NextToken), nil
}

// DeleteSnapshot deletes; a snapshot that is gone already is no error.
func (c *Client) DeleteSnapshot(ctx context.Context, id string) error {
	_, err := c.ec2.DeleteSnapshot(ctx, &ec2.DeleteSnapshotInput{SnapshotId: aws.String(id)})
	if err := typed(err); err != nil && !errors.Is(err, ErrNotFound) {
		return fmt.Errorf("delete snapshot %s: %w", id, err)
	}
	return nil
}

// snapshotCache remembers which snapshot a name became, and lets only one call a
// name run at a time.
type snapshotCache struct {
	locks *keyedLocks
	mu    sync.Mutex
	made  map[string]types.Snapshot
}

func newSnapshotCache() *snapshotCache {
	return &snapshotCache{locks: newKeyedLocks(), made: map[string]types.Snapshot{}}
}

func (s *snapshotCache) get(name string) (types.Snapshot, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	made, ok := s.made[name]
	return made, ok
}

func (s *snapshotCache) put(name string, made types.Snapshot) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.made[name] = made
}
