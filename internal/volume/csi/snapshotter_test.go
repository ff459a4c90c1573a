package csi

import (
	"strings"
	"testing"
	"time"

	snapshotv1 "github.com/kubernetes-csi/external-snapshotter/client/v8/apis/volumesnapshot/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/lifeboat-backup/lifeboat/internal/aws/ebs/quota"
	"github.com/lifeboat-backup/lifeboat/internal/volume"
	"github.com/lifeboat-backup/lifeboat/internal/volume/volumetest"
)

// vs is a VolumeSnapshot: how old it is, whether it is taken, ready, and its error.
func vs(age time.Duration, isTaken, ready bool, problem string) snapshotv1.VolumeSnapshot {
	out := snapshotv1.VolumeSnapshot{
		ObjectMeta: metav1.ObjectMeta{UID: "u", CreationTimestamp: metav1.NewTime(time.Now().Add(-age))},
		Status:     &snapshotv1.VolumeSnapshotStatus{ReadyToUse: &ready},
	}
	if isTaken {
		name, at := "bound", metav1.NewTime(time.Now().Add(-age))
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
			r := &reservation{snapshots: &Snapshots{Backup: volumetest.Backup("c")}, options: volume.ReserveOptions{Quiesced: tc.frozen}, errs: map[int]time.Time{}}
			if tc.since {
				r.errs[0] = time.Now().Add(-(2 * quiescedError))
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
			left, done := r.partition([]int{0}, live, asked, refused)
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
	c := &Snapshots{Backup: volumetest.Backup("c")}
	deleting := vs(time.Second, true, true, "")
	deleting.DeletionTimestamp = &metav1.Time{Time: time.Now()}
	for name, tc := range map[string]struct {
		vs    snapshotv1.VolumeSnapshot
		there bool
		age   time.Duration
		want  string
	}{
		"gone":              {vs(0, true, true, ""), false, 0, volume.StatusFailed},
		"on its way out":    {deleting, true, 0, volume.StatusFailed},
		"ready":             {vs(0, true, true, "an old error"), true, time.Hour, volume.StatusCompleted},
		"not ready":         {vs(0, true, false, ""), true, time.Hour, volume.StatusPending},
		"an error":          {vs(0, true, false, "bad"), true, time.Second, volume.StatusPending},
		"an error for long": {vs(0, true, false, "bad"), true, time.Hour, volume.StatusPending},
	} {
		if got := c.statusOf(volume.Snapshot{At: time.Now().Add(-tc.age)}, &tc.vs, tc.there); got.Phase != tc.want {
			t.Errorf("%s: %+v", name, got)
		}
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
		"not made for long":  {vs(2*creationTimeout, false, false, ""), true},
		"the driver refuses": {vs(time.Second, false, false, "bad"), true},
		"just made":          {vs(time.Second, true, false, ""), false},
		"made a while ago":   {vs(2*quota.LookAgainFor, true, true, ""), true},
		"being deleted":      {deleting, true},
	} {
		if got := isDeletable(&tc.vs); got != tc.want {
			t.Errorf("%s: %t", name, got)
		}
	}
}
