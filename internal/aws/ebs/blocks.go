package ebs

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/service/ebs"
	"github.com/aws/aws-sdk-go-v2/service/ebs/types"

	"github.com/lifeboat-backup/lifeboat/internal/aws/awsconf"
)

// blocksPerPage is the largest page of the EBS direct APIs: 5 GiB of a volume.
const blocksPerPage = 10_000

// retryThrottled repeats requests of the EBS direct APIs that were too many: they have limits
// of their own, which no quota of this package watches.
func retryThrottled(o *ebs.Options) {
	o.Retryer = awsconf.Renewing(o.Retryer, retry.NewStandard(func(r *retry.StandardOptions) {
		r.MaxAttempts, r.Backoff = defaultAttempts, retry.BackoffDelayerFunc(awsconf.Backoff)
	}))
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

// Block is one of a snapshot, and Token what it is read by.
type Block struct {
	Index int32
	Token string
}

// SomeBlocks lists blocks of a snapshot from an index on, as many as one page has.
func (l *Location) SomeBlocks(ctx context.Context, snapshot string, from int32) ([]Block, error) {
	out, err := l.direct.ListSnapshotBlocks(ctx, &ebs.ListSnapshotBlocksInput{
		SnapshotId: aws.String(snapshot), StartingBlockIndex: aws.Int32(from), MaxResults: aws.Int32(fewestPerPage),
	})
	if err != nil {
		return nil, classify("ListSnapshotBlocks", snapshot, err)
	}
	var all []Block
	for _, b := range out.Blocks {
		all = append(all, Block{aws.ToInt32(b.BlockIndex), aws.ToString(b.BlockToken)})
	}
	return all, nil
}

// fewestPerPage is the smallest page of the EBS direct APIs.
const fewestPerPage = 100

// ErrBlock says that a block is not what EBS says it is.
var ErrBlock = errors.New("block damaged")

// ReadBlock reads a block and holds it against the length and the SHA-256 that EBS tells with it.
// It returns how many bytes came.
func (l *Location) ReadBlock(ctx context.Context, snapshot string, b Block) (int, error) {
	out, err := l.direct.GetSnapshotBlock(ctx, &ebs.GetSnapshotBlockInput{
		SnapshotId: aws.String(snapshot), BlockIndex: aws.Int32(b.Index), BlockToken: aws.String(b.Token),
	})
	if err != nil {
		return 0, classify("GetSnapshotBlock", snapshot, err)
	}
	sum := sha256.New()
	n, err := io.Copy(sum, out.BlockData)
	if err := errors.Join(err, out.BlockData.Close()); err != nil {
		return int(n), fmt.Errorf("read block %d of %s: %w", b.Index, snapshot, err)
	}
	told, found := aws.ToString(out.Checksum), base64.StdEncoding.EncodeToString(sum.Sum(nil))
	switch {
	case out.DataLength != nil && int64(*out.DataLength) != n:
		return int(n), fmt.Errorf("%w: block %d of %s has %d bytes, and should have %d", ErrBlock, b.Index, snapshot, n, *out.DataLength)
	case out.ChecksumAlgorithm == types.ChecksumAlgorithmChecksumAlgorithmSha256 && told != found:
		return int(n), fmt.Errorf("%w: block %d of %s has the SHA-256 %s, and should have %s", ErrBlock, b.Index, snapshot, found, told)
	}
	return int(n), nil
}
