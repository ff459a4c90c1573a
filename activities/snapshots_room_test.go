package activities

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	snapshotv1 "github.com/kubernetes-csi/external-snapshotter/client/v8/apis/volumesnapshot/v1"
	"golang.org/x/sync/errgroup"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/lifeboat-backup/lifeboat/internal/aws/ebs/quota"
	"github.com/lifeboat-backup/lifeboat/internal/hook"
	"github.com/lifeboat-backup/lifeboat/internal/kube"
	"github.com/lifeboat-backup/lifeboat/internal/volume"
)

// TestWaitForRoom: waves of snapshots that each may last itemOperationTimeout.
func TestWaitForRoom(t *testing.T) {
	for n, want := range map[int]time.Duration{1: 4 * time.Hour, 100: 4 * time.Hour, 101: 8 * time.Hour, 300: 12 * time.Hour} {
		p := takingOf(strings.Repeat("n", n))
		p.Backup.Spec.ItemOperationTimeout.Duration = 4 * time.Hour
		if got := p.waitForRoom(100); got != want {
			t.Errorf("%d volumes wait for %s, want %s", n, got, want)
		}
		p.Planned = time.Now()
		if how := p.shotOf(100, true, false, 1); time.Until(how.until).Round(time.Minute) != want || !errors.Is(how.late, errNoRoom) {
			t.Errorf("%d volumes: %+v", n, how)
		}
		p.Planned = time.Now().Add(-(100 * time.Hour))
		if how := p.shotOf(100, true, false, 1); time.Until(how.until).Round(time.Second) != leastWait {
			t.Errorf("%d volumes, late: %+v", n, how)
		}
	}
	p := takingOf("n")
	p.Backup.Spec.ItemOperationTimeout.Duration = 1<<63 - 1
	if got := p.waitForRoom(100); got != longestTimeout {
		t.Errorf("without end: %s", got)
	}
}

