package activities

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	snapshotv1 "github.com/kubernetes-csi/external-snapshotter/client/v8/apis/volumesnapshot/v1"
	velerov1 "github.com/vmware-tanzu/velero/pkg/apis/velero/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/lifeboat-backup/lifeboat/internal/aws/ebs"
	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/volume"
)

// takingOf is a backup of volumes of these paths that has been planned.
func takingOf(paths string) *backupPlan {
	made := planOf(paths)
	for i := range made.Volumes {
		made.Volumes[i].Snapshot = "vs-" + made.Volumes[i].Claim
	}
	return &backupPlan{UID: "uid", Volumes: volumePlan{Volumes: made.Volumes}, Backup: contract.BackupInput{Name: "b", Spec: velerov1.BackupSpec{
		CSISnapshotTimeout: metav1.Duration{Duration: time.Minute}, ItemOperationTimeout: metav1.Duration{Duration: time.Hour},
	}}}
}

// driverBackupOf is such a backup as the drivers know it.
func driverBackupOf(paths string) *driverBackup { return takingOf(paths).forDrivers() }

func TestTimely(t *testing.T) {
	o := &opened{plan: *takingOf("n")}
	for name, tc := range map[string]struct {
		phase, detail string
		age           time.Duration
		want, says    string
	}{
		"young":          {snapshotPending, "", time.Minute, snapshotPending, ""},
		"old":            {snapshotPending, "", 2 * time.Hour, snapshotFailed, "itemOperationTimeout (1h0m0s)"},
		"old, and why":   {snapshotPending, "slow", 2 * time.Hour, snapshotFailed, "(1h0m0s): slow"},
		"complete":       {snapshotCompleted, "", 2 * time.Hour, snapshotCompleted, ""},
		"failed already": {snapshotFailed, "gone", 2 * time.Hour, snapshotFailed, "gone"},
	} {
		t.Run(name, func(t *testing.T) {
			got := o.timely(taken{At: time.Now().Add(-(tc.age))}, snapshotState{Phase: tc.phase, Detail: tc.detail})
			if got.Phase != tc.want || !strings.Contains(got.Detail, tc.says) {
				t.Errorf("got %+v", got)
			}
		})
	}
}

func TestVolumeStatus(t *testing.T) {
	o := &opened{plan: *takingOf("nnn")}
	for i, gib := range []int64{1, 3, 100} {
		o.plan.Volumes.Volumes[i].Capacity = gib << 30
	}
	got := statusOf(o, map[int]snapshotState{
		0: {Phase: snapshotCompleted, Percent: 100}, 1: {Phase: snapshotPending, Percent: 50}, 2: {Phase: snapshotFailed},
	})
	if want := (contract.VolumeStatus{Completed: 1, Pending: 1, Failed: 1, Percent: 62}); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
	if got := statusOf(o, nil); got != (contract.VolumeStatus{}) {
		t.Errorf("of nothing: %+v", got)
	}
}

func TestNativeStates(t *testing.T) {
	for state, want := range map[string]string{
		ebs.SnapshotPending: snapshotPending, ebs.SnapshotCompleted: snapshotCompleted, ebs.SnapshotFailed: snapshotFailed, "recovering": snapshotPending,
	} {
		if got := nativeState(ebs.Snapshot{State: state}); got.Phase != want {
			t.Errorf("%s is %+v", state, got)
		}
	}
	if got := unseen(taken{At: time.Now().Add(-(time.Second))}); got.Phase != snapshotPending {
		t.Errorf("just made and not shown: %+v", got)
	}
	if got := unseen(taken{ID: "snap-1", At: time.Now().Add(-(time.Hour))}); got.Phase != snapshotFailed || !strings.Contains(got.Detail, "snap-1") {
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
		if first, last := givenUp(1, tc.err), givenUp(createAttempts, tc.err); first != tc.first || last != tc.last {
			t.Errorf("%s: %t, %t", name, first, last)
		}
	}
}

