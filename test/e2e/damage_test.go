//go:build stack

package e2e

import (
	"archive/tar"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/klauspost/compress/gzip"
	velerov1 "github.com/vmware-tanzu/velero/pkg/apis/velero/v1"
	"go.temporal.io/sdk/client"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/lifeboat-backup/lifeboat/internal/archive"
	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/store"
)

// damage is a backup that was whole, and what was done to one of its files.
type damage struct {
	name   string
	file   func(archive.Layout) string
	change func([]byte) []byte
	words  string // in the error, beside the file's name
}

func flip(at float64) func([]byte) []byte {
	return func(b []byte) []byte {
		b = bytes.Clone(b)
		b[int(at*float64(len(b)-1))] ^= 0x10
		return b
	}
}

func cut(to float64) func([]byte) []byte {
	return func(b []byte) []byte { return b[:int(to*float64(len(b)))] }
}

func damages() []damage {
	manifest, index, tarball, volumes := archive.Layout.Manifest, archive.Layout.Index, archive.Layout.Tarball, archive.Layout.VolumeInfo
	return []damage{
		{"manifest, a bit", manifest, flip(0.5), "digest differs"},
		{"manifest, cut", manifest, cut(0.9), "digest differs"},
		{"manifest, empty", manifest, cut(0), "not a manifest, or cut off"},
		{"index block, a bit", index, flip(0.02), "digest differs"},
		{"directory, a bit", index, flip(0.98), "digest differs"},
		{"index, cut", index, cut(0.5), ""},
		{"index, gone", index, nil, ""},
		{"member, first bit", tarball, flip(0.3), "digest differs"},
		{"member, another bit", tarball, flip(0.6), "digest differs"},
		{"tarball, cut", tarball, cut(0.4), "early"},
		{"tarball, gone", tarball, nil, ""},
		{"tarball of zeros", tarball, func(b []byte) []byte { return make([]byte, len(b)) }, "digest differs"},
		{"volume info, a bit", volumes, flip(0.5), ""},
		{"volume info, another whole file", volumes, func([]byte) []byte { return zipped([]byte("[]\n\n")) }, "digest differs"},
		{"volume info, cut", volumes, cut(0.5), ""},
	}
}

// TestDamagedBackups changes one file after another of a backup and restores it into
// another namespace: each restore is refused at the first attempt with the file's
// name, and leaves neither an object in the cluster nor a file in the bucket.
func TestDamagedBackups(t *testing.T) {
	l := shared
	names := l.namespaces(t, "victim")
	ns := names.Replace("<victim>")
	var manifest strings.Builder
	fmt.Fprintf(&manifest, "{apiVersion: v1, kind: Namespace, metadata: {name: %s}}\n", ns)
	for i := range 30 {
		fmt.Fprintf(&manifest, "---\n{apiVersion: v1, kind: ConfigMap, metadata: {name: c%d, namespace: %s}, data: {v: value-%d}}\n", i, ns, i*i)
	}
	l.apply(t, manifest.String())
	completed(t, backup(t, l.Harness, "victim", velerov1.BackupSpec{IncludedNamespaces: []string{ns}}))
	layout := archive.Layout{Backup: "victim"}
	for i, d := range damages() {
		t.Run(d.name, func(t *testing.T) {
			key := d.file(layout)
			good := raw(t, l.Store, key)
			t.Cleanup(func() { l.put(t, key, good) })
			if d.change == nil {
				l.remove(t, key)
			} else {
				l.put(t, key, d.change(good))
			}
			text := l.refused(t, contract.RestoreInput{Name: fmt.Sprintf("damaged-%d", i), Spec: velerov1.RestoreSpec{
				BackupName: "victim", NamespaceMapping: map[string]string{ns: "damaged-" + l.id},
			}})
			if name := key[strings.LastIndexByte(key, '/')+1:]; !strings.Contains(text, name) || !strings.Contains(text, d.words) {
				t.Errorf("error %q; want %q and %q", text, name, d.words)
			}
		})
	}
	t.Run("whole again", func(t *testing.T) {
		res := restore(t, l.Harness, contract.RestoreInput{Name: "whole-again", Spec: velerov1.RestoreSpec{BackupName: "victim"}})
		if res.Phase != "Completed" || res.Counts.Created != 0 {
			t.Errorf("%+v", res)
		}
	})
}

