package ebssim_test

import (
	"context"
	"errors"
	"net"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/ratelimit"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/smithy-go"

	"github.com/lifeboat-backup/lifeboat/test/stack/ebssim"
)

const (
	region   = "eu-central-1"
	zone     = region + "a"
	account  = "111122223333"
	adminKey = "AKIASIMADMIN"
	adminSec = "not-a-real-secret-of-admin"
	token    = "not-a-real-admin-token"
)

// rig is a simulator behind a server, with the unmodified SDK in front.
type rig struct {
	*ebssim.Sim
	clock *ebssim.ManualClock
	url   string
	ec2   *ec2.Client
}

// start has an admin, a manual clock and fast limits unless change says otherwise.
func start(t *testing.T, change func(*ebssim.Options)) rig {
	t.Helper()
	clock, limits := ebssim.NewManualClock(), ebssim.Fast()
	o := ebssim.Options{
		Dir: t.TempDir(), Region: region, AccountID: account, AdminToken: token, Limits: &limits, Clock: clock,
		Users:     []ebssim.User{{Name: "admin", AccessKeyID: adminKey, SecretAccessKey: adminSec}},
		Instances: []ebssim.Instance{{ID: "i-0a", Zone: zone}, {ID: "i-0b", Zone: region + "b"}},
	}
	if change != nil {
		change(&o)
	}
	return serve(t, o, clock)
}

func serve(t *testing.T, o ebssim.Options, clock *ebssim.ManualClock) rig {
	t.Helper()
	sim, err := ebssim.New(o)
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(sim)
	t.Cleanup(func() {
		server.Close()
		if err := sim.Close(); err != nil {
			t.Error(err)
		}
	})
	return rig{Sim: sim, clock: clock, url: server.URL, ec2: client(server.URL, adminKey, adminSec, "")}
}

// answersOnly sends nothing again that was answered: tests want to see every answer. A request whose
// connection was closed here has lost its answer: the SDK closes a request's body as soon as the answer
// begins, which breaks the connection where net/http has not yet seen the body's end.
func answersOnly() aws.Retryer {
	return retry.NewStandard(func(o *retry.StandardOptions) {
		o.RateLimiter, o.Backoff = ratelimit.None, retry.NewExponentialJitterBackoff(time.Millisecond)
		o.Retryables = []retry.IsErrorRetryable{retry.IsErrorRetryableFunc(func(err error) aws.Ternary {
			return aws.BoolTernary(errors.Is(err, net.ErrClosed))
		})}
	})
}

func client(url, key, secret, session string) *ec2.Client {
	return ec2.New(ec2.Options{
		Region: region, BaseEndpoint: aws.String(url), Retryer: answersOnly(),
		Credentials: credentials.NewStaticCredentialsProvider(key, secret, session),
	})
}

func stsClient(url, key, secret, session string) *sts.Client {
	return sts.New(sts.Options{
		Region: region, BaseEndpoint: aws.String(url), Retryer: answersOnly(),
		Credentials: credentials.NewStaticCredentialsProvider(key, secret, session),
	})
}

// wantCode fails unless err carries the code.
func wantCode(t *testing.T, err error, code string) {
	t.Helper()
	var api smithy.APIError
	if !errors.As(err, &api) {
		t.Fatalf("want %s, got %v", code, err)
	}
	if api.ErrorCode() != code {
		t.Fatalf("want %s, got %s: %s", code, api.ErrorCode(), api.ErrorMessage())
	}
}

func must[T any](t *testing.T) func(T, error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

// newVolume is a gp3 volume of 1 GiB, available, with tags in pairs.
func (r rig) newVolume(t *testing.T, tags ...string) string {
	t.Helper()
	in := &ec2.CreateVolumeInput{AvailabilityZone: aws.String(zone), Size: aws.Int32(1), VolumeType: types.VolumeTypeGp3}
	if len(tags) > 0 {
		in.TagSpecifications = tagSpec(types.ResourceTypeVolume, tags...)
	}
	out := must[*ec2.CreateVolumeOutput](t)(r.ec2.CreateVolume(t.Context(), in))
	return *out.VolumeId
}

func (r rig) newSnapshot(t *testing.T, volume string, tags ...string) string {
	t.Helper()
	in := &ec2.CreateSnapshotInput{VolumeId: aws.String(volume)}
	if len(tags) > 0 {
		in.TagSpecifications = tagSpec(types.ResourceTypeSnapshot, tags...)
	}
	return *must[*ec2.CreateSnapshotOutput](t)(r.ec2.CreateSnapshot(t.Context(), in)).SnapshotId
}

func (r rig) attach(t *testing.T, volume, device string) {
	t.Helper()
	must[*ec2.AttachVolumeOutput](t)(r.ec2.AttachVolume(t.Context(), &ec2.AttachVolumeInput{
		VolumeId: aws.String(volume), InstanceId: aws.String("i-0a"), Device: aws.String(device),
	}))
}

func tagSpec(kind types.ResourceType, pairs ...string) []types.TagSpecification {
	return []types.TagSpecification{{ResourceType: kind, Tags: tagList(pairs...)}}
}

func tagList(pairs ...string) []types.Tag {
	var tags []types.Tag
	for i := 0; i < len(pairs); i += 2 {
		tags = append(tags, types.Tag{Key: aws.String(pairs[i]), Value: aws.String(pairs[i+1])})
	}
	return tags
}

func (r rig) snapshotState(ctx context.Context, id string) (types.Snapshot, error) {
	out, err := r.ec2.DescribeSnapshots(ctx, &ec2.DescribeSnapshotsInput{SnapshotIds: []string{id}})
	if err != nil {
		return types.Snapshot{}, err
	}
	return out.Snapshots[0], nil
}

// ownSnapshots are the ids of those that the account has itself.
func (r rig) ownSnapshots(t *testing.T) (ids []string) {
	t.Helper()
	for _, s := range must[*ec2.DescribeSnapshotsOutput](t)(r.ec2.DescribeSnapshots(t.Context(), &ec2.DescribeSnapshotsInput{OwnerIds: []string{"self"}})).Snapshots {
		ids = append(ids, *s.SnapshotId)
	}
	return ids
}
