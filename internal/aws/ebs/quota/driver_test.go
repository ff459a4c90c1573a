package quota

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// cluster is a cloud's account with a CSI driver in it: the VolumeSnapshots by key, each
// with the EC2 snapshot that the driver made for it, "" before.
type cluster struct {
	*cloud
	limit   int           // of pending snapshots
	delay   time.Duration // until the driver asks EC2
	hides   time.Duration // until EC2 shows what it has made
	lasts   time.Duration // until a snapshot is complete
	refused int
	most    int // pending at a time

	orders map[string]string
}

func newCluster(limit int) *cluster {
	return &cluster{
		cloud: newCloud(), limit: limit, delay: 300 * time.Millisecond, hides: 5 * time.Second, lasts: 40 * time.Second,
		orders: map[string]string{},
	}
}

// create is EC2's CreateSnapshot.
func (c *cluster) create(id, volume string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	pending := 1
	for _, s := range c.snaps {
		if s.Pending {
			pending++
		}
	}
	if pending > c.limit {
		c.refused++
		return false
	}
	c.most = max(c.most, pending)
	c.snaps[id], c.hide[id] = Snapshot{ID: id, VolumeID: volume, Pending: true, Started: time.Now()}, true
	time.AfterFunc(c.hides, func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		delete(c.hide, id)
	})
	time.AfterFunc(c.lasts, func() { c.finish(id) })
	return true
}

// order makes a VolumeSnapshot, and the driver's snapshot a moment later.
func (c *cluster) order(o Order) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.orders[o.Key] = ""
	time.AfterFunc(c.delay, func() {
		id := "snap-" + o.Key
		if !c.create(id, o.VolumeID) {
			return
		}
		c.mu.Lock()
		defer c.mu.Unlock()
		c.orders[o.Key] = id
	})
}

func (c *cluster) list(context.Context) (map[string]bool, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	out := map[string]bool{}
	for key, id := range c.orders {
		if id == "" || c.snaps[id].Pending {
			out[key] = id != ""
		}
	}
	return out, nil
}

func orders(prefix string, n int) []Order {
	out := make([]Order, n)
	for i := range out {
		out[i] = Order{Key: fmt.Sprintf("%s/%d", prefix, i), VolumeID: fmt.Sprintf("vol-%s-%d", prefix, i)}
	}
	return out
}

// nativeBackup snapshots each volume by itself.
func (c *cluster) nativeBackup(t *testing.T, a *Account, name string, n int, wg *sync.WaitGroup) {
	for i := range n {
		wg.Go(func() {
			v := Volume{ID: fmt.Sprintf("vol-%s-%d", name, i)}
			res, err := a.Reserve(t.Context(), []Volume{v}, CreateSnapshot)
			if err != nil {
				t.Error(err)
				return
			}
			defer res.Release()
			slots, err := res.TakeSlots(t.Context(), 1)
			if err != nil {
				t.Error(err)
				return
			}
			defer slots.GiveBack()
			time.Sleep(40 * time.Millisecond)
			if id := "snap-" + v.ID; c.create(id, v.ID) {
				slots.Created([]Snapshot{{ID: id, VolumeID: v.ID, Pending: true}})
			}
		})
	}
}

// looseCSIBackup asks for as many as there is room for, again and again.
func (c *cluster) looseCSIBackup(t *testing.T, a *Account, name string, n int, wg *sync.WaitGroup) {
	wg.Go(func() {
		d, todo := a.Driver(c.list), orders(name, n)
		for len(todo) > 0 {
			keys, err := d.TryReserve(t.Context(), todo)
			if err != nil {
				t.Error(err)
				return
			}
			todo = slices.DeleteFunc(todo, func(o Order) bool {
				if !slices.Contains(keys, o.Key) {
					return false
				}
				c.order(o)
				d.Asked(o.Key)
				return true
			})
			time.Sleep(time.Second)
		}
	})
}

// quiescedCSIBackup takes units of 6 volumes, each reserved as a whole.
func (c *cluster) quiescedCSIBackup(t *testing.T, a *Account, name string, n int, wg *sync.WaitGroup) {
	for unit := range slices.Chunk(orders(name, n), 6) {
		wg.Go(func() {
			d := a.Driver(c.list)
			if err := d.Reserve(t.Context(), unit); err != nil {
				t.Error(err)
				return
			}
			for _, o := range unit {
				time.Sleep(10 * time.Millisecond)
				c.order(o)
				d.Asked(o.Key)
			}
		})
	}
}

