package activities

import (
	"context"
	"fmt"
	"maps"
	"math"
	"sync"
	"time"

	snapshotv1 "github.com/kubernetes-csi/external-snapshotter/client/v8/apis/volumesnapshot/v1"
	"golang.org/x/time/rate"

	"github.com/lifeboat-backup/lifeboat/internal/aws/ebs"
	"github.com/lifeboat-backup/lifeboat/internal/kube"
	"github.com/lifeboat-backup/lifeboat/internal/poll"
	"github.com/lifeboat-backup/lifeboat/internal/volume"
)

// csiRooms is the room that the drivers have for snapshots, as far as this process
// gives it away. Its zero value is ready for use.
type csiRooms struct {
	mu    sync.Mutex
	rooms map[string]*csiRoom // by driver
}

func (r *csiRooms) of(driver string) *csiRoom {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.rooms == nil {
		r.rooms = map[string]*csiRoom{}
	}
	if r.rooms[driver] == nil {
		r.rooms[driver] = &csiRoom{turn: make(chan struct{}, 1), pace: paceOf(driver), promised: map[string]bool{}}
	}
	return r.rooms[driver]
}

// csiRoom is that of one driver. Who looks whether there is some, and takes it, has the
// turn meanwhile: first come, first served.
type csiRoom struct {
	turn     chan struct{}
	pace     *rate.Limiter // of what the driver is asked for
	mu       sync.Mutex
	promised map[string]bool // VolumeSnapshots by "namespace/name" that may not show yet
}

// paceOf is as fast as a driver's provider takes requests: the driver would repeat those
// that are too many, each after a longer while. Of other providers nothing is known.
func paceOf(driver string) *rate.Limiter {
	if driver != volume.DriverEBS {
		return rate.NewLimiter(math.MaxInt32, math.MaxInt32)
	}
	r := ebs.DefaultLimits().Rates["CreateSnapshot"]
	return rate.NewLimiter(rate.Limit(r.PerSecond), int(r.Burst))
}

// affords is how many of n may be asked for now.
func (r *csiRoom) affords(n int) int { return min(n, int(r.pace.Tokens())) }

// affordsAll tells whether n may be asked for now; more than may ever be, with a full pace.
func (r *csiRoom) affordsAll(n int) bool {
	return r.affords(n) >= min(n, r.pace.Burst())
}

func (r *csiRoom) enter(ctx context.Context) error {
	select {
	case r.turn <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (r *csiRoom) leave() { <-r.turn }

func (r *csiRoom) promise(keys []string) {
	_ = r.pace.AllowN(time.Now(), r.affords(len(keys)))
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, k := range keys {
		r.promised[k] = true
	}
}

// giveBack takes promises back: what was made by them counts from then on by itself.
func (r *csiRoom) giveBack(keys []string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, k := range keys {
		delete(r.promised, k)
	}
}

func (r *csiRoom) promises() map[string]bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return maps.Clone(r.promised)
}

// busy is how many snapshots a driver works on or is about to: all of the cluster, and
// those promised. What is promised is looked at first, since a promise that is taken
// back meanwhile may not be in the list.
func (c *csiSnapshots) busy(ctx context.Context, driver string) (int, error) {
	promised := c.rooms.of(driver).promises()
	classes, err := c.driverOfClass(ctx)
	if err != nil {
		return 0, err
	}
	n := 0
	err = kube.List(ctx, c.kube, kube.VolumeSnapshots(), "", "", func(vs snapshotv1.VolumeSnapshot) error {
		key := kube.ObjectName(vs.Namespace, vs.Name)
		mine := promised[key]
		delete(promised, key)
		if class := vs.Spec.VolumeSnapshotClassName; class != nil && classes[*class] == driver {
			mine = true
		}
		if mine && c.occupies(&vs) {
			n++
		}
		return nil
	})
	if err != nil {
		return 0, fmt.Errorf("list volume snapshots: %w", err)
	}
	return n + len(promised), nil
}

// occupies says whether a driver works on a snapshot. One that it has not taken for
// long, or that it has called failed for long, takes nobody's place.
func (c *csiSnapshots) occupies(vs *snapshotv1.VolumeSnapshot) bool {
	limit := c.plan.Backup.Spec.CSISnapshotTimeout.Duration
	switch {
	case isReady(vs):
		return false
	case isTaken(vs):
		return problemOf(vs) == "" || time.Since(vs.Status.CreationTime.Time) <= limit
	}
	return time.Since(vs.CreationTimestamp.Time) <= limit
}

// driverOfClass are the drivers of the VolumeSnapshotClasses, read once an attempt.
func (c *csiSnapshots) driverOfClass(ctx context.Context) (map[string]string, error) {
	if c.classes != nil {
		return c.classes, nil
	}
	classes := map[string]string{}
	err := kube.List(ctx, c.kube, kube.VolumeSnapshotClasses(), "", "", func(class snapshotv1.VolumeSnapshotClass) error {
		classes[class.Name] = class.Driver
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("list volume snapshot classes: %w", err)
	}
	c.classes = classes
	return classes, nil
}

// reserve waits until the driver has so few snapshots to make that all of these may be
// asked for at once, and promises them. More than it may ever have wait until it has
// none.
func (c *csiSnapshots) reserve(ctx context.Context, driver string, keys []string) error {
	room := c.rooms.of(driver)
	if err := room.enter(ctx); err != nil {
		return err
	}
	defer room.leave()
	for wait := csiLookFirst; ; wait = min(2*wait, csiLookLast) {
		n, err := c.busy(ctx, driver)
		if err != nil {
			return err
		}
		if (n == 0 || n+len(keys) <= c.calm()) && room.affordsAll(len(keys)) {
			room.promise(keys)
			return nil
		}
		if err := poll.Sleep(ctx, wait); err != nil {
			return err
		}
	}
}

// claim promises as many of these as there is room for now, and returns how many.
func (c *csiSnapshots) claim(ctx context.Context, driver string, keys []string) (int, error) {
	room := c.rooms.of(driver)
	if err := room.enter(ctx); err != nil {
		return 0, err
	}
	defer room.leave()
	n, err := c.busy(ctx, driver)
	if err != nil {
		return 0, err
	}
	free := room.affords(min(max(c.window-n, 0), len(keys)))
	room.promise(keys[:free])
	return free, nil
}

// byDriver sorts volumes by their driver.
func (c *csiSnapshots) byDriver(volumes []int) map[string][]int {
	out := map[string][]int{}
	for _, i := range volumes {
		driver := c.plan.Volumes.Volumes[i].Driver
		out[driver] = append(out[driver], i)
	}
	return out
}

func (c *csiSnapshots) keys(volumes []int) []string {
	out := make([]string, 0, len(volumes))
	for _, i := range volumes {
		out = append(out, c.key(i))
	}
	return out
}

// release gives back what was promised and not asked for.
func (t *csiTaker) release() {
	for driver, of := range t.c.byDriver(t.volumes) {
		t.c.rooms.of(driver).giveBack(t.c.keys(of))
	}
}
