//go:build stack

package interop

import (
	"cmp"
	"context"
	_ "embed"
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	velerov1 "github.com/vmware-tanzu/velero/pkg/apis/velero/v1"

	"github.com/lifeboat-backup/lifeboat/internal/archive/layout"
	"github.com/lifeboat-backup/lifeboat/test/compare"
	"github.com/lifeboat-backup/lifeboat/test/harness"
	"github.com/lifeboat-backup/lifeboat/test/stack"
)

const (
	// recordedDir has a bucket of each version of Velero: what its server wrote for one backup of
	// app.yaml.
	recordedDir = "testdata/velero"
	// recordVelero names the program of a version whose bucket is to be kept in recordedDir.
	recordVelero = "LIFEBOAT_RECORD_VELERO"
	// soakVariable has the backup of each version drilled; else that of the first and the last is.
	soakVariable = "LIFEBOAT_SOAK"
	// keptNamespace is where the application was when a bucket was recorded.
	keptNamespace = "kept"
	// keptObjects are those of the manifest within its namespace.
	keptObjects = 9
)

//go:embed testdata/velero/app.yaml
var keptYAML string

// TestRecordedBuckets proves the backup that each version of Velero left in a bucket.
func TestRecordedBuckets(t *testing.T) {
	t.Parallel()
	p, ctx := start(t)
	kept, err := filepath.Glob(filepath.Join(recordedDir, "*.tar.gz"))
	if err != nil || len(kept) == 0 {
		t.Fatalf("versions in %s: %v, %v", recordedDir, kept, err)
	}
	all := harness.BucketFiles{}
	for _, file := range kept {
		files, err := harness.UnpackBucket(read(t, file))
		if err != nil {
			t.Fatal(err)
		}
		if doc := files[layout.BackupDir(recordedBackup(strings.TrimSuffix(filepath.Base(file), ".tar.gz")))+document]; doc == nil {
			t.Errorf("%s lacks its backup", file)
		}
		maps.Copy(all, files)
	}
	p.proveBucket(t, ctx, "recorded", all)
}

