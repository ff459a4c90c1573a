package native

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/lifeboat-backup/lifeboat/internal/aws/ebs"
	"github.com/lifeboat-backup/lifeboat/internal/volume"
	"github.com/lifeboat-backup/lifeboat/internal/volume/volumetest"
)

func TestNativeStates(t *testing.T) {
	for state, want := range map[string]string{
		ebs.SnapshotPending: volume.StatusPending, ebs.SnapshotCompleted: volume.StatusCompleted, ebs.SnapshotFailed: volume.StatusFailed, "recovering": volume.StatusPending,
	} {
		if got := nativeState(ebs.Snapshot{State: state}); got.Phase != want {
			t.Errorf("%s is %+v", state, got)
		}
	}
	if got := invisibleStatus(volume.Snapshot{At: time.Now().Add(-time.Second)}); got.Phase != volume.StatusPending {
		t.Errorf("just made and not shown: %+v", got)
	}
	if got := invisibleStatus(volume.Snapshot{ID: "snap-1", At: time.Now().Add(-time.Hour)}); got.Phase != volume.StatusFailed || !strings.Contains(got.Detail, "snap-1") {
		t.Errorf("made long ago and not shown: %+v", got)
	}
}

func TestGivenUp(t *testing.T) {
	for name, tc := range map[string]struct {
		err         error
		first, last bool // in the first and in the last attempt
	}{
		"denied": {ebs.ErrDenied, true, true}, "not found": {ebs.ErrNotFound, true, true}, "quota": {ebs.ErrLimit, true, true},
		"state": {ebs.ErrState, false, true}, "unavailable": {ebs.ErrUnavailable, false, true},
		"credentials": {ebs.ErrCredentials, false, false}, "other": {errors.New("x"), false, false},
	} {
		if first, last := givenUp(1, tc.err), givenUp(CreateAttempts, tc.err); first != tc.first || last != tc.last {
			t.Errorf("%s: %t, %t", name, first, last)
		}
	}
}

func TestUnfit(t *testing.T) {
	for state, want := range map[string]bool{
		ebs.VolumeAvailable: false, ebs.VolumeInUse: false, ebs.VolumeCreating: false,
		ebs.VolumeDeleting: true, ebs.VolumeDeleted: true, ebs.VolumeFailed: true,
	} {
		if why := whyUnfit("vol-1", ebs.Volume{State: state}, true); (why != "") != want || want && !strings.Contains(why, "vol-1") {
			t.Errorf("%s: %q", state, why)
		}
	}
	if whyUnfit("vol-1", ebs.Volume{}, false) == "" {
		t.Error("what is not there is fit")
	}
}

// TestGroupsByInstance: EC2 fixes one moment for volumes of one instance only.
func TestGroupsByInstance(t *testing.T) {
	p := volumetest.Backup("nnnnnn")
	found := map[string]ebs.Volume{}
	for i, instance := range []string{"i-1", "i-2", "", "i-1", "", "gone"} {
		id := "vol-" + string(rune('0'+i))
		p.Volumes[i].VolumeID = id
		if instance != "gone" {
			found[id] = ebs.Volume{ID: id, Instance: instance}
		}
	}
	r := &reservation{snapshots: &Snapshots{Backup: p}}
	r.addGroup([]int{0, 1, 2, 3, 4, 5}, found)
	var got []string
	for _, g := range r.groups {
		var ids []string
		for _, r := range g {
			ids = append(ids, r.Volume.ID)
		}
		got = append(got, strings.Join(ids, "+"))
	}
	if text := strings.Join(got, " "); text != "vol-0+vol-3 vol-1 vol-2 vol-4" {
		t.Errorf("got %s", text)
	}
	if len(r.missing) != 1 || r.missing[0].Volume != 5 {
		t.Errorf("lost %+v", r.missing)
	}
}

func TestRecordTaken(t *testing.T) {
	g := []nativeRequest{{index: 4, Request: ebs.Request{Volume: ebs.Volume{ID: "a", Type: "gp3"}}}, {index: 7}}
	at := time.Now().Add(-time.Hour)
	got := recordTaken(g, []ebs.Snapshot{{ID: "snap-a", Started: at}, {ID: "snap-b"}}, "", nil)
	if got[0].Volume != 4 || got[0].ID != "snap-a" || !got[0].At.Equal(at) || got[0].Type != "gp3" || got[1].Volume != 7 || got[1].ID != "snap-b" {
		t.Errorf("%+v", got)
	}
	for _, f := range recordTaken(g, nil, "", errors.New("no")) {
		if f.ID != "" || f.Failed != "no" {
			t.Errorf("%+v", f)
		}
	}
}

// TestMayBeHidden: a discard looks twice only where EC2 may hide what is to go.
func TestMayBeHidden(t *testing.T) {
	old, young := volume.Snapshot{At: time.Now().Add(-time.Hour)}, volume.Snapshot{At: time.Now()}
	for name, tc := range map[string]struct {
		volumes string
		all     []volume.Snapshot
		keep    map[int]bool
		want    bool
	}{
		"no volume of its own": {"c", nil, nil, false},
		"no record":            {"n", nil, nil, true},
		"taken long ago":       {"n", []volume.Snapshot{old}, nil, false},
		"taken just now":       {"n", []volume.Snapshot{young}, nil, true},
		"kept":                 {"n", []volume.Snapshot{young}, map[int]bool{0: true}, false},
		"one without a record": {"nn", []volume.Snapshot{old}, nil, true},
	} {
		if got := (&Snapshots{Backup: volumetest.Backup(tc.volumes)}).mayBeHidden(tc.all, tc.keep); got != tc.want {
			t.Errorf("%s: %t", name, got)
		}
	}
}
