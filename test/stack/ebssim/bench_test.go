package ebssim_test

import (
	"net/http/httptest"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"

	"github.com/lifeboat-backup/lifeboat/test/stack/ebssim"
)

// BenchmarkCreateSnapshot is the simulator's own cost of a call, the SDK's
// included: the least that anything measured against it can take.
func BenchmarkCreateSnapshot(b *testing.B) {
	limits := ebssim.Fast()
	limits.SnapshotBase, limits.PendingPerAccount, limits.PendingPerVolume = 0, 0, 0
	client := benchClient(b, limits)
	v, err := client.CreateVolume(b.Context(), &ec2.CreateVolumeInput{AvailabilityZone: aws.String(zone), Size: aws.Int32(1)})
	if err != nil {
		b.Fatal(err)
	}
	in := &ec2.CreateSnapshotInput{VolumeId: v.VolumeId, TagSpecifications: tagSpec(types.ResourceTypeSnapshot, "velero.io/backup", "b")}
	for b.Loop() {
		if _, err := client.CreateSnapshot(b.Context(), in); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkDescribeSnapshots finds one of 1000 by its tag.
func BenchmarkDescribeSnapshots(b *testing.B) {
	limits := ebssim.Fast()
	limits.SnapshotBase, limits.PendingPerAccount, limits.PendingPerVolume = 0, 0, 0
	client := benchClient(b, limits)
	v, err := client.CreateVolume(b.Context(), &ec2.CreateVolumeInput{AvailabilityZone: aws.String(zone), Size: aws.Int32(1)})
	if err != nil {
		b.Fatal(err)
	}
	for range 1000 {
		if _, err := client.CreateSnapshot(b.Context(), &ec2.CreateSnapshotInput{VolumeId: v.VolumeId}); err != nil {
			b.Fatal(err)
		}
	}
	for b.Loop() {
		if _, err := client.DescribeSnapshots(b.Context(), &ec2.DescribeSnapshotsInput{Filters: filter("tag:velero.io/backup", "b")}); err != nil {
			b.Fatal(err)
		}
	}
}

func benchClient(b *testing.B, limits ebssim.Limits) *ec2.Client {
	b.Helper()
	sim, err := ebssim.New(ebssim.Options{
		Dir: b.TempDir(), Region: region, Limits: &limits,
		Users: []ebssim.User{{Name: "admin", AccessKeyID: adminKey, SecretAccessKey: adminSec}},
	})
	if err != nil {
		b.Fatal(err)
	}
	server := httptest.NewServer(sim)
	b.Cleanup(func() { server.Close(); sim.Close() })
	return client(server.URL, adminKey, adminSec, "")
}
