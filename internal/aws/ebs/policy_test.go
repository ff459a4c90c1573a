package ebs

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"

	"github.com/lifeboat-backup/lifeboat/internal/aws/awserr"
)

// policyFile is the document that users attach to the worker's role.
const policyFile = "../../../deploy/iam/volumes.json"

// policy is the document with its statements apart.
type policy struct {
	Version   string
	Statement []json.RawMessage
}

func readPolicy(t *testing.T) policy {
	t.Helper()
	text, err := os.ReadFile(policyFile)
	if err != nil {
		t.Fatal(err)
	}
	var p policy
	if err := json.Unmarshal(text, &p); err != nil {
		t.Fatal(err)
	}
	return p
}

func (p policy) without(i int) []json.RawMessage {
	p.Statement = slices.Delete(slices.Clone(p.Statement), i, i+1)
	return p.document()
}

func (p policy) document() []json.RawMessage {
	text, err := json.Marshal(p)
	if err != nil {
		panic(err)
	}
	return []json.RawMessage{text}
}

func sid(statement json.RawMessage) string {
	var s struct{ Sid string }
	_ = json.Unmarshal(statement, &s)
	return s.Sid
}

// everything does all that this package can do, and returns the first error.
func (w *world) everything() error {
	l, v := w.location(), w.volumes(3)
	w.attach(v[1], "/dev/xvdf")
	w.attach(v[2], "/dev/xvdg")
	time.Sleep(time.Minute)
	ctx := w.t.Context()
	if _, err := l.Zones(ctx); err != nil {
		return err
	}
	if _, err := l.Volumes(ctx, []string{v[0].ID}); err != nil {
		return err
	}
	one, err := l.Snapshot(ctx, uid, request(v[0], "pv-0"))
	if err != nil {
		return err
	}
	group, err := l.SnapshotInstance(ctx, uid, instance, []Request{request(v[1], "pv-1"), request(v[2], "pv-2")})
	if err != nil {
		return err
	}
	time.Sleep(time.Minute)
	if _, err := l.BlockBytes(ctx, one.ID); err != nil {
		return err
	}
	if _, err := l.ChangedBytes(ctx, one.ID, one.ID); err != nil {
		return err
	}
	if err := readOneBlock(ctx, l, one.ID); err != nil {
		return err
	}
	if err := w.restoreAndDelete(l, one.ID); err != nil {
		return err
	}
	return w.deleteKept(l, group[0].ID)
}

func (w *world) restoreAndDelete(l *Location, id string) error {
	ctx := w.t.Context()
	done, err := l.Snapshots(ctx, []string{id})
	if err != nil {
		return err
	}
	v, err := l.CreateVolume(ctx, VolumeRequest{RestoreUID: "r-1", PV: "pv-0", Snapshot: done[id], Zone: zone, Type: "gp3"})
	if err != nil {
		return err
	}
	time.Sleep(time.Minute)
	if _, err := l.DeleteVolume(ctx, v.ID, map[string]string{TagRestoreUID: "r-1"}); err != nil {
		return err
	}
	d, err := l.DeleteSnapshot(ctx, id, map[string]string{TagBackup: "nightly"})
	if err == nil && d.Outcome != Deleted {
		err = fmt.Errorf("deletion is %+v", d)
	}
	if err != nil {
		return err
	}
	return w.deleteOrphan(l)
}

// deleteOrphan deletes a snapshot that a CSI driver has made, with the tags of its class.
func (w *world) deleteOrphan(l *Location) error {
	ours := map[string]string{TagPlace: "0123456789ab", TagCluster: "prod"}
	v := w.volumes(1)[0]
	made, err := w.admin.ec2.CreateSnapshot(w.t.Context(), &ec2.CreateSnapshotInput{VolumeId: &v.ID, TagSpecifications: specification(types.ResourceTypeSnapshot, ours)})
	if err != nil {
		return err
	}
	time.Sleep(time.Minute)
	d, err := l.DeleteSnapshot(w.t.Context(), *made.SnapshotId, ours)
	if err == nil && d.Outcome != Deleted {
		err = fmt.Errorf("deletion of an orphan is %+v", d)
	}
	if err != nil {
		return err
	}
	return w.tagOfDriver(l, v.ID)
}

// tagOfDriver gives a snapshot that a CSI driver has made the tags of its backup.
func (w *world) tagOfDriver(l *Location, disk string) error {
	tags := specification(types.ResourceTypeSnapshot, map[string]string{"CSIVolumeSnapshotName": "snapshot-1"})
	made, err := w.admin.ec2.CreateSnapshot(w.t.Context(), &ec2.CreateSnapshotInput{VolumeId: &disk, TagSpecifications: tags})
	if err != nil {
		return err
	}
	time.Sleep(time.Minute)
	return l.AddTags(w.t.Context(), []string{*made.SnapshotId}, map[string]string{TagBackup: "nightly", TagDriverBackupUID: "uid-1"})
}

// deleteKept needs leave to look at locks, and at the bin, to know why and how
// long a snapshot stays.
func (w *world) deleteKept(l *Location, id string) error {
	ctx := w.t.Context()
	_, err := w.admin.ec2.LockSnapshot(ctx, &ec2.LockSnapshotInput{SnapshotId: aws.String(id), LockMode: types.LockModeGovernance, LockDuration: aws.Int32(1)})
	if err != nil {
		return err
	}
	d, err := l.DeleteSnapshot(ctx, id, map[string]string{TagBackup: "nightly"})
	if err == nil && d.Outcome != Retained {
		err = fmt.Errorf("deletion of a locked one is %+v", d)
	}
	return err
}

