package ebssim_test

import (
	"testing"
	"time"

	"github.com/lifeboat-backup/lifeboat/test/stack/ebssim"
)

func TestLeast(t *testing.T) {
	const size = 1 // GiB: each takes 10.5 s by the published limits
	slots := ebssim.Published()
	slots.SnapshotBase = ebssim.Duration(time.Minute)
	unlimited := ebssim.Limits{SnapshotBase: ebssim.Duration(time.Second)}
	for name, tt := range map[string]struct {
		limits ebssim.Limits
		n      int
		want   time.Duration
	}{
		"none":                     {ebssim.Published(), 0, 0},
		"one":                      {ebssim.Published(), 1, 10500 * time.Millisecond},
		"a full bucket":            {ebssim.Published(), 100, 10500 * time.Millisecond},
		"requests are scarce":      {ebssim.Published(), 300, 40*time.Second + 10500*time.Millisecond},
		"slots are scarce":         {slots, 300, 3 * 60500 * time.Millisecond},
		"one more than slots":      {slots, 101, 2 * 60500 * time.Millisecond},
		"limits of neither kind":   {unlimited, 300, time.Second},
		"slots alone, two by two":  {ebssim.Limits{SnapshotBase: ebssim.Duration(time.Second), PendingPerAccount: 2}, 5, 3 * time.Second},
		"requests alone, one at 2": {ebssim.Limits{Buckets: map[string]ebssim.Bucket{"CreateSnapshot": {Size: 1, Refill: 0.5}}}, 3, 4 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			if got := tt.limits.Least(tt.n, size); (got - tt.want).Abs() > time.Millisecond {
				t.Errorf("got %v, want %v", got, tt.want)
			}
		})
	}
}
