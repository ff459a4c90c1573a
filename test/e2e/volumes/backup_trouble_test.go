//go:build stack

package volumes

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/klauspost/compress/gzip"
	velerov1 "github.com/vmware-tanzu/velero/pkg/apis/velero/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/lifeboat-backup/lifeboat/internal/archive/layout"
	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/store"
	"github.com/lifeboat-backup/lifeboat/internal/volume"
	"github.com/lifeboat-backup/lifeboat/test/stack"
	"github.com/lifeboat-backup/lifeboat/test/stack/ebssim"
)

// troubled is a namespace of two claims, of which one has trouble.
type troubled struct {
	*lab
	*testing.T
	ns        string
	good, bad string // EBS volumes
}

// strike is a fault of one volume.
func (c *troubled) strike(volume string, f ebssim.Fault) {
	c.Helper()
	f.Volume = volume
	c.ebs.Inject(c.T, f)
}

// strikes is a trouble that is a fault of the bad claim's volume.
func strikes(f ebssim.Fault) func(*troubled) { return func(c *troubled) { c.strike(c.bad, f) } }

func refusing(code, message string) ebssim.Fault {
	return ebssim.Fault{Action: "CreateSnapshot", Effect: ebssim.EffectError, Code: code, Message: message}
}

// losing loses requests or answers. How the client gets over a few, internal/aws/ebs shows.
func losing(effect string, times int) ebssim.Fault {
	return ebssim.Fault{Action: "CreateSnapshot", Effect: effect, Times: times}
}

func soon(d time.Duration) metav1.Duration { return metav1.Duration{Duration: d} }

// trouble is what goes wrong with the bad claim, and what has to come of it.
type trouble struct {
	path      string
	before    func(*troubled)
	meanwhile func(*troubled, contract.BackupInput)
	spec      velerov1.BackupSpec
	failed    []string // words of the reason; none: the backup is Completed
	kept      int      // snapshots of the bad claim's volume afterwards
	// stray: the driver may lose one, when a stranger deletes what EC2 does not show yet.
	stray bool
}

func troubles() map[string]trouble {
	// On two cores that a whole suite uses the good claim's snapshot has been seen to take 5 s.
	short := velerov1.BackupSpec{CSISnapshotTimeout: soon(15 * time.Second)}
	impatient := velerov1.BackupSpec{ItemOperationTimeout: soon(8 * time.Second)}
	return map[string]trouble{
		"EBS gives it up": {
			path: "native", before: strikes(ebssim.Fault{Effect: ebssim.EffectSnapshotError}), failed: []string{"EBS gave snapshot snap-"},
		},
		"it is never complete": {
			path: "native", before: strikes(ebssim.Fault{Effect: ebssim.EffectSnapshotStuck}), spec: impatient,
			failed: []string{"not complete within itemOperationTimeout (8s)"},
		},
		"not permitted": {
			path: "native", before: strikes(refusing("UnauthorizedOperation", "not you")), failed: []string{"access denied", "not you"},
		},
		"the volume is lost before": {path: "native", before: (*troubled).destroy, failed: []string{"there is no EBS volume vol-"}},
		"the volume is lost at that moment": {
			path: "native", before: strikes(refusing("InvalidVolume.NotFound", "no such volume")), failed: []string{"not found", "no such volume"},
		},
		"the volume is lost after": {
			path: "native", before: strikes(ebssim.Fault{Effect: ebssim.EffectSnapshotStuck}), meanwhile: (*troubled).destroyOnceTaken, kept: 1,
		},
		"the driver fails for a while": {path: "csi", before: strikes(ebssim.Fault{
			Action: "CreateSnapshot", Effect: ebssim.EffectError, Code: "InternalError", Status: 500, For: ebssim.Duration(3 * time.Second),
		}), kept: 1},
		"the driver fails for long": {path: "csi", before: strikes(ebssim.Fault{
			Action: "CreateSnapshot", Effect: ebssim.EffectError, Code: "UnauthorizedOperation", Status: 403, Message: "not the driver", For: ebssim.Duration(45 * time.Second),
		}), spec: short, failed: []string{"csiSnapshotTimeout (15s)", "not the driver"}},
		"EBS gives it up, csi": {
			path: "csi", before: strikes(ebssim.Fault{Effect: ebssim.EffectSnapshotError}), failed: []string{"EBS gave snapshot snap-"},
		},
		"it is never complete, csi": {
			path: "csi", before: strikes(ebssim.Fault{Effect: ebssim.EffectSnapshotStuck}), spec: impatient,
			failed: []string{"not complete within itemOperationTimeout (8s)"},
		},
		"a stranger deletes it in EC2": {
			path: "csi", before: func(c *troubled) {
				c.strike(c.good, ebssim.Fault{Action: "CreateSnapshot", Effect: ebssim.EffectDelay, Delay: ebssim.Duration(6 * time.Second), Times: 1})
			},
			meanwhile: (*troubled).deleteInEC2, failed: []string{"is not in EC2 any more"},
		},
		"a stranger deletes it before it is taken": {
			path: "csi", before: strikes(ebssim.Fault{Action: "CreateSnapshot", Effect: ebssim.EffectDelay, Delay: ebssim.Duration(3 * time.Second)}),
			meanwhile: func(c *troubled, in contract.BackupInput) { c.deleteSnapshot(in, false) }, failed: []string{"was deleted before"}, stray: true,
		},
		"a stranger deletes it": {
			path: "csi", before: strikes(ebssim.Fault{Effect: ebssim.EffectSnapshotStuck}),
			meanwhile: func(c *troubled, in contract.BackupInput) { c.deleteSnapshot(in, true) }, failed: []string{"was deleted before"}, stray: true,
		},
		"a stranger deletes it, its class retains": {path: "csi", before: func(c *troubled) {
			c.strike(c.bad, ebssim.Fault{Effect: ebssim.EffectSnapshotStuck})
			c.kubectl(c.T, "", "annotate", "pvc", "-n", c.ns, "bad", velerov1.VolumeSnapshotClassDriverPVCAnnotation+"="+retaining)
		}, meanwhile: func(c *troubled, in contract.BackupInput) { c.deleteSnapshot(in, true) }, failed: []string{"was deleted before"}, stray: true},
	}
}