// refused runs a restore that has to end as CorruptArchive at the first attempt,
// without a trace but its history, and returns the error's text.
func (l *lab) refused(t *testing.T, in contract.RestoreInput) string {
	t.Helper()
	before := keysIn(t, l.Store, "")
	run := startRestore(t, l.Harness, in)
	kind, text := failure(t, l.Harness, run)
	if kind != contract.ErrTypeCorrupt {
		t.Errorf("%s: %s, want %s", kind, text, contract.ErrTypeCorrupt)
	}
	if n := l.attempts(t, run); n > 1 {
		t.Errorf("tried %d times", n)
	}
	for _, target := range in.Spec.NamespaceMapping {
		if l.object(t, "namespaces", "", target) != nil {
			t.Errorf("something was written to namespace %s", target)
			l.deleteNamespaces(t, target)
		}
	}
	if after := keysIn(t, l.Store, ""); !slices.Equal(before, after) {
		t.Errorf("in the bucket before %v, after %v", before, after)
	}
	return text
}

// attempts is the most that any activity of a run was tried.
func (l *lab) attempts(t *testing.T, run client.WorkflowRun) int32 {
	t.Helper()
	most := int32(0)
	history := l.Temporal.GetWorkflowHistory(t.Context(), run.GetID(), run.GetRunID(), false, 0)
	for history.HasNext() {
		event, err := history.Next()
		if err != nil {
			t.Fatal(err)
		}
		most = max(most, event.GetActivityTaskStartedEventAttributes().GetAttempt())
	}
	return most
}