func TestUnfit(t *testing.T) {
	for state, want := range map[string]bool{
		ebs.VolumeAvailable: false, ebs.VolumeInUse: false, ebs.VolumeCreating: false,
		ebs.VolumeDeleting: true, ebs.VolumeDeleted: true, ebs.VolumeFailed: true,
	} {
		if why := unfit("vol-1", ebs.Volume{State: state}, true); (why != "") != want || want && !strings.Contains(why, "vol-1") {
			t.Errorf("%s: %q", state, why)
		}
	}
	if unfit("vol-1", ebs.Volume{}, false) == "" {
		t.Error("what is not there is fit")
	}
}

// TestGroupsByInstance: EC2 fixes one moment for volumes of one instance only.
func TestGroupsByInstance(t *testing.T) {
	p := driverBackupOf("nnnnnn")
	found := map[string]ebs.Volume{}
	for i, instance := range []string{"i-1", "i-2", "", "i-1", "", "gone"} {
		id := "vol-" + string(rune('0'+i))
		p.Volumes[i].VolumeID = id
		if instance != "gone" {
			found[id] = ebs.Volume{ID: id, Instance: instance}
		}
	}
	taker := &nativeTaker{n: &nativeSnapshots{plan: p}}
	taker.add([]int{0, 1, 2, 3, 4, 5}, found)
	var got []string
	for _, g := range taker.groups {
		var ids []string
		for _, r := range g {
			ids = append(ids, r.Volume.ID)
		}
		got = append(got, strings.Join(ids, "+"))
	}
	if text := strings.Join(got, " "); text != "vol-0+vol-3 vol-1 vol-2 vol-4" {
		t.Errorf("got %s", text)
	}
	if len(taker.lost) != 1 || taker.lost[0].Volume != 5 {
		t.Errorf("lost %+v", taker.lost)
	}
}

func TestRecordTaken(t *testing.T) {
	g := []nativeRequest{{index: 4, Request: ebs.Request{Volume: ebs.Volume{ID: "a", Type: "gp3"}}}, {index: 7}}
	at := time.Now().Add(-(time.Hour))
	got := recordTaken(g, []ebs.Snapshot{{ID: "snap-a", Started: at}, {ID: "snap-b"}}, nil)
	if got[0].Volume != 4 || got[0].ID != "snap-a" || !got[0].At.Equal(at) || got[0].Type != "gp3" || got[1].Volume != 7 || got[1].ID != "snap-b" {
		t.Errorf("%+v", got)
	}
	for _, f := range recordTaken(g, nil, errors.New("no")) {
		if f.ID != "" || f.Failed != "no" {
			t.Errorf("%+v", f)
		}
	}
}

// vs is a VolumeSnapshot: how old it is, whether it is taken, ready, and its error.
func vs(age time.Duration, isTaken, ready bool, problem string) snapshotv1.VolumeSnapshot {
	out := snapshotv1.VolumeSnapshot{
		ObjectMeta: metav1.ObjectMeta{UID: "u", CreationTimestamp: metav1.NewTime(time.Now().Add(-(age)))},
		Status:     &snapshotv1.VolumeSnapshotStatus{ReadyToUse: &ready},
	}
	if isTaken {
		name, at := "bound", metav1.NewTime(time.Now().Add(-(age)))
		out.Status.BoundVolumeSnapshotContentName, out.Status.CreationTime = &name, &at
	}
	if problem != "" {
		out.Status.Error = &snapshotv1.VolumeSnapshotError{Message: &problem}
	}
	return out
}

