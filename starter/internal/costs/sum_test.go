package costs

import (
	"fmt"
	"testing"
	"time"

	"github.com/lifeboat-backup/lifeboat/internal/contract"
)

// TestMoneyOfSchemes is the arithmetic of a cluster of 200 GB at 0.05 a GB-month: the scheme of
// daily, weekly and monthly backups costs less than half of a year of dailies, of which 290
// behind the first add 5 GB each.
func TestMoneyOfSchemes(t *testing.T) {
	type part struct {
		n   int
		gib int64
	}
	for want, scheme := range map[string][]part{
		"39.50": {{1, 200}, {6, 5}, {4, 20}, {12, 40}},
		"82.50": {{1, 200}, {290, 5}},
	} {
		p, items, sum := prices{Snapshots: 0.05}, []item(nil), 0.0
		for _, part := range scheme {
			for range part.n {
				i := p.item(contract.BackupCost{ObjectBytes: 123, SnapshotBytes: part.gib * gib}, time.Time{})
				items, sum = append(items, i), sum+*i.Monthly
			}
		}
		r := newReport(p, items)
		if got := fmt.Sprintf("%.2f", *r.Monthly); got != want || fmt.Sprintf("%.2f", sum) != want {
			t.Errorf("got %s in all and %.2f backup by backup, want %s", got, sum, want)
		}
	}
}

func TestObjectsHaveAPriceOfTheirOwn(t *testing.T) {
	i := prices{Objects: 0.5}.item(contract.BackupCost{ObjectBytes: 3 * gib, SnapshotBytes: 7 * gib}, time.Time{})
	if *i.Monthly != 1.5 {
		t.Errorf("got %v", *i.Monthly)
	}
	if i := (prices{}).item(contract.BackupCost{ObjectBytes: gib}, time.Time{}); i.Monthly != nil {
		t.Errorf("got %v", *i.Monthly)
	}
}
