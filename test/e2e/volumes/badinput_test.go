//go:build stack

package volumes

import (
	"strings"
	"testing"

	"github.com/lifeboat-backup/lifeboat/internal/aws/ebs"
	"github.com/lifeboat-backup/lifeboat/test/harness"
	"github.com/lifeboat-backup/lifeboat/test/stack"
)

const missing = "snap-0123456789abcdef0"

// spoiled is a backup that cannot be restored, and how that is to be said: the type of
// the error, and what its text names, the remedy among it.
type spoiled struct {
	spoil   func(*testing.T, *forgery)
	kind    string
	phrases []string
}

// TestRefusedNative: what cannot be restored of native snapshots is said before
// anything is made. What makes a snapshot unfit, internal/restore/volumes shows.
func TestRefusedNative(t *testing.T) {
	t.Parallel()
	l := shared
	l.refusesAll(t, false, map[string]spoiled{
		"unknown location": {
			func(_ *testing.T, f *forgery) { f.natives[0].Spec.Location = "aws-west" }, "InvalidInput",
			[]string{`VolumeSnapshotLocation "aws-west"`, "known are " + location, "add it under that very name"},
		},
		"missing snapshot": {func(_ *testing.T, f *forgery) {
			f.natives[0].Status.ProviderSnapshotID, f.infos[0].Native.SnapshotHandle = missing, missing
		}, "NotFound", []string{missing, "does not exist", "restore another backup"}},
		"no snapshot id": {func(_ *testing.T, f *forgery) {
			f.natives[0].Status.ProviderSnapshotID, f.infos[0].Native.SnapshotHandle = "ami-1", "ami-1"
		}, "InvalidInput", []string{`"ami-1"`, "no id of an EBS snapshot"}},
		"no storage class": {nowhere, "InvalidInput", []string{`storage class "nowhere"`, "--storage-class-mappings nowhere:NEW"}},
	})
}

// TestRefusedCSI is the same for CSI snapshots.
func TestRefusedCSI(t *testing.T) {
	t.Parallel()
	l := shared
	l.refusesAll(t, true, map[string]spoiled{
		"missing snapshot": {
			func(_ *testing.T, f *forgery) { f.rename(0, missing) }, "NotFound",
			[]string{"/data", missing, "does not exist", "location " + location, "restore another backup"},
		},
		"swapped in one file": {
			func(_ *testing.T, f *forgery) { f.infos[0].CSI.SnapshotHandle = f.infos[1].CSI.SnapshotHandle }, "InvalidInput",
			[]string{"names two snapshots", "mixed up", "restore another backup"},
		},
		"no storage class": {nowhere, "InvalidInput", []string{"/data", `storage class "nowhere"`, "--storage-class-mappings nowhere:NEW"}},
		"no handle": {func(_ *testing.T, f *forgery) {
			f.infos[0].CSI.SnapshotHandle = ""
			for path := range f.objects {
				if strings.Contains(path, "/volumesnapshotcontents") {
					delete(f.objects, path)
				}
			}
		}, "NotFound", []string{"no handle", "restore another backup"}},
	})
}

func nowhere(_ *testing.T, f *forgery) { f.setClass("nowhere") }

func (f *forgery) setClass(class any) {
	for path, obj := range f.objects {
		if spec, _ := obj["spec"].(map[string]any); strings.Contains(path, "/persistentvolumeclaims/") {
			spec["storageClassName"] = class
		}
	}
}

// rename gives the i-th claim another handle, wherever the backup tells it.
func (f *forgery) rename(i int, handle string) {
	info := f.infos[i].CSI
	content := f.objects["resources/volumesnapshotcontents.snapshot.storage.k8s.io/cluster/"+info.VSCName+".json"]
	info.SnapshotHandle = handle
	status, _ := content["status"].(map[string]any)
	status["snapshotHandle"] = handle
}

func (l *lab) move(t *testing.T, snapshot, state string) {
	t.Helper()
	if err := l.ebs.MoveSnapshot(t.Context(), snapshot, state); err != nil {
		t.Fatal(err)
	}
}

// refusesAll restores each of the spoiled backups of a namespace with two claims.
func (l *lab) refusesAll(t *testing.T, csi bool, cases map[string]spoiled) {
	prefix := map[bool]string{true: "badc", false: "badn"}[csi]
	ns := l.namespace(t, prefix)
	l.claim(t, ns, "data", "x")
	l.claim(t, ns, "more", "y")
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			f := l.forge(t, prefix+"-"+strings.ReplaceAll(name, " ", "-"))
			for _, claim := range []string{"data", "more"} {
				if csi {
					f.csi(ns, claim, stack.EBSSnapshotClass)
				} else {
					f.native(ns, claim)
				}
			}
			tc.spoil(t, f)
			l.refuses(t, ns, f.write(true), tc.kind, tc.phrases...)
		})
	}
}

// refuses restores a backup of a namespace into another one, has it refused, and finds
// that nothing was made.
func (l *lab) refuses(t *testing.T, ns, backup, kind string, phrases ...string) {
	t.Helper()
	target := "to-" + backup
	l.cleanUp(t, target)
	got, text := l.refused(t, input(backup, backup, ns, map[string]string{ns: target}))
	if got != kind {
		t.Errorf("is %s, want %s: %s", got, kind, text)
	}
	for _, phrase := range phrases {
		if !strings.Contains(text, phrase) {
			t.Errorf("does not say %q: %s", phrase, text)
		}
	}
	if l.Object(t, "namespace", "", target) != nil {
		t.Error("the namespace was made")
	}
	for _, claim := range strings.Fields(l.kubectl(t, "", "get", "pvc", "-n", ns, "-o", "jsonpath={.items[*].metadata.name}")) {
		pv := textAt(l.bound(t, ns, claim), "metadata", "name")
		made, err := l.ec2.VolumesTagged(t.Context(), map[string]string{ebs.TagPV: pv, ebs.TagRestoreUID: ""})
		if err != nil || len(made) > 0 {
			t.Errorf("made %v, %v", made, err)
		}
	}
	for _, kind := range []string{snapshotContents, "persistentvolumes"} {
		if left := l.List(t, kind, "", "velero.io/restore-name="+backup); len(left) > 0 {
			t.Errorf("made %s", harness.Names(left))
		}
	}
}
