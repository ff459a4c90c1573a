package ebs

import (
	"context"
	"errors"
	"maps"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"

	"github.com/lifeboat-backup/lifeboat/internal/aws/awserr"
	"github.com/lifeboat-backup/lifeboat/internal/aws/ebs/quota"
)

// Find lists the account's own snapshots that carry all of the tags, in any
// state, the oldest first; a value of "" asks for the key only.
func (l *Location) Find(ctx context.Context, tags map[string]string) ([]Snapshot, error) {
	return l.describeOwn(ctx, tagFilters(tags)...)
}

// AllSnapshots lists the account's own snapshots, the oldest first.
func (l *Location) AllSnapshots(ctx context.Context) ([]Snapshot, error) {
	return l.describeOwn(ctx)
}

// Snapshots describes snapshots by id, those that other accounts share with this
// one included. Those that do not exist are missing in the map, and so may be, for
// some seconds, those just made.
func (l *Location) Snapshots(ctx context.Context, ids []string) (map[string]Snapshot, error) {
	out, err := l.OwnSnapshots(ctx, ids)
	if err != nil {
		return nil, err
	}
	for _, id := range ids {
		if _, there := out[id]; there || l.quota.CreatedHere(id) {
			continue // found, or made here and not shown yet
		}
		s, err := l.sharedSnapshot(ctx, id)
		switch {
		case err == nil:
			out[id] = s
		case !errors.Is(err, ErrNotFound):
			return nil, err
		}
	}
	return out, nil
}

// OwnSnapshots describes the account's own snapshots by id.
func (l *Location) OwnSnapshots(ctx context.Context, ids []string) (map[string]Snapshot, error) {
	out := make(map[string]Snapshot, len(ids))
	for batch := range slices.Chunk(ids, maxFilterValues) {
		found, err := l.describeOwn(ctx, filter("snapshot-id", batch...))
		if err != nil {
			return nil, err
		}
		for _, s := range found {
			out[s.ID] = s
		}
	}
	return out, nil
}

// sharedSnapshot describes one snapshot whoever's it is.
func (l *Location) sharedSnapshot(ctx context.Context, id string) (Snapshot, error) {
	out, err := l.ec2.DescribeSnapshots(ctx, &ec2.DescribeSnapshotsInput{SnapshotIds: []string{id}})
	switch {
	case err != nil:
		return Snapshot{}, classify("DescribeSnapshots", id, err)
	case len(out.Snapshots) != 1:
		return Snapshot{}, awserr.Fail("DescribeSnapshots", id, ErrNotFound, "EC2 lists %d", len(out.Snapshots))
	}
	return snapshotFrom(out.Snapshots[0]), nil
}

// describeOwn lists the account's own snapshots. The owner has to be named: without it,
// EC2 filters all public snapshots of the Region, which takes minutes. The quota learns
// from each snapshot that is not pending any more.
func (l *Location) describeOwn(ctx context.Context, filters ...types.Filter) ([]Snapshot, error) {
	var all []Snapshot
	pages := ec2.NewDescribeSnapshotsPaginator(l.ec2, &ec2.DescribeSnapshotsInput{
		OwnerIds: []string{"self"}, Filters: filters, MaxResults: aws.Int32(pageSize),
	})
	for pages.HasMorePages() {
		out, err := pages.NextPage(ctx)
		if err != nil {
			return nil, classify("DescribeSnapshots", "", err)
		}
		for _, s := range out.Snapshots {
			if l.deleted.has(aws.ToString(s.SnapshotId)) {
				continue
			}
			all = append(all, snapshotFrom(s))
			l.quota.Described(all[len(all)-1].forQuota())
		}
	}
	slices.SortStableFunc(all, func(a, b Snapshot) int { return a.Started.Compare(b.Started) })
	return all, nil
}

// CountSnapshots is how many snapshots the account has in the Region, of whatever origin.
func (l *Location) CountSnapshots(ctx context.Context) (int, error) {
	all, err := l.describeOwn(ctx)
	return len(all), err
}

// countSnapshots is the quota's look at the account.
func (l *Location) countSnapshots(ctx context.Context, ids []string) ([]quota.Snapshot, error) {
	pending, err := l.describeOwn(ctx, filter("status", SnapshotPending))
	if err != nil {
		return nil, err
	}
	ids = slices.DeleteFunc(slices.Clone(ids), func(id string) bool {
		return slices.ContainsFunc(pending, func(s Snapshot) bool { return s.ID == id })
	})
	others, err := l.OwnSnapshots(ctx, ids)
	if err != nil {
		return nil, err
	}
	return forQuota(slices.AppendSeq(pending, maps.Values(others))), nil
}

func (s Snapshot) forQuota() quota.Snapshot {
	return quota.Snapshot{ID: s.ID, VolumeID: s.VolumeID, Pending: s.State == SnapshotPending, Started: s.Started}
}
