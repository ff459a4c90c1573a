package location

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"

	"github.com/lifeboat-backup/lifeboat/internal/aws/ebs"
	"github.com/lifeboat-backup/lifeboat/internal/volume"
)

// blocksPerGiB are of 512 KiB, the blocks of the EBS direct APIs.
const blocksPerGiB = 2048

// Sampler reads blocks of snapshots by the EBS direct APIs, so many of each. It implements
// volume.BlockSampler.
type Sampler struct {
	Locations *Set
	Blocks    int
}

// Sample reads blocks from a random place on, others each time: so all are read once in a while.
func (s *Sampler) Sample(ctx context.Context, of volume.EBSSnapshot, read func(ctx context.Context, n int) error) (volume.BlockSample, error) {
	var sample volume.BlockSample
	_, loc, err := s.Locations.Get(ctx, of.Location)
	if err == nil {
		err = s.sample(ctx, loc, of, &sample, read)
	}
	switch {
	case errors.Is(err, ebs.ErrBlock):
		sample.Damaged = err.Error()
	case ctx.Err() != nil:
		return sample, ctx.Err()
	case err != nil && ebs.IsPermanent(err):
		sample.Unread = err.Error()
	case err != nil:
		return sample, fmt.Errorf("read blocks of %s: %w", of.ID, err)
	}
	return sample, nil
}

func (s *Sampler) sample(ctx context.Context, loc *ebs.Location, of volume.EBSSnapshot, sample *volume.BlockSample, read func(ctx context.Context, n int) error) error {
	from := rand.Int32N(max(of.SizeGiB, 1) * blocksPerGiB) //nolint:gosec // no secret
	blocks, err := loc.SomeBlocks(ctx, of.ID, from)
	if err == nil && len(blocks) == 0 { // none is written behind it
		blocks, err = loc.SomeBlocks(ctx, of.ID, 0)
	}
	if err != nil {
		return err
	}
	rand.Shuffle(len(blocks), func(i, j int) { blocks[i], blocks[j] = blocks[j], blocks[i] }) //nolint:gosec // no secret
	for _, b := range blocks[:min(len(blocks), s.Blocks)] {
		n, err := loc.ReadBlock(ctx, of.ID, b)
		if err != nil {
			return err
		}
		sample.Blocks++
		if err := read(ctx, n); err != nil {
			return err
		}
	}
	return nil
}
