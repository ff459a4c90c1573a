package ebs

import (
	"context"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"
)

// Volumes describes volumes by id. Those that do not exist are missing in the
// map: asking by filter, EC2 does not make them an error.
func (l *Location) Volumes(ctx context.Context, ids []string) (map[string]Volume, error) {
	out := make(map[string]Volume, len(ids))
	for batch := range slices.Chunk(ids, maxFilterValues) {
		found, err := l.describeVolumes(ctx, filter("volume-id", batch...))
		if err != nil {
			return nil, err
		}
		for _, v := range found {
			out[v.ID] = v
		}
	}
	return out, nil
}

// VolumesTagged lists the account's volumes that carry all of the tags, in any
// state; a value of "" asks for the key only.
func (l *Location) VolumesTagged(ctx context.Context, tags map[string]string) ([]Volume, error) {
	return l.describeVolumes(ctx, tagFilters(tags)...)
}

func (l *Location) describeVolumes(ctx context.Context, filters ...types.Filter) ([]Volume, error) {
	var all []Volume
	pages := ec2.NewDescribeVolumesPaginator(l.ec2, &ec2.DescribeVolumesInput{Filters: filters, MaxResults: aws.Int32(pageSize)})
	for pages.HasMorePages() {
		out, err := pages.NextPage(ctx)
		if err != nil {
			return nil, classify("DescribeVolumes", "", err)
		}
		for _, v := range out.Volumes {
			all = append(all, volumeFrom(v))
		}
	}
	return all, nil
}

// Zones lists the Region's zones that are available: volumes can be made in Local Zones that
// the account has opted in to, too.
func (l *Location) Zones(ctx context.Context) ([]string, error) {
	in := &ec2.DescribeAvailabilityZonesInput{Filters: []types.Filter{filter("state", "available"), filter("zone-type", "availability-zone", "local-zone")}}
	out, err := l.ec2.DescribeAvailabilityZones(ctx, in)
	if err != nil {
		return nil, classify("DescribeAvailabilityZones", "", err)
	}
	zones := make([]string, 0, len(out.AvailabilityZones))
	for _, z := range out.AvailabilityZones {
		zones = append(zones, aws.ToString(z.ZoneName))
	}
	slices.Sort(zones)
	return zones, nil
}
