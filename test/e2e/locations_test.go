//go:build stack

package e2e

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	velerov1 "github.com/vmware-tanzu/velero/pkg/apis/velero/v1"

	"github.com/lifeboat-backup/lifeboat/internal/archive/layout"
	"github.com/lifeboat-backup/lifeboat/internal/config"
	"github.com/lifeboat-backup/lifeboat/test/harness"
)

// threeLocations has a second prefix besides the default one, and a bucket that does not
// exist.
func threeLocations(c *config.Config) {
	add := func(name string, change func(*velerov1.ObjectStorageLocation)) {
		bsl := c.BackupStorageLocations[0].DeepCopy()
		bsl.Name, bsl.Spec.Default = name, false
		change(bsl.Spec.ObjectStorage)
		c.BackupStorageLocations = append(c.BackupStorageLocations, *bsl)
	}
	c.BackupStorageLocations[0].Spec.Default = true
	add("west", func(o *velerov1.ObjectStorageLocation) { o.Prefix += "-west" })
	add("nobucket", func(o *velerov1.ObjectStorageLocation) { o.Bucket = "no-such-bucket" })
}

// TestLocations: what names no location is found in any, and never guessed where several
// have it; a location that cannot be read is a warning.
func TestLocations(t *testing.T) {
	t.Parallel()
	l := shared
	h := l.Beside(t, harness.Options{Cluster: "places", Edit: threeLocations}).Harness
	const warning = `storage location "nobucket" could not be read`
	for _, b := range [][2]string{{"same", "default"}, {"same", "west"}, {"only", "west"}} {
		ask(t, h, 0, nil, "backup", "create", b[0], "--include-namespaces", "kube-public", "--storage-location", b[1], "--wait")
	}
	if got := backupsShown(t, h, warning); !slices.Equal(got, []string{"only west", "same default", "same west"}) {
		t.Errorf("%v", got)
	}
	manifest := filepath.Join(t.TempDir(), "restore.yaml")
	text := "apiVersion: velero.io/v1\nkind: Restore\nmetadata: {name: back}\nspec: {backupName: only}\n"
	if err := os.WriteFile(manifest, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	ask(t, h, 0, []string{`Restore "back" from backup "only" Completed`, "LOCATION_UNREAD"}, "restore", "create", "-f", manifest, "--wait")
	ask(t, h, 0, []string{"back", warning}, "restore", "get")
	ask(t, h, 0, []string{"Completed", warning}, "backup", "describe", "only", "--details")
	ask(t, h, 0, []string{"Nothing was written"}, "restore", "create", "look", "--from-backup", "only", "--dry-run")
	const which = `backup "same" lies in the storage locations default, west: say which one with --storage-location`
	ask(t, h, 1, []string{which}, "restore", "create", "--from-backup", "same", "--wait")
	ask(t, h, 1, []string{which}, "backup", "describe", "same")
	ask(t, h, 1, []string{which}, "backup", "delete", "same", "--confirm")
	ask(t, h, 2, []string{"nobucket may have another of the name"}, "backup", "delete", "only", "--confirm")

	ask(t, h, 0, []string{`Backup "same" deleted`}, "backup", "delete", "same", "--storage-location", "west", "--confirm")
	if got := backupsShown(t, h, warning); !slices.Equal(got, []string{"only west", "same default"}) {
		t.Errorf("%v", got)
	}
	ask(t, h, 3, []string{warning, `Backup "only" deleted`, `Backup "same" deleted`}, "backup", "delete", "--all", "--confirm")
	if got := backupsShown(t, h, warning); len(got) > 0 {
		t.Errorf("left: %v", got)
	}
	if left := keysIn(t, h.Store, layout.PluginDir+"staging/"); len(left) > 0 {
		t.Errorf("left in staging: %v", left)
	}
}

// backupsShown are the backups that are listed, each with its location, which stands behind
// the name, the phase, two counts, the four words of a time and the expiry.
func backupsShown(t *testing.T, h *harness.Harness, words string) []string {
	t.Helper()
	var rows []string
	for _, line := range strings.Split(ask(t, h, 0, []string{words}, "backup", "get").Out, "\n") {
		if f := strings.Fields(line); len(f) > 9 && f[1] == "Completed" {
			rows = append(rows, f[0]+" "+f[9])
		}
	}
	return rows
}