func (w *world) denied() int {
	n := 0
	for _, c := range w.Audit() {
		if c.Result == "UnauthorizedOperation" || c.Result == "AccessDeniedException" {
			n++
		}
	}
	return n
}

// TestPolicyAllowsEverythingWeDo and nothing is refused on the way.
func TestPolicyAllowsEverythingWeDo(t *testing.T) {
	inWorld(t, slow(), readPolicy(t).document(), func(t *testing.T, w *world) {
		if err := w.everything(); err != nil {
			t.Fatal(err)
		}
		if n := w.denied(); n != 0 {
			t.Errorf("%d calls were denied", n)
		}
	})
}

// TestPolicyNeedsEachStatement: without any one of them something is denied.
func TestPolicyNeedsEachStatement(t *testing.T) {
	p := readPolicy(t)
	for i, statement := range p.Statement {
		t.Run(sid(statement), func(t *testing.T) {
			inWorld(t, slow(), p.without(i), func(t *testing.T, w *world) {
				if err := w.everything(); !errors.Is(err, ErrDenied) || w.denied() == 0 {
					t.Errorf("nothing misses it: %v", err)
				}
			})
		})
	}
}

// TestPolicyNeedsEachAction does the same for the actions of each statement.
func TestPolicyNeedsEachAction(t *testing.T) {
	p := readPolicy(t)
	for i, text := range p.Statement {
		var s map[string]any
		if err := json.Unmarshal(text, &s); err != nil {
			t.Fatal(err)
		}
		actions, several := s["Action"].([]any)
		if !several {
			continue
		}
		for j, action := range actions {
			t.Run(fmt.Sprintf("%v %v", s["Sid"], action), func(t *testing.T) {
				s["Action"] = slices.Delete(slices.Clone(actions), j, j+1)
				less, err := json.Marshal(s)
				if err != nil {
					t.Fatal(err)
				}
				q := policy{Version: p.Version, Statement: slices.Clone(p.Statement)}
				q.Statement[i] = less
				inWorld(t, slow(), q.document(), func(t *testing.T, w *world) {
					if err := w.everything(); w.denied() == 0 {
						t.Errorf("nothing misses it: %v", err)
					}
				})
			})
		}
	}
}

// TestPolicyForbids what the worker's role must not be able to do, whoever uses it.
func TestPolicyForbids(t *testing.T) {
	inWorld(t, slow(), readPolicy(t).document(), func(t *testing.T, w *world) {
		v := w.volumes(2)
		if err := w.foreign(v[:1]); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		foreign, raw := w.snapshots()[0].ID, w.location().ec2
		ours := func(kind types.ResourceType, key string) []types.TagSpecification {
			return specification(kind, map[string]string{key: "x"})
		}
		for name, try := range map[string]func() error{
			"delete a snapshot without our tag": func() error {
				_, err := raw.DeleteSnapshot(t.Context(), &ec2.DeleteSnapshotInput{SnapshotId: &foreign})
				return err
			},
			"give a foreign snapshot our tag": func() error {
				_, err := raw.CreateTags(t.Context(), &ec2.CreateTagsInput{Resources: []string{foreign}, Tags: toTags(map[string]string{TagBackup: "x", TagBackupUID: "x"})})
				return err
			},
			"give a volume our tag": func() error {
				_, err := raw.CreateTags(t.Context(), &ec2.CreateTagsInput{Resources: []string{v[0].ID}, Tags: toTags(map[string]string{TagRestoreUID: "x"})})
				return err
			},
			"delete a volume that no restore made": func() error {
				_, err := raw.DeleteVolume(t.Context(), &ec2.DeleteVolumeInput{VolumeId: &v[1].ID})
				return err
			},
			"read a foreign snapshot": func() error {
				_, err := raw.CreateVolume(t.Context(), &ec2.CreateVolumeInput{
					SnapshotId: &foreign, AvailabilityZone: aws.String(zone), TagSpecifications: ours(types.ResourceTypeVolume, TagRestoreUID),
				})
				return err
			},
			"make a snapshot without tags": func() error {
				_, err := raw.CreateSnapshot(t.Context(), &ec2.CreateSnapshotInput{VolumeId: &v[0].ID})
				return err
			},
			"make a snapshot that only says it is a backup's": func() error {
				_, err := raw.CreateSnapshot(t.Context(), &ec2.CreateSnapshotInput{VolumeId: &v[0].ID, TagSpecifications: ours(types.ResourceTypeSnapshot, TagBackup)})
				return err
			},
			"make an empty volume": func() error {
				_, err := raw.CreateVolume(t.Context(), &ec2.CreateVolumeInput{Size: aws.Int32(4), AvailabilityZone: aws.String(zone)})
				return err
			},
			"attach a volume": func() error {
				_, err := raw.AttachVolume(t.Context(), &ec2.AttachVolumeInput{VolumeId: &v[0].ID, InstanceId: aws.String(instance), Device: aws.String("/dev/xvdz")})
				return err
			},
			"lock a snapshot": func() error {
				_, err := raw.LockSnapshot(t.Context(), &ec2.LockSnapshotInput{SnapshotId: &foreign, LockMode: types.LockModeCompliance, LockDuration: aws.Int32(1)})
				return err
			},
		} {
			if err := try(); awserr.Code(err) != "UnauthorizedOperation" {
				t.Errorf("%s: %v", name, err)
			}
		}
	})
}
