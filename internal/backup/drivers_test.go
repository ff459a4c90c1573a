package backup

import (
	"strings"
	"testing"
	"time"

	"github.com/lifeboat-backup/lifeboat/internal/volume"
)

func TestFailOverdue(t *testing.T) {
	o := &Run{Plan: *planOfVolumes("n")}
	for name, tc := range map[string]struct {
		phase, detail string
		age           time.Duration
		want, says    string
	}{
		"young":          {volume.StatusPending, "", time.Minute, volume.StatusPending, ""},
		"old":            {volume.StatusPending, "", 2 * time.Hour, volume.StatusFailed, "itemOperationTimeout (1h0m0s)"},
		"old, and why":   {volume.StatusPending, "slow", 2 * time.Hour, volume.StatusFailed, "(1h0m0s): slow"},
		"complete":       {volume.StatusCompleted, "", 2 * time.Hour, volume.StatusCompleted, ""},
		"failed already": {volume.StatusFailed, "gone", 2 * time.Hour, volume.StatusFailed, "gone"},
	} {
		t.Run(name, func(t *testing.T) {
			got := o.failOverdue(volume.Snapshot{At: time.Now().Add(-tc.age)}, volume.Status{Phase: tc.phase, Detail: tc.detail})
			if got.Phase != tc.want || !strings.Contains(got.Detail, tc.says) {
				t.Errorf("got %+v", got)
			}
		})
	}
}
