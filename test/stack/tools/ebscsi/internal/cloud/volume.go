package cloud

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"
)

// VolumeSpec is what a volume shall be. Zero values leave the choice to EC2.
type VolumeSpec struct {
	Name       string // decides idempotency: the same name gives the same volume
	Zone       string
	SnapshotID string
	Type       string
	KMSKeyID   string
	SizeGiB    int32
	IOPS       int32
	Throughput int32 // MiB/s, gp3 only
	Encrypted  bool
	// MultiAttach is for block devices of several nodes.
	MultiAttach bool
	Tags        map[string]string
}

// CreateVolume makes the volume, or finds the one that an earlier call with this
// name made, and waits until it is available.
func (c *Client) CreateVolume(ctx context.Context, spec VolumeSpec) (types.Volume, error) {
	out, err := c.ec2.CreateVolume(ctx, spec.input())
	if err != nil {
		return types.Volume{}, fmt.Errorf("create volume %s: %w", spec.Name, typed(err))
	}
	id := aws.ToString(out.VolumeId)
	var volume types.Volume
	err = await(ctx, "wait for volume "+id, func() (bool, error) {
		volume, err = c.Volume(ctx, id)
		switch {
		case err != nil:
			return false, err
		case volume.State == types.VolumeStateError:
			return false, fmt.Errorf("%w: its state is error", ErrInvalid)
		}
		return volume.State == types.VolumeStateAvailable || volume.State == types.VolumeStateInUse, nil
	})
	return volume, err
}

func (s VolumeSpec) input() *ec2.CreateVolumeInput {
	token := sha256.Sum256([]byte(s.Name))
	in := &ec2.CreateVolumeInput{
		AvailabilityZone:  aws.String(s.Zone),
		VolumeType:        types.VolumeType(s.Type),
		ClientToken:       aws.String(hex.EncodeToString(token[:])),
		TagSpecifications: tagsFor(types.ResourceTypeVolume, s.Tags),
		Size:              positive(s.SizeGiB), Iops: positive(s.IOPS), Throughput: positive(s.Throughput),
		SnapshotId: nonEmpty(s.SnapshotID), KmsKeyId: nonEmpty(s.KMSKeyID),
	}
	if s.Encrypted {
		in.Encrypted = aws.Bool(true)
	}
	if s.MultiAttach {
		in.MultiAttachEnabled = aws.Bool(true)
	}
	return in
}

func positive(n int32) *int32 {
	if n <= 0 {
		return nil
	}
	return aws.Int32(n)
}

func nonEmpty(s string) *string {
	if s == "" {
		return nil
	}
	return aws.String(s)
}

// Volume gives a volume as it is, or ErrNotFound.
func (c *Client) Volume(ctx context.Context, id string) (types.Volume, error) {
	volume, err := c.volumes.get(ctx, id)
	if err != nil {
		return volume, fmt.Errorf("describe volume: %w", err)
	}
	return volume, nil
}

// volumesByID leaves out what is not there: a filter, other than a list of ids, is
// no error for the others then.
func (c *Client) volumesByID(ctx context.Context, ids []string) (map[string]types.Volume, error) {
	volumes, err := c.describeVolumes(ctx, "volume-id", ids)
	found := map[string]types.Volume{}
	for _, volume := range volumes {
		found[aws.ToString(volume.VolumeId)] = volume
	}
	return found, err
}

// AttachedTo lists the volumes that are attached to any of the instances.
func (c *Client) AttachedTo(ctx context.Context, instances []string) ([]types.Volume, error) {
	return c.describeVolumes(ctx, "attachment.instance-id", instances)
}

func (c *Client) describeVolumes(ctx context.Context, filter string, values []string) ([]types.Volume, error) {
	pages := ec2.NewDescribeVolumesPaginator(c.ec2, &ec2.DescribeVolumesInput{
		Filters: []types.Filter{{Name: aws.String(filter), Values: values}}, MaxResults: aws.Int32(500),
	})
	var volumes []types.Volume
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, fmt.Errorf("describe volumes: %w", typed(err))
		}
		volumes = append(volumes, page.Volumes...)
	}
	return volumes, nil
}

// DeleteVolume deletes; a volume that is gone already is no error.
func (c *Client) DeleteVolume(ctx context.Context, id string) error {
	_, err := c.ec2.DeleteVolume(ctx, &ec2.DeleteVolumeInput{VolumeId: aws.String(id)})
	if err := typed(err); err != nil && !errors.Is(err, ErrNotFound) {
		return fmt.Errorf("delete volume %s: %w", id, err)
	}
	return nil
}
