package ebs

import (
	"context"
	"errors"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"
)

// Keeps tells why EC2 keeps a snapshot that somebody else is to delete, such as a
// CSI driver, whose own words say less: a lock while it is there, the Recycle Bin
// when it is not. "" means that nothing keeps it, as far as the role may look. It
// changes nothing.
func (l *Location) Keeps(ctx context.Context, id string) (string, error) {
	found, err := l.own(ctx, []string{id})
	if err != nil {
		return "", err
	}
	if _, there := found[id]; !there {
		d, err := l.inBin(ctx, id, Gone)
		return d.Reason, err
	}
	reason, err := l.lock(ctx, id)
	if errors.Is(err, ErrDenied) || errors.Is(err, ErrNotFound) || errors.Is(err, ErrInvalid) {
		return "", nil
	}
	return reason, err
}

// lock says how a snapshot is locked; "" is not at all.
func (l *Location) lock(ctx context.Context, id string) (string, error) {
	out, err := call(ctx, l, "DescribeLockedSnapshots", id, func(ctx context.Context) (*ec2.DescribeLockedSnapshotsOutput, error) {
		return l.ec2.DescribeLockedSnapshots(ctx, &ec2.DescribeLockedSnapshotsInput{SnapshotIds: []string{id}})
	})
	if err != nil {
		return "", err
	}
	for _, s := range out.Snapshots {
		if aws.ToString(s.SnapshotId) == id && s.LockState != types.LockStateExpired {
			return lockReason(s), nil
		}
	}
	return "", nil
}
