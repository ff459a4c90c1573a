package quota

import "time"

// The actions that make snapshots. EC2 keeps a request bucket for each.
const (
	CreateSnapshot  = "CreateSnapshot"
	CreateSnapshots = "CreateSnapshots"
)

// Rate is a request bucket of EC2's: it holds Burst tokens and gains PerSecond. The
// zero value limits nothing.
type Rate struct{ PerSecond, Burst float64 }

// Limits are what an account may do in one Region. They are where an Account starts
// and what it never goes above; that it may do less, because its quota is lower or
// others work in it too, it learns.
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
			CreateSnapshot: create, CreateSnapshots: create, "CreateVolume": create,
			"DeleteSnapshot": create, "DeleteVolume": create,
			"CreateTags": {PerSecond: 10, Burst: 100 - burstMargin},
		},
		Other: Rate{PerSecond: 20, Burst: 100 - burstMargin},
	}
}

// How long EC2 may hide what was just made. The EC2 developer guide ("Eventual
// consistency in the Amazon EC2 API",
// https://docs.aws.amazon.com/ec2/latest/devguide/eventual-consistency.html) promises
// no time: it advises to look again with growing pauses, from a couple of seconds up to
// five minutes.
const (
	// VisibleWithin is how long something that EC2 does not show may still exist: what
	// it does not show after that time is gone. Declaring a good snapshot lost costs a
	// backup, so that it is far above the seconds that EC2 takes as a rule.
	VisibleWithin = 2 * time.Minute
	// LookAgainFor bounds how long somebody looks for what may have been made before he
	// makes it anew, or deletes the rest. It covers what EC2 takes as a rule and not
	// the worst case: an application may be frozen meanwhile, and a second snapshot is
	// found and deleted later.
	LookAgainFor = VisibleWithin / 12
	// BinShowsAfter is after how long the Recycle Bin is asked about what was deleted: it does
	// not show it at once.
	BinShowsAfter = time.Second
)
