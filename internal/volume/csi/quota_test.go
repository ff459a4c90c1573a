package csi

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	snapshotv1 "github.com/kubernetes-csi/external-snapshotter/client/v8/apis/volumesnapshot/v1"
	"golang.org/x/sync/errgroup"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/lifeboat-backup/lifeboat/internal/aws/ebs/quota"
	"github.com/lifeboat-backup/lifeboat/internal/kube"
	"github.com/lifeboat-backup/lifeboat/internal/kube/kubetest"
	"github.com/lifeboat-backup/lifeboat/internal/volume"
	"github.com/lifeboat-backup/lifeboat/internal/volume/volumetest"
)

func TestOccupies(t *testing.T) {
	c := &Snapshots{Backup: volumetest.Backup("c")} // csiSnapshotTimeout is a minute
	for name, tc := range map[string]struct {
		vs   snapshotv1.VolumeSnapshot
		want bool
	}{
		"just asked for":             {vs(time.Second, false, false, ""), true},
		"refused a moment ago":       {vs(time.Second, false, false, "bad"), true},
		"not taken for long":         {vs(time.Hour, false, false, ""), false},
		"refused for long":           {vs(time.Hour, false, false, "bad"), false},
		"pending":                    {vs(time.Second, true, false, ""), true},
		"pending for long":           {vs(time.Hour, true, false, ""), true},
		"pending, with an error":     {vs(time.Second, true, false, "bad"), true},
		"EBS has given it up":        {vs(time.Hour, true, false, "bad"), false},
		"an error of a moment ago":   {withErrorAt(vs(time.Hour, true, false, "bad"), time.Now()), true},
		"complete":                   {vs(time.Hour, true, true, ""), false},
		"complete, with an old word": {vs(time.Second, true, true, "bad"), false},
	} {
		if got := c.occupies(&tc.vs); got != tc.want {
			t.Errorf("%s: %t", name, got)
		}
	}
}

func withErrorAt(vs snapshotv1.VolumeSnapshot, at time.Time) snapshotv1.VolumeSnapshot {
	vs.Status.Error.Time = &metav1.Time{Time: at}
	return vs
}

// quotaCluster is an API server with a driver behind it that has so many places. What
// it is asked for beyond them it refuses, and never takes.
type quotaCluster struct {
	*kubetest.Server
	places int
	lasts  time.Duration // until a snapshot is complete

	mu      sync.Mutex
	most    int // pending at a time
	refused int
}

func newQuotaCluster(t *testing.T) *quotaCluster {
	t.Helper()
	q := &quotaCluster{Server: kubetest.Start(t, kubetest.WithoutNetwork()), places: 10, lasts: 50 * time.Millisecond}
	q.PutNamespaces("shop")
	for class, driver := range map[string]string{"ebs": "d", "nfs": "other"} {
		q.Put(&snapshotv1.VolumeSnapshotClass{ObjectMeta: metav1.ObjectMeta{Name: class}, Driver: driver, DeletionPolicy: snapshotv1.VolumeSnapshotContentDelete})
	}
	q.After(kubetest.On("create", kube.VolumeSnapshots()), func(r kubetest.Request, _ map[string]any) { q.take(r.Namespace, r.Name) })
	return q
}

func (q *quotaCluster) snapshots() []snapshotv1.VolumeSnapshot {
	return kubetest.All[snapshotv1.VolumeSnapshot](q.Server, kube.VolumeSnapshots())
}

// take is what the driver does about a new VolumeSnapshot.
func (q *quotaCluster) take(ns, name string) {
	q.mu.Lock()
	defer q.mu.Unlock()
	pending := 0
	for _, other := range q.snapshots() {
		if isTaken(&other) && !isReady(&other) {
			pending++
		}
	}
	no, now, content, why := false, metav1.Now(), "content-"+name, "quota exceeded"
	status := &snapshotv1.VolumeSnapshotStatus{ReadyToUse: &no, CreationTime: &now, BoundVolumeSnapshotContentName: &content}
	if pending >= q.places {
		q.refused++
		status = &snapshotv1.VolumeSnapshotStatus{ReadyToUse: &no, Error: &snapshotv1.VolumeSnapshotError{Message: &why}}
	} else {
		q.most = max(q.most, pending+1)
		time.AfterFunc(q.lasts, func() {
			yes := true
			q.change(ns, name, func(vs *snapshotv1.VolumeSnapshot) { vs.Status.ReadyToUse = &yes })
		})
	}
	q.change(ns, name, func(vs *snapshotv1.VolumeSnapshot) { vs.Status = status })
}

func (q *quotaCluster) change(ns, name string, change func(*snapshotv1.VolumeSnapshot)) {
	kubetest.Modify(q.Server, kube.VolumeSnapshots(), ns, name, change)
}

// stranger is a VolumeSnapshot that nobody here has made.
func (q *quotaCluster) stranger(name, class string, vs snapshotv1.VolumeSnapshot) {
	vs.Namespace, vs.Name, vs.Spec.VolumeSnapshotClassName = "elsewhere", name, &class
	q.Put(&vs)
}

