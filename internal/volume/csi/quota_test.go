package csi

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lifeboat-backup/lifeboat/internal/resource"

	snapshotv1 "github.com/kubernetes-csi/external-snapshotter/client/v8/apis/volumesnapshot/v1"
	"golang.org/x/sync/errgroup"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/lifeboat-backup/lifeboat/internal/aws/ebs/quota"
	"github.com/lifeboat-backup/lifeboat/internal/kube"
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
	places int
	lasts  time.Duration // until a snapshot is complete

	mu      sync.Mutex
	all     map[string]*snapshotv1.VolumeSnapshot
	most    int // pending at a time
	refused int
}

func (q *quotaCluster) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	q.mu.Lock()
	defer q.mu.Unlock()
	w.Header().Set("Content-Type", "application/json")
	switch {
	case strings.HasSuffix(r.URL.Path, "/volumesnapshotclasses"):
		fmt.Fprint(w, `{"items":[{"metadata":{"name":"ebs"},"driver":"d"},{"metadata":{"name":"nfs"},"driver":"other"}]}`)
	case r.Method == http.MethodPost:
		var vs snapshotv1.VolumeSnapshot
		if err := json.NewDecoder(r.Body).Decode(&vs); err != nil {
			statusAnswer(w, http.StatusBadRequest, "BadRequest")
			return
		}
		q.make(&vs)
		w.WriteHeader(http.StatusCreated)
		_ = json.NewEncoder(w).Encode(vs)
	default:
		q.list(w, r.URL.Query().Get("labelSelector"))
	}
}

func (q *quotaCluster) make(vs *snapshotv1.VolumeSnapshot) {
	no, now, content := false, metav1.NewTime(time.Now()), "content-"+vs.Name
	vs.CreationTimestamp, vs.Status = now, &snapshotv1.VolumeSnapshotStatus{ReadyToUse: &no}
	q.all[resource.ObjectName(vs.Namespace, vs.Name)] = vs
	pending := 0
	for _, other := range q.all {
		if isTaken(other) && !isReady(other) {
			pending++
		}
	}
	if pending >= q.places {
		q.refused++
		why := "quota exceeded"
		vs.Status.Error = &snapshotv1.VolumeSnapshotError{Message: &why}
		return
	}
	q.most = max(q.most, pending+1)
	vs.Status.CreationTime, vs.Status.BoundVolumeSnapshotContentName = &now, &content
	time.AfterFunc(q.lasts, func() {
		q.mu.Lock()
		defer q.mu.Unlock()
		yes := true
		vs.Status.ReadyToUse = &yes
	})
}

func (q *quotaCluster) list(w http.ResponseWriter, selector string) {
	key, value, _ := strings.Cut(selector, "=")
	list := snapshotv1.VolumeSnapshotList{Items: []snapshotv1.VolumeSnapshot{}}
	for _, vs := range q.all {
		if key == "" || vs.Labels[key] == value {
			list.Items = append(list.Items, *vs)
		}
	}
	_ = json.NewEncoder(w).Encode(list)
}

// stranger is a VolumeSnapshot that nobody here has made.
func (q *quotaCluster) stranger(name, class string, vs snapshotv1.VolumeSnapshot) {
	vs.Namespace, vs.Name, vs.Spec.VolumeSnapshotClassName = "elsewhere", name, &class
	q.all["elsewhere/"+name] = &vs
}

// quotaBackups is a cluster whose driver has 10 places, and backups of n volumes each there.
func quotaBackups(t *testing.T, backups, n int) (*quotaCluster, []*Snapshots) {
	t.Helper()
	q := &quotaCluster{places: 10, lasts: 50 * time.Millisecond, all: map[string]*snapshotv1.VolumeSnapshot{}}
	client, err := kube.New(withoutNetwork(q), kube.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	quotas := &Quotas{}
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
		made := len(q.all)
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
		if err != nil || len(got) != 2 || !strings.Contains(got[0].Failed, "no room") || len(q.all) != made {
			t.Errorf("without a freeze: %v, %+v", err, got)
		}
		taker.Release()
		clear(q.all)
		wantFree(t, backups[0], q.places)
	})
}

func statusAnswer(w http.ResponseWriter, code int, reason string) {
	w.WriteHeader(code)
	fmt.Fprintf(w, `{"kind":"Status","apiVersion":"v1","status":"Failure","reason":%q,"code":%d}`, reason, code)
}
