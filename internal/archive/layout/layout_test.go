package layout_test

import (
	"testing"

	"github.com/lifeboat-backup/lifeboat/internal/archive/layout"
)

func TestLayout(t *testing.T) {
	l, r := layout.Backup{Name: "b"}, layout.Restore{Name: "r"}
	for want, have := range map[string]string{
		"backups/b/velero-backup.json":                   l.Metadata(),
		"backups/b/b.tar.gz":                             l.Tarball(),
		"backups/b/b-logs.gz":                            l.Logs(),
		"backups/b/b-podvolumebackups.json.gz":           l.PodVolumeBackups(),
		"backups/b/b-volumesnapshots.json.gz":            l.VolumeSnapshots(),
		"backups/b/b-itemoperations.json.gz":             l.ItemOperations(),
		"backups/b/b-resource-list.json.gz":              l.ResourceList(),
		"backups/b/b-results.gz":                         l.Results(),
		"backups/b/b-volumeinfo.json.gz":                 l.VolumeInfo(),
		"backups/b/b-csi-volumesnapshots.json.gz":        l.CSIVolumeSnapshots(),
		"backups/b/b-csi-volumesnapshotcontents.json.gz": l.CSIVolumeSnapshotContents(),
		"backups/b/b-csi-volumesnapshotclasses.json.gz":  l.CSIVolumeSnapshotClasses(),
		"backups/b/b-lifeboat-index.gz":                  l.Index(),
		"backups/b/b-lifeboat-manifest.json":             l.Manifest(),
		"restores/r/restore-r-logs.gz":                   r.Logs(),
		"restores/r/restore-r-results.gz":                r.Results(),
		"restores/r/restore-r-resource-list.json.gz":     r.ResourceList(),
		"restores/r/restore-r-itemoperations.json.gz":    r.ItemOperations(),
		"restores/r/r-volumeinfo.json.gz":                r.VolumeInfo(),
		"plugins/lifeboat/staging/u/":                    layout.Staging("u"),
		"plugins/lifeboat/claims/b.json":                 layout.NameLock("b"),
		"plugins/lifeboat/clusters/prod.json":            layout.ClusterName("prod"),
		"plugins/lifeboat/tombstones/b.json":             layout.Tombstone("b"),
		"plugins/lifeboat/plans/r.json.gz":               layout.PlanKey("r"),
	} {
		if have != want {
			t.Errorf("%s, want %s", have, want)
		}
	}
}

func FuzzParseRehearsalKey(f *testing.F) {
	f.Add(layout.RehearsalKey("b", "u", "1.38", "L2"))
	f.Add(layout.RehearsalRoot + "b/u.none.json")
	f.Fuzz(func(t *testing.T, key string) {
		backup, uid, version, level, ok := layout.ParseRehearsalKey(key)
		if ok && version != "" && layout.RehearsalKey(backup, uid, version, level) != key {
			t.Errorf("%q became %q %q %q %q", key, backup, uid, version, level)
		}
	})
}