// TestNativeAndCSIAtOnce: a native and a CSI backup of 60 volumes each in an account that
// takes 100. Neither is refused anything, though EC2 hides for seconds what each makes.
func TestNativeAndCSIAtOnce(t *testing.T) {
	type backup = func(*cluster, *testing.T, *Account, string, int, *sync.WaitGroup)
	for name, csi := range map[string]backup{"loose": (*cluster).looseCSIBackup, "quiesced": (*cluster).quiescedCSIBackup} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := newCluster(100)
				a := NewPool(DefaultLimits()).Account("1", "r", c.count)
				var wg sync.WaitGroup
				start := time.Now()
				csi(c, t, a, "csi", 60, &wg)
				c.nativeBackup(t, a, "native", 60, &wg)
				wg.Wait()
				time.Sleep(time.Minute)
				t.Logf("%v, at most %d pending, %d counts", time.Since(start)-time.Minute, c.most, c.counts)
				if c.refused > 0 || len(c.snaps) != 120 {
					t.Errorf("%d refused, %d snapshots", c.refused, len(c.snaps))
				}
				if c.most < 80 {
					t.Errorf("only %d were pending at a time: something counts twice", c.most)
				}
				mustAcquire(t, a.pending, 100, c.cloud)
			})
		})
	}
}

// TestDriverCountsOnce: what a driver was asked for takes one slot from the reservation
// to the end, whether EC2 hides it, shows it, or nobody but the cluster tells.
func TestDriverCountsOnce(t *testing.T) {
	for name, counted := range map[string]bool{"counted": true, "uncounted": false} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c, limits := newCluster(20), smallLimits(20)
				a := Uncounted(limits)
				if counted {
					a = NewPool(limits).Account("1", "r", c.count)
				}
				d, all := a.Driver(c.list), orders("a", 12)
				if err := d.Reserve(t.Context(), all); err != nil {
					t.Fatal(err)
				}
				free := func(when string, want int) {
					t.Helper()
					got, err := d.TryReserve(t.Context(), orders("probe", 20))
					d.Release(got...)
					if err != nil || len(got) != want {
						t.Errorf("%s: %d free, want %d: %v", when, len(got), want, err)
					}
				}
				free("reserved", 8)
				for _, o := range all {
					c.order(o)
					d.Asked(o.Key)
				}
				d.Release(all[0].Key) // asked for: nothing to give back
				free("asked", 8)
				time.Sleep(time.Second)
				free("made, hidden", 8)
				time.Sleep(11 * time.Second)
				free("shown", 8)
				time.Sleep(time.Minute)
				free("complete", 20)
			})
		})
	}
}

// TestNativeWaitsForADriver: slots that a driver holds are not free for native snapshots,
// and are once the cluster does not list them any more, whoever asks.
func TestNativeWaitsForADriver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(10)
		c.delay = time.Hour // the driver does nothing
		a := NewPool(smallLimits(10)).Account("1", "r", c.count)
		d, all := a.Driver(c.list), orders("a", 9)
		if err := d.Reserve(t.Context(), all); err != nil {
			t.Fatal(err)
		}
		for _, o := range all {
			c.order(o)
			d.Asked(o.Key)
		}
		mustAcquire(t, a.pending, 1, c.cloud)
		wantFull(t, a.pending, c.cloud)
		c.mu.Lock()
		clear(c.orders) // somebody deleted the VolumeSnapshots
		c.mu.Unlock()
		deleted := time.Now()
		mustAcquire(t, a.pending, 9, c.cloud)
		if waited := time.Since(deleted); waited > countFresh {
			t.Errorf("waited %v for slots that nobody takes", waited)
		}
	})
}

// TestDriverSeesNativeSnapshotsAndStrangers, both of the cluster and of the account.
func TestDriverSeesNativeSnapshotsAndStrangers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(100)
		c.delay = time.Hour
		a := NewPool(DefaultLimits()).Account("1", "r", c.count)
		mustAcquire(t, a.pending, 30, c.cloud)
		c.add(20, "foreign", "vol-x")
		for _, o := range orders("velero", 10) {
			c.order(o)
		}
		time.Sleep(countFresh + time.Second)
		got, err := a.Driver(c.list).TryReserve(t.Context(), orders("mine", 60))
		if want := 100 - otherWriters - 30 - 20 - 10; err != nil || len(got) != want {
			t.Errorf("%d reserved, want %d: %v", len(got), want, err)
		}
	})
}

