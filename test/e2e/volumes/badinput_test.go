//go:build stack

package volumes

import (
	"strings"
	"testing"

	"github.com/lifeboat-backup/lifeboat/internal/ebs"
	"github.com/lifeboat-backup/lifeboat/test/stack"
)

// TestRefusedBeforeAnyWrite: what cannot be restored is said before anything is made.
func TestRefusedBeforeAnyWrite(t *testing.T) {
	l := shared
	ns := l.namespace(t, "bad")
	l.claim(t, ns, "data", "x")
	l.claim(t, ns, "more", "y")
	for name, tc := range map[string]struct {
		csi    bool
		spoil  func(*testing.T, *forgery)
		kind   string
		phrase string
	}{
		"unknown location": {false, func(_ *testing.T, f *forgery) { f.natives[0].Spec.Location = "aws-west" }, "InvalidInput", `VolumeSnapshotLocation "aws-west"`},
		"missing snapshot": {false, func(_ *testing.T, f *forgery) {
			f.natives[0].Status.ProviderSnapshotID, f.infos[0].Native.SnapshotHandle = "snap-0123456789abcdef0", "snap-0123456789abcdef0"
		}, "NotFound", "does not exist"},
		"swapped snapshots": {false, func(_ *testing.T, f *forgery) {
			a, b := &f.natives[0].Status, &f.natives[1].Status
			*a, *b = *b, *a
			f.infos[0].Native, f.infos[1].Native = f.infos[1].Native, f.infos[0].Native
		}, "InvalidInput", "mixed up"},
		"swapped in one file": {false, func(_ *testing.T, f *forgery) {
			a, b := &f.natives[0].Status, &f.natives[1].Status
			*a, *b = *b, *a
		}, "InvalidInput", "volumeinfo"},
		"snapshot failed": {false, func(t *testing.T, f *forgery) {
			if err := l.ebs.MoveSnapshot(t.Context(), f.natives[0].Status.ProviderSnapshotID, ebs.SnapshotFailed); err != nil {
				t.Fatal(err)
			}
		}, "InvalidInput", `state is "error"`},
		"no storage class": {true, func(_ *testing.T, f *forgery) {
			for path, obj := range f.objects {
				if spec, _ := obj["spec"].(map[string]any); strings.Contains(path, "/persistentvolumeclaims/") {
					spec["storageClassName"] = "nowhere"
				}
			}
		}, "InvalidInput", `storage class "nowhere"`},
		"no handle": {true, func(_ *testing.T, f *forgery) {
			f.infos[0].CSI.SnapshotHandle = ""
			for path := range f.objects {
				if strings.Contains(path, "/volumesnapshotcontents") {
					delete(f.objects, path)
				}
			}
		}, "NotFound", "no handle"},
	} {
		t.Run(name, func(t *testing.T) {
			short := "bad-" + strings.ReplaceAll(name, " ", "-")
			f := l.forge(t, short)
			if tc.csi {
				f.csi(ns, "data", stack.EBSSnapshotClass)
			} else {
				f.native(ns, "data")
				f.native(ns, "more")
			}
			tc.spoil(t, f)
			backup, target := f.write(true), short+"-to-"+l.id
			l.cleanUp(t, target)
			in := input(short+"-"+l.id, backup, ns, map[string]string{ns: target})
			if kind, text := l.refused(t, in); kind != tc.kind || !strings.Contains(text, tc.phrase) {
				t.Errorf("%s: %s", kind, text)
			}
			if l.object(t, "namespace", "", target) != nil {
				t.Error("the namespace was made")
			}
			made, err := l.ec2.VolumesTagged(t.Context(), map[string]string{ebs.TagBackup: backup, ebs.TagRestoreUID: ""})
			if err != nil || len(made) > 0 {
				t.Errorf("made %v, %v", made, err)
			}
		})
	}
}
