package stack

import (
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/ec2"

	"github.com/lifeboat-backup/lifeboat/test/stack/ebssim"
)

// TestDeniedCalls: what the shipped policy denies to a worker fails a suite, whoever else is denied
// something.
func TestDeniedCalls(t *testing.T) {
	o, err := defaultEBS(ebssim.Options{Dir: t.TempDir()}, true)
	if err != nil {
		t.Fatal(err)
	}
	sim, err := ebssim.New(o)
	if err != nil {
		t.Fatal(err)
	}
	defer sim.Close()
	server := httptest.NewServer(sim)
	defer server.Close()
	s := &Stack{EBS: &EBS{Endpoint: server.URL, AdminToken: o.AdminToken}, Dir: t.TempDir(), allowed: &allowedLocations{}}
	as := func(key, secret string) *ec2.Client {
		return ec2.New(ec2.Options{Region: o.Region, BaseEndpoint: aws.String(server.URL), Credentials: credentials.NewStaticCredentialsProvider(key, secret, "")})
	}
	untagged := &ec2.CreateVolumeInput{AvailabilityZone: aws.String(o.Zones[0]), Size: aws.Int32(1)}
	if _, err := as(driverAccessKey, driverSecretKey).CreateVolume(t.Context(), untagged); err == nil {
		t.Error("the driver makes volumes without tags")
	}
	if _, err := as(workerAccessKey, workerSecretKey).DescribeVolumes(t.Context(), &ec2.DescribeVolumesInput{}); err != nil {
		t.Error(err)
	}
	if err := s.deniedCalls(t.Context()); err != nil {
		t.Error(err)
	}
	if _, err := as(workerAccessKey, workerSecretKey).CreateVolume(t.Context(), untagged); err == nil {
		t.Error("a worker makes volumes without tags")
	}
	if err := s.deniedCalls(t.Context()); err == nil || !strings.Contains(err.Error(), "ec2:CreateVolume on resource") || strings.Contains(err.Error(), "driver") {
		t.Error(err)
	}
}
