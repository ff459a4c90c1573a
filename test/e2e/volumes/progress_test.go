//go:build stack

package volumes

import (
	"fmt"
	"strings"
	"testing"

	velerov1 "github.com/vmware-tanzu/velero/pkg/apis/velero/v1"

	"github.com/lifeboat-backup/lifeboat/internal/aws/ebs"
	"github.com/lifeboat-backup/lifeboat/test/stack/ebssim"
)

// TestProgress looks at a backup that waits for one large snapshot: it says how much of
// it the provider has, and not only that none is complete.
func TestProgress(t *testing.T) {
	t.Parallel()
	l := shared
	ns := l.namespace(t, "progress")
	l.claim(t, ns, "data", "x")
	disk := l.disk(t, ns, "data")
	l.ebs.Inject(t, ebssim.Fault{Effect: ebssim.EffectSnapshotStuck, Volume: disk})
	run := l.startBackup(t, ns, velerov1.BackupSpec{IncludedNamespaces: []string{ns}, VolumeSnapshotLocations: []string{location}})
	eventually(t, "progress", func() error {
		if out := l.says(t, "backup", "describe", ns); !strings.Contains(out, "0/1 volumes (56%)") { // the simulator stops at 57, rounded down twice
			return fmt.Errorf("%s", out)
		}
		return nil
	})
	l.move(t, l.snapshotsOf(t, disk)[0].ID, ebs.SnapshotCompleted)
	if err := run.Get(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
}
