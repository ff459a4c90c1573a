package native_test

import (
	"context"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"
	velerov1 "github.com/vmware-tanzu/velero/pkg/apis/velero/v1"

	"github.com/lifeboat-backup/lifeboat/internal/aws/ebs"
	"github.com/lifeboat-backup/lifeboat/internal/config"
	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/failure"
	"github.com/lifeboat-backup/lifeboat/internal/volume"
	"github.com/lifeboat-backup/lifeboat/internal/volume/location"
	"github.com/lifeboat-backup/lifeboat/internal/volume/native"
	"github.com/lifeboat-backup/lifeboat/test/stack/ebssim"
	"github.com/lifeboat-backup/lifeboat/test/stack/ebssim/inprocess"
)

// account is a simulated AWS account, and the deleter of its location "east".
func account(t *testing.T) (*ec2.Client, *native.Deleter) {
	t.Helper()
	_, client, locations := simulatedAccount(t)
	return client, &native.Deleter{Locations: locations}
}

// simulatedAccount is an account with the location "east".
func simulatedAccount(t *testing.T) (*ebssim.Sim, *ec2.Client, *location.Set) {
	t.Helper()
	limits := ebssim.Fast()
	sim, err := ebssim.New(ebssim.Options{Dir: t.TempDir(), Region: "us-east-1", Limits: &limits, Users: []ebssim.User{{Name: "admin", AccessKeyID: "AKIAADMIN", SecretAccessKey: "secret"}}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { sim.Close() })
	const endpoint = "http://ec2.test"
	t.Setenv("AWS_ENDPOINT_URL_EC2", endpoint)
	t.Setenv("AWS_ENDPOINT_URL_STS", endpoint)
	t.Setenv("AWS_EC2_METADATA_DISABLED", "true")
	t.Setenv("AWS_CA_BUNDLE", "") // it wants a client of the SDK's own
	file := filepath.Join(t.TempDir(), "credentials")
	if err := os.WriteFile(file, []byte("[default]\naws_access_key_id=AKIAADMIN\naws_secret_access_key=secret\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	l := velerov1.VolumeSnapshotLocation{}
	l.Name, l.Spec.Provider, l.Spec.Config = "east", "aws", map[string]string{"region": "us-east-1", "credentialsFile": file}
	cfg := &config.Config{VolumeSnapshotLocations: []velerov1.VolumeSnapshotLocation{l}}
	client := ec2.New(ec2.Options{Region: "us-east-1", BaseEndpoint: aws.String(endpoint), HTTPClient: noNetwork{sim}, Credentials: credentials.NewStaticCredentialsProvider("AKIAADMIN", "secret", "")})
	return sim, client, location.New(cfg, func(ctx context.Context, l *velerov1.VolumeSnapshotLocation) (*ebs.Location, error) {
		return ebs.Open(ctx, l, ebs.Options{Attempts: 1, HTTP: noNetwork{sim}})
	})
}

// noNetwork is the way to a simulator, in virtual time too.
type noNetwork struct{ sim http.Handler }

func (n noNetwork) Do(r *http.Request) (*http.Response, error) { return inprocess.Do(n.sim, r) }

// takeSnapshot snapshots a new volume for a backup.
func takeSnapshot(t *testing.T, client *ec2.Client, backup string) string {
	t.Helper()
	return snapshotDisk(t, client, createDisk(t, client), backup)
}

func createDisk(t *testing.T, client *ec2.Client) string {
	t.Helper()
	disk, err := client.CreateVolume(t.Context(), &ec2.CreateVolumeInput{AvailabilityZone: aws.String("us-east-1a"), Size: aws.Int32(1)})
	if err != nil {
		t.Fatal(err)
	}
	return *disk.VolumeId
}

func snapshotDisk(t *testing.T, client *ec2.Client, disk, backup string) string {
	t.Helper()
	snapshot, err := client.CreateSnapshot(t.Context(), &ec2.CreateSnapshotInput{VolumeId: &disk, TagSpecifications: []types.TagSpecification{{
		ResourceType: types.ResourceTypeSnapshot, Tags: []types.Tag{{Key: aws.String(ebs.TagBackup), Value: &backup}},
	}}})
	if err != nil {
		t.Fatal(err)
	}
	return *snapshot.SnapshotId
}

func lock(t *testing.T, client *ec2.Client, snapshot string) {
	t.Helper()
	_, err := client.LockSnapshot(t.Context(), &ec2.LockSnapshotInput{SnapshotId: &snapshot, LockMode: types.LockModeGovernance, LockDuration: aws.Int32(1)})
	if err != nil {
		t.Fatal(err)
	}
}

func TestDelete(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client, d := account(t)
		own, foreign, locked := takeSnapshot(t, client, "b"), takeSnapshot(t, client, "c"), takeSnapshot(t, client, "b")
		lock(t, client, locked)
		refs := []volume.Ref{
			volume.NativeRef{Location: "east", ID: own},
			volume.NativeRef{Location: "east", ID: foreign},
			volume.NativeRef{Location: "east", ID: locked},
			volume.NativeRef{Location: "east", ID: "snap-0123456789abcdef0"},
		}
		want := []volume.Deletion{
			{Outcome: volume.Deleted},
			{Outcome: volume.Retained, Reason: "not ours"},
			{Outcome: volume.Retained, Reason: "locked in governance mode"},
			{Outcome: volume.Gone},
		}
		var mu sync.Mutex
		ends := map[volume.Ref]volume.Deletion{}
		err := d.Delete(t.Context(), volume.Owner{Name: "b", UID: "u"}, refs, func(ref volume.Ref, end volume.Deletion, err error) {
			mu.Lock()
			defer mu.Unlock()
			ends[ref] = end
			if err != nil {
				t.Errorf("%s: %v", ref, err)
			}
		})
		if err != nil || len(ends) != len(refs) {
			t.Fatalf("%d ends, %v", len(ends), err)
		}
		for i, ref := range refs {
			if got := ends[ref]; got.Outcome != want[i].Outcome || !strings.Contains(got.Reason, want[i].Reason) {
				t.Errorf("%s: %+v, want %+v", ref, got, want[i])
			}
		}
		left, err := client.DescribeSnapshots(t.Context(), &ec2.DescribeSnapshotsInput{
			OwnerIds: []string{"self"}, Filters: []types.Filter{{Name: aws.String("storage-tier"), Values: []string{"standard"}}}, // the account's others are archived
		})
		if err != nil || len(left.Snapshots) != 2 {
			t.Errorf("%d snapshots are left, %v", len(left.Snapshots), err)
		}
	})
}

// What somebody else's driver would be refused is told by the handle; snapshots of other
// drivers are not EC2's to tell.
func TestKeptSnapshots(t *testing.T) {
	client, d := account(t)
	free, locked := takeSnapshot(t, client, "b"), takeSnapshot(t, client, "b")
	lock(t, client, locked)
	kept := d.KeptSnapshots(t.Context(), []volume.CSIRef{
		{Driver: volume.DriverEBS, Handle: free}, {Driver: volume.DriverEBS, Handle: locked}, {Driver: "csi.example.org", Handle: "h"},
	})
	if len(kept) != 1 || !strings.Contains(kept[locked], "locked") {
		t.Errorf("%v", kept)
	}
	if kept := d.KeptSnapshots(t.Context(), []volume.CSIRef{{Driver: "csi.example.org", Handle: locked}}); len(kept) != 0 {
		t.Errorf("of another driver: %v", kept)
	}
	there := d.ExistingSnapshots(t.Context(), []volume.CSIRef{{Driver: volume.DriverEBS, Handle: free}, {Driver: volume.DriverEBS, Handle: "snap-00000000000000000"}})
	if len(there) != 1 || !there[free] {
		t.Errorf("exist: %v", there)
	}
}

func TestCheck(t *testing.T) {
	_, d := account(t)
	if err := d.Check(t.Context(), []volume.Ref{volume.NativeRef{Location: "east", ID: "snap-a"}}); err != nil {
		t.Error(err)
	}
	err := d.Check(t.Context(), []volume.Ref{volume.NativeRef{Location: "west", ID: "snap-a"}})
	if failure.TypeOf(err) != contract.ErrTypeInvalid || !strings.Contains(err.Error(), "retained: location west unknown: snapshot snap-a is in it") {
		t.Errorf("%v", err)
	}
	err = d.Check(t.Context(), []volume.Ref{volume.CSIRef{Driver: "d", Handle: "h"}})
	if err == nil || !strings.Contains(err.Error(), "not a snapshot of method") {
		t.Errorf("%v", err)
	}
}

// TestDeleteIntoTheRecycleBin: what a retention rule keeps is retained, though the Recycle Bin
// does not show it at once.
func TestDeleteIntoTheRecycleBin(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sim, client, locations := simulatedAccount(t)
		id := takeSnapshot(t, client, "b")
		sim.SetRecycleBin([]ebssim.RetentionRule{{Retain: ebssim.Duration(24 * time.Hour)}})
		for end := time.Now().Add(time.Minute); ; time.Sleep(10 * time.Millisecond) { // only a completed one is kept
			found, err := client.DescribeSnapshots(t.Context(), &ec2.DescribeSnapshotsInput{SnapshotIds: []string{id}})
			if err != nil || time.Now().After(end) {
				t.Fatal(err)
			}
			if found.Snapshots[0].State == types.SnapshotStateCompleted {
				break
			}
		}
		sim.SetLimits(func(l *ebssim.Limits) { l.Visibility = ebssim.Published().Visibility })
		d, ref := &native.Deleter{Locations: locations}, volume.NativeRef{Location: "east", ID: id}
		for range 2 {
			err := d.Delete(t.Context(), volume.Owner{Name: "b", UID: "u"}, []volume.Ref{ref}, func(_ volume.Ref, end volume.Deletion, err error) {
				if err != nil || end.Outcome != volume.Retained || !strings.Contains(end.Reason, "Recycle Bin") {
					t.Errorf("%+v, %v", end, err)
				}
			})
			if err != nil {
				t.Fatal(err)
			}
		}
	})
}

