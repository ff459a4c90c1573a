//go:build stack

package e2e

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/klauspost/compress/gzip"
	velerov1 "github.com/vmware-tanzu/velero/pkg/apis/velero/v1"

	"github.com/lifeboat-backup/lifeboat/internal/archive/layout"
	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/test/harness"
)

const (
	// hugeBytes is what a huge document has: more than the worker has memory.
	hugeBytes = 300 << 20
	// hostileRSS is the most memory that a worker may hold over a hostile bucket: what its container
	// is limited to by the chart, less a reserve.
	hostileRSS = 400 << 20
)

// TestHostileBucket starts workers over buckets in which everything but one backup is hostile: every
// other document is random bytes, or JSON of another shape, or hundreds of MiB long, or expands to
// that; and each directory has keys that are no names. The worker starts, lists and restores the
// good backup, takes and deletes another, says of the others which key is at fault, and its memory
// stays flat.
func TestHostileBucket(t *testing.T) {
	t.Parallel()
	ns := "among-" + shared.ID
	shared.kubectl(t, "create", "namespace", ns)
	t.Cleanup(func() {
		shared.kubectlLater(t, "delete", "namespace", ns, ns+"-back", "--ignore-not-found", "--wait=false")
	})
	files := hostileSource(t, ns)
	garbage := bytes.Repeat([]byte{0xff, 0x00, '{', 0x1f}, 300)
	for name, change := range map[string]func(l *harness.Harness, key string) []byte{
		"garbage": func(*harness.Harness, string) []byte { return garbage },
		"another form": func(_ *harness.Harness, key string) []byte {
			return inForm(key, `[{"spec":[],"status":7,"items":{"a":null}},[],{}]`)
		},
		"nothing": func(*harness.Harness, string) []byte { return []byte{} },
		"bomb":    func(_ *harness.Harness, key string) []byte { return bombFor(key) },
		// The document is good, and there is no manifest: what is beside it is read as Velero's.
		"bomb beside": func(_ *harness.Harness, key string) []byte {
			switch {
			case key == (layout.Backup{Name: "bad"}).Metadata():
				return files[key]
			case strings.Contains(key, "-lifeboat-"):
				return nil
			}
			return bombFor(key)
		},
		"huge": nil, // made in the store's own directory: nobody has to send it
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cluster := "hostile-" + strings.ReplaceAll(name, " ", "-") + "-" + shared.ID
			var spoilt []string
			l := &lab{Lab: shared.Named(t, harness.Options{Cluster: cluster}, func(h *harness.Harness) {
				spoilt = spoil(t, h, files, change)
			})}
			l.surviveBucket(t, ns, spoilt)
		})
	}
}

// hostileSource is the bucket of a cluster with something in every directory: backups "good" and
// "bad", and what runs, schedules, people and verifications have left.
func hostileSource(t *testing.T, ns string) harness.BucketFiles {
	t.Helper()
	l := beside(t, "hostile-source")
	spec := velerov1.BackupSpec{IncludedNamespaces: []string{ns}}
	for _, name := range []string{"good", "bad"} {
		completed(t, backup(t, l.Harness, name, spec))
	}
	for _, args := range [][]string{
		{"schedule", "create", "nightly", "--schedule", "0 3 * * *", "--include-namespaces", ns},
		{"backup", "hold", "bad", "--reason", "evidence"},
		{"backup", "verify", "bad"},
	} {
		if out, err := l.Run(t.Context(), args...); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
	}
	restore(t, l.Harness, contract.RestoreInput{Name: "bad", Spec: velerov1.RestoreSpec{BackupName: "bad"}})
	files := harness.WholeBucket(t, l.Harness)
	out := harness.BucketFiles{}
	for key, data := range files {
		out[strings.ReplaceAll(key, l.Cluster, "CLUSTER")] = data
	}
	for _, key := range []string{
		layout.Tombstone("bad"), layout.NameLock("bad"), layout.Staging("11111111-2222-3333-4444-555555555555") + "plan.json",
		layout.SeenKey, layout.TurnsKey("CLUSTER"), layout.Schedules{Cluster: "CLUSTER"}.RunsKey("nightly"), layout.Schedules{Cluster: "CLUSTER", Drills: true}.RunsKey("quarterly"), layout.DeletionTryKey("bad"),
		layout.RehearsalKey("bad", "uid", "", "L3"), layout.DrillDir("CLUSTER") + "x.json", layout.PlanKey("bad"), layout.SeriesKey("CLUSTER", "nightly"),
	} {
		out[key] = []byte("{}")
	}
	return out
}

