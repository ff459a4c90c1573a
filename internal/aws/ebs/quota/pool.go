package quota

import (
	"context"
	"sync"
	"time"
)

// Counter asks EC2 for the account's snapshots that are pending and for those with the
// given ids, in whatever state. An id that EC2 does not show is missing in the answer.
type Counter func(ctx context.Context, ids []string) ([]Snapshot, error)

// Snapshot is what the quota needs to know of one.
type Snapshot struct {
	ID, VolumeID string
	Pending      bool
	Started      time.Time
}

// Volume is what the quota needs to know of one: its type decides how many snapshots of
// it may be pending.
type Volume struct{ ID, Type string }

// Pool has the accounts of a process.
type Pool struct {
	limits Limits

	mu       sync.Mutex
	accounts map[string]*accountLimiter
}

// NewPool returns a pool whose accounts start with l.
func NewPool(l Limits) *Pool { return &Pool{limits: l, accounts: map[string]*accountLimiter{}} }

// Account returns the account's quota in a Region. All that ask for the same account and
// Region share it, whatever their credentials are; count is how the caller's look into it.
func (p *Pool) Account(account, region string, count Counter) *Account {
	p.mu.Lock()
	defer p.mu.Unlock()
	key := account + "/" + region
	if p.accounts[key] == nil {
		p.accounts[key] = newAccountLimiter(p.limits)
	}
	return &Account{accountLimiter: p.accounts[key], count: count}
}

// Account is one account in one Region, as somebody sees it who can count its snapshots.
type Account struct {
	*accountLimiter
	count Counter // nil: there is no EC2 to ask
}

// Uncounted is a quota of pending snapshots where there is no EC2 to ask: only what a
// CSI driver's cluster lists is known. Requests are paced as far as l says.
func Uncounted(l Limits) *Account { return &Account{accountLimiter: newAccountLimiter(l)} }