// retaining is a VolumeSnapshotClass that leaves snapshots to whoever deletes theirs.
const retaining = "ebs-retain"

// TestTroubles lets one of two volumes have trouble of each kind: the other's data is
// in the backup, nothing is left, and the reason names claim and cause.
func TestTroubles(t *testing.T) {
	t.Parallel()
	l := shared
	prefer := velerov1.VolumeSnapshotClassSelectorLabel
	l.kubectl(t, "", "label", "volumesnapshotclass", stack.EBSSnapshotClass, prefer+"=true")
	l.later(t, "label", "volumesnapshotclass", stack.EBSSnapshotClass, prefer+"-")
	l.kubectl(t, `{"apiVersion":"snapshot.storage.k8s.io/v1","kind":"VolumeSnapshotClass","metadata":{"name":"`+retaining+`"},"driver":"ebs.csi.aws.com","deletionPolicy":"Retain"}`, "apply", "-f", "-")
	l.later(t, "delete", "volumesnapshotclass", retaining)
	t.Run("all", func(t *testing.T) {
		i := 0
		for name, tc := range troubles() {
			short := fmt.Sprintf("trouble-%02d", i)
			i++
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				l.trouble(t, short, tc)
			})
		}
	})
}

func (l *lab) trouble(t *testing.T, short string, tc trouble) {
	c := &troubled{lab: l, T: t, ns: l.namespace(t, short)}
	l.claim(t, c.ns, "good", "g")
	l.claim(t, c.ns, "bad", "b")
	c.good, c.bad = l.disk(t, c.ns, "good"), l.disk(t, c.ns, "bad")
	tc.before(c)
	spec := tc.spec
	spec.IncludedNamespaces, spec.VolumeSnapshotLocations = []string{c.ns}, paths()[tc.path]
	in := contract.BackupInput{Name: short + "-" + l.ID, Spec: spec}
	run := l.startBackup(t, in.Name, spec)
	if tc.meanwhile != nil {
		tc.meanwhile(c, in)
	}
	var res contract.BackupResult
	if err := run.Get(t.Context(), &res); err != nil {
		t.Fatal(err)
	}
	c.check(tc, res)
}

