package ebssim_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials/stscreds"
	"github.com/aws/aws-sdk-go-v2/service/ec2"

	"github.com/lifeboat-backup/lifeboat/test/stack/ebssim"
)

// Everything that was answered is there after a restart: volumes, snapshots and
// their data, attachments, locks, the bin, client tokens, sessions, instances.
func TestRestart(t *testing.T) {
	p := newProvider(t)
	var options ebssim.Options
	r := start(t, func(o *ebssim.Options) {
		p.options(o)
		o.Limits.SnapshotBase = ebssim.Duration(10 * time.Second)
		o.RecycleBin = []ebssim.RetentionRule{{Tags: map[string]string{"bin": "yes"}, Retain: ebssim.Duration(time.Hour)}}
		options = *o
	})
	vol := r.newVolume(t, "app", "db")
	r.attach(t, vol, "/dev/xvdb")
	write(t, filepath.Join(must[string](t)(r.VolumeDir(vol)), "f"), "x")
	binned, locked := r.newSnapshot(t, vol, "bin", "yes"), r.newSnapshot(t, vol)
	r.clock.Advance(10 * time.Second)
	r.newSnapshot(t, vol)
	must[*ec2.DeleteSnapshotOutput](t)(r.ec2.DeleteSnapshot(t.Context(), &ec2.DeleteSnapshotInput{SnapshotId: aws.String(binned)}))
	must[*ec2.LockSnapshotOutput](t)(r.ec2.LockSnapshot(t.Context(), &ec2.LockSnapshotInput{
		SnapshotId: aws.String(locked), LockMode: "governance", LockDuration: aws.Int32(1),
	}))
	create := &ec2.CreateVolumeInput{AvailabilityZone: aws.String(zone), Size: aws.Int32(1), ClientToken: aws.String("once")}
	made := must[*ec2.CreateVolumeOutput](t)(r.ec2.CreateVolume(t.Context(), create))
	keys := must[aws.Credentials](t)(stscreds.NewWebIdentityRoleProvider(stsClient(r.url, "", "", ""), workerRole,
		staticToken(p.token(t, "r", "RS256", nil))).Retrieve(t.Context()))
	if err := r.AddInstance(ebssim.Instance{ID: "i-0c", Zone: region + "c"}); err != nil {
		t.Fatal(err)
	}
	before := shown(t, r.State())
	orphan := filepath.Join(options.Dir, "snapshots", "snap-orphan")
	if err := os.Mkdir(orphan, 0o755); err != nil {
		t.Fatal(err)
	}

	again := serve(t, options, r.clock)
	if after := shown(t, again.State()); before != after {
		t.Fatalf("before %s\nafter  %s", before, after)
	}
	if _, err := os.Stat(orphan); !os.IsNotExist(err) {
		t.Errorf("data that nothing names is still there: %v", err)
	}
	same := must[*ec2.CreateVolumeOutput](t)(again.ec2.CreateVolume(t.Context(), create))
	if *same.VolumeId != *made.VolumeId {
		t.Errorf("the client token was forgotten")
	}
	session := client(again.url, keys.AccessKeyID, keys.SecretAccessKey, keys.SessionToken)
	must[*ec2.DescribeVolumesOutput](t)(session.DescribeVolumes(t.Context(), &ec2.DescribeVolumesInput{}))
	if got := read(t, filepath.Join(must[string](t)(again.VolumeDir(vol)), "f")); got != "x" {
		t.Errorf("the volume has %q", got)
	}
}

func TestDestroyedVolumeAndRemovedInstance(t *testing.T) {
	r := start(t, nil)
	lost, kept := r.newVolume(t), r.newVolume(t)
	r.attach(t, lost, "/dev/xvdb")
	r.attach(t, kept, "/dev/xvdc")
	if err := r.DestroyVolume(lost); err != nil {
		t.Fatal(err)
	}
	_, err := r.ec2.DescribeVolumes(t.Context(), &ec2.DescribeVolumesInput{VolumeIds: []string{lost}})
	wantCode(t, err, "InvalidVolume.NotFound")
	if err := r.RemoveInstance("i-0a"); err != nil {
		t.Fatal(err)
	}
	if v := r.volume(t, kept); len(v.Attachments) != 0 {
		t.Fatalf("got %+v", v.Attachments)
	}
	if n := len(r.State().Volumes); n != 2 { // kept, and the boot volume of i-0b
		t.Fatalf("%d volumes", n)
	}
}

func TestBadOptionsAreNamed(t *testing.T) {
	for want, o := range map[string]ebssim.Options{
		"options.dir": {},
		"options.users[1].accessKeyID": {Dir: t.TempDir(), Users: []ebssim.User{
			{Name: "a", AccessKeyID: "k", SecretAccessKey: "s"}, {Name: "b", AccessKeyID: "k", SecretAccessKey: "s"},
		}},
		"options.instances[0].zone": {Dir: t.TempDir(), Instances: []ebssim.Instance{{ID: "i-1", Zone: "x"}}},
		"options.issuers":           {Dir: t.TempDir(), Issuers: []ebssim.Issuer{{URL: "https://x", CA: "none"}}},
	} {
		if _, err := ebssim.New(o); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("want %s, got %v", want, err)
		}
	}
}

func shown(t *testing.T, state ebssim.State) string {
	t.Helper()
	return string(must[[]byte](t)(json.Marshal(state)))
}
