package csi

import (
	"os"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	awsec2 "github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/lifeboat-backup/lifeboat/internal/aws/ebs"
	"github.com/lifeboat-backup/lifeboat/internal/kube/kubetest"
	"github.com/lifeboat-backup/lifeboat/internal/volume"
	"github.com/lifeboat-backup/lifeboat/internal/volume/volumetest"
	"github.com/lifeboat-backup/lifeboat/test/stack/ebssim"
)

// inspectedEC2 is an account whose snapshots EBS's CSI driver has made.
type inspectedEC2 struct {
	t         *testing.T
	client    *awsec2.Client
	inspector *Inspector
}

func newInspectedEC2(t *testing.T, nodeRegion string, users ...ebssim.User) *inspectedEC2 {
	t.Helper()
	_, locations := simulatedEC2(t, users...)
	api := kubetest.Start(t)
	node := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: "n"}}
	if nodeRegion != "" {
		node.Labels = map[string]string{corev1.LabelTopologyRegion: nodeRegion}
	}
	api.Put(node)
	client := awsec2.New(awsec2.Options{Region: "us-east-1", BaseEndpoint: aws.String(os.Getenv("AWS_ENDPOINT_URL_EC2")), Credentials: credentials.NewStaticCredentialsProvider(users[0].AccessKeyID, users[0].SecretAccessKey, "")})
	return &inspectedEC2{t, client, &Inspector{Kube: api.Client(), Locations: locations}}
}

func (i *inspectedEC2) Inspector() volume.Inspector { return i.inspector }

func (i *inspectedEC2) Snapshot(volume.Owner, string) volume.Ref {
	i.t.Helper()
	disk, err := i.client.CreateVolume(i.t.Context(), &awsec2.CreateVolumeInput{AvailabilityZone: aws.String("us-east-1a"), Size: aws.Int32(1)})
	if err != nil {
		i.t.Fatal(err)
	}
	s, err := i.client.CreateSnapshot(i.t.Context(), &awsec2.CreateSnapshotInput{VolumeId: disk.VolumeId})
	if err != nil {
		i.t.Fatal(err)
	}
	completed := awsec2.NewSnapshotCompletedWaiter(i.client, func(o *awsec2.SnapshotCompletedWaiterOptions) {
		o.MinDelay, o.MaxDelay = 20*time.Millisecond, time.Second
	})
	if err := completed.Wait(i.t.Context(), &awsec2.DescribeSnapshotsInput{SnapshotIds: []string{*s.SnapshotId}}, time.Minute); err != nil {
		i.t.Fatal(err)
	}
	return volume.CSIRef{Driver: volume.DriverEBS, Handle: *s.SnapshotId}
}

func (i *inspectedEC2) Delete(ref volume.Ref) {
	i.t.Helper()
	if _, err := i.client.DeleteSnapshot(i.t.Context(), &awsec2.DeleteSnapshotInput{SnapshotId: aws.String(ref.(volume.CSIRef).Handle)}); err != nil {
		i.t.Fatal(err)
	}
}

// TestInspector: the driver keeps the promises of volume.Inspector.
func TestInspector(t *testing.T) {
	volumetest.RunInspector(t, func(t *testing.T, test func(*testing.T, volumetest.InspectWorld)) {
		test(t, newInspectedEC2(t, "us-east-1", user("admin")))
	})
}

// What nobody knows for certain is not called absent.
func TestInspectUnchecked(t *testing.T) {
	missing := volume.CSIRef{Driver: volume.DriverEBS, Handle: "snap-0123456789abcdef0"}
	blind := user("blind", `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"ec2:CreateSnapshot","Resource":"*"}]}`)
	for name, c := range map[string]struct {
		ref    volume.CSIRef
		region string
		users  []ebssim.User
		want   volume.Presence
		reason string
	}{
		"missing":                  {missing, "us-east-1", []ebssim.User{user("admin")}, volume.Absent, "does not exist"},
		"no id":                    {volume.CSIRef{Driver: volume.DriverEBS, Handle: "0815"}, "us-east-1", []ebssim.User{user("admin")}, volume.Unfit, "no id of an EBS snapshot"},
		"another driver":           {volume.CSIRef{Driver: "d", Handle: "h"}, "us-east-1", []ebssim.User{user("admin")}, volume.Unchecked, "its driver only"},
		"nodes elsewhere":          {missing, "eu-west-1", []ebssim.User{user("admin")}, volume.Unchecked, "no volumeSnapshotLocation of the cluster's Region"},
		"nodes of no known Region": {missing, "", []ebssim.User{user("admin")}, volume.Unchecked, "no volumeSnapshotLocation of the cluster's Region"},
		"denied":                   {missing, "us-east-1", []ebssim.User{blind}, volume.Unchecked, "could not be looked up in EC2: location blind: "},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := newInspectedEC2(t, c.region, c.users...).inspector.Inspect(t.Context(), volume.Owner{Name: "b"}, []volume.Ref{c.ref})
			if err != nil || got[0].Presence != c.want || !strings.Contains(got[0].Reason, c.reason) {
				t.Errorf("%+v, %v", got, err)
			}
		})
	}
}

// A snapshot that carries another backup's tags was put in the place of the backup's.
func TestInspectSwapped(t *testing.T) {
	i := newInspectedEC2(t, "us-east-1", user("admin"))
	owner := volume.Owner{Name: "b", UID: "uid-b"}
	for uid, want := range map[string]volume.Presence{"uid-b": volume.Present, "uid-of-another": volume.Unfit} {
		ref := i.Snapshot(owner, "pv")
		_, err := i.client.CreateTags(t.Context(), &awsec2.CreateTagsInput{Resources: []string{ref.(volume.CSIRef).Handle}, Tags: []types.Tag{{Key: aws.String(ebs.TagDriverBackupUID), Value: aws.String(uid)}}})
		if err != nil {
			t.Fatal(err)
		}
		got, err := i.inspector.Inspect(t.Context(), owner, []volume.Ref{ref})
		if err != nil || got[0].Presence != want {
			t.Errorf("%s: %+v %v", uid, got, err)
		}
	}
}