// EC2 hides what was just made: a snapshot of a backup that has just ended is not told gone.
func TestDeleteOfYoungBackup(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sim, client, locations := simulatedAccount(t)
		d := &native.Deleter{Locations: locations}
		disk := createDisk(t, client)
		sim.SetLimits(func(l *ebssim.Limits) { l.Visibility = ebssim.Duration(300 * time.Millisecond) })
		ref := volume.NativeRef{Location: "east", ID: snapshotDisk(t, client, disk, "b")}
		err := d.Delete(t.Context(), volume.Owner{Name: "b", Ended: time.Now()}, []volume.Ref{ref}, func(_ volume.Ref, end volume.Deletion, err error) {
			if err != nil || end.Outcome != volume.Deleted {
				t.Errorf("%+v, %v", end, err)
			}
		})
		if err != nil {
			t.Fatal(err)
		}
	})
}

// TestDeleteAsksForAllAtOnce: beside the deletions, EC2 gets one request before them and one after.
func TestDeleteAsksForAllAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sim, client, locations := simulatedAccount(t)
		d := &native.Deleter{Locations: locations}
		var refs []volume.Ref
		for range 20 {
			refs = append(refs, volume.NativeRef{Location: "east", ID: takeSnapshot(t, client, "b")})
		}
		sim.ClearAudit()
		var mu sync.Mutex
		deleted := 0
		err := d.Delete(t.Context(), volume.Owner{Name: "b", UID: "u"}, refs, func(_ volume.Ref, end volume.Deletion, err error) {
			mu.Lock()
			defer mu.Unlock()
			if err == nil && end.Outcome == volume.Deleted {
				deleted++
			}
		})
		calls := map[string]int{}
		for _, c := range sim.Audit() {
			calls[c.Action]++
		}
		delete(calls, "GetCallerIdentity") // by which the location is opened
		want := map[string]int{"DescribeSnapshots": 1, "DeleteSnapshot": 20, "ListSnapshotsInRecycleBin": 1}
		if err != nil || deleted != 20 || !maps.Equal(calls, want) {
			t.Errorf("%d deleted by %v, %v; want %v", deleted, calls, err, want)
		}
	})
}
