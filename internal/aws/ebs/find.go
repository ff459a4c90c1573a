package ebs

import (
	"context"
	"errors"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"

	"github.com/lifeboat-backup/lifeboat/internal/aws/awserr"
)

// Find lists the account's own snapshots that carry all of the tags, in any
// state, the oldest first; a value of "" asks for the key only.
func (l *Location) Find(ctx context.Context, tags map[string]string) ([]Snapshot, error) {
	return l.describeSnapshots(ctx, "self", tagFilters(tags)...)
}

// Snapshots describes snapshots by id, those that other accounts share with this
// one included. Those that do not exist are missing in the map, and so may be, for
// some seconds, those just made.
func (l *Location) Snapshots(ctx context.Context, ids []string) (map[string]Snapshot, error) {
	out, err := l.own(ctx, ids)
	if err != nil {
		return nil, err
	}
	for _, id := range ids {
		if _, there := out[id]; there || l.lane.slots.knows(id) {
			continue // found, or made here and not shown yet
		}
		s, err := l.shared(ctx, id)
		switch {
		case err == nil:
			out[id] = s
		case !errors.Is(err, ErrNotFound):
			return nil, err
		}
	}
	return out, nil
}

// own describes the account's own snapshots by id. The owner has to be named:
// without it, EC2 filters all public snapshots of the Region, which takes minutes.
func (l *Location) own(ctx context.Context, ids []string) (map[string]Snapshot, error) {
	out := make(map[string]Snapshot, len(ids))
	for batch := range slices.Chunk(ids, maxFilterValues) {
		found, err := l.describeSnapshots(ctx, "self", filter("snapshot-id", batch...))
		if err != nil {
			return nil, err
		}
		for _, s := range found {
			out[s.ID] = s
		}
	}
	return out, nil
}

// shared describes one snapshot whoever's it is.
func (l *Location) shared(ctx context.Context, id string) (Snapshot, error) {
	out, err := call(ctx, l, "DescribeSnapshots", id, func(ctx context.Context) (*ec2.DescribeSnapshotsOutput, error) {
		return l.ec2.DescribeSnapshots(ctx, &ec2.DescribeSnapshotsInput{SnapshotIds: []string{id}})
	})
	switch {
	case err != nil:
		return Snapshot{}, err
	case len(out.Snapshots) != 1:
		return Snapshot{}, awserr.Fail("DescribeSnapshots", id, ErrNotFound, "EC2 lists %d", len(out.Snapshots))
	}
	return snapshotFrom(out.Snapshots[0]), nil
}

// describeSnapshots reads all pages. The pool learns from each snapshot that is
// not pending any more.
func (l *Location) describeSnapshots(ctx context.Context, owner string, filters ...types.Filter) ([]Snapshot, error) {
	in := &ec2.DescribeSnapshotsInput{Filters: filters, MaxResults: aws.Int32(pageSize)}
	if owner != "" {
		in.OwnerIds = []string{owner}
	}
	var all []Snapshot
	for {
		out, err := call(ctx, l, "DescribeSnapshots", "", func(ctx context.Context) (*ec2.DescribeSnapshotsOutput, error) {
			return l.ec2.DescribeSnapshots(ctx, in)
		})
		if err != nil {
			return nil, err
		}
		for _, s := range out.Snapshots {
			all = append(all, snapshotFrom(s))
			l.lane.slots.seen(all[len(all)-1])
		}
		if in.NextToken = out.NextToken; aws.ToString(in.NextToken) == "" {
			slices.SortStableFunc(all, older)
			return all, nil
		}
	}
}

func older(a, b Snapshot) int { return a.Started.Compare(b.Started) }

// pending is the pool's counter.
func (l *Location) pending(ctx context.Context, ids []string) (pending, known map[string]Snapshot, err error) {
	list, err := l.describeSnapshots(ctx, "self", filter("status", SnapshotPending))
	if err != nil {
		return nil, nil, err
	}
	pending = map[string]Snapshot{}
	for _, s := range list {
		pending[s.ID] = s
	}
	ids = slices.DeleteFunc(slices.Clone(ids), func(id string) bool { _, there := pending[id]; return there })
	known, err = l.own(ctx, ids)
	return pending, known, err
}