// quotaBackups is a cluster whose driver has 10 places, and backups of n volumes each there.
func quotaBackups(t *testing.T, backups, n int) (*quotaCluster, []*Snapshots) {
	t.Helper()
	q := newQuotaCluster(t)
	client, quotas := q.Client(), &Quotas{}
	var out []*Snapshots
	for b := range backups {
		p := volumetest.Backup(strings.Repeat("c", n))
		p.UID = fmt.Sprint("uid-", b)
		for i := range p.Volumes {
			v := &p.Volumes[i]
			v.Driver, v.Class, v.Snapshot = "d", "ebs", fmt.Sprint(v.Snapshot, "-", b)
		}
		out = append(out, &Snapshots{Kube: client, Backup: p, Quotas: quotas, MaxPending: q.places})
	}
	return q, out
}

// TestManyFreezesWithFewPlaces: units of two backups, with pods to freeze and without,
// ask for no more than the driver takes, others' snapshots counted in.
func TestManyFreezesWithFewPlaces(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const each = 16
		q, backups := quotaBackups(t, 2, each+8)
		q.stranger("pending", "ebs", vs(time.Hour, true, false, ""))
		q.stranger("forgotten", "ebs", vs(time.Hour, false, false, "bad"))
		q.stranger("of another driver", "nfs", vs(time.Hour, false, false, ""))
		var units errgroup.Group
		take := func(c *Snapshots, volumes []int, frozen bool) {
			mine := *c // an attempt's own
			units.Go(func() error {
				taker, err := mine.Reserve(t.Context(), [][]int{volumes}, volume.ReserveOptions{Quiesced: frozen, Deadline: time.Now().Add(time.Minute)})
				if err != nil {
					return err
				}
				defer taker.Release()
				got, err := taker.Take(t.Context(), nil)
				for _, g := range got {
					if g.Failed != "" {
						err = errors.Join(err, errors.New(g.Failed))
					}
				}
				if err == nil && len(got) != len(volumes) {
					err = fmt.Errorf("%d of %d", len(got), len(volumes))
				}
				return err
			})
		}
		for _, c := range backups {
			for i := 0; i < each; i += 2 {
				take(c, []int{i, i + 1}, true)
			}
			take(c, []int{16, 17, 18, 19, 20, 21, 22, 23}, false)
		}
		if err := units.Wait(); err != nil {
			t.Error(err)
		}
		if q.refused > 0 || q.most > q.places {
			t.Errorf("%d were refused, %d pending at a time", q.refused, q.most)
		}
		time.Sleep(2 * q.lasts)
		wantFree(t, backups[0], q.places-1) // the stranger's is pending
	})
}

// wantFree: of the driver's places, so many can be reserved.
func wantFree(t *testing.T, c *Snapshots, want int) {
	t.Helper()
	driver, err := c.quotaOf(t.Context(), "d")
	if err != nil {
		t.Fatal(err)
	}
	var all []quota.Order
	for i := range c.MaxPending + 1 {
		all = append(all, quota.Order{Key: fmt.Sprint("free/", i)})
	}
	got, err := driver.TryReserve(t.Context(), all)
	driver.Release(got...)
	if err != nil || len(got) != want {
		t.Errorf("%d of %d places are free, want %d: %v", len(got), c.MaxPending, want, err)
	}
}

// TestReserveWithoutCapacity: while there is none nothing is made, and in the end that is
// an error of all volumes before a freeze, and of each volume where no pod waits.
func TestReserveWithoutCapacity(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		q, backups := quotaBackups(t, 1, 2)
		for i := range 10 {
			q.stranger(fmt.Sprint("s", i), "ebs", vs(time.Second, true, false, ""))
		}
		strangers := len(q.snapshots())
		how := volume.ReserveOptions{Quiesced: true, Deadline: time.Now().Add(300 * time.Millisecond), TooLate: volume.ErrNoCapacity}
		if _, err := backups[0].Reserve(t.Context(), [][]int{{0}, {1}}, how); !errors.Is(err, volume.ErrNoCapacity) {
			t.Errorf("before a freeze: %v", err)
		}
		how = volume.ReserveOptions{Deadline: time.Now().Add(300 * time.Millisecond), TooLate: volume.ErrNoCapacity}
		taker, err := backups[0].Reserve(t.Context(), [][]int{{0}, {1}}, how)
		if err != nil {
			t.Fatal(err)
		}
		got, err := taker.Take(t.Context(), nil)
		if err != nil || len(got) != 2 || !strings.Contains(got[0].Failed, "no room") || len(q.snapshots()) != strangers {
			t.Errorf("without a freeze: %v, %+v", err, got)
		}
		taker.Release()
		for _, vs := range q.snapshots() {
			q.Remove(kube.VolumeSnapshots(), vs.Namespace, vs.Name)
		}
		wantFree(t, backups[0], q.places)
	})
}
