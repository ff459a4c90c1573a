package ebs

import (
	"sync"
	"time"
)

// Rate is a request bucket of EC2's: it holds Burst tokens and gains PerSecond.
type Rate struct{ PerSecond, Burst float64 }

// Limits are what an account may do in one Region. They are where a Pool starts
// and what it never goes above; that an account may do less, because its quota
// is lower or others work in it too, the pool learns.
type Limits struct {
	// Pending is how many snapshots of an account may be pending.
	Pending int
	// PerVolume is how many of one volume may be; HDD volumes take one.
	PerVolume int
	// Apart is the shortest time between two snapshots of a volume.
	Apart time.Duration
	// Rates are the buckets by action; Other is that of all the rest.
	Rates map[string]Rate
	Other Rate
	// Poll is the shortest time between two counts of pending snapshots while
	// somebody waits for one to finish.
	Poll time.Duration
}

// Numbers that AWS publishes: EBS quotas, and EC2's request token buckets
// (100 tokens for each action below, refilled with 5 or 10 a second; 100 and 20
// for paginated reads).
const (
	quotaPending   = 100
	quotaPerVolume = 5
	quotaPerHDD    = 1 // sc1 and st1
	quotaApart     = 15 * time.Second
	// burstMargin is left in each bucket: AWS refills once a second, at a moment
	// that we do not know, and requests arrive out of step.
	burstMargin = 5
	defaultPoll = 500 * time.Millisecond
)

// DefaultLimits are AWS's defaults.
func DefaultLimits() Limits {
	create := Rate{PerSecond: 5, Burst: 100 - burstMargin}
	return Limits{
		Pending: quotaPending, PerVolume: quotaPerVolume, Apart: quotaApart, Poll: defaultPoll,
		Rates: map[string]Rate{
			"CreateSnapshot": create, "CreateSnapshots": create, "CreateVolume": create,
			"DeleteSnapshot": create, "DeleteVolume": create,
			"CreateTags": {PerSecond: 10, Burst: 100 - burstMargin},
		},
		Other: Rate{PerSecond: 20, Burst: 100 - burstMargin},
	}
}

// Pool is the limiter of a process. Locations of the same account and Region
// share one lane of it, whatever their names and credentials are.
type Pool struct {
	limits Limits

	mu    sync.Mutex
	lanes map[string]*lane
}

// NewPool returns a pool that starts with l.
func NewPool(l Limits) *Pool { return &Pool{limits: l, lanes: map[string]*lane{}} }

func (p *Pool) lane(account, region string) *lane {
	p.mu.Lock()
	defer p.mu.Unlock()
	key := account + "/" + region
	if p.lanes[key] == nil {
		p.lanes[key] = newLane(p.limits)
	}
	return p.lanes[key]
}
