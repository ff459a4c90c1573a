package native

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	velerov1 "github.com/vmware-tanzu/velero/pkg/apis/velero/v1"

	"github.com/lifeboat-backup/lifeboat/internal/aws/ebs"
	"github.com/lifeboat-backup/lifeboat/internal/aws/ebs/quota"
	"github.com/lifeboat-backup/lifeboat/internal/volume"
	"github.com/lifeboat-backup/lifeboat/internal/volume/volumetest"
	"github.com/lifeboat-backup/lifeboat/test/stack/ebssim"
	"github.com/lifeboat-backup/lifeboat/test/stack/ebssim/inprocess"
)

// TestSnapshotter: the driver keeps the promises of volume.Snapshotter.
func TestSnapshotter(t *testing.T) { volumetest.Run(t, inWorld) }

const (
	worldRegion   = "eu-central-1"
	worldInstance = "i-0123456789abcdef0"
	worldKey      = "AKIALIFEBOAT"
	worldSecret   = "lifeboat-secret"
	worldEndpoint = "http://ec2.test"
	// worldLatency is what each request takes, in virtual time.
	worldLatency = 10 * time.Millisecond
)

// world is an account of EC2 with one instance, to which the volumes of the first group
// are attached.
type world struct {
	*ebssim.Sim
	t        *testing.T
	ec2      *ec2.Client
	location *ebs.Location
	volumes  []string // ids
}

// inWorld runs a test in virtual time: minutes of EC2's limits take no time.
func inWorld(t *testing.T, test func(*testing.T, volumetest.World)) {
	dir := t.TempDir()
	t.Setenv("AWS_ENDPOINT_URL_EC2", worldEndpoint)
	t.Setenv("AWS_ENDPOINT_URL_STS", "http://sts.test")
	t.Setenv("AWS_EC2_METADATA_DISABLED", "true")
	t.Setenv("AWS_CA_BUNDLE", "") // it wants a client of the SDK's own
	synctest.Test(t, func(t *testing.T) {
		limits := ebssim.Published()
		limits.PendingPerAccount = volumetest.Capacity
		sim, err := ebssim.New(ebssim.Options{
			Dir: dir, Region: worldRegion, Limits: &limits, Instances: []ebssim.Instance{{ID: worldInstance, Zone: worldRegion + "a"}},
			Users: []ebssim.User{{Name: "lifeboat", AccessKeyID: worldKey, SecretAccessKey: worldSecret}},
		})
		if err != nil {
			t.Fatal(err)
		}
		defer sim.Close()
		w := &world{Sim: sim, t: t}
		w.open()
		w.createVolumes()
		test(t, w)
	})
}

// open connects as a worker does.
func (w *world) open() {
	w.t.Helper()
	file := filepath.Join(w.t.TempDir(), "credentials")
	text := fmt.Sprintf("[default]\naws_access_key_id=%s\naws_secret_access_key=%s\n", worldKey, worldSecret)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		w.t.Fatal(err)
	}
	doc := &velerov1.VolumeSnapshotLocation{}
	doc.Name, doc.Spec.Provider, doc.Spec.Config = "default", "aws", map[string]string{"region": worldRegion, "credentialsFile": file}
	limits := quota.DefaultLimits()
	limits.Pending = volumetest.Capacity
	var err error
	w.location, err = ebs.Open(w.t.Context(), doc, ebs.Options{HTTP: wire{w.Sim}, Limits: quota.NewPool(limits)})
	if err != nil {
		w.t.Fatal(err)
	}
	w.ec2 = ec2.New(ec2.Options{
		Region: worldRegion, BaseEndpoint: aws.String(worldEndpoint), HTTPClient: wire{w.Sim},
		Credentials: credentials.NewStaticCredentialsProvider(worldKey, worldSecret, ""),
	})
}

func (w *world) createVolumes() {
	w.t.Helper()
	for range volumetest.Volumes {
		v, err := w.ec2.CreateVolume(w.t.Context(), &ec2.CreateVolumeInput{AvailabilityZone: aws.String(worldRegion + "a"), Size: aws.Int32(1)})
		if err != nil {
			w.t.Fatal(err)
		}
		w.volumes = append(w.volumes, *v.VolumeId)
	}
	time.Sleep(time.Minute) // until they are available
	for i, device := range []string{"/dev/sdf", "/dev/sdg"} {
		in := &ec2.AttachVolumeInput{VolumeId: &w.volumes[i], InstanceId: aws.String(worldInstance), Device: &device}
		if _, err := w.ec2.AttachVolume(w.t.Context(), in); err != nil {
			w.t.Fatal(err)
		}
	}
	time.Sleep(time.Minute) // until they are attached
}

func (w *world) Backup() *volume.Backup {
	b := volumetest.Backup("nnnn")
	for i, id := range w.volumes {
		b.Volumes[i].VolumeID = id
	}
	return b
}

func (w *world) Driver(b *volume.Backup) volume.Snapshotter {
	return &Snapshots{Location: w.location, Backup: b}
}

// listed are the snapshots of a backup that are not deleted.
func (w *world) listed(uid string) []ebssim.SnapshotState {
	return slices.DeleteFunc(w.State().Snapshots, func(s ebssim.SnapshotState) bool {
		return s.Where != "" || s.Tags[ebs.TagBackupUID] != uid
	})
}

