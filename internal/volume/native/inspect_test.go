package native_test

import (
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"

	"github.com/lifeboat-backup/lifeboat/internal/aws/ebs"
	"github.com/lifeboat-backup/lifeboat/internal/volume"
	"github.com/lifeboat-backup/lifeboat/internal/volume/native"
	"github.com/lifeboat-backup/lifeboat/internal/volume/volumetest"
)

// inspected is an account whose snapshots are looked up.
type inspected struct {
	t      *testing.T
	client *ec2.Client
	native *native.Inspector
}

func newInspected(t *testing.T) *inspected {
	t.Helper()
	_, client, locations := simulatedAccount(t)
	return &inspected{t, client, &native.Inspector{Locations: locations}}
}

func (i *inspected) Inspector() volume.Inspector { return i.native }

func (i *inspected) Snapshot(owner volume.Owner, pv string) volume.Ref {
	i.t.Helper()
	id := takeSnapshot(i.t, i.client, owner.Name)
	_, err := i.client.CreateTags(i.t.Context(), &ec2.CreateTagsInput{Resources: []string{id}, Tags: []types.Tag{{Key: aws.String(ebs.TagPV), Value: &pv}}})
	if err != nil {
		i.t.Fatal(err)
	}
	completed := ec2.NewSnapshotCompletedWaiter(i.client, func(o *ec2.SnapshotCompletedWaiterOptions) { o.MinDelay, o.MaxDelay = 20*time.Millisecond, time.Second })
	if err := completed.Wait(i.t.Context(), &ec2.DescribeSnapshotsInput{SnapshotIds: []string{id}}, time.Minute); err != nil {
		i.t.Fatal(err)
	}
	return volume.NativeRef{Location: "east", ID: id, PV: pv}
}

func (i *inspected) Delete(ref volume.Ref) {
	i.t.Helper()
	if _, err := i.client.DeleteSnapshot(i.t.Context(), &ec2.DeleteSnapshotInput{SnapshotId: aws.String(ref.(volume.NativeRef).ID)}); err != nil {
		i.t.Fatal(err)
	}
}

// TestInspector: the driver keeps the promises of volume.Inspector.
func TestInspector(t *testing.T) {
	volumetest.RunInspector(t, func(t *testing.T, test func(*testing.T, volumetest.InspectWorld)) { test(t, newInspected(t)) })
}

// A swapped id is a snapshot of another backup or volume, and one of a location that this worker
// does not know is not looked up.
func TestInspectSwapped(t *testing.T) {
	i := newInspected(t)
	owner := volume.Owner{Name: "b", UID: "u"}
	mine, foreign := i.Snapshot(owner, "pv-a").(volume.NativeRef), i.Snapshot(volume.Owner{Name: "c"}, "pv-a").(volume.NativeRef)
	other, unknown := mine, mine
	other.PV, unknown.Location = "pv-z", "west"
	got, err := i.native.Inspect(t.Context(), owner, []volume.Ref{mine, foreign, other, unknown})
	if err != nil {
		t.Fatal(err)
	}
	for n, want := range []struct {
		presence volume.Presence
		reason   string
	}{
		{volume.Present, ""},
		{volume.Unfit, `is of backup "c"`},
		{volume.Unfit, `is of volume "pv-a" by its tag velero.io/pv, not of "pv-z"`},
		{volume.Unchecked, `location "west", which this worker does not know`},
	} {
		if got[n].Presence != want.presence || !strings.Contains(got[n].Reason, want.reason) {
			t.Errorf("%d: %+v, want %+v", n, got[n], want)
		}
	}
}
