package bucket

import (
	"context"
	"fmt"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
)

// readCopies looks for a rule of replication that takes all below the prefix, and asks in which
// Region the bucket is that it names.
func readCopies(ctx context.Context, client *s3.Client, bucket, prefix string) Answer {
	out, err := client.GetBucketReplication(ctx, &s3.GetBucketReplicationInput{Bucket: aws.String(bucket)})
	if isCode(err, "ReplicationConfigurationNotFoundError") {
		return no("the bucket is not replicated")
	}
	if err != nil {
		return unknown("s3:GetReplicationConfiguration", err)
	}
	var to string
	if out.ReplicationConfiguration != nil {
		to = replicaOf(out.ReplicationConfiguration.Rules, prefix)
	}
	if to == "" {
		return no("no rule of its replication takes all below the location's prefix")
	}
	return judgeRegions(ctx, client, bucket, to)
}

// replicaOf is the bucket of the first rule that takes all below a prefix, "" for none.
func replicaOf(rules []types.ReplicationRule, prefix string) string {
	for i := range rules {
		r := &rules[i]
		under := aws.ToString(r.Prefix) //nolint:staticcheck // old rules still have it
		if r.Filter != nil {
			under = aws.ToString(r.Filter.Prefix)
		}
		tagged := r.Filter != nil && (r.Filter.Tag != nil || r.Filter.And != nil && len(r.Filter.And.Tags) > 0)
		if r.Filter != nil && r.Filter.And != nil {
			under = aws.ToString(r.Filter.And.Prefix)
		}
		if r.Status == types.ReplicationRuleStatusEnabled && !tagged && strings.HasPrefix(prefix, under) && r.Destination != nil {
			_, name, _ := strings.Cut(aws.ToString(r.Destination.Bucket), ":::")
			return name
		}
	}
	return ""
}

// judgeRegions holds the Region of a bucket against that of its replica.
func judgeRegions(ctx context.Context, client *s3.Client, bucket, replica string) Answer {
	regions := make([]string, 0, 2)
	for _, name := range []string{bucket, replica} {
		out, err := client.HeadBucket(ctx, &s3.HeadBucketInput{Bucket: aws.String(name)})
		if err != nil || aws.ToString(out.BucketRegion) == "" {
			return Answer{Found: fmt.Sprintf("it is replicated to %s, and the Region of %s is not told (s3:ListBucket)", replica, name)}
		}
		regions = append(regions, aws.ToString(out.BucketRegion))
	}
	if regions[0] == regions[1] {
		return no(fmt.Sprintf("it is replicated to %s, which is in the same Region, %s", replica, regions[1]))
	}
	return yes(fmt.Sprintf("it is replicated to %s in %s", replica, regions[1]))
}