// TestDriverWithoutEC2: a driver needs no EC2. While EC2 does not answer, what the
// cluster lists has to do.
func TestDriverWithoutEC2(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(100)
		c.fails = errors.New("denied")
		a := NewPool(DefaultLimits()).Account("1", "r", c.count)
		d := a.Driver(c.list)
		for _, o := range orders("a", 40) {
			c.order(o)
		}
		time.Sleep(time.Second)
		if err := d.Reserve(t.Context(), orders("b", 40)); err != nil {
			t.Fatal(err)
		}
		if got, err := d.TryReserve(t.Context(), orders("c", 40)); err != nil || len(got) > 20 {
			t.Errorf("%d more of 100, of which 80 are taken: %v", len(got), err)
		}
		if c.counts != 1 {
			t.Errorf("EC2 was asked %d times in a second", c.counts)
		}
	})
}

// TestDriverPace: the EBS driver is asked for as many at once as EC2 takes, and then for
// few, and its requests are the account's; of other providers no pace is known.
func TestDriverPace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(1000)
		a := NewPool(smallLimits(1000)).Account("1", "r", c.count)
		d := a.Driver(c.list)
		if got, err := d.TryReserve(t.Context(), orders("a", 300)); err != nil || len(got) != 95 {
			t.Errorf("at first %d may be asked for, want 95: %v", len(got), err)
		}
		if got, err := d.TryReserve(t.Context(), orders("b", 300)); err != nil || len(got) > 0 {
			t.Errorf("%d more at once: %v", len(got), err)
		}
		start := time.Now()
		if err := a.TakeRequest(t.Context(), CreateSnapshot); err != nil || time.Since(start) == 0 {
			t.Errorf("native snapshots have requests of their own: %v", err)
		}
		if err := d.Reserve(t.Context(), orders("c", 300)); err != nil {
			t.Errorf("more than may ever be asked for at once wait for ever: %v", err)
		}
		other := Uncounted(Limits{Pending: 1000}).Driver(c.list)
		for i := range 3 {
			if got, err := other.TryReserve(t.Context(), orders(fmt.Sprint(i), 300)); err != nil || len(got) != 300 {
				t.Errorf("another driver is held up: %d, %v", len(got), err)
			}
		}
	})
}

// TestMoreThanThereMayBe wait until nothing is pending; who has waited too long has
// nothing.
func TestMoreThanThereMayBe(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(10)
		d := Uncounted(smallLimits(10)).Driver(c.list)
		c.order(Order{Key: "other"})
		begun := time.Now()
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		many := orders("a", 30)
		if err := d.Reserve(ctx, many); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("reserved beside what is pending: %v", err)
		}
		if err := d.Reserve(t.Context(), many); err != nil || time.Since(begun) < c.lasts {
			t.Errorf("reserved after %v: %v", time.Since(begun), err)
		}
		d.Release(keysOf(many)...)
		d.Release(keysOf(many)...)
		if got, err := d.TryReserve(t.Context(), orders("b", 30)); err != nil || len(got) != 10 {
			t.Errorf("%d are free after the release: %v", len(got), err)
		}
	})
}

func keysOf(all []Order) []string {
	keys := make([]string, len(all))
	for i, o := range all {
		keys[i] = o.Key
	}
	return keys
}

// TestKeepTurn: units that need both kinds of slots never wait for one another, though
// together they need far more than there are.
func TestKeepTurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(100)
		a := NewPool(DefaultLimits()).Account("1", "r", c.count)
		var wg sync.WaitGroup
		for i := range 12 {
			wg.Go(func() {
				ctx, done := KeepTurn(t.Context())
				defer done()
				var volumes []Volume
				for v := range 40 {
					volumes = append(volumes, Volume{ID: fmt.Sprintf("vol-n-%d-%d", i, v)})
				}
				res, err := a.Reserve(ctx, volumes, CreateSnapshot, CreateSnapshots)
				if err != nil {
					t.Error(err)
					return
				}
				defer res.Release()
				d, mine := a.Driver(c.list), orders(fmt.Sprint("c-", i), 55) // more than are left beside 40, with room for others
				if err := d.Reserve(ctx, mine); err != nil {
					t.Error(err)
				}
				done()
				time.Sleep(time.Second)
				d.Release(keysOf(mine)...)
			})
		}
		wg.Wait()
		mustAcquire(t, a.pending, 100, c.cloud)
	})
}
