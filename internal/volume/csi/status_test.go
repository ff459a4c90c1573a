package csi

import (
	"os"
	"testing"
	"time"

	snapshotv1 "github.com/kubernetes-csi/external-snapshotter/client/v8/apis/volumesnapshot/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	awsec2 "github.com/aws/aws-sdk-go-v2/service/ec2"

	"github.com/lifeboat-backup/lifeboat/internal/kube/kubetest"
	"github.com/lifeboat-backup/lifeboat/internal/volume"
	"github.com/lifeboat-backup/lifeboat/internal/volume/volumetest"
	"github.com/lifeboat-backup/lifeboat/test/stack/ebssim"
)

// TestStatusInEC2: of a snapshot that the driver does not call ready, EC2 says how it is. The
// driver never tells that EBS has given it up, and an error on the VolumeSnapshot may be old.
func TestStatusInEC2(t *testing.T) {
	for name, tc := range map[string]struct {
		driver string
		fault  string
		asks   bool // a location is configured
		want   string
	}{
		"complete":           {volume.DriverEBS, "", true, volume.StatusCompleted},
		"complete, EKS Auto": {volume.DriverEBSAuto, "", true, volume.StatusCompleted},
		"EBS gave it up":     {volume.DriverEBS, ebssim.EffectSnapshotError, true, volume.StatusFailed},
		"under way":          {volume.DriverEBS, ebssim.EffectSnapshotStuck, true, volume.StatusPending},
		"nobody to ask":      {volume.DriverEBS, ebssim.EffectSnapshotError, false, volume.StatusPending},
		"another provider's": {"d", ebssim.EffectSnapshotError, true, volume.StatusPending},
	} {
		t.Run(name, func(t *testing.T) {
			sim, locations := simulatedEC2(t, user("admin"))
			handle := snapshotIn(t, sim, tc.fault)
			cluster := kubetest.Start(t)
			c := &Snapshots{Kube: cluster.Client(), Backup: volumetest.Backup("c"), Locations: locations}
			if !tc.asks {
				c.Locations.Config().VolumeSnapshotLocations = nil
			}
			c.Backup.Volumes[0].Driver = tc.driver
			noted := vs(time.Hour, true, false, "an error of the driver")
			noted.Namespace, noted.Name, noted.Labels = "shop", c.Backup.Volumes[0].Snapshot, map[string]string{LabelUID: c.Backup.UID}
			cluster.Put(&noted, &snapshotv1.VolumeSnapshotContent{
				ObjectMeta: metav1.ObjectMeta{Name: "bound"}, Spec: snapshotv1.VolumeSnapshotContentSpec{Driver: tc.driver},
				Status: &snapshotv1.VolumeSnapshotContentStatus{SnapshotHandle: &handle},
			})
			time.Sleep(100 * time.Millisecond) // the simulated snapshot takes 50 ms
			got, err := c.Status(t.Context(), []volume.Snapshot{{Volume: 0, At: time.Now().Add(-time.Hour), Content: "bound"}})
			if err != nil || got[0].Phase != tc.want {
				t.Errorf("%+v, %v", got, err)
			}
		})
	}
}

// snapshotIn takes a snapshot of a new volume with a fault, "" for none.
func snapshotIn(t *testing.T, sim *ebssim.Sim, fault string) string {
	t.Helper()
	url := os.Getenv("AWS_ENDPOINT_URL_EC2")
	client := awsec2.New(awsec2.Options{Region: "us-east-1", BaseEndpoint: &url, Credentials: credentials.NewStaticCredentialsProvider("AKIAADMIN", "admin", "")})
	disk, err := client.CreateVolume(t.Context(), &awsec2.CreateVolumeInput{AvailabilityZone: aws.String("us-east-1a"), Size: aws.Int32(1)})
	if err != nil {
		t.Fatal(err)
	}
	if fault != "" {
		if _, err := sim.AddFault(ebssim.Fault{Effect: fault}); err != nil {
			t.Fatal(err)
		}
	}
	out, err := client.CreateSnapshot(t.Context(), &awsec2.CreateSnapshotInput{VolumeId: disk.VolumeId})
	if err != nil {
		t.Fatal(err)
	}
	return *out.SnapshotId
}
