package doctor

import (
	"context"
	"fmt"
	"strings"

	"github.com/lifeboat-backup/lifeboat/internal/contract"
)

// askCopies has a check for each location: is what lies there copied into a second Region.
func (d *Doctor) askCopies(ctx context.Context) []contract.Check {
	const text, remedy = "Does a second Region have copies of the bucket %s?", "replicate it: aws s3api put-bucket-replication --bucket %s; copy snapshots by Data Lifecycle Manager, which is not looked for"
	found, err := d.locations(ctx)
	if err != nil {
		return []contract.Check{question{"second-region", "Does a second Region have copies?", "lifeboat location get"}.unknown(err)}
	}
	var checks []contract.Check
	for i := range found {
		l := &found[i]
		q := question{"second-region/" + l.Name, fmt.Sprintf(text, l.Bucket), fmt.Sprintf(remedy, l.Bucket)}
		checks = append(checks, q.answerBucket(d.bucketOf(ctx, l.Name).Copies))
	}
	return checks
}

// askProtection asks EKS, where the API server is one of EKS's.
func (d *Doctor) askProtection(ctx context.Context) []contract.Check {
	q := question{"eks-deletion-protection", "Is the cluster protected from deletion?", fmt.Sprintf("aws eks update-cluster-config --name %s --deletion-protection", d.Cluster)}
	server, err := d.Read(ctx, contract.ReadInput{Verb: contract.ReadServer})
	switch {
	case err != nil:
		return []contract.Check{q.unknown(err)}
	case server.Server == nil || !strings.Contains(server.Server.Kubernetes, "-eks-"):
		q.remedy = "look whether whoever runs the cluster protects it from deletion"
		return []contract.Check{q.answer(contract.AnswerUnknown, "the API server is none of EKS's by its version")}
	}
	account, err := d.Account(ctx, "")
	var protected bool
	if err == nil {
		protected, err = account.DeletionProtection(ctx, d.Cluster)
	}
	if err != nil {
		q.remedy = fmt.Sprintf("allow the worker eks:DescribeCluster, and set AWS_CLUSTER_NAME to the cluster's name in EKS if it is not %s; or look yourself: aws eks describe-cluster --name %s --query cluster.deletionProtection", d.Cluster, d.Cluster)
		return []contract.Check{q.unknown(err)}
	}
	return []contract.Check{q.answerIf(protected, fmt.Sprintf("EKS says deletionProtection: %t", protected))}
}
