//go:build stack

package e2e

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"io"
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
	"github.com/lifeboat-backup/lifeboat/internal/store"
	"github.com/lifeboat-backup/lifeboat/test/compare"
	"github.com/lifeboat-backup/lifeboat/test/harness"
)

// releasesDir has a bucket of each release: what it wrote for one backup of sample.yaml.
const releasesDir = "testdata/releases"

// recordRelease names a release whose bucket is to be kept in releasesDir.
const recordRelease = "LIFEBOAT_RECORD"

// bucketFiles are the files of a bucket below a location's prefix.
type bucketFiles map[string][]byte

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
			files, err := unpackBucket(data)
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
	packed, err := packBucket(files)
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
func writeRelease(t *testing.T, h *harness.Harness, namespace string) bucketFiles {
	t.Helper()
	makeReleaseSample(t, namespace)
	completed(t, backup(t, h, releaseBackup, velerov1.BackupSpec{
		IncludedNamespaces: []string{namespace}, TTL: metav1.Duration{Duration: 10 * 365 * 24 * time.Hour},
	}))
	return wholeBucket(t, h)
}

// wholeBucket is all that a location has.
func wholeBucket(t *testing.T, h *harness.Harness) bucketFiles {
	t.Helper()
	files := bucketFiles{}
	for _, key := range allKeys(t, h.Store) {
		files[key] = raw(t, h.Store, key)
	}
	return files
}

// allKeys are all keys of a location.
func allKeys(t *testing.T, st store.Store) (keys []string) {
	t.Helper()
	err := st.List(t.Context(), "", func(i store.Info) error {
		keys = append(keys, i.Key)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return keys
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
func serveRelease(t *testing.T, name string, files bucketFiles) {
	t.Helper()
	l := &lab{Lab: shared.Named(t, harness.Options{
		Cluster: name, Prefix: name + "-served-" + shared.ID,
		Edit: func(c *config.Config) { c.ReplacesCluster = ownerOf(t, name, files) },
	}, func(h *harness.Harness) {
		for key, data := range files {
			if err := h.Store.Put(t.Context(), key, data, store.PutOptions{}); err != nil {
				t.Fatal(err)
			}
		}
	})}
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

// ownerOf is the UID of the cluster that wrote a bucket, which this one is a rebuilt one of; "" where
// the release did not say.
func ownerOf(t *testing.T, name string, files bucketFiles) string {
	t.Helper()
	data, said := files[layout.ClusterName(name)]
	if !said {
		return ""
	}
	var owner struct{ UID string }
	if err := json.Unmarshal(data, &owner); err != nil || owner.UID == "" {
		t.Fatalf("%s: %v: %s", layout.ClusterName(name), err, data)
	}
	return owner.UID
}

func packBucket(files bucketFiles) ([]byte, error) {
	var out bytes.Buffer
	z := gzip.NewWriter(&out)
	w := tar.NewWriter(z)
	var keys []string
	for key := range files {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	for _, key := range keys {
		if err := w.WriteHeader(&tar.Header{Name: key, Mode: 0o600, Size: int64(len(files[key]))}); err != nil {
			return nil, err
		}
		if _, err := w.Write(files[key]); err != nil {
			return nil, err
		}
	}
	err := errors.Join(w.Close(), z.Close())
	return out.Bytes(), err
}

func unpackBucket(data []byte) (bucketFiles, error) {
	z, err := gzip.NewReader(bytes.NewReader(data))
	if err != nil {
		return nil, err
	}
	files := bucketFiles{}
	for r := tar.NewReader(z); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return files, nil
		}
		if err != nil {
			return nil, err
		}
		if files[h.Name], err = io.ReadAll(r); err != nil {
			return nil, err
		}
	}
}
