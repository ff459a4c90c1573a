package ebs

import (
	"context"
	"errors"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"
)

// Keeps tells which of these snapshots EC2 keeps though somebody else is to delete
// them, such as a CSI driver, whose own words say less: those under a lock, and those
// that are in the Recycle Bin. The reasons are by id; what is not there is not kept, as
// far as the role may look. It costs two lists of the account, however many ids there
// are, and changes nothing.
func (l *Location) Keeps(ctx context.Context, ids []string) (map[string]string, error) {
	return listKept(ctx, ids, l.allLocked, l.allInBin)
}

// InRecycleBin is Keeps for snapshots that were deleted: no lock is on them.
func (l *Location) InRecycleBin(ctx context.Context, ids []string) (map[string]string, error) {
	return listKept(ctx, ids, l.allInBin)
}

// listKept picks ids from lists of the account. One that may not be read has none.
func listKept(ctx context.Context, ids []string, lists ...func(context.Context, map[string]string) error) (map[string]string, error) {
	if len(ids) == 0 {
		return nil, nil
	}
	all := map[string]string{}
	for _, list := range lists {
		err := list(ctx, all)
		if err != nil && !errors.Is(err, ErrDenied) && !errors.Is(err, ErrNotFound) && !errors.Is(err, ErrInvalid) {
			return nil, err
		}
	}
	out := map[string]string{}
	for _, id := range ids {
		if why := all[id]; why != "" {
			out[id] = why
		}
	}
	return out, nil
}

// allLocked adds the account's locked snapshots.
func (l *Location) allLocked(ctx context.Context, to map[string]string) error {
	in := &ec2.DescribeLockedSnapshotsInput{MaxResults: aws.Int32(pageSize)}
	for {
		out, err := l.ec2.DescribeLockedSnapshots(ctx, in) // the SDK has no paginator for it
		if err != nil {
			return classify("DescribeLockedSnapshots", "", err)
		}
		for _, s := range out.Snapshots {
			if s.LockState != types.LockStateExpired {
				to[aws.ToString(s.SnapshotId)] = lockReason(s)
			}
		}
		if in.NextToken = out.NextToken; aws.ToString(in.NextToken) == "" {
			return nil
		}
	}
}

// allInBin adds what the Recycle Bin has.
func (l *Location) allInBin(ctx context.Context, to map[string]string) error {
	pages := ec2.NewListSnapshotsInRecycleBinPaginator(l.ec2, &ec2.ListSnapshotsInRecycleBinInput{MaxResults: aws.Int32(pageSize)})
	for pages.HasMorePages() {
		out, err := pages.NextPage(ctx)
		if err != nil {
			return classify("ListSnapshotsInRecycleBin", "", err)
		}
		for _, s := range out.Snapshots {
			to[aws.ToString(s.SnapshotId)] = binReason(s.RecycleBinExitTime)
		}
	}
	return nil
}

// lockOf says how a snapshot is locked; "" is not at all.
func (l *Location) lockOf(ctx context.Context, id string) (string, error) {
	out, err := l.ec2.DescribeLockedSnapshots(ctx, &ec2.DescribeLockedSnapshotsInput{SnapshotIds: []string{id}})
	if err != nil {
		return "", classify("DescribeLockedSnapshots", id, err)
	}
	for _, s := range out.Snapshots {
		if aws.ToString(s.SnapshotId) == id && s.LockState != types.LockStateExpired {
			return lockReason(s), nil
		}
	}
	return "", nil
}