// check looks at result, files, account and cluster.
func (c *troubled) check(tc trouble, res contract.BackupResult) {
	c.Helper()
	phase, want := "Completed", volume.Succeeded
	if len(tc.failed) > 0 {
		phase, want = "PartiallyFailed", volume.Failed
		if words := append([]string{"SNAPSHOT_FAILED", c.ns + "/bad"}, tc.failed...); !has(res.Reasons, words...) || res.Errors != 1 {
			c.Errorf("%d errors, reasons %q", res.Errors, res.Reasons)
		}
	}
	if res.Phase != phase {
		c.Errorf("%s: %q", res.Phase, res.Reasons)
	}
	named := map[string]bool{}
	for _, info := range c.infos(c.T, res.Name) {
		is := map[string]volume.Result{"good": volume.Succeeded, "bad": want}[info.PVCName]
		if info.Result != is || info.Skipped {
			c.Errorf("%s is %q, want %q", info.PVCName, info.Result, is)
		}
		if info.Result == volume.Succeeded {
			named[handleOf(info)] = true
		}
	}
	eventually(c.T, "snapshots in the account", func() error {
		good, bad := c.snapshotsOf(c.T, c.good), c.snapshotsOf(c.T, c.bad)
		if tc.stray {
			bad = nil
		}
		if len(good) != 1 || len(bad) != tc.kept {
			return fmt.Errorf("%d of good, %d of bad, want %d: %+v; contents %s", len(good), len(bad), tc.kept, bad, c.contents())
		}
		for _, s := range append(good, bad...) {
			if !named[s.ID] || s.State != "completed" {
				return fmt.Errorf("%s is %s, named %t", s.ID, s.State, named[s.ID])
			}
		}
		return nil
	})
	c.leftInCluster(c.T, c.ns)
	c.leftInBucket(c.T, res.Name, res.UID)
}

// TestSnapshotThatMayNotBeDeleted: what is no part of a backup is told when it has to be
// left, and costs neither the backup nor, after a cancel, the name.
func TestSnapshotThatMayNotBeDeleted(t *testing.T) {
	t.Parallel()
	l := shared
	ns := l.namespace(t, "left")
	c := &troubled{lab: l, T: t, ns: ns}
	l.claim(t, ns, "good", "g")
	l.claim(t, ns, "bad", "b")
	c.good, c.bad = l.disk(t, ns, "good"), l.disk(t, ns, "bad")
	c.strike(c.bad, ebssim.Fault{Effect: ebssim.EffectSnapshotStuck})
	l.ebs.Inject(t, ebssim.Fault{Action: "DeleteSnapshot", Volume: c.bad, Effect: ebssim.EffectError, Code: "UnauthorizedOperation", Status: 403, Message: "not you"})
	spec := velerov1.BackupSpec{IncludedNamespaces: []string{ns}, VolumeSnapshotLocations: []string{location}, ItemOperationTimeout: soon(3 * time.Second)}
	res := l.backup(t, ns, "PartiallyFailed", spec)
	if res.Volumes != 1 || !has(res.Reasons, "SNAPSHOT_LEFT", "not you", c.taken()) {
		t.Errorf("%+v", res)
	}
	spec.ItemOperationTimeout = soon(time.Hour)
	run := l.startBackup(t, ns+"-2", spec)
	eventually(t, "another snapshot", func() error {
		if n := len(l.snapshotsOf(t, c.bad)); n != 2 {
			return fmt.Errorf("%d", n)
		}
		return nil
	})
	if err := l.Temporal.CancelWorkflow(t.Context(), run.GetID(), run.GetRunID()); err != nil {
		t.Fatal(err)
	}
	if err := run.Get(t.Context(), nil); err == nil || !strings.Contains(err.Error(), "not you") {
		t.Errorf("ended with %v", err)
	}
	if n := len(l.snapshotsOf(t, c.good)); n != 1 {
		t.Errorf("%d snapshots of the volume that makes no trouble", n)
	}
	l.leftInBucket(t, ns+"-2", run.GetRunID())
}

// TestPublishedLimits: under AWS's own limits and delays, what was made and does not
// show yet is not made again.
func TestPublishedLimits(t *testing.T) {
	l := shared
	l.limits(t, func(n *ebssim.Limits) { *n = ebssim.Published() })
	for path, locations := range paths() {
		t.Run(path, func(t *testing.T) {
			t.Parallel()
			ns := l.namespace(t, "published-"+path)
			c := &troubled{lab: l, T: t, ns: ns}
			l.claim(t, ns, "good", "g")
			l.claim(t, ns, "bad", "b")
			c.good, c.bad = l.disk(t, ns, "good"), l.disk(t, ns, "bad")
			c.strike(c.bad, losing(ebssim.EffectDropAfter, 1))
			res := l.backup(t, ns, "Completed", velerov1.BackupSpec{IncludedNamespaces: []string{ns}, VolumeSnapshotLocations: locations})
			c.check(trouble{path: path, kept: 1}, res)
		})
	}
}

