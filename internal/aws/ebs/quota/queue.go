package quota

import (
	"context"
	"sync"
)

// keptQueues are the queues whose head one caller keeps, each with the slots that he has
// reserved there.
type keptQueues struct {
	mu   sync.Mutex
	kept map[*pendingQuota]int
}

type keptQueuesKey struct{}

// KeepTurn is for who needs several reservations at the same time, such as one of native
// snapshots and one of a CSI driver in the same account. Those made with the context
// that it returns count as one: nobody else reserves between them, so that two callers
// never wait for what the other one holds. done must follow the last one, and reservations
// by Account.Reserve come before those by Driver.Reserve: they wait for volumes first.
func KeepTurn(ctx context.Context) (_ context.Context, done func()) {
	k := &keptQueues{kept: map[*pendingQuota]int{}}
	return context.WithValue(ctx, keptQueuesKey{}, k), k.leaveAll
}

func (k *keptQueues) leaveAll() {
	k.mu.Lock()
	defer k.mu.Unlock()
	for q := range k.kept {
		q.fifo.Release(1)
		delete(k.kept, q)
	}
}

// enterQueue waits for the head of the queue for slots, first come, first served.
func (q *pendingQuota) enterQueue(ctx context.Context) (leave func(), err error) {
	k, keep := ctx.Value(keptQueuesKey{}).(*keptQueues)
	if !keep {
		if err := q.fifo.Acquire(ctx, 1); err != nil {
			return nil, err
		}
		return func() { q.fifo.Release(1) }, nil
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if _, kept := k.kept[q]; !kept {
		if err := q.fifo.Acquire(ctx, 1); err != nil {
			return nil, err
		}
		k.kept[q] = 0
	}
	return func() {}, nil
}

// noteReserved counts the slots that who keeps his turn has reserved, and tells how many
// he has.
func (q *pendingQuota) noteReserved(ctx context.Context, n int) int {
	k, keep := ctx.Value(keptQueuesKey{}).(*keptQueues)
	if !keep {
		return n
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.kept[q] += n
	return k.kept[q]
}
