package ebssim

import "time"

// Least is the least time in which the limits allow n snapshots, of as many volumes
// of one size, to be made and completed by somebody who is alone in the account. The
// i-th is asked for once
//   - there is a request for it: the bucket of CreateSnapshot has Size + t·Refill of
//     them by the time t, and
//   - there is room: the snapshot PendingPerAccount before it is complete,
//
// and is complete after SnapshotBase + SnapshotPerGiB·sizeGiB. What requests and
// answers take on their way is not in it.
func (l Limits) Least(n, sizeGiB int) time.Duration {
	each := l.snapshotTime(sizeGiB).Seconds()
	bucket, throttled := l.Buckets["CreateSnapshot"]
	level, at, ends := bucket.Size, 0.0, make([]float64, n)
	for i := range n {
		start := at
		if limit := l.PendingPerAccount; limit > 0 && i >= limit {
			start = max(start, ends[i-limit])
		}
		if throttled {
			level = min(bucket.Size, level+(start-at)*bucket.Refill)
			if level < 1 {
				start += (1 - level) / bucket.Refill
				level = 1
			}
			level--
		}
		at, ends[i] = start, start+each
	}
	if n == 0 {
		return 0
	}
	return time.Duration(ends[n-1] * float64(time.Second))
}