// TestUnitTime: an activity has the time for all that its unit may wait for.
func TestUnitTime(t *testing.T) {
	p := takingOf("n")
	p.Backup.Spec.CSISnapshotTimeout.Duration = 6 * time.Hour
	if got := p.unitTime(100); got != 0 {
		t.Errorf("without units: %s", got)
	}
	p.Volumes.Units = []unitPlan{{}, {Pods: []podHooks{{Pre: []hook.Hook{{Timeout: time.Hour}}, Post: []hook.Hook{{Timeout: time.Minute}}}}}}
	hooks := time.Hour + 10*time.Second + 40*time.Second + time.Minute + 10*time.Second + 10*time.Minute
	if got, want := p.unitTime(100), time.Hour+3*(6*time.Hour+hooks); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestOccupies(t *testing.T) {
	c := &csiSnapshots{plan: driverBackupOf("c")} // csiSnapshotTimeout is a minute
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
		"complete":                   {vs(time.Hour, true, true, ""), false},
		"complete, with an old word": {vs(time.Second, true, true, "bad"), false},
	} {
		if got := c.occupies(&tc.vs); got != tc.want {
			t.Errorf("%s: %t", name, got)
		}
	}
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
	q.all[kube.ObjectName(vs.Namespace, vs.Name)] = vs
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
func quotaBackups(t *testing.T, backups, n int) (*quotaCluster, []*csiSnapshots) {
	t.Helper()
	q := &quotaCluster{places: 10, lasts: 50 * time.Millisecond, all: map[string]*snapshotv1.VolumeSnapshot{}}
	srv := httptest.NewServer(q)
	t.Cleanup(srv.Close)
	client, err := kube.New(&kube.RESTConfig{Host: srv.URL}, kube.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	quotas := &csiQuotas{}
	var out []*csiSnapshots
	for b := range backups {
		p := driverBackupOf(strings.Repeat("c", n))
		p.UID = fmt.Sprint("uid-", b)
		for i := range p.Volumes {
			v := &p.Volumes[i]
			v.Driver, v.Class, v.Snapshot = "d", "ebs", fmt.Sprint(v.Snapshot, "-", b)
		}
		out = append(out, &csiSnapshots{kube: client, plan: p, quotas: quotas, window: q.places})
	}
	return q, out
}

// TestManyFreezesWithFewPlaces: units of two backups, with pods to freeze and without,
// ask for no more than the driver takes, others' snapshots counted in.
func TestManyFreezesWithFewPlaces(t *testing.T) {
	const each = 16
	q, backups := quotaBackups(t, 2, each+8)
	q.stranger("pending", "ebs", vs(time.Hour, true, false, ""))
	q.stranger("forgotten", "ebs", vs(time.Hour, false, false, "bad"))
	q.stranger("of another driver", "nfs", vs(time.Hour, false, false, ""))
	var units errgroup.Group
	take := func(c *csiSnapshots, volumes []int, frozen bool) {
		mine := *c // an attempt's own
		units.Go(func() error {
			taker, err := mine.ready(t.Context(), [][]int{volumes}, shot{frozen: frozen, until: time.Now().Add(time.Minute)})
			if err != nil {
				return err
			}
			defer taker.release()
			got, err := taker.take(t.Context(), nil)
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
}

// wantFree: of the driver's places, so many can be reserved.
func wantFree(t *testing.T, c *csiSnapshots, want int) {
	t.Helper()
	driver, err := c.quotaOf(t.Context(), "d")
	if err != nil {
		t.Fatal(err)
	}
	var all []quota.Order
	for i := range c.window + 1 {
		all = append(all, quota.Order{Key: fmt.Sprint("free/", i)})
	}
	got, err := driver.TryReserve(t.Context(), all)
	driver.Release(got...)
	if err != nil || len(got) != want {
		t.Errorf("%d of %d places are free, want %d: %v", len(got), c.window, want, err)
	}
}

// TestReserveWithoutCapacity: while there is none nothing is made, and in the end that is
// an error of all volumes before a freeze, and of each volume where no pod waits.
func TestReserveWithoutCapacity(t *testing.T) {
	q, backups := quotaBackups(t, 1, 2)
	for i := range 10 {
		q.stranger(fmt.Sprint("s", i), "ebs", vs(time.Second, true, false, ""))
	}
	made := len(q.all)
	how := shot{frozen: true, until: time.Now().Add(300 * time.Millisecond), late: errNoRoom}
	if _, err := backups[0].ready(t.Context(), [][]int{{0}, {1}}, how); !errors.Is(err, errNoRoom) {
		t.Errorf("before a freeze: %v", err)
	}
	how = shot{until: time.Now().Add(300 * time.Millisecond), late: errNoRoom}
	taker, err := backups[0].ready(t.Context(), [][]int{{0}, {1}}, how)
	if err != nil {
		t.Fatal(err)
	}
	got, err := taker.take(t.Context(), nil)
	if err != nil || len(got) != 2 || !strings.Contains(got[0].Failed, "no room") || len(q.all) != made {
		t.Errorf("without a freeze: %v, %+v", err, got)
	}
	taker.release()
	clear(q.all)
	wantFree(t, backups[0], q.places)
}

// TestNoCapacityIsOfTheVolumes: a driver without capacity fails its volumes and not the
// unit, and nothing is reserved.
func TestNoCapacityIsOfTheVolumes(t *testing.T) {
	s := &shooting{o: &opened{plan: *takingOf("cc")}, unit: &unitPlan{Groups: [][]int{{0}, {1}}}, freezer: &freezer{}}
	err := s.ready(t.Context(), map[volume.Path]snapshotter{volume.CSI: fullDriver{}}, shot{})
	if err != nil || len(s.takers) != 0 || len(s.taken) != 2 || !strings.Contains(s.taken[0].Failed, "no room") {
		t.Errorf("%v, %+v", err, s.taken)
	}
}

// fullDriver is a driver that has no capacity.
type fullDriver struct{ snapshotter }

func (fullDriver) ready(context.Context, [][]int, shot) (taker, error) { return nil, errNoRoom }

// failing is a taker that has one of its snapshots and then fails.
type failing struct{ taker }

func (failing) take(context.Context, map[int]bool) ([]taken, error) {
	return []taken{{Volume: 0, ID: "snap-0"}}, errors.New("EC2 does not answer")
}

// TestLastFreeze: what was had in the last one is kept, what was not has failed.
func TestLastFreeze(t *testing.T) {
	for _, last := range []bool{false, true} {
		s := &shooting{
			o: &opened{plan: *takingOf("nn")}, unit: &unitPlan{Groups: [][]int{{0}, {1}}, Pods: []podHooks{{}}},
			freezer: &freezer{}, takers: []taker{failing{}},
		}
		err := s.take(t.Context(), nil, last)
		res := s.result()
		sum := res.summary()
		if (err == nil) != last || last && (sum.Taken != 1 || sum.Failed != 1 || !strings.Contains(res.Reasons[0].Message, "does not answer")) {
			t.Errorf("last %t: %v, %+v", last, err, res)
		}
	}
}

func statusAnswer(w http.ResponseWriter, code int, reason string) {
	w.WriteHeader(code)
	fmt.Fprintf(w, `{"kind":"Status","apiVersion":"v1","status":"Failure","reason":%q,"code":%d}`, reason, code)
}