func raw(t *testing.T, st store.Store, key string) []byte {
	t.Helper()
	body, _, err := st.Get(t.Context(), key)
	if err != nil {
		t.Fatal(err)
	}
	defer body.Close()
	data, err := io.ReadAll(body)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// put and remove also work in clean-ups.
func (l *lab) put(t *testing.T, key string, data []byte) {
	t.Helper()
	if err := l.Store.Put(cleanupContext(t), key, data, store.PutOptions{}); err != nil {
		t.Fatal(err)
	}
}

func (l *lab) remove(t *testing.T, key string) {
	t.Helper()
	if err := l.Store.Delete(cleanupContext(t), key); err != nil {
		t.Fatal(err)
	}
}

func zipped(data []byte) []byte {
	var buf bytes.Buffer
	zw := gzip.NewWriter(&buf)
	_, _ = zw.Write(data) // to memory
	_ = zw.Close()
	return buf.Bytes()
}

// TestAnIndexThatLies restores a backup whose digests all fit, but whose index says
// of an object that it is another one.
func TestAnIndexThatLies(t *testing.T) {
	l := shared
	for name, lie := range map[string][2]string{
		"name":      {`"n":"honest"`, `"n":"liar00"`},
		"resource":  {`"r":"configmaps"`, `"r":"secrets"`},
		"namespace": {`"ns":"lies"`, `"ns":"kube-system"`},
	} {
		t.Run(name, func(t *testing.T) {
			backup := "liar-" + name
			l.forge(t, backup, func(block string) string {
				if !strings.Contains(block, lie[0]) {
					t.Fatalf("no %s in %s", lie[0], block)
				}
				return strings.ReplaceAll(block, lie[0], lie[1])
			})
			text := l.refused(t, contract.RestoreInput{Name: backup, Spec: velerov1.RestoreSpec{
				BackupName: backup, NamespaceMapping: map[string]string{"lies": "lies-" + l.id},
			}})
			if !strings.Contains(text, "index contradicts the tar entry") {
				t.Error(text)
			}
		})
	}
	t.Run("honest", func(t *testing.T) { // the forgery itself is sound
		l.forge(t, "honest", func(block string) string { return block })
		target := "lies-" + l.id
		t.Cleanup(func() { l.kubectlLater(t, "delete", "namespace", target, "--ignore-not-found", "--wait=false") })
		res := restore(t, l.Harness, contract.RestoreInput{Name: "honest", Spec: velerov1.RestoreSpec{
			BackupName: "honest", NamespaceMapping: map[string]string{"lies": target},
		}})
		if res.Phase != "Completed" || l.object(t, "configmaps", target, "honest") == nil {
			t.Errorf("%+v", res)
		}
	})
}

// forge writes a backup of one ConfigMap whose index block was changed before the
// digests were made.
func (l *lab) forge(t *testing.T, name string, change func(string) string) {
	t.Helper()
	body := []byte(`{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"honest","namespace":"lies"}}`)
	var chunk archive.Chunk
	w := archive.NewWriter(archive.DefaultLimits(), time.Unix(0, 0), func(c archive.Chunk) error {
		chunk = archive.Chunk{Data: bytes.Clone(c.Data), Blocks: bytes.Clone(c.Blocks), Members: slices.Clone(c.Members)}
		return nil
	})
	err := w.Add(archive.Key{Resource: "configmaps", Version: "v1", Namespace: "lies", Name: "honest"}, body)
	if err == nil {
		err = w.Flush()
	}
	if err != nil {
		t.Fatal(err)
	}
	zr, err := gzip.NewReader(bytes.NewReader(chunk.Blocks))
	if err != nil {
		t.Fatal(err)
	}
	block, err := io.ReadAll(zr)
	if err != nil {
		t.Fatal(err)
	}
	lie := change(string(block))
	blocks := zipped([]byte(lie))
	m := &chunk.Members[0]
	var e struct{ R, NS, N string }
	if err := json.Unmarshal([]byte(lie), &e); err != nil {
		t.Fatal(err)
	}
	m.Spans = []archive.Span{{Resource: e.R, First: e.NS + "/" + e.N, Last: e.NS + "/" + e.N}}
	m.Index = archive.Range{Size: int64(len(blocks)), SHA256: archive.Digest(blocks)}
	l.writeBackup(t, name, chunk.Data, blocks, chunk.Members)
}

func (l *lab) writeBackup(t *testing.T, name string, data, blocks []byte, members []archive.Member) {
	t.Helper()
	layout := archive.Layout{Backup: name}
	asm, err := archive.Assemble([]archive.ChunkRef{{
		Key: "chunk", DataSize: int64(len(data)), BlocksSize: int64(len(blocks)), Members: members,
	}}, time.Unix(0, 0))
	if err != nil {
		t.Fatal(err)
	}
	staged := slices.Concat(data, blocks)
	flat := func(segs []archive.Segment) (out []byte) {
		for _, s := range segs {
			if s.Key == "" {
				out = append(out, s.Inline...)
			} else {
				out = append(out, staged[s.Offset:s.Offset+s.Size]...)
			}
		}
		return out
	}
	l.put(t, layout.Tarball(), flat(asm.Tarball))
	l.put(t, layout.Index(), flat(asm.Index))
	manifest, err := archive.EncodeManifest(archive.Manifest{
		Backup: name, UID: "u", Cluster: l.Cluster, Files: asm.Files(layout), Directory: asm.Directory, Totals: asm.Totals,
	})
	if err != nil {
		t.Fatal(err)
	}
	l.put(t, layout.Manifest(), manifest)
	l.put(t, layout.Metadata(), backupDocument(t, name))
}

func backupDocument(t *testing.T, name string) []byte {
	t.Helper()
	data, err := json.Marshal(velerov1.Backup{
		TypeMeta:   metav1.TypeMeta{APIVersion: "velero.io/v1", Kind: "Backup"},
		ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: "velero"},
		Status:     velerov1.BackupStatus{Phase: velerov1.BackupPhaseCompleted, FormatVersion: "1.1.0", Version: 1},
	})
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// entry is one of a tarball.
type entry struct {
	name string
	body string
	kind byte   // tar type; default a file
	link string // target of one
}

func configMapEntry(name string) entry {
	return entry{
		name: "resources/configmaps/namespaces/hostile/" + name + ".json",
		body: fmt.Sprintf(`{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":%q,"namespace":"hostile"}}`, name),
	}
}

func tarball(t *testing.T, entries ...entry) []byte {
	t.Helper()
	var buf bytes.Buffer
	zw := gzip.NewWriter(&buf)
	tw := tar.NewWriter(zw)
	for _, e := range entries {
		h := &tar.Header{Name: e.name, Mode: 0o755, Size: int64(len(e.body)), Typeflag: e.kind, Linkname: e.link}
		if err := tw.WriteHeader(h); err != nil {
			t.Fatal(err)
		}
		if _, err := tw.Write([]byte(e.body)); err != nil {
			t.Fatal(err)
		}
	}
	if err := tw.Close(); err != nil {
		t.Fatal(err)
	}
	if err := zw.Close(); err != nil {
		t.Fatal(err)
	}
	return buf.Bytes()
}

// TestHostileTarballs puts tarballs into the bucket as somebody might who can write
// to it. Each begins with a good object, and none of it gets into the cluster.
func TestHostileTarballs(t *testing.T) {
	l := shared
	good := configMapEntry("good")
	with := func(more ...entry) []byte { return tarball(t, append([]entry{good}, more...)...) }
	renamed := configMapEntry("one")
	renamed.name = "resources/configmaps/namespaces/hostile/other.json"
	bomb := make([]entry, 300)
	for i := range bomb {
		bomb[i] = configMapEntry(fmt.Sprintf("bomb-%d", i))
		bomb[i].body += strings.Repeat(" ", 500<<10)
	}
	for name, c := range map[string]struct {
		tarball []byte
		words   string
	}{
		"path up":             {with(entry{name: "resources/configmaps/namespaces/../../../etc/passwd", body: "{}"}), ".."},
		"path up, in a name":  {with(entry{name: "resources/configmaps/namespaces/hostile/../x.json", body: "{}"}), ".."},
		"absolute path":       {with(entry{name: "/resources/configmaps/namespaces/hostile/x.json", body: "{}"}), ""},
		"backslashes":         {with(entry{name: `resources\configmaps\namespaces\hostile\..\x.json`, body: "{}"}), ""},
		"symbolic link":       {with(entry{name: "resources/configmaps/namespaces/hostile/x.json", kind: tar.TypeSymlink, link: "/etc/passwd"}), ""},
		"hard link":           {with(entry{name: "resources/configmaps/namespaces/hostile/x.json", kind: tar.TypeLink, link: "/etc/passwd"}), ""},
		"device":              {with(entry{name: "resources/configmaps/namespaces/hostile/x.json", kind: tar.TypeChar}), ""},
		"no JSON":             {with(entry{name: "resources/configmaps/namespaces/hostile/x.json", body: "{"}), ""},
		"another object":      {with(renamed), ""},
		"the same name twice": {with(good), ""},
		"huge object":         {with(entry{name: "resources/configmaps/namespaces/hostile/x.json", body: strings.Repeat("x", 40<<20)}), ""},
		"decompression bomb":  {with(bomb...), ""},
		"unknown version":     {tarball(t, entry{name: "metadata/version", body: "2.0.0\n"}, good), "2.0.0"},
		"cut off":             {cut(0.5)(with(bomb[:5]...)), ""},
		"no gzip":             {[]byte("not a tarball"), ""},
		"empty":               {nil, ""},
	} {
		t.Run(name, func(t *testing.T) {
			backup := "hostile-" + strings.ReplaceAll(strings.ReplaceAll(strings.ToLower(name), " ", "-"), ",", "")
			layout := archive.Layout{Backup: backup}
			l.put(t, layout.Tarball(), c.tarball)
			l.put(t, layout.Metadata(), backupDocument(t, backup))
			text := l.refused(t, contract.RestoreInput{Name: backup, Spec: velerov1.RestoreSpec{
				BackupName: backup, NamespaceMapping: map[string]string{"hostile": "hostile-" + l.id},
			}})
			if !strings.Contains(text, c.words) || !strings.Contains(text, "open backup "+backup) {
				t.Errorf("error %q, want %q", text, c.words)
			}
		})
	}
}
