package backup

import (
	"strings"
	"testing"
	"time"

	velerov1 "github.com/vmware-tanzu/velero/pkg/apis/velero/v1"

	"github.com/lifeboat-backup/lifeboat/internal/store"
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

// TestTagsOfDrivers: the tags of the storage location and the labels of the schedule, which the
// backup has, reach the drivers of volumes; labels win.
func TestTagsOfDrivers(t *testing.T) {
	p := planOfVolumes("n")
	bsl := velerov1.BackupStorageLocation{Spec: velerov1.BackupStorageLocationSpec{Config: map[string]string{"tagging": "env=prod&team=a%20b"}}}
	p.Tags, p.Backup.Labels = store.LocationTags(&bsl), map[string]string{"env": "test", "velero.io/schedule-name": "nightly"}
	got := p.ForDrivers().Labels
	if len(got) != 3 || got["env"] != "test" || got["team"] != "a b" || got["velero.io/schedule-name"] != "nightly" {
		t.Error(got)
	}
}
