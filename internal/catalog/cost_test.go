package catalog

import (
	"bytes"
	"fmt"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/ec2"

	"github.com/lifeboat-backup/lifeboat/internal/archive/layout"
	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/repository/repositorytest"
	"github.com/lifeboat-backup/lifeboat/internal/store/memstore"
	"github.com/lifeboat-backup/lifeboat/test/stack/ebssim"
)

// disks is a simulated account, and its administrator.
type disks struct {
	t   *testing.T
	sim *ebssim.Sim
	ec2 *ec2.Client
}

// newDisks also lets the location "ebs" of the configuration reach the account.
func newDisks(t *testing.T) *disks {
	t.Helper()
	limits := ebssim.Limits{}
	sim, err := ebssim.New(ebssim.Options{Dir: t.TempDir(), Region: "eu-west-1", Limits: &limits, Users: []ebssim.User{{Name: "admin", AccessKeyID: "AKIAADMIN", SecretAccessKey: "secret"}}})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(sim)
	t.Cleanup(func() { server.Close(); sim.Close() })
	for _, service := range []string{"EC2", "EBS", "STS"} {
		t.Setenv("AWS_ENDPOINT_URL_"+service, server.URL)
	}
	t.Setenv("AWS_EC2_METADATA_DISABLED", "true")
	t.Setenv("AWS_CA_BUNDLE", "")
	t.Setenv("AWS_ACCESS_KEY_ID", "AKIAADMIN")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "secret")
	client := ec2.New(ec2.Options{
		Region: "eu-west-1", BaseEndpoint: aws.String(server.URL), Credentials: credentials.NewStaticCredentialsProvider("AKIAADMIN", "secret", ""),
	})
	return &disks{t: t, sim: sim, ec2: client}
}

func (d *disks) volume() string {
	d.t.Helper()
	out, err := d.ec2.CreateVolume(d.t.Context(), &ec2.CreateVolumeInput{AvailabilityZone: aws.String("eu-west-1a"), Size: aws.Int32(1)})
	if err != nil {
		d.t.Fatal(err)
	}
	return *out.VolumeId
}

// snapshot takes one after n blocks of 512 KiB of the volume have got new content.
func (d *disks) snapshot(volume string, n int) string {
	d.t.Helper()
	dir, err := d.sim.VolumeDir(volume)
	content := byte(time.Now().UnixNano()%250) + 1
	for i := range n {
		if err == nil {
			err = os.WriteFile(filepath.Join(dir, fmt.Sprint(i)), bytes.Repeat([]byte{content}, 512<<10), 0o600)
		}
		content++
	}
	if err != nil {
		d.t.Fatal(err)
	}
	time.Sleep(2 * time.Millisecond) // a snapshot is known by when it was begun
	out, err := d.ec2.CreateSnapshot(d.t.Context(), &ec2.CreateSnapshotInput{VolumeId: aws.String(volume)})
	if err != nil {
		d.t.Fatal(err)
	}
	return *out.SnapshotId
}

// putBackup stores a backup of Velero with native snapshots.
func putBackup(t *testing.T, st *memstore.Store, name string, snapshots ...string) {
	t.Helper()
	l := layout.Backup{Name: name}
	st.Set(l.Metadata(), fmt.Appendf(nil, `{"apiVersion":"velero.io/v1","kind":"Backup","metadata":{"name":%q},"status":{"phase":"Completed"}}`, name))
	st.Set(l.Tarball(), make([]byte, 1000))
	var entries []string
	for _, s := range snapshots {
		entries = append(entries, fmt.Sprintf(`{"backupMethod":"NativeSnapshot","result":"succeeded","nativeSnapshotInfo":{"snapshotHandle":%q}}`, s))
	}
	putList(t, st, l.VolumeInfo(), "["+strings.Join(entries, ",")+"]")
}

// TestBackupCost: each block counts once in the chain of its volume.
func TestBackupCost(t *testing.T) {
	d, st := newDisks(t), memstore.New()
	a, b := d.volume(), d.volume()
	putBackup(t, st, "first", d.snapshot(a, 20), d.snapshot(b, 7))
	d.snapshot(b, 4) // of somebody else: what it added is its own
	putBackup(t, st, "second", d.snapshot(a, 5), d.snapshot(b, 0))
	putBackup(t, st, "third", d.snapshot(a, 2), "snap-00000000000000000")
	putBackup(t, st, "none")
	set := snapshotLocations("ebs")
	c := readerOver(repositorytest.Stores{"default": st})
	c.Snapshots, c.Config = set, set.Config()

	for name, want := range map[string]contract.BackupCost{
		"first":  {Snapshots: 2, SnapshotBytes: 27 * 512 << 10},
		"second": {Snapshots: 2, SnapshotBytes: 5 * 512 << 10},
		"third":  {Snapshots: 1, SnapshotBytes: 2 * 512 << 10, Unmeasured: []string{"snap-00000000000000000: it exists in no volume snapshot location of the worker's configuration"}},
		"none":   {},
	} {
		res, err := c.Read(t.Context(), contract.ReadInput{Verb: contract.ReadBackupCost, Name: name})
		if err != nil {
			t.Fatal(err)
		}
		got := *res.Cost
		if got.ObjectBytes <= 1000 || got.Name != name || got.Location != "default" {
			t.Errorf("%s: %+v", name, got)
		}
		if got.Snapshots != want.Snapshots || got.SnapshotBytes != want.SnapshotBytes || strings.Join(got.Unmeasured, "; ") != strings.Join(want.Unmeasured, "; ") {
			t.Errorf("%s: got %+v, want %+v", name, got, want)
		}
	}
}

// TestBackupCostWithoutEBS: what cannot be asked is named, and the objects are measured.
func TestBackupCostWithoutEBS(t *testing.T) {
	st := memstore.New()
	putBackup(t, st, "b", "snap-00000000000000001")
	c := readerOver(repositorytest.Stores{"default": st})
	res, err := c.Read(t.Context(), contract.ReadInput{Verb: contract.ReadBackupCost, Name: "b"})
	if err != nil || res.Cost.ObjectBytes < 1000 || len(res.Cost.Unmeasured) != 1 {
		t.Errorf("got %+v, %v", res.Cost, err)
	}
}
