package ebs

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/ratelimit"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/ebs"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	velerov1 "github.com/vmware-tanzu/velero/pkg/apis/velero/v1"

	"github.com/lifeboat-backup/lifeboat/internal/aws/awsconf"
	"github.com/lifeboat-backup/lifeboat/internal/aws/awserr"
	"github.com/lifeboat-backup/lifeboat/internal/aws/ebs/quota"
)

// Options are what the process gives a location, as opposed to what the
// location's document says.
type Options struct {
	// Limits is shared by all locations of the process. Nil gives the location
	// a pool of its own, which is right only where there is one location.
	Limits *quota.Pool
	// Secret reads spec.credential. Without it locations that use one are refused.
	Secret awsconf.SecretReader
	// ClusterName is the target cluster's name in AWS (Velero's environment
	// variable AWS_CLUSTER_NAME); restored volumes are tagged as owned by it.
	// "" tags none.
	ClusterName string
	// Attempts is how often a request that may be repeated is made before its
	// failure counts; 0 means 8, which ride out about ten seconds.
	Attempts int
	// HTTP sends the requests; nil is the SDK's own client.
	HTTP interface {
		Do(*http.Request) (*http.Response, error)
	}
}

const (
	defaultAttempts = 8
	// requestTimeout ends a request that yields nothing; EC2 answers within seconds.
	requestTimeout = 60 * time.Second
)

// Location is one opened VolumeSnapshotLocation. It is safe for concurrent use.
type Location struct {
	settings
	cluster string
	ec2     *ec2.Client
	direct  *ebs.Client // the EBS direct APIs
	sts     *sts.Client
	kms     *kms.Client
	account string
	arn     string
	quota   *quota.Account

	made     *lookups[[]Snapshot] // by backup UID
	restored *lookups[[]Volume]   // by restore UID
	deleted  deletedIDs           // of snapshots
}

// Open reads the location's credentials and asks AWS whose they are: limits
// belong to an account, and a location that cannot sign is better known now.
// It fails with ErrInvalid, ErrCredentials or ErrUnavailable.
func Open(ctx context.Context, l *velerov1.VolumeSnapshotLocation, o Options) (*Location, error) {
	set, err := parseSettings(l)
	if err != nil {
		return nil, fmt.Errorf("open snapshot location %q: %w", l.Name, err)
	}
	loc := &Location{settings: set, cluster: o.ClusterName, made: newLookups[[]Snapshot](), restored: newLookups[[]Volume]()}
	if err := loc.connect(ctx, l, o); err != nil {
		return nil, fmt.Errorf("open snapshot location %q: %w", l.Name, err)
	}
	pool := o.Limits
	if pool == nil {
		pool = quota.NewPool(quota.DefaultLimits())
	}
	loc.quota = pool.Account(loc.account, loc.region, loc.countSnapshots)
	return loc, nil
}

func (l *Location) connect(ctx context.Context, doc *velerov1.VolumeSnapshotLocation, o Options) (err error) {
	cfg, err := awsconf.Load(ctx, awsconf.Source{
		Region: l.region, Profile: l.profile, CredentialsFile: l.credentialsFile, Credential: doc.Spec.Credential, Secret: o.Secret, Role: l.role,
		Rejected: func(err error) bool { return errors.Is(kindOf(err), ErrCredentials) },
	}, config.WithRetryer(newRetryer(cmp.Or(max(o.Attempts, 0), defaultAttempts))), withHTTP(o))
	if err != nil {
		return err
	}
	l.ec2, l.sts = ec2.NewFromConfig(cfg, l.addLimiter), sts.NewFromConfig(cfg)
	l.direct, l.kms = ebs.NewFromConfig(cfg, retryThrottled), kms.NewFromConfig(cfg)
	l.account, l.arn, err = l.Identity(ctx)
	return err
}

// withHTTP leaves AWS_CA_BUNDLE to the SDK, which puts it into a client it may
// change.
func withHTTP(o Options) config.LoadOptionsFunc {
	if o.HTTP != nil {
		return config.WithHTTPClient(o.HTTP)
	}
	return config.WithHTTPClient(awshttp.NewBuildableClient().WithTimeout(requestTimeout))
}

// newRetryer repeats what failed on the way. Throttling and limits it leaves to
// the quota, which has to learn from each of them, and a zone without capacity to
// its callers: seconds do not mend that. It has no shared budget: with
// many requests in flight a short outage would spend it and fail them all.
func newRetryer(attempts int) func() aws.Retryer {
	now := retry.IsErrorRetryableFunc(func(err error) aws.Ternary {
		if code := awserr.Code(err); isThrottle(code) || isLimit(code) || code == codeCapacity {
			return aws.FalseTernary
		}
		return aws.UnknownTernary
	})
	return func() aws.Retryer {
		return retry.NewStandard(func(o *retry.StandardOptions) {
			o.MaxAttempts, o.RateLimiter, o.Backoff = attempts, ratelimit.None, retry.BackoffDelayerFunc(awsconf.Backoff)
			o.Retryables = append([]retry.IsErrorRetryable{now}, o.Retryables...)
		})
	}
}

// Name is the location's name.
func (l *Location) Name() string { return l.name }

// Region is the one the location's volumes and snapshots are in.
func (l *Location) Region() string { return l.region }

// Account is the AWS account the location's credentials belong to.
func (l *Location) Account() string { return l.account }

// Identity asks STS who the location's credentials are.
func (l *Location) Identity(ctx context.Context) (account, arn string, err error) {
	out, err := l.sts.GetCallerIdentity(ctx, &sts.GetCallerIdentityInput{})
	if err != nil {
		return "", "", classify("GetCallerIdentity", "", err)
	}
	return aws.ToString(out.Account), aws.ToString(out.Arn), nil
}
