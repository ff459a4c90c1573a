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
		l, s := w.location(), w.completedSnapshot(w.volumes(1)[0])
		keeps := func(when, id, want string) {
			t.Helper()
			got, err := l.Keeps(t.Context(), id)
			if err != nil || !strings.Contains(got, want) || want == "" && got != "" {
				t.Errorf("%s: %q, %v", when, got, err)
			}
		}
		keeps("free", s.ID, "")
		keeps("unknown", "snap-00000000000000000", "")
		lock := &ec2.LockSnapshotInput{SnapshotId: aws.String(s.ID), LockMode: types.LockModeGovernance, LockDuration: aws.Int32(1)}
		if _, err := w.admin.ec2.LockSnapshot(t.Context(), lock); err != nil {
			t.Fatal(err)
		}
		keeps("locked", s.ID, "locked in governance mode until ")
		denied := ebssim.Fault{Action: "*Locked*", Effect: ebssim.EffectError, Code: "UnauthorizedOperation", Status: 403, Times: 1}
		w.fault(denied)
		keeps("without leave to look", s.ID, "")
		time.Sleep(25 * time.Hour)
		keeps("lock over", s.ID, "")
		w.SetRecycleBin([]ebssim.RetentionRule{{Retain: ebssim.Duration(time.Hour)}})
		if d, err := l.DeleteSnapshot(t.Context(), s.ID, backupTag("nightly")); err != nil || d.Outcome != Retained {
			t.Fatalf("%+v, %v", d, err)
		}
		keeps("in the bin", s.ID, "Recycle Bin")
		time.Sleep(2 * time.Hour)
		keeps("gone", s.ID, "")
		if calls := w.calls("DeleteSnapshot"); len(calls) != 1 {
			t.Errorf("looking changed something: %+v", calls)
		}
	})
}
