//go:build stack

package e2e

import (
	"bytes"
	"encoding/json"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/klauspost/compress/gzip"
	velerov1 "github.com/vmware-tanzu/velero/pkg/apis/velero/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/lifeboat-backup/lifeboat/internal/archive"
	"github.com/lifeboat-backup/lifeboat/internal/archive/layout"
	"github.com/lifeboat-backup/lifeboat/internal/contract"
)

// TestAnIndexThatLies restores a backup whose digests all fit, but whose index says
// of an object that it is another one. The other lies are for internal/archive.
func TestAnIndexThatLies(t *testing.T) {
	t.Parallel()
	l := beside(t, "lies")
	t.Run("liar", func(t *testing.T) {
		l.forge(t, "liar", func(block string) string { return strings.ReplaceAll(block, `"ns":"lies"`, `"ns":"kube-system"`) })
		text := l.refused(t, contract.RestoreInput{Name: "liar", Spec: velerov1.RestoreSpec{
			BackupName: "liar", NamespaceMapping: map[string]string{"lies": "lies-" + l.ID},
		}})
		if !strings.Contains(text, "index contradicts the tar entry") {
			t.Error(text)
		}
	})
	t.Run("honest", func(t *testing.T) { // the forgery itself is sound
		l.forge(t, "honest", func(block string) string { return block })
		target := "lies-" + l.ID
		t.Cleanup(func() { l.kubectlLater(t, "delete", "namespace", target, "--ignore-not-found", "--wait=false") })
		res := restore(t, l.Harness, contract.RestoreInput{Name: "honest", Spec: velerov1.RestoreSpec{
			BackupName: "honest", NamespaceMapping: map[string]string{"lies": target},
		}})
		if res.Phase != "Completed" || l.Object(t, "configmaps", target, "honest") == nil {
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
	files := layout.Backup{Name: name}
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
	l.put(t, files.Tarball(), flat(asm.Tarball))
	l.put(t, files.Index(), flat(asm.Index))
	manifest, err := archive.EncodeManifest(archive.Manifest{
		Backup: name, UID: "u", Cluster: l.Cluster, Files: asm.Files(files), Directory: asm.Directory, Totals: asm.Totals,
	})
	if err != nil {
		t.Fatal(err)
	}
	l.put(t, files.Manifest(), manifest)
	l.put(t, files.Metadata(), backupDocument(t, name))
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
