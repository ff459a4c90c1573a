// Package cloud is the part of EC2 that the driver needs: volumes, their
// attachments and snapshots. Every call may be repeated: what is done already is
// found again, what is gone already counts as deleted.
package cloud

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"
	"github.com/aws/smithy-go"
)

// What callers tell apart.
var (
	ErrNotFound = errors.New("not found")
	ErrMismatch = errors.New("exists with other parameters")
	ErrInUse    = errors.New("in use")
	ErrInvalid  = errors.New("invalid")
	ErrLimit    = errors.New("limit exceeded")
)

// awaitLimit bounds every wait for a state. EC2 itself takes seconds.
const awaitLimit = 50 * time.Second

// Client talks to EC2, or to what stands for it at AWS_ENDPOINT_URL_EC2.
type Client struct {
	ec2       *ec2.Client
	attaching *keyedLocks // by instance: the choice of a device name and its use belong together
	volumes   *lookup[types.Volume]
	byID      *lookup[types.Snapshot]
	byName    *lookup[types.Snapshot]
	listed    *lookup[types.Snapshot]
	snapshots *snapshotCache
}

// New reads region, credentials and endpoint from the environment, as every AWS
// client does.
func New(ctx context.Context) (*Client, error) {
	cfg, err := config.LoadDefaultConfig(ctx, config.WithRetryMaxAttempts(10))
	if err != nil {
		return nil, fmt.Errorf("load AWS configuration: %w", err)
	}
	c := &Client{ec2: ec2.NewFromConfig(cfg), attaching: newKeyedLocks(), snapshots: newSnapshotCache()}
	c.volumes = &lookup[types.Volume]{fetch: c.volumesByID}
	c.byID = &lookup[types.Snapshot]{fetch: c.snapshotsByID}
	c.listed = &lookup[types.Snapshot]{fetch: c.snapshotsListed, gather: gatherListed}
	c.byName = &lookup[types.Snapshot]{fetch: c.snapshotsByName}
	return c, nil
}

// Zones are the availability zones of the region.
func (c *Client) Zones(ctx context.Context) ([]string, error) {
	out, err := c.ec2.DescribeAvailabilityZones(ctx, &ec2.DescribeAvailabilityZonesInput{})
	if err != nil {
		return nil, fmt.Errorf("describe availability zones: %w", typed(err))
	}
	var names []string
	for _, zone := range out.AvailabilityZones {
		names = append(names, aws.ToString(zone.ZoneName))
	}
	return names, nil
}

// codes maps EC2's error codes to what callers tell apart.
var codes = map[string]error{
	"InvalidVolume.NotFound":                ErrNotFound,
	"InvalidSnapshot.NotFound":              ErrNotFound,
	"InvalidVolumeID.Malformed":             ErrNotFound, // no volume has such an id
	"InvalidSnapshotID.Malformed":           ErrNotFound,
	"InvalidInstanceID.Malformed":           ErrNotFound,
	"InvalidAttachment.NotFound":            ErrNotFound,
	"InvalidInstanceID.NotFound":            ErrNotFound,
	"IdempotentParameterMismatch":           ErrMismatch,
	"VolumeInUse":                           ErrInUse,
	"InvalidSnapshot.InUse":                 ErrInUse,
	"IncorrectState":                        ErrInUse,
	"InvalidParameterValue":                 ErrInvalid,
	"InvalidParameterCombination":           ErrInvalid,
	"InvalidZone.NotFound":                  ErrInvalid,
	"UnknownVolumeType":                     ErrInvalid,
	"PendingSnapshotLimitExceeded":          ErrLimit,
	"ConcurrentSnapshotLimitExceeded":       ErrLimit,
	"SnapshotCreationPerVolumeRateExceeded": ErrLimit,
	"RequestLimitExceeded":                  ErrLimit,
}

func typed(err error) error {
	var api smithy.APIError
	if !errors.As(err, &api) {
		return err
	}
	if known, ok := codes[api.ErrorCode()]; ok {
		return fmt.Errorf("%w: %s: %s", known, api.ErrorCode(), api.ErrorMessage())
	}
	return err
}

// await asks until done. A thing that was just made may not be visible yet.
func await(ctx context.Context, what string, done func() (bool, error)) error {
	ctx, cancel := context.WithTimeout(ctx, awaitLimit)
	defer cancel()
	for pause := 50 * time.Millisecond; ; pause = min(2*pause, time.Second) {
		ok, err := done()
		if err != nil && !errors.Is(err, ErrNotFound) {
			return fmt.Errorf("%s: %w", what, err)
		}
		if err == nil && ok {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%s: %w", what, errors.Join(ctx.Err(), err))
		case <-time.After(pause):
		}
	}
}

// tagsFor sorts: a repeated request must be the same to the letter, or EC2 answers
// that its token was used for another.
func tagsFor(kind types.ResourceType, tags map[string]string) []types.TagSpecification {
	spec := types.TagSpecification{ResourceType: kind}
	for _, key := range slices.Sorted(maps.Keys(tags)) {
		spec.Tags = append(spec.Tags, types.Tag{Key: aws.String(key), Value: aws.String(tags[key])})
	}
	return []types.TagSpecification{spec}
}

// Tag is the value of a tag, empty if it is not there.
func Tag(tags []types.Tag, key string) string {
	for _, tag := range tags {
		if aws.ToString(tag.Key) == key {
			return aws.ToString(tag.Value)
		}
	}
	return ""
}
