package quota

import (
	"context"
	"time"
)

// driverSlots are the slots of a CSI driver's snapshots that EC2 does not count (yet).
// They are guarded by pendingQuota.mu.
type driverSlots struct {
	reserved map[string]*driverSlot // by this process, by Order.Key
	listed   map[string]bool        // what the cluster listed last, see Lister
	list     Lister                 // of who reserved last
}

// driverSlot is one that this process has reserved.
type driverSlot struct {
	volume string
	asked  time.Time // when the driver was told to make it; zero before
	made   time.Time // since when the cluster has said that it is made
}

// unreserved are the cluster's snapshots that nobody of this process has reserved: those
// that the driver has still to make, and those that it has made.
func (d *driverSlots) unreserved() (waiting, made int) {
	for key, isMade := range d.listed {
		switch {
		case d.reserved[key] != nil:
		case isMade:
			made++
		default:
			waiting++
		}
	}
	return waiting, made
}

func (d *driverSlots) ofVolume(volume string) int {
	n := 0
	for _, s := range d.reserved {
		if s.volume == volume {
			n++
		}
	}
	return n
}

// settleShown drops the slot of a volume of which EC2 shows a new snapshot.
func (d *driverSlots) settleShown(volume string) bool {
	for key, s := range d.reserved {
		if volume != "" && s.volume == volume {
			delete(d.reserved, key)
			return true
		}
	}
	return false
}

// dropUnseen drops what is made and has had time to show in EC2's count.
func (d *driverSlots) dropUnseen(now time.Time) {
	for key, s := range d.reserved {
		if !s.made.IsZero() && now.Sub(s.made) > VisibleWithin {
			delete(d.reserved, key)
		}
	}
}

// settleListed takes a list over that began at a time. What the driver was asked for
// before and the list has not is complete, given up or deleted.
func (d *driverSlots) settleListed(listed map[string]bool, began time.Time) (freed bool) {
	d.listed = listed
	for key, s := range d.reserved {
		made, there := listed[key]
		switch {
		case !there && !s.asked.IsZero() && s.asked.Before(began):
			delete(d.reserved, key)
			freed = true
		case made && s.made.IsZero():
			s.made = began
		}
	}
	return freed
}

// relistOutstanding learns what became of slots that a driver holds. If the cluster does
// not answer, what it said last stands: the driver's own callers hear of the error.
func (q *pendingQuota) relistOutstanding(ctx context.Context) {
	q.mu.Lock()
	waiting, _ := q.driver.unreserved()
	list, outstanding := q.driver.list, waiting+len(q.driver.reserved) > 0
	q.mu.Unlock()
	if outstanding {
		_ = q.relist(ctx, list)
	}
}

// relist reads what the cluster has of the driver's snapshots.
func (q *pendingQuota) relist(ctx context.Context, list Lister) error {
	began := time.Now()
	listed, err := list(ctx)
	if err != nil {
		return err
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	q.driver.list = list
	if q.driver.settleListed(listed, began) {
		q.wake()
	}
	return nil
}

// unknownOrders are those for which no slot is taken yet: those that are reserved or
// listed have one.
func (q *pendingQuota) unknownOrders(orders []Order) []Order {
	var unknown []Order
	for _, o := range orders {
		_, listed := q.driver.listed[o.Key]
		if !listed && q.driver.reserved[o.Key] == nil {
			unknown = append(unknown, o)
		}
	}
	return unknown
}

func (q *pendingQuota) reserveOrders(orders []Order) {
	for _, o := range orders {
		q.driver.reserved[o.Key] = &driverSlot{volume: o.VolumeID}
	}
	q.granted += len(orders)
}