// TestRecordBucket does the same with a backup of the pinned Velero. With LIFEBOAT_RECORD_VELERO=program
// it is that version's, and is kept for later code.
func TestRecordBucket(t *testing.T) {
	t.Parallel()
	p, ctx := start(t)
	binary, ns := os.Getenv(recordVelero), keptNamespace
	if binary == "" {
		ns = p.name("kept-origin")
	}
	version, files := p.record(t, ctx, binary, ns)
	packed, err := files.Pack()
	if err != nil {
		t.Fatal(err)
	}
	if binary != "" {
		if err := os.WriteFile(filepath.Join(recordedDir, version+".tar.gz"), packed, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	p.proveBucket(t, ctx, "now", files)
}

// recordedBackup is the name of a version's backup.
func recordedBackup(version string) string {
	return "velero-" + strings.ReplaceAll(version, ".", "-")
}

// record has a Velero take a backup of the application in a namespace, and returns its version and
// what the bucket has then. Of the application only its custom type is left.
func (p *peers) record(t *testing.T, ctx context.Context, binary, ns string) (version string, files harness.BucketFiles) {
	t.Helper()
	h, err := harness.New(ctx, shared, p.bin, t.TempDir(), harness.Options{Cluster: p.name("record")})
	if err != nil {
		t.Fatal(err)
	}
	defer h.Close()
	v, err := shared.StartVelero(ctx, stack.VeleroOptions{
		Binary: binary, QPS: p.server.QPS, Prefix: h.Cluster, Namespace: "velero-record-" + p.run, Args: p.server.Args,
	})
	if err != nil {
		t.Fatal(err)
	}
	defer v.Stop(context.WithoutCancel(ctx)) // its objects and its bucket stay
	out, err := v.Run(ctx, "version", "--client-only")
	_, version, said := strings.Cut(out, "Version: ")
	if err != nil || !said {
		t.Fatalf("version: %v: %s", err, out)
	}
	version, _, _ = strings.Cut(version, "\n")
	p.removeKept(t, ctx, ns)
	p.keptApplication(t, ctx, ns)
	if err := v.Backup(ctx, recordedBackup(version), "--include-namespaces="+ns, "--ttl=87600h"); err != nil {
		t.Fatal(err)
	}
	p.removeKept(t, ctx, ns)
	return version, harness.WholeBucket(t, h)
}

// keptApplication makes the application in a namespace, and waits for its controllers.
func (p *peers) keptApplication(t *testing.T, ctx context.Context, ns string) {
	t.Helper()
	p.kubectl(t, ctx, keptManifest(ns), "apply", "-f", "-")
	p.kubectl(t, ctx, "", "-n", ns, "wait", "--timeout=120s", "--for=condition=Available", "deployment/web")
	p.kubectl(t, ctx, "", "-n", ns, "wait", "--timeout=120s", "--for=jsonpath={.status.phase}=Bound", "pvc", "--all")
}

// keptManifest is the application as it is in a namespace.
func keptManifest(ns string) string { return strings.ReplaceAll(keptYAML, "NAMESPACE", ns) }

func (p *peers) removeKept(t *testing.T, ctx context.Context, ns string) {
	t.Helper()
	p.kubectl(t, ctx, "", "delete", "namespace/"+ns, "--ignore-not-found", "--timeout=150s")
	p.kubectl(t, ctx, "", "delete", "clusterrole/"+ns+"-reader", "clusterrolebinding/"+ns+"-reader", "--ignore-not-found")
}

// proveBucket has a worker with one ReadOnly location, which has these files, prove each backup in
// it. Nothing is written into the bucket.
func (p *peers) proveBucket(t *testing.T, ctx context.Context, name string, files harness.BucketFiles) {
	t.Helper()
	s3, writes := harness.ReadOnlyS3(t, p.Stack.S3.Endpoint)
	h, err := harness.New(ctx, shared, p.bin, t.TempDir(), harness.Options{Cluster: p.name(name), S3: s3, Edit: readsOnly(t)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(h.Close)
	files.Put(t, h)
	before := listing(t, ctx, h.Store)
	if _, err := h.StartWorker(ctx); err != nil {
		t.Fatal(err)
	}
	ns := p.name("kept-" + name)
	p.keptApplication(t, ctx, ns)
	backups := documents(t, files)
	t.Run("restored", func(t *testing.T) {
		for _, b := range backups {
			t.Run(b.Name, func(t *testing.T) {
				t.Parallel()
				shows(t, ctx, h, b)
				rehearses(t, ctx, h, b.Name)
				p.restoresApplication(t, ctx, h, b, ns)
			})
		}
	})
	if ends := len(backups) - 1; ends > 1 && os.Getenv(soakVariable) == "" {
		backups = []velerov1.Backup{backups[0], backups[ends]} // of one cluster, drills wait for each other
	}
	for _, b := range backups {
		t.Run("drilled/"+b.Name, func(t *testing.T) { drills(t, ctx, h, b.Name) })
	}
	if now := listing(t, ctx, h.Store); !slices.Equal(now, before) {
		t.Errorf("the bucket has changed:\n%q\n%q", before, now)
	}
	// Restores ask once whether they may keep their results; rehearsals and drills do not even that.
	tried := slices.DeleteFunc(writes(), func(request string) bool { return strings.HasSuffix(request, "/writable") })
	if len(tried) > 0 {
		t.Errorf("tried to write: %q", tried)
	}
}

// restoresApplication restores a backup into a namespace of its own, where each object is as in the
// one with the application, but for pods: their names are by chance. What an object says of its
// namespace in its annotations names the origin.
func (p *peers) restoresApplication(t *testing.T, ctx context.Context, h *harness.Harness, b velerov1.Backup, application string) {
	t.Helper()
	origin, to := b.Spec.IncludedNamespaces[0], application+"-"+b.Name
	pods := func(resource string) bool { return resource == "pods" }
	if _, err := h.Run(ctx, "restore", "create", b.Name, "--from-backup", b.Name, "--namespace-mappings", origin+":"+to, "--wait"); err != nil {
		t.Fatal(err)
	}
	want, err := p.renamed(ctx, application, origin, pods)
	if err != nil || len(want) < keptObjects {
		t.Fatalf("%d objects of the application: %v", len(want), err)
	}
	same(t, ctx, want, func() (compare.State, error) { return p.renamed(ctx, to, origin, pods) })
}

// documents are the Backups of a bucket, as Velero wrote them.
func documents(t *testing.T, files harness.BucketFiles) (all []velerov1.Backup) {
	t.Helper()
	for key, data := range files {
		if filepath.Base(key) != document {
			continue
		}
		var b velerov1.Backup
		if err := json.Unmarshal(data, &b); err != nil {
			t.Fatalf("%s: %v", key, err)
		}
		all = append(all, b)
	}
	slices.SortFunc(all, func(a, b velerov1.Backup) int { return cmp.Compare(a.Name, b.Name) })
	return all
}

// shows lists and describes a backup with its phase, its times and its expiry.
func shows(t *testing.T, ctx context.Context, h *harness.Harness, want velerov1.Backup) {
	t.Helper()
	out, err := h.Run(ctx, "backup", "get", want.Name, "-o", "json")
	if err != nil {
		t.Fatal(err)
	}
	var got velerov1.Backup
	if err := json.Unmarshal([]byte(out), &got); err != nil {
		t.Fatal(err)
	}
	if got.Status.Phase != velerov1.BackupPhaseCompleted || !got.Status.StartTimestamp.Equal(want.Status.StartTimestamp) ||
		!got.Status.CompletionTimestamp.Equal(want.Status.CompletionTimestamp) || !got.Status.Expiration.Equal(want.Status.Expiration) {
		t.Errorf("backup get: %+v, want %+v", got.Status, want.Status)
	}
	out, err = h.Run(ctx, "backup", "describe", want.Name, "--details")
	if err != nil {
		t.Fatal(err)
	}
	ns := want.Spec.IncludedNamespaces[0]
	for _, part := range []string{"Completed", ns + "/web", "kept.example.com/v1/Gadget", ns + "-reader"} {
		if !strings.Contains(out, part) {
			t.Errorf("backup describe lacks %q:\n%s", part, out)
		}
	}
}
