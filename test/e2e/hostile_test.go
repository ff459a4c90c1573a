//go:build stack

package e2e

import (
	"archive/tar"
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/klauspost/compress/gzip"
	velerov1 "github.com/vmware-tanzu/velero/pkg/apis/velero/v1"

	"github.com/lifeboat-backup/lifeboat/internal/archive"
	"github.com/lifeboat-backup/lifeboat/internal/archive/layout"
	"github.com/lifeboat-backup/lifeboat/internal/contract"
)

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
// to it. Each begins with a good object, and none of it gets into the cluster. That every
// kind of hostile entry is found is for internal/archive to show; these are found at the
// beginning, in the midst and at the end.
func TestHostileTarballs(t *testing.T) {
	t.Parallel()
	l := beside(t, "hostile")
	good := configMapEntry("good")
	with := func(more ...entry) []byte { return tarball(t, append([]entry{good}, more...)...) }
	// Objects that compress well are as good as others, a thousand spaces each or more; one that
	// is larger than any API server takes is none.
	bomb := configMapEntry("bomb")
	bomb.body += strings.Repeat(" ", archive.MaxObjectBytes)
	for name, c := range map[string]struct {
		tarball []byte
		words   string
	}{
		"path up":            {with(entry{name: "resources/configmaps/namespaces/../../../etc/passwd", body: "{}"}), ".."},
		"decompression bomb": {with(bomb), ""},
		"unknown version":    {tarball(t, entry{name: "metadata/version", body: "2.0.0\n"}, good), "2.0.0"},
		"cut off":            {cut(0.5)(with(configMapEntry("a"), configMapEntry("b"))), ""},
	} {
		t.Run(name, func(t *testing.T) {
			backup := "hostile-" + strings.ReplaceAll(strings.ReplaceAll(strings.ToLower(name), " ", "-"), ",", "")
			files := layout.Backup{Name: backup}
			l.put(t, files.Tarball(), c.tarball)
			l.put(t, files.Metadata(), backupDocument(t, backup))
			text := l.refused(t, contract.RestoreInput{Name: backup, Spec: velerov1.RestoreSpec{
				BackupName: backup, NamespaceMapping: map[string]string{"hostile": "hostile-" + l.ID},
			}})
			if !strings.Contains(text, c.words) || !strings.Contains(text, "open backup "+backup) {
				t.Errorf("error %q, want %q", text, c.words)
			}
		})
	}
}
