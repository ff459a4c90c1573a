package quota

import (
	"context"
	"time"
)

// Numbers of the wait for a CSI driver's slots.
const (
	// A driver's snapshots are listed anew after a pause between these.
	listFirst = 100 * time.Millisecond
	listLast  = 2 * time.Second
	// countLimit bounds a count in EC2 for who can do without it, and uncountedFor is
	// how long he does after one that failed.
	countLimit   = 10 * time.Second
	uncountedFor = time.Minute
)

// Lister lists the snapshots of one CSI driver that its cluster knows and that take a
// slot, by Order.Key: they are not complete, and the driver has not given them up. True
// is for those that the driver has made; the others it has still to make.
type Lister func(ctx context.Context) (map[string]bool, error)

// Order is one snapshot that a CSI driver is to make.
type Order struct {
	// Key names it as the Lister does.
	Key string
	// VolumeID is the EBS volume's, by which EC2's count is told that this snapshot is
	// in it; "" for volumes of other providers.
	VolumeID string
}

// Driver is a CSI driver that makes its snapshots in an account.
type Driver struct {
	account *Account
	list    Lister
}

// Driver returns the account's quota for a CSI driver whose cluster is asked by list.
// One account serves one driver.
func (a *Account) Driver(list Lister) *Driver { return &Driver{account: a, list: list} }

// Reserve waits until all of the snapshots may be asked for at once, with some room left
// for those of others: what a driver is refused, it asks for again ever later. More than
// there may ever be wait until nothing is pending. A snapshot that is listed already
// needs no slot. It fails with the context's error or with the Lister's; where EC2 does
// not answer, the cluster's list has to do.
func (d *Driver) Reserve(ctx context.Context, orders []Order) error {
	q := d.account.pending
	leave, err := q.enterQueue(ctx)
	if err != nil {
		return err
	}
	defer leave()
	for pause := listFirst; ; pause = min(2*pause, listLast) {
		counted, err := d.refresh(ctx, len(orders))
		if err != nil {
			return err
		}
		if reserved, ok := q.reserveAll(orders, counted, q.noteReserved(ctx, 0)); ok {
			q.noteReserved(ctx, len(reserved))
			return d.prepay(ctx, reserved)
		}
		if err := waitFor(ctx, nil, pause); err != nil {
			return err
		}
	}
}

// TryReserve reserves, without a wait for slots, as many as there is room for now, and
// returns their keys. It waits only for those who came before.
func (d *Driver) TryReserve(ctx context.Context, orders []Order) ([]string, error) {
	q := d.account.pending
	leave, err := q.enterQueue(ctx)
	if err != nil {
		return nil, err
	}
	defer leave()
	counted, err := d.refresh(ctx, len(orders))
	if err != nil {
		return nil, err
	}
	return q.reserveSome(orders, counted, d.account.bucketOf(CreateSnapshot).takeAvailable), nil
}

// Asked tells that the driver has been told to make a snapshot. Its slot is free again
// once EC2 counts the snapshot or the cluster does not list it any more.
func (d *Driver) Asked(key string) {
	q := d.account.pending
	q.mu.Lock()
	defer q.mu.Unlock()
	if s := q.driver.reserved[key]; s != nil {
		s.asked = time.Now()
	}
}

// Release gives back what was reserved and not asked for. It may repeat.
func (d *Driver) Release(keys ...string) {
	q := d.account.pending
	q.mu.Lock()
	freed := 0
	for _, key := range keys {
		if s := q.driver.reserved[key]; s != nil && s.asked.IsZero() {
			delete(q.driver.reserved, key)
			freed++
		}
	}
	if freed > 0 {
		q.wake()
	}
	q.mu.Unlock()
	d.account.bucketOf(CreateSnapshot).giveBack(float64(freed))
}

// prepay waits for the requests that the driver will make.
func (d *Driver) prepay(ctx context.Context, orders []Order) error {
	err := d.account.bucketOf(CreateSnapshot).takeTokens(ctx, float64(len(orders)))
	if err == nil {
		return nil
	}
	q := d.account.pending
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, o := range orders {
		delete(q.driver.reserved, o.Key)
	}
	q.wake()
	return err
}

// refresh lists and, where EC2 can be asked and the last count says too little, counts.
// counted tells whether EC2's count can be used.
func (d *Driver) refresh(ctx context.Context, n int) (counted bool, err error) {
	q := d.account.pending
	if err := q.relist(ctx, d.list); err != nil {
		return false, err
	}
	if d.account.count == nil || q.isUncounted() {
		return false, nil
	}
	if !q.needsCount(n) {
		return true, nil
	}
	limited, cancel := context.WithTimeout(ctx, countLimit)
	defer cancel()
	if _, err := q.recount(limited, d.account.count); err != nil {
		q.setUncounted()
		return false, ctx.Err()
	}
	return true, nil
}

// needsCount: the last count is not good any more, or shows no room and is not of this
// moment.
func (q *pendingQuota) needsCount(n int) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return !q.isGood() || q.free(true) < n && time.Since(q.asked) >= q.limits.Poll
}

func (q *pendingQuota) isUncounted() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return time.Now().Before(q.uncounted)
}

func (q *pendingQuota) setUncounted() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.uncounted = time.Now().Add(uncountedFor)
}

// reserveAll reserves all of the orders that have no slot, or none. mine are slots that
// the caller has already: it cannot wait for those.
func (q *pendingQuota) reserveAll(orders []Order, counted bool, mine int) (reserved []Order, ok bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	unknown := q.unknownOrders(orders)
	used, most := q.used(counted), min(q.ceiling(), q.limits.Pending*9/10)
	if used > mine && used+q.invisible+len(unknown) > most {
		return nil, len(unknown) == 0
	}
	q.reserveOrders(unknown)
	return unknown, true
}

// reserveSome reserves as many of the orders as there are slots and requests for, and
// returns the keys of all that have a slot.
func (q *pendingQuota) reserveSome(orders []Order, counted bool, pay func(n int) int) []string {
	q.mu.Lock()
	defer q.mu.Unlock()
	unknown := q.unknownOrders(orders)
	lacking := unknown[pay(max(0, min(q.free(counted), len(unknown)))):]
	q.reserveOrders(unknown[:len(unknown)-len(lacking)])
	without := map[string]bool{}
	for _, o := range lacking {
		without[o.Key] = true
	}
	var keys []string
	for _, o := range orders {
		if !without[o.Key] {
			keys = append(keys, o.Key)
		}
	}
	return keys
}
