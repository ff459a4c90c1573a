//go:build stack

package e2e

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	velerov1 "github.com/vmware-tanzu/velero/pkg/apis/velero/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/lifeboat-backup/lifeboat/internal/archive/layout"
	"github.com/lifeboat-backup/lifeboat/internal/config"
	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/test/compare"
	"github.com/lifeboat-backup/lifeboat/test/harness"
)

// releasesDir has a bucket of each release: what it wrote for one backup of sample.yaml.
const releasesDir = "testdata/releases"

// recordRelease names a release whose bucket is to be kept in releasesDir.
const recordRelease = "LIFEBOAT_RECORD"

// TestReleases restores a backup of each earlier release, compares every object, and deletes it.
func TestReleases(t *testing.T) {
	t.Parallel()
	kept, err := filepath.Glob(filepath.Join(releasesDir, "*.tar.gz"))
	if err != nil {
		t.Fatal(err)
	}
	if len(kept) == 0 {
		t.Fatalf("no release in %s", releasesDir)
	}
	for _, file := range kept {
		version := strings.TrimSuffix(filepath.Base(file), ".tar.gz")
		t.Run(version, func(t *testing.T) {
			data, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			files, err := harness.UnpackBucket(data)
			if err != nil {
				t.Fatal(err)
			}
			serveRelease(t, releaseName(version), files)
		})
	}
}

// TestRecordRelease does the same with a backup of this code. With LIFEBOAT_RECORD=version it keeps
// the bucket for later code.
func TestRecordRelease(t *testing.T) {
	t.Parallel()
	version := os.Getenv(recordRelease)
	name := releaseName(version)
	if version == "" {
		name = "release-now-" + shared.ID
	}
	l := &lab{Lab: shared.Named(t, harness.Options{Cluster: name, Prefix: name + "-written-" + shared.ID}, nil)}
	files := writeRelease(t, l.Harness, name)
	packed, err := files.Pack()
	if err != nil {
		t.Fatal(err)
	}
	if version != "" {
		if err := os.WriteFile(filepath.Join(releasesDir, version+".tar.gz"), packed, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	l.Worker.Stop() // the next one has its name
	serveRelease(t, name, files)
}

// releaseName is the name of a release's cluster and namespace.
func releaseName(version string) string {
	return "release-" + strings.ReplaceAll(version, ".", "-")
}

// The backup in each bucket, and how many objects of sample.yaml it has at least.
const (
	releaseBackup = "kept"
	sampleObjects = 10
)

// writeRelease takes a backup of the sample, and returns what the bucket has then.
func writeRelease(t *testing.T, h *harness.Harness, namespace string) harness.BucketFiles {
	t.Helper()
	makeReleaseSample(t, namespace)
	completed(t, backup(t, h, releaseBackup, velerov1.BackupSpec{
		IncludedNamespaces: []string{namespace}, TTL: metav1.Duration{Duration: 10 * 365 * 24 * time.Hour},
	}))
	return harness.WholeBucket(t, h)
}

// makeReleaseSample makes the sample anew.
func makeReleaseSample(t *testing.T, namespace string) {
	t.Helper()
	manifest, err := os.ReadFile(filepath.Join(releasesDir, "sample.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	shared.kubectl(t, "delete", "namespace", namespace, "--ignore-not-found", "--timeout="+patience.String())
	t.Cleanup(func() { shared.kubectlLater(t, "delete", "namespace", namespace, "--ignore-not-found", "--wait=false") })
	shared.apply(t, strings.ReplaceAll(string(manifest), "RELEASE", namespace))
}

// serveRelease has a worker of this code take over a cluster with the bucket of a release: it lists
// the backup, restores it, and deletes it without a trace.
func serveRelease(t *testing.T, name string, files harness.BucketFiles) {
	t.Helper()
	l := &lab{Lab: shared.Named(t, harness.Options{
		Cluster: name, Prefix: name + "-served-" + shared.ID,
		Edit: func(c *config.Config) { c.ReplacesCluster = files.Owner(t, name) },
	}, func(h *harness.Harness) { files.Put(t, h) })}
	makeReleaseSample(t, name)
	want := l.take(t, []string{name})
	l.deleteNamespaces(t, name)
	list, err := l.Run(t.Context(), "backup", "get", "-o", "json")
	if err != nil || !strings.Contains(list, `"`+releaseBackup+`"`) {
		t.Errorf("backup get: %v: %s", err, list)
	}
	res := restore(t, l.Harness, contract.RestoreInput{Name: "back", Spec: velerov1.RestoreSpec{BackupName: releaseBackup}})
	if res.Phase != "Completed" || res.Warnings > 0 {
		t.Errorf("restore is %s: %v", res.Phase, res.Reasons)
	}
	if diff := compare.Diff(want, l.take(t, []string{name})); len(diff) > 0 || len(want) < sampleObjects {
		t.Errorf("of %d objects differ after the restore: %v", len(want), diff)
	}
	if out, err := l.Run(t.Context(), "backup", "delete", releaseBackup, "--confirm"); err != nil {
		t.Fatalf("delete: %v: %s", err, out)
	}
	left := slices.Concat(keysIn(t, l.Store, layout.BackupDir(releaseBackup)), workingFiles(t, l.Store), keysIn(t, l.Store, layout.CatalogRoot))
	left = slices.DeleteFunc(left, func(key string) bool { return key == layout.SeenKey }) // of no backup: of the search for orphans
	if len(left) > 0 {
		t.Errorf("the deletion has left %v", left)
	}
}
