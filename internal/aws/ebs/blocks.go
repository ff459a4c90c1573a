package ebs

import (
	"context"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/service/ebs"

	"github.com/lifeboat-backup/lifeboat/internal/aws/awsconf"
)

// blocksPerPage is the largest page of the EBS direct APIs: 5 GiB of a volume.
const blocksPerPage = 10_000

// retryThrottled repeats requests of the EBS direct APIs that were too many: they have limits
// of their own, which no quota of this package watches.
func retryThrottled(o *ebs.Options) {
	o.Retryer = retry.NewStandard(func(r *retry.StandardOptions) {
		r.MaxAttempts, r.Backoff = defaultAttempts, retry.BackoffDelayerFunc(awsconf.Backoff)
	})
}

// OwnSnapshotsOf describes the account's own snapshots of volumes, the oldest first.
func (l *Location) OwnSnapshotsOf(ctx context.Context, volumes []string) ([]Snapshot, error) {
	var all []Snapshot
	for batch := range slices.Chunk(volumes, maxFilterValues) {
		found, err := l.describeOwn(ctx, filter("volume-id", batch...))
		if err != nil {
			return nil, err
		}
		all = append(all, found...)
	}
	return all, nil
}

// BlockBytes counts the bytes of the blocks that a snapshot has, those of earlier snapshots
// included. It only lists.
func (l *Location) BlockBytes(ctx context.Context, snapshot string) (int64, error) {
	var bytes int64
	pages := ebs.NewListSnapshotBlocksPaginator(l.direct, &ebs.ListSnapshotBlocksInput{
		SnapshotId: aws.String(snapshot), MaxResults: aws.Int32(blocksPerPage),
	})
	for pages.HasMorePages() {
		out, err := pages.NextPage(ctx)
		if err != nil {
			return 0, classify("ListSnapshotBlocks", snapshot, err)
		}
		bytes += int64(len(out.Blocks)) * int64(aws.ToInt32(out.BlockSize))
	}
	return bytes, nil
}

// ChangedBytes counts the bytes of the blocks that a snapshot has other than an earlier one of
// the same volume. It only lists.
func (l *Location) ChangedBytes(ctx context.Context, before, snapshot string) (int64, error) {
	var bytes int64
	pages := ebs.NewListChangedBlocksPaginator(l.direct, &ebs.ListChangedBlocksInput{
		FirstSnapshotId: aws.String(before), SecondSnapshotId: aws.String(snapshot), MaxResults: aws.Int32(blocksPerPage),
	})
	for pages.HasMorePages() {
		out, err := pages.NextPage(ctx)
		if err != nil {
			return 0, classify("ListChangedBlocks", snapshot, err)
		}
		for _, b := range out.ChangedBlocks {
			if b.SecondBlockToken != nil { // else the later one does not have it
				bytes += int64(aws.ToInt32(out.BlockSize))
			}
		}
	}
	return bytes, nil
}
