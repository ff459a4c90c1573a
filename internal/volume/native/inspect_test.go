package native_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"

	"github.com/lifeboat-backup/lifeboat/internal/aws/ebs"
	"github.com/lifeboat-backup/lifeboat/internal/volume"
	"github.com/lifeboat-backup/lifeboat/internal/volume/location"
	"github.com/lifeboat-backup/lifeboat/internal/volume/native"
	"github.com/lifeboat-backup/lifeboat/internal/volume/volumetest"
	"github.com/lifeboat-backup/lifeboat/test/stack/ebssim"
)

// inspected is an account whose snapshots are looked up, and deleted.
type inspected struct {
	*ebssim.Sim
	t         *testing.T
	client    *ec2.Client
	locations *location.Set
}

func newInspected(t *testing.T) *inspected {
	t.Helper()
	sim, client, locations := simulatedAccount(t)
	return &inspected{sim, t, client, locations}
}

func (i *inspected) Inspector() volume.Inspector { return &native.Inspector{Locations: i.locations} }

func (i *inspected) Deleter() volume.Deleter { return &native.Deleter{Locations: i.locations} }

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

// stateOf is what the account has of a snapshot, nothing once a deletion is long ago.
func (i *inspected) stateOf(ref volume.Ref) (ebssim.SnapshotState, bool) {
	all := i.State().Snapshots
	at := slices.IndexFunc(all, func(s ebssim.SnapshotState) bool { return s.ID == ref.(volume.NativeRef).ID })
	if at < 0 {
		return ebssim.SnapshotState{}, false
	}
	return all[at], true
}

func (i *inspected) Exists(ref volume.Ref) bool {
	s, ok := i.stateOf(ref)
	return ok && s.Where == ""
}

func (i *inspected) LoseReply() {
	i.addFault(ebssim.Fault{Action: "DeleteSnapshot", Effect: ebssim.EffectDropAfter, Times: 1})
}

func (i *inspected) Deny(ref volume.Ref) {
	s, _ := i.stateOf(ref)
	i.addFault(ebssim.Fault{Action: "DeleteSnapshot", Volume: s.VolumeID, Effect: ebssim.EffectError, Code: "UnauthorizedOperation", Status: http.StatusForbidden, Message: "not you"})
}

func (i *inspected) addFault(f ebssim.Fault) {
	i.t.Helper()
	if _, err := i.AddFault(f); err != nil {
		i.t.Fatal(err)
	}
}

func (i *inspected) Allow() { i.RemoveFault("") }

func (i *inspected) Lock(ref volume.Ref) { lock(i.t, i.client, ref.(volume.NativeRef).ID) }

// TestDeleter: the driver keeps the promises of volume.Deleter.
func TestDeleter(t *testing.T) {
	volumetest.RunDeleter(t, func(t *testing.T, test func(*testing.T, volumetest.DeleteWorld)) {
		synctest.Test(t, func(t *testing.T) { test(t, newInspected(t)) })
	})
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
	got, err := i.Inspector().Inspect(t.Context(), owner, []volume.Ref{mine, foreign, other, unknown})
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