// contents are what the cluster has of the bad claim, to explain a failure.
func (c *troubled) contents() string {
	out, err := c.Kubectl(c.Context(), "", "get", "volumesnapshotcontents", "-o", `jsonpath={range .items[?(@.spec.source.volumeHandle=="`+c.bad+`")]}{.metadata}{.spec}{.status}{"\n"}{end}`)
	if err != nil {
		return err.Error()
	}
	return out
}

func handleOf(info volume.Info) string {
	if info.CSI != nil {
		return info.CSI.SnapshotHandle
	}
	return info.Native.SnapshotHandle
}

// infos is what a backup says of its volumes.
func (l *lab) infos(t *testing.T, backup string) (out []volume.Info) {
	t.Helper()
	body, _, err := l.Store.Get(t.Context(), layout.Backup{Name: backup}.VolumeInfo())
	if err != nil {
		t.Fatal(err)
	}
	defer body.Close()
	zr, err := gzip.NewReader(body)
	if err != nil {
		t.Fatal(err)
	}
	data, err := io.ReadAll(zr)
	if err := errors.Join(err, json.Unmarshal(data, &out)); err != nil {
		t.Fatal(err)
	}
	return out
}

// leftInBucket fails the test if a run that has ended has left working files.
func (l *lab) leftInBucket(t *testing.T, backup, uid string) {
	t.Helper()
	for _, dir := range []string{layout.Staging(uid), layout.NameLock(backup)} {
		err := l.Store.List(t.Context(), dir, func(i store.Info) error {
			t.Errorf("left %s", i.Key)
			return nil
		})
		if err != nil {
			t.Error(err)
		}
	}
}

func (c *troubled) destroy() {
	if err := c.ebs.DestroyVolume(c.Context(), c.bad); err != nil {
		c.Fatal(err)
	}
}

// taken waits until EC2 has a snapshot of the bad volume.
func (c *troubled) taken() string {
	c.Helper()
	id := ""
	eventually(c.T, "a snapshot", func() error {
		all := c.snapshotsOf(c.T, c.bad)
		if len(all) == 0 {
			return errors.New("none")
		}
		id = all[0].ID
		return nil
	})
	return id
}

func (c *troubled) destroyOnceTaken(contract.BackupInput) {
	id := c.taken()
	c.destroy()
	c.move(c.T, id, "completed")
}

// deleteInEC2 deletes the snapshot of the bad claim once its driver has called it ready.
func (c *troubled) deleteInEC2(in contract.BackupInput) {
	id := c.taken()
	eventually(c.T, "it is ready", func() error {
		out := c.kubectl(c.T, "", "get", "volumesnapshots", "-n", c.ns, "-l", velerov1.BackupNameLabel+"="+in.Name,
			"-o", `jsonpath={.items[?(@.spec.source.persistentVolumeClaimName=="bad")].status.readyToUse}`)
		if out != "true" {
			return fmt.Errorf("got %q", out)
		}
		return nil
	})
	if _, err := c.ec2.DeleteSnapshot(c.Context(), id, map[string]string{"ebs.csi.aws.com/cluster": "true"}); err != nil {
		c.Fatal(err)
	}
}

// deleteSnapshot deletes the VolumeSnapshot of the bad claim, before or after its point
// in time is fixed.
func (c *troubled) deleteSnapshot(in contract.BackupInput, taken bool) {
	c.Helper()
	name := ""
	eventually(c.T, "the VolumeSnapshot", func() error {
		out := c.kubectl(c.T, "", "get", "volumesnapshots", "-n", c.ns, "-l", velerov1.BackupNameLabel+"="+in.Name,
			"-o", `jsonpath={range .items[?(@.spec.source.persistentVolumeClaimName=="bad")]}{.metadata.name} {.status.creationTime}{end}`)
		fields := strings.Fields(out)
		if len(fields) == 0 || taken && len(fields) < 2 {
			return fmt.Errorf("got %q", out)
		}
		name = fields[0]
		return nil
	})
	c.kubectl(c.T, "", "delete", "volumesnapshot", "-n", c.ns, name, "--wait=false")
}