// spoil fills a bucket: what is the good backup's as it is, all else as change has it, which is
// what it returns; and keys beside them that are no names.
func spoil(t *testing.T, h *harness.Harness, files harness.BucketFiles, change func(*harness.Harness, string) []byte) (spoilt []string) {
	t.Helper()
	l := &lab{Lab: &harness.Lab{Harness: h}}
	root := filepath.Join(h.Stack.Dir, "data", "s3", h.Stack.S3.Bucket, h.Cluster)
	for key, data := range files {
		key = strings.ReplaceAll(key, "CLUSTER", h.Cluster)
		if key == layout.ClusterName(h.Cluster) {
			continue // TestUnreadableOwner
		}
		if strings.Contains(key, "/good/") {
			l.put(t, key, data)
			continue
		}
		spoilt = append(spoilt, key)
		if change == nil {
			l.put(t, key, []byte("x"))
			if err := os.Truncate(filepath.Join(root, key), hugeBytes); err != nil {
				t.Fatal(err)
			}
			continue
		}
		if data := change(h, key); data != nil {
			l.put(t, key, data)
		}
	}
	for _, dir := range []string{
		layout.BackupsDir, layout.RestoresDir, layout.CatalogRoot, layout.Schedules{Cluster: h.Cluster}.Dir(), layout.VerificationRoot, layout.RehearsalRoot,
		layout.RetentionDir, layout.DeletionTryDir, layout.TombstoneDir, layout.NameLockDir, layout.StagingRoot, layout.DrillDir(h.Cluster), layout.SeriesDir,
	} {
		for _, odd := range oddNames() {
			// Not through our own client, which refuses to write such keys: others do not.
			file := filepath.Join(root, dir+odd)
			if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(file, []byte("{}"), 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	return spoilt
}

// oddNames are names below a directory that no backup, run or document of ours has.
func oddNames() []string {
	long := strings.Repeat("n", 200)
	var names []string
	for _, name := range []string{"a\nb\x1b[31m", "%2e%2e", "...", "-", " ", long, "a;rm -rf", "UPPER", "..a"} {
		names = append(names, name+".json", name+"/velero-backup.json", name+"/b/c/velero-backup.json")
	}
	return names
}

func (l *lab) surviveBucket(t *testing.T, ns string, spoilt []string) {
	t.Helper()
	list, err := l.Run(t.Context(), "backup", "get", "-o", "json")
	if err != nil || !strings.Contains(list, `"good"`) {
		t.Errorf("backup get: %v: %.2000s", err, list)
	}
	l.refuseBad(t, spoilt)
	for _, args := range [][]string{
		{"restore", "get"},
		{"restore", "describe", "bad"},
		{"schedule", "get"},
		{"schedule", "describe", "nightly"},
		{"gc", "plan"},
		{"drill", "history"},
		{"doctor"},
		{"backup", "logs", "bad"},
		{"backup", "describe", "good", "--details"},
	} {
		res, err := l.CLI(t.Context(), args...)
		if err != nil {
			t.Errorf("%v: %v", args, err)
		}
		if strings.ContainsAny(res.Out+res.Err, "\x1b") || strings.Contains(res.Err, "panic") {
			t.Errorf("%v prints what a key has: %q", args, res.Out+res.Err)
		}
		t.Logf("%v: exit %d: %.400q %.400q", args, res.Code, res.Out, res.Err)
	}
	res := restore(t, l.Harness, contract.RestoreInput{Name: "back", Spec: velerov1.RestoreSpec{BackupName: "good", NamespaceMapping: map[string]string{ns: ns + "-back"}}})
	if res.Phase != "Completed" {
		t.Errorf("restore is %s: %v", res.Phase, res.Reasons)
	}
	completed(t, backup(t, l.Harness, "new", velerov1.BackupSpec{IncludedNamespaces: []string{ns}}))
	if out, err := l.Run(t.Context(), "backup", "delete", "new", "--confirm"); err != nil {
		t.Errorf("delete: %v: %s", err, out)
	}
	peak, err := l.Worker.PeakRSS()
	if err != nil {
		t.Fatalf("the worker has ended: %v: %.3000s", err, l.Worker.Log())
	}
	t.Logf("%d keys spoilt, peak RSS %d MiB", len(spoilt), peak>>20)
	if peak > hostileRSS {
		t.Errorf("the worker held %d MiB", peak>>20)
	}
	if bytes.Contains(l.Worker.Log(), []byte("panic")) {
		t.Errorf("a panic: %.3000s", l.Worker.Log())
	}
	if !slices.ContainsFunc(spoilt, func(key string) bool { return bytes.Contains(l.Worker.Log(), []byte(filepath.Base(key))) }) {
		t.Errorf("the log names no key that is at fault: %.3000s", l.Worker.Log())
	}
}

// refuseBad: who asks for the backup that is spoilt is told that it is, and by which file.
func (l *lab) refuseBad(t *testing.T, spoilt []string) {
	t.Helper()
	for _, args := range [][]string{
		{"backup", "describe", "bad", "--details"},
		{"backup", "verify", "bad", "--wait"},
		{"restore", "create", "spoilt", "--from-backup", "bad", "--wait"},
	} {
		res, err := l.CLI(t.Context(), args...)
		said := res.Out + res.Err
		if err != nil || res.Code == 0 || strings.ContainsAny(said, "\x1b") || strings.Contains(said, "panic") {
			t.Errorf("%v: exit %d, %v: %.1000q", args, res.Code, err, said)
		}
		if !slices.ContainsFunc(spoilt, func(key string) bool {
			return strings.Contains(key, "/bad") && strings.Contains(said, filepath.Base(key))
		}) {
			t.Errorf("%v names no file that is at fault: exit %d: %.1000q", args, res.Code, said)
		}
	}
}

// inForm is text as a file of that key is stored.
func inForm(key, text string) []byte {
	if strings.HasSuffix(key, ".gz") {
		return zipped([]byte(text))
	}
	return []byte(text)
}

// bombFor is a document that is small in the bucket and large in memory: a list of very many empty
// entries, or nested very deeply where nothing expands.
func bombFor(key string) []byte {
	if !strings.HasSuffix(key, ".gz") {
		return []byte(strings.Repeat(`{"a":[`, 300_000))
	}
	var buf bytes.Buffer
	zw := gzip.NewWriter(&buf)
	entries := bytes.Repeat([]byte("{},"), 1<<20/3)
	fmt.Fprint(zw, "[")
	for range hugeBytes / len(entries) {
		_, _ = zw.Write(entries) // a buffer takes all
	}
	fmt.Fprint(zw, "{}]")
	_ = zw.Close()
	return buf.Bytes()
}

// TestUnreadableOwner: where the file cannot be read that says whose the cluster's name is, the worker
// starts and answers, and no run writes: the file is named, and what to do.
func TestUnreadableOwner(t *testing.T) {
	t.Parallel()
	cluster := "no-owner-" + shared.ID
	l := &lab{Lab: shared.Named(t, harness.Options{Cluster: cluster}, func(h *harness.Harness) {
		(&lab{Lab: &harness.Lab{Harness: h}}).put(t, layout.ClusterName(cluster), []byte("garbage"))
	})}
	kind, text := failure(t, l.Harness, startBackup(t, l.Harness, contract.BackupInput{Name: "b", Spec: velerov1.BackupSpec{IncludedNamespaces: []string{"kube-public"}}}))
	if kind != contract.ErrTypeCorrupt || !strings.Contains(text, layout.ClusterName(cluster)) || !strings.Contains(text, "delete that file") {
		t.Errorf("%s: %s", kind, text)
	}
	if out, err := l.Run(t.Context(), "backup", "get"); err != nil {
		t.Errorf("backup get: %v: %s", err, out)
	}
	if !bytes.Contains(l.Worker.Log(), []byte(layout.ClusterName(cluster))) {
		t.Errorf("the log does not name the file: %s", l.Worker.Log())
	}
}