func TestCSISort(t *testing.T) {
	for name, tc := range map[string]struct {
		live           *snapshotv1.VolumeSnapshot
		asked, refused string
		frozen, since  bool // since: its error has lasted
		want, content  string
	}{
		"not asked for":              {},
		"refused":                    {refused: "forbidden", want: "forbidden"},
		"deleted by a stranger":      {asked: "snapcontent-u", want: "was deleted", content: "snapcontent-u"},
		"under way":                  {live: ptr(vs(time.Second, false, false, ""))},
		"taken":                      {live: ptr(vs(time.Second, true, false, "")), want: "ok", content: "bound"},
		"taken, with an error":       {live: ptr(vs(time.Hour, true, false, "bad")), want: "ok", content: "bound"},
		"an error":                   {live: ptr(vs(time.Second, false, false, "bad"))},
		"too late":                   {live: ptr(vs(2*time.Minute, false, false, "")), want: "csiSnapshotTimeout (1m0s)", content: "snapcontent-u"},
		"too late, and why":          {live: ptr(vs(2*time.Minute, false, false, "bad")), want: "(1m0s): bad", content: "snapcontent-u"},
		"an error, frozen":           {live: ptr(vs(time.Second, false, false, "bad")), frozen: true},
		"an error for long, frozen":  {live: ptr(vs(time.Second, false, false, "bad")), frozen: true, since: true, want: "cannot take the snapshot: bad", content: "snapcontent-u"},
		"an error for long, running": {live: ptr(vs(time.Second, false, false, "bad")), since: true},
	} {
		t.Run(name, func(t *testing.T) {
			taker := &csiTaker{c: &csiSnapshots{plan: driverBackupOf("c")}, shot: shot{frozen: tc.frozen}, errs: map[int]time.Time{}}
			if tc.since {
				taker.errs[0] = time.Now().Add(-(2 * frozenError))
			}
			live, asked, refused := map[string]snapshotv1.VolumeSnapshot{}, map[int]string{}, map[int]string{}
			if tc.live != nil {
				live["shop/vs-claim-0"] = *tc.live
			}
			if tc.asked != "" {
				asked[0] = tc.asked
			}
			if tc.refused != "" {
				refused[0] = tc.refused
			}
			left, done := taker.sort([]int{0}, live, asked, refused)
			switch {
			case tc.want == "":
				if len(left) != 1 || len(done) != 0 {
					t.Errorf("left %v, done %+v", left, done)
				}
			case len(done) != 1 || done[0].Content != tc.content:
				t.Errorf("left %v, done %+v", left, done)
			case tc.want == "ok" && done[0].Failed != "", tc.want != "ok" && !strings.Contains(done[0].Failed, tc.want):
				t.Errorf("failed: %q", done[0].Failed)
			}
		})
	}
}

func ptr[T any](v T) *T { return &v }

func TestCSIState(t *testing.T) {
	c := &csiSnapshots{plan: driverBackupOf("c")}
	deleting := vs(time.Second, true, true, "")
	deleting.DeletionTimestamp = &metav1.Time{Time: time.Now()}
	for name, tc := range map[string]struct {
		vs    snapshotv1.VolumeSnapshot
		there bool
		age   time.Duration
		want  string
	}{
		"gone":              {vs(0, true, true, ""), false, 0, snapshotFailed},
		"on its way out":    {deleting, true, 0, snapshotFailed},
		"ready":             {vs(0, true, true, "an old error"), true, time.Hour, snapshotCompleted},
		"not ready":         {vs(0, true, false, ""), true, time.Hour, snapshotPending},
		"an error":          {vs(0, true, false, "bad"), true, time.Second, snapshotPending},
		"an error for long": {vs(0, true, false, "bad"), true, time.Hour, snapshotFailed},
	} {
		if got := c.state(taken{At: time.Now().Add(-(tc.age))}, &tc.vs, tc.there); got.Phase != tc.want {
			t.Errorf("%s: %+v", name, got)
		}
	}
}

