package show

import (
	"fmt"
	"io"
	"time"

	"github.com/lifeboat-backup/lifeboat/internal/contract"
)

// Expired shows backups whose time is over: those that go, then those that stay.
func Expired(w io.Writer, plan contract.GarbagePlan, now time.Time) error {
	var rows [][]string
	for _, r := range append(append([]contract.GarbageRow{}, plan.Delete...), plan.Keep...) {
		rows = append(rows, []string{r.Name, r.Location, Or(r.Schedule, "<none>"), FromNow(r.Expired, now), Or(r.Reason, "would be deleted"), triesText(now, r)})
	}
	if err := Table(w, []string{"NAME", "STORAGE LOCATION", "SCHEDULE", "EXPIRED", "FATE", "TRIES"}, rows); err != nil {
		return err
	}
	if more := plan.MoreDelete + plan.MoreKeep; more > 0 {
		_, err := fmt.Fprintf(w, "and %d more: %d would be deleted, %d stay\n", more, plan.MoreDelete, plan.MoreKeep)
		return err
	}
	return nil
}

// triesText tells of deletions that have failed.
func triesText(now time.Time, r contract.GarbageRow) string {
	if r.Tries == 0 || r.FirstTry == nil || r.LastTry == nil {
		return ""
	}
	return fmt.Sprintf("%d, first %s, last %s", r.Tries, FromNow(*r.FirstTry, now), FromNow(*r.LastTry, now))
}