func (w *world) Existing(uid string) []int {
	var out []int
	for _, s := range w.listed(uid) {
		out = append(out, slices.Index(w.volumes, s.VolumeID))
	}
	slices.Sort(out)
	return out
}

func (w *world) LoseReply() {
	if _, err := w.AddFault(ebssim.Fault{Action: "CreateSnapshot*", Effect: ebssim.EffectDropAfter, Times: 1}); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) DeleteVolume(index int) {
	if err := w.DestroyVolume(w.volumes[index]); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) DeleteSnapshots(uid string, index int) {
	for _, s := range w.listed(uid) {
		if s.VolumeID != w.volumes[index] {
			continue
		}
		var err error
		for range 10 { // EC2 may not know it yet
			if _, err = w.ec2.DeleteSnapshot(w.t.Context(), &ec2.DeleteSnapshotInput{SnapshotId: &s.ID}); err == nil {
				break
			}
			time.Sleep(time.Second)
		}
		if err != nil {
			w.t.Fatal(err)
		}
	}
}

// TestGroupAmongManyVolumes: on a node with more other volumes than EC2 can leave out of a
// group, its volumes are snapshotted one after the other, and each says so.
func TestGroupAmongManyVolumes(t *testing.T) {
	for name, quiesced := range map[string]bool{"quiesced": true, "not quiesced": false} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, func(t *testing.T, vw volumetest.World) {
				w := vw.(*world)
				for i := range 41 {
					v, err := w.ec2.CreateVolume(t.Context(), &ec2.CreateVolumeInput{AvailabilityZone: aws.String(worldRegion + "a"), Size: aws.Int32(1)})
					if err != nil {
						t.Fatal(err)
					}
					time.Sleep(time.Minute)
					in := &ec2.AttachVolumeInput{VolumeId: v.VolumeId, InstanceId: aws.String(worldInstance), Device: aws.String(fmt.Sprintf("/dev/xvd%c%c", 'b'+i/26, 'a'+i%26))}
					if _, err := w.ec2.AttachVolume(t.Context(), in); err != nil {
						t.Fatal(err)
					}
				}
				time.Sleep(time.Minute)
				how := volume.ReserveOptions{Quiesced: quiesced, Attempt: 1, Deadline: time.Now().Add(time.Hour), TooLate: volume.ErrNoCapacity}
				r, err := w.Driver(w.Backup()).Reserve(t.Context(), [][]int{{0, 1}}, how)
				if err != nil {
					t.Fatal(err)
				}
				defer r.Release()
				taken, err := r.Take(t.Context(), nil)
				if err != nil || len(taken) != 2 {
					t.Fatal(taken, err)
				}
				for _, s := range taken {
					if s.ID == "" || !strings.Contains(s.Apart, "41 other volumes") {
						t.Errorf("%+v", s)
					}
				}
				if refused, err := r.CompleteTags(t.Context()); err != nil || len(refused) > 0 {
					t.Error(refused, err)
				}
				if got := w.Existing(w.Backup().UID); !slices.Equal(got, []int{0, 1}) {
					t.Errorf("snapshots exist of volumes %v", got)
				}
			})
		})
	}
}

// TestDiscardBesideARefusal: a snapshot that may not be deleted does not keep one that EC2
// does not show yet from being looked for again.
func TestDiscardBesideARefusal(t *testing.T) {
	inWorld(t, func(t *testing.T, vw volumetest.World) {
		w := vw.(*world)
		w.take(0)
		time.Sleep(time.Minute) // until EC2 shows it
		w.take(3)
		denied := ebssim.Fault{Action: "DeleteSnapshot", Volume: w.volumes[0], Effect: ebssim.EffectError, Code: "UnauthorizedOperation", Status: http.StatusForbidden, Message: "not you"}
		if _, err := w.AddFault(denied); err != nil {
			t.Fatal(err)
		}
		if err := w.Driver(w.Backup()).Discard(t.Context(), nil, nil); err == nil || !strings.Contains(err.Error(), "not you") {
			t.Errorf("the refusal is not told: %v", err)
		}
		if got := w.Existing(w.Backup().UID); !slices.Equal(got, []int{0}) {
			t.Errorf("snapshots are left of volumes %v", got)
		}
	})
}

// take makes a snapshot of one volume, of which nobody keeps a record.
func (w *world) take(index int) {
	w.t.Helper()
	how := volume.ReserveOptions{Attempt: 1, Deadline: time.Now().Add(time.Hour), TooLate: volume.ErrNoCapacity}
	r, err := w.Driver(w.Backup()).Reserve(w.t.Context(), [][]int{{index}}, how)
	if err != nil {
		w.t.Fatal(err)
	}
	defer r.Release()
	if taken, err := r.Take(w.t.Context(), nil); err != nil || len(taken) != 1 {
		w.t.Fatal(taken, err)
	}
}

// wire hands requests to the simulator without a network: nothing but timers passes time.
type wire struct{ sim http.Handler }

func (w wire) Do(r *http.Request) (*http.Response, error) {
	select {
	case <-time.After(worldLatency):
	case <-r.Context().Done():
		return nil, r.Context().Err()
	}
	return inprocess.Do(w.sim, r)
}
