package ebs

import (
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"

	"github.com/lifeboat-backup/lifeboat/test/stack/ebssim"
)

func TestKeeps(t *testing.T) {
	inWorld(t, slow(), nil, func(t *testing.T, w *world) {
		volumes := w.volumes(2)
		l, s, other := w.location(), w.completedSnapshot(volumes[0]), w.completedSnapshot(volumes[1])
		keeps := func(when, id, want string) {
			t.Helper()
			all, err := l.Keeps(t.Context(), []string{id, "snap-1"})
			got, kept := all[id]
			if err != nil || !strings.Contains(got, want) || kept != (want != "") || all["snap-1"] != "" {
				t.Errorf("%s: %v, %v", when, all, err)
			}
		}
		keeps("free", s.ID, "")
		keeps("unknown", "snap-00000000000000000", "")
		if none, err := l.Keeps(t.Context(), nil); err != nil || len(none) > 0 {
			t.Errorf("%v, %v", none, err)
		}
		lock := &ec2.LockSnapshotInput{SnapshotId: aws.String(s.ID), LockMode: types.LockModeGovernance, LockDuration: aws.Int32(1)}
		if _, err := w.admin.ec2.LockSnapshot(t.Context(), lock); err != nil {
			t.Fatal(err)
		}
		keeps("locked", s.ID, "locked in governance mode until ")
		keeps("another", other.ID, "")
		denied := ebssim.Fault{Action: "*Locked*", Effect: ebssim.EffectError, Code: "UnauthorizedOperation", Status: 403, Times: 1}
		w.fault(denied)
		keeps("without leave to look", s.ID, "")
		time.Sleep(25 * time.Hour)
		keeps("lock over", s.ID, "")
		w.SetRecycleBin([]ebssim.RetentionRule{{Retain: ebssim.Duration(time.Hour)}})
		if d, err := l.DeleteSnapshot(t.Context(), s.ID, backupTag("nightly")); err != nil || d.Outcome != Deleted {
			t.Fatalf("%+v, %v", d, err)
		}
		time.Sleep(settles) // the bin does not show it at once
		keeps("in the bin", s.ID, "Recycle Bin")
		time.Sleep(2 * time.Hour)
		keeps("gone", s.ID, "")
		if calls := w.calls("DeleteSnapshot"); len(calls) != 1 {
			t.Errorf("looking changed something: %+v", calls)
		}
	})
}
