package quota

import (
	"context"
	"sync"

	"golang.org/x/sync/semaphore"
)

// unreservedAtOnce is how many snapshots without a reservation are asked for at the same
// time: enough for a burst, few enough to learn from refusals before they are many.
const unreservedAtOnce = 8

// accountLimiter is what is shared by all that work in one account and Region.
type accountLimiter struct {
	limits     Limits
	pending    *pendingQuota
	unreserved *semaphore.Weighted // requests for snapshots under way that nobody reserved

	mu      sync.Mutex
	buckets map[string]*requestBucket
	gates   map[string]*volumeGate
}

func newAccountLimiter(l Limits) *accountLimiter {
	a := &accountLimiter{
		limits: l, unreserved: semaphore.NewWeighted(unreservedAtOnce),
		buckets: map[string]*requestBucket{}, gates: map[string]*volumeGate{},
	}
	a.pending = newPendingQuota(l, func(made int) { a.bucketOf(CreateSnapshot).drainTokens(float64(made)) })
	return a
}

func (a *accountLimiter) bucketOf(action string) *requestBucket {
	a.mu.Lock()
	defer a.mu.Unlock()
	b := a.buckets[action]
	if b == nil {
		rate, ok := a.limits.Rates[action]
		if !ok {
			rate = a.limits.Other
		}
		b = newRequestBucket(rate)
		a.buckets[action] = b
	}
	return b
}

// TakeRequest waits until a request of the action may be made.
func (a *accountLimiter) TakeRequest(ctx context.Context, action string) error {
	return a.bucketOf(action).takeTokens(ctx, 1)
}

// RequestPassed learns that EC2 took a request of the action.
func (a *accountLimiter) RequestPassed(action string) { a.bucketOf(action).learnPassed() }

// RequestThrottled learns that EC2 took too many requests of the action.
func (a *accountLimiter) RequestThrottled(action string) { a.bucketOf(action).learnThrottled() }

// Described learns from any description of a snapshot that it is not pending any more.
func (a *accountLimiter) Described(s Snapshot) { a.pending.learnDescribed(s) }

// CreatedHere tells that this process made the snapshot and takes it for pending.
func (a *accountLimiter) CreatedHere(id string) bool { return a.pending.isOwn(id) }

func (a *accountLimiter) perVolume(kind string) int {
	if kind == "st1" || kind == "sc1" {
		return min(quotaPerHDD, a.limits.PerVolume)
	}
	return a.limits.PerVolume
}
