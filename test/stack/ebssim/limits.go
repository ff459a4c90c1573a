package ebssim

import (
	"maps"
	"strings"
	"time"

	"github.com/lifeboat-backup/lifeboat/test/stack/ebssim/internal/wire"
)

// Limits are the timings and limits, all of which can change at run time.
type Limits struct {
	// A snapshot is pending for SnapshotBase and SnapshotPerGiB for each GiB of
	// its volume's size.
	SnapshotBase   Duration `json:"snapshotBase"`
	SnapshotPerGiB Duration `json:"snapshotPerGiB"`
	// A volume is creating, modifying, attaching or detaching for this long.
	VolumeCreate Duration `json:"volumeCreate"`
	VolumeModify Duration `json:"volumeModify"`
	Attach       Duration `json:"attach"`
	Detach       Duration `json:"detach"`
	// What was just created is not found for Visibility: eventual consistency. For as long
	// again every second call does not find it, and filters do not know its tags. What was
	// deleted every second call shows for so long, and the Recycle Bin shows it after half of that.
	Visibility Duration `json:"visibility"`
	// Steady has all calls agree: what Visibility has passed of is found by each, and what was deleted
	// by none. It is for tests that look at the account themselves.
	Steady bool `json:"steady,omitempty"`
	// Pending snapshots an account and a volume may have; 0 is no limit.
	PendingPerAccount int `json:"pendingPerAccount"`
	PendingPerVolume  int `json:"pendingPerVolume"`
	// StorageGiB is what an account's volumes of a type may have together; 0 is no limit. As with EC2
	// a repeated request for a volume that exists is refused too.
	StorageGiB int `json:"storageGiB"`
	// SnapshotInterval lies between two CreateSnapshot of a volume.
	SnapshotInterval Duration `json:"snapshotInterval"`
	// Buckets by action, by prefix with "*" ("Describe*"), or "*"; an action
	// without one is not throttled. A bucket with "Unfiltered:" before the action
	// is for calls with neither filters, ids nor pagination.
	Buckets map[string]Bucket `json:"buckets"`
}

// Bucket is a token bucket: Size requests at once, Refill a second after that.
type Bucket struct {
	Size   float64 `json:"size"`
	Refill float64 `json:"refill"`
}

// Published are the documented limits of an account with realistic timings.
// Sources: the EC2 developer guide's request token table, the EBS quotas (100
// pending snapshots, 5 a volume, 50 TiB of a type) and the EC2 error codes (15 s a volume).
func Published() Limits {
	return Limits{
		SnapshotBase: Duration(10 * time.Second), SnapshotPerGiB: Duration(500 * time.Millisecond),
		VolumeCreate: Duration(2 * time.Second), VolumeModify: Duration(5 * time.Second), Attach: Duration(time.Second),
		Detach:            Duration(10 * time.Second), // up to 6 minutes (FAQ of the EBS CSI driver)
		Visibility:        Duration(2 * time.Second),  // EC2's guide on eventual consistency: seconds, up to minutes
		PendingPerAccount: 100, PendingPerVolume: 5, SnapshotInterval: Duration(15 * time.Second),
		StorageGiB: 50 << 10,
		Buckets:    publishedBuckets(),
	}
}

func publishedBuckets() map[string]Bucket {
	buckets := map[string]Bucket{
		"*": {Size: 50, Refill: 5}, "Describe*": {Size: 100, Refill: 20}, "List*": {Size: 100, Refill: 20},
		"CreateTags": {Size: 100, Refill: 10}, "DeleteTags": {Size: 100, Refill: 10},
	}
	for _, action := range []string{"CreateSnapshot", "CreateSnapshots", "DeleteSnapshot", "CreateVolume", "DeleteVolume"} {
		buckets[action] = Bucket{Size: 100, Refill: 5}
	}
	for _, action := range []string{"DescribeVolumes", "DescribeSnapshots", "DescribeInstances"} {
		buckets["Unfiltered:"+action] = Bucket{Size: 50, Refill: 10}
	}
	return buckets
}

// Fast is for tests of other things: everything takes 50 ms at most, is visible
// at once, and only the number of pending snapshots and the storage are limited.
func Fast() Limits {
	return Limits{SnapshotBase: Duration(50 * time.Millisecond), PendingPerAccount: 100, PendingPerVolume: 5, StorageGiB: 50 << 10}
}

// lingersUntil is until when some calls still show what is deleted now.
func (l Limits) lingersUntil(now time.Time) time.Time {
	if l.Steady {
		return now
	}
	return now.Add(l.Visibility.D())
}

func (l Limits) clone() Limits {
	l.Buckets = maps.Clone(l.Buckets)
	return l
}

// bucketFor is the name of the bucket that a call takes a token from.
func (l Limits) bucketFor(action string, p wire.Params) (string, bool) {
	if name := "Unfiltered:" + action; l.has(name) && unfiltered(p) {
		return name, true
	}
	if l.has(action) {
		return action, true
	}
	best, found := "", false
	for name := range l.Buckets {
		prefix, ok := strings.CutSuffix(name, "*")
		if ok && strings.HasPrefix(action, prefix) && (!found || len(name) > len(best)) {
			best, found = name, true
		}
	}
	return best, found
}

func (l Limits) has(name string) bool {
	_, ok := l.Buckets[name]
	return ok
}

func unfiltered(p wire.Params) bool {
	for key := range p {
		for _, narrow := range []string{"Filter.", "MaxResults", "NextToken", "VolumeId.", "SnapshotId.", "InstanceId."} {
			if strings.HasPrefix(key, narrow) {
				return false
			}
		}
	}
	return true
}

// tokens is how full a bucket was when.
type tokens struct {
	level float64
	at    time.Time
}

// take removes a token, or answers RequestLimitExceeded. STS has none.
func (s *Sim) take(c *call) error {
	if c.sts || c.kms {
		return nil
	}
	name, ok := s.limits.bucketFor(c.action, c.params)
	if !ok {
		return nil
	}
	bucket := s.limits.Buckets[name]
	have, known := s.buckets[name]
	if !known {
		have = tokens{level: bucket.Size, at: c.now}
	}
	have.level = min(bucket.Size, have.level+c.now.Sub(have.at).Seconds()*bucket.Refill)
	have.at = c.now
	defer func() { s.buckets[name] = have }()
	if have.level < 1 {
		return throttled()
	}
	have.level--
	return nil
}

func throttled() error {
	return &wire.Error{Status: 503, Code: "RequestLimitExceeded", Message: "Request limit exceeded."}
}