func TestRecent(t *testing.T) {
	for name, tc := range map[string]struct {
		units []unitResult
		want  bool
	}{
		"nothing begun":   {nil, false},
		"no result":       {[]unitResult{{}}, true},
		"taken long ago":  {[]unitResult{{Taken: []taken{{At: time.Now().Add(-(time.Hour))}}}}, false},
		"taken just now":  {[]unitResult{{Taken: []taken{{At: time.Now().Add(-(time.Hour))}, {At: time.Now()}}}}, true},
		"one without any": {[]unitResult{{Taken: []taken{{At: time.Now().Add(-(time.Hour))}}}, {}}, true},
	} {
		if got := recent(tc.units); got != tc.want {
			t.Errorf("%s: %t", name, got)
		}
	}
}

// fakePath stands for a path of volumes.
type fakePath struct {
	snapshotter
	have      []taken
	refuses   error
	forgotten []int
}

func (f *fakePath) found(context.Context, []int) ([]taken, error) { return f.have, nil }

func (f *fakePath) forget(_ context.Context, volumes []int) error {
	f.forgotten = append(f.forgotten, volumes...)
	return f.refuses
}

// errPassing is an error that may pass.
var errPassing = errors.New("is still being deleted")

// TestAgain: of pods with hooks, what a lost attempt took is used as a whole or not at
// all.
func TestAgain(t *testing.T) {
	thawed := time.Now()
	before, later := taken{At: thawed.Add(-time.Second)}, taken{At: thawed.Add(time.Second)}
	for name, tc := range map[string]struct {
		have    []taken
		refuses error
		spared  bool
		failed  int
	}{
		"all":                       {have: []taken{before, before}, spared: true},
		"a part":                    {have: []taken{before}},
		"none":                      {},
		"one after the thaw":        {have: []taken{before, later}},
		"a part that cannot go":     {have: []taken{before}, refuses: ebs.ErrDenied, failed: 2},
		"a part that may go later ": {have: []taken{before}, refuses: errPassing},
	} {
		t.Run(name, func(t *testing.T) {
			unit := unitPlan{Groups: [][]int{{0, 1}}, Pods: []podHooks{{Namespace: "shop", Name: "db"}}}
			path := &fakePath{have: tc.have, refuses: tc.refuses}
			s := &shooting{
				o: &opened{plan: *takingOf("nn")}, unit: &unit, barred: map[volume.Path]bool{},
			}
			s.o.plan.Volumes.Units = []unitPlan{unit}
			s.freezer = newFreezer(&Backup{}, s.o, 0)
			err := s.settleEarlier(t.Context(), map[volume.Path]snapshotter{volume.Native: path}, thawed, true)
			if wantErr := errors.Is(tc.refuses, errPassing); (err != nil) != wantErr {
				t.Fatalf("%v", err)
			}
			if spared := s.freezer.isSpared(); spared != tc.spared || spared == (len(path.forgotten) > 0) {
				t.Errorf("spared %t, forgot %v", spared, path.forgotten)
			}
			if len(s.taken) != tc.failed || s.barred[volume.Native] != (tc.failed > 0) {
				t.Errorf("failed %+v, barred %v", s.taken, s.barred)
			}
		})
	}
}

func TestMayGo(t *testing.T) {
	deleting := vs(0, false, false, "")
	deleting.DeletionTimestamp = &metav1.Time{Time: time.Now()}
	for name, tc := range map[string]struct {
		vs   snapshotv1.VolumeSnapshot
		want bool
	}{
		"being made":         {vs(time.Second, false, false, ""), false},
		"not made for long":  {vs(2*takenWithin, false, false, ""), true},
		"the driver refuses": {vs(time.Second, false, false, "bad"), true},
		"just made":          {vs(time.Second, true, false, ""), false},
		"made a while ago":   {vs(2*showsWithin, true, true, ""), true},
		"being deleted":      {deleting, true},
	} {
		if got := mayGo(&tc.vs); got != tc.want {
			t.Errorf("%s: %t", name, got)
		}
	}
}
