// Package account asks AWS what the production checklist wants to know of the account and of the
// cluster: a quota, protection from deletion. It only reads.
package account

import (
	"context"
	"errors"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eks"
	"github.com/aws/aws-sdk-go-v2/service/servicequotas"
	"github.com/aws/aws-sdk-go-v2/service/servicequotas/types"

	"github.com/lifeboat-backup/lifeboat/internal/aws/awsconf"
	"github.com/lifeboat-backup/lifeboat/internal/aws/awserr"
)

// The quota "Snapshots per Region", as Service Quotas calls it.
const (
	serviceEBS        = "ebs"
	snapshotsInRegion = "L-309BACF6"
)

// Account is one Region of an account, by the SDK's default chain of credentials.
type Account struct {
	quotas   *servicequotas.Client
	clusters *eks.Client
}

// Open takes a Region, "" for that of the environment. It asks nothing yet.
func Open(ctx context.Context, region string) (*Account, error) {
	cfg, err := awsconf.Load(ctx, awsconf.Source{Region: region})
	if err != nil {
		return nil, err
	}
	return &Account{quotas: servicequotas.NewFromConfig(cfg), clusters: eks.NewFromConfig(cfg)}, nil
}

// SnapshotQuota is how many snapshots the account may have in the Region: what was granted, or
// else AWS's default.
func (a *Account) SnapshotQuota(ctx context.Context) (int64, error) {
	granted, err := a.quotas.GetServiceQuota(ctx, &servicequotas.GetServiceQuotaInput{ServiceCode: aws.String(serviceEBS), QuotaCode: aws.String(snapshotsInRegion)})
	if err == nil {
		return valueOf(granted.Quota)
	}
	var none *types.NoSuchResourceException // nobody has asked for more
	if !errors.As(err, &none) {
		return 0, refusal("servicequotas:GetServiceQuota", err)
	}
	usual, err := a.quotas.GetAWSDefaultServiceQuota(ctx, &servicequotas.GetAWSDefaultServiceQuotaInput{ServiceCode: aws.String(serviceEBS), QuotaCode: aws.String(snapshotsInRegion)})
	if err != nil {
		return 0, refusal("servicequotas:GetAWSDefaultServiceQuota", err)
	}
	return valueOf(usual.Quota)
}

func valueOf(q *types.ServiceQuota) (int64, error) {
	if q == nil || q.Value == nil {
		return 0, errors.New("service quotas: the answer has no value")
	}
	return int64(*q.Value), nil
}

// DeletionProtection tells whether a cluster in EKS is protected from deletion.
func (a *Account) DeletionProtection(ctx context.Context, cluster string) (bool, error) {
	out, err := a.clusters.DescribeCluster(ctx, &eks.DescribeClusterInput{Name: aws.String(cluster)})
	if err != nil {
		return false, refusal("eks:DescribeCluster of "+cluster, err)
	}
	return out.Cluster != nil && aws.ToBool(out.Cluster.DeletionProtection), nil
}

// refusal says what AWS's word for an error is, without the request.
func refusal(action string, err error) error {
	if code := awserr.Code(err); code != "" {
		return fmt.Errorf("%s: %s", action, code)
	}
	return fmt.Errorf("%s: no answer", action)
}
