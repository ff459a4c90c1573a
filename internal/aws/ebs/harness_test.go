package ebs

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"
	velerov1 "github.com/vmware-tanzu/velero/pkg/apis/velero/v1"

	"github.com/lifeboat-backup/lifeboat/test/stack/ebssim"
	"github.com/lifeboat-backup/lifeboat/test/stack/ebssim/inprocess"
)

const (
	region   = "eu-central-1"
	zone     = "eu-central-1a"
	instance = "i-0123456789abcdef0"
	uid      = "8f8f7f6e-0000-4000-8000-000000000001"
	sizeGiB  = 4 // of volumes that do not say otherwise
)

// latency is what every request takes, in the test's virtual time.
const latency = 40 * time.Millisecond

// wire hands requests to the simulator without a network: nothing but timers
// passes time, so minutes of limits take milliseconds.
type wire struct{ sim http.Handler }

func (w wire) Do(r *http.Request) (*http.Response, error) {
	select {
	case <-time.After(latency):
	case <-r.Context().Done():
		return nil, r.Context().Err()
	}
	return inprocess.Do(w.sim, r)
}

// world is a simulator, and the account's administrator.
type world struct {
	*ebssim.Sim
	t     *testing.T
	admin *Location
}

// inWorld runs a test in virtual time. Policies, if any, are those of the user
// "lifeboat"; otherwise it may do anything.
func inWorld(t *testing.T, limits ebssim.Limits, policies []json.RawMessage, test func(*testing.T, *world)) {
	dir := t.TempDir()
	t.Setenv("AWS_ENDPOINT_URL_EC2", "http://ec2.test")
	t.Setenv("AWS_ENDPOINT_URL_EBS", "http://ebs.test")
	t.Setenv("AWS_ENDPOINT_URL_STS", "http://sts.test")
	t.Setenv("AWS_ENDPOINT_URL_KMS", "http://kms.test")
	t.Setenv("AWS_EC2_METADATA_DISABLED", "true")
	t.Setenv("AWS_CA_BUNDLE", "") // it wants a client of the SDK's own
	synctest.Test(t, func(t *testing.T) {
		sim, err := ebssim.New(ebssim.Options{
			Dir: dir, Region: region, Zones: []string{region + "a", region + "b", region + "c", region + "-ham-1a"}, Limits: &limits, Instances: []ebssim.Instance{{ID: instance, Zone: zone}},
			Users: []ebssim.User{
				{Name: "admin", AccessKeyID: "AKIAADMIN", SecretAccessKey: "admin-secret"},
				{Name: "lifeboat", AccessKeyID: "AKIALIFEBOAT", SecretAccessKey: "lifeboat-secret", Policies: policies},
			},
		})
		if err != nil {
			t.Fatal(err)
		}
		defer sim.Close()
		w := &world{Sim: sim, t: t}
		w.admin = w.open("AKIAADMIN", "admin-secret", Options{})
		test(t, w)
	})
}

// location opens the location under test with a pool of its own, as a worker does.
func (w *world) location() *Location { return w.open("AKIALIFEBOAT", "lifeboat-secret", Options{}) }

func (w *world) open(key, secret string, o Options, config ...string) *Location {
	w.t.Helper()
	doc := w.documentOf(key, secret, config...)
	if o.HTTP == nil {
		o.HTTP = wire{w.Sim}
	}
	l, err := Open(w.t.Context(), doc, o)
	if err != nil {
		w.t.Fatal(err)
	}
	return l
}

// documentOf is a location with a user's keys.
func (w *world) documentOf(key, secret string, config ...string) *velerov1.VolumeSnapshotLocation {
	w.t.Helper()
	file := filepath.Join(w.t.TempDir(), "credentials")
	text := fmt.Sprintf("[default]\naws_access_key_id=%s\naws_secret_access_key=%s\n", key, secret)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		w.t.Fatal(err)
	}
	return document(append([]string{"credentialsFile", file}, config...)...)
}

func document(config ...string) *velerov1.VolumeSnapshotLocation {
	doc := &velerov1.VolumeSnapshotLocation{}
	doc.Name, doc.Spec.Provider, doc.Spec.Config = "default", "aws", map[string]string{"region": region}
	for i := 0; i < len(config); i += 2 {
		doc.Spec.Config[config[i]] = config[i+1]
	}
	return doc
}

// volume makes one, available, with a file in it.
func (w *world) volume(change ...func(*ec2.CreateVolumeInput)) Volume {
	w.t.Helper()
	in := &ec2.CreateVolumeInput{AvailabilityZone: aws.String(zone), Size: aws.Int32(sizeGiB), VolumeType: types.VolumeTypeGp3}
	for _, c := range change {
		c(in)
	}
	out, err := w.admin.ec2.CreateVolume(w.t.Context(), in)
	if err != nil {
		w.t.Fatal(err)
	}
	v := fromMade(out)
	dir, err := w.VolumeDir(v.ID)
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, "data"), []byte(v.ID), 0o600)
	}
	if err != nil {
		w.t.Fatal(err)
	}
	return v
}

func (w *world) volumes(n int) []Volume {
	out := make([]Volume, n)
	for i := range out {
		out[i] = w.volume()
	}
	time.Sleep(10 * time.Minute) // all available, and the account's buckets full again
	w.ClearAudit()
	return out
}

// attach attaches a volume to the instance.
func (w *world) attach(v Volume, device string) { w.t.Helper(); w.attachTo(instance, v, device) }

func (w *world) attachTo(instance string, v Volume, device string) {
	w.t.Helper()
	in := &ec2.AttachVolumeInput{VolumeId: aws.String(v.ID), InstanceId: aws.String(instance), Device: aws.String(device)}
	if _, err := w.admin.ec2.AttachVolume(w.t.Context(), in); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) fault(f ebssim.Fault) {
	w.t.Helper()
	if _, err := w.AddFault(f); err != nil {
		w.t.Fatal(err)
	}
}

// refusals are the calls of the audit log that did not end well.
func (w *world) refusals() map[string]int {
	out := map[string]int{}
	for _, c := range w.Audit() {
		if c.Result != "OK" {
			out[c.Action+" "+c.Result]++
		}
	}
	return out
}

// settles is how long EC2's calls differ at most about what was made or deleted.
const settles = 4 * time.Second

func (w *world) snapshots() []ebssim.SnapshotState { return w.State().Snapshots }

func request(v Volume, pv string) Request { return requestOf(uid, v, pv) }

func requestOf(uid string, v Volume, pv string) Request {
	return Request{Volume: v, PV: pv, Tags: Tags(v.Tags, nil, map[string]string{
		TagBackup: "nightly", TagPV: pv, TagBackupUID: uid, TagCluster: "prod", TagLocation: "default",
	})}
}
