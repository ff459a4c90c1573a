//go:build stack

package e2e

import (
	"bytes"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/klauspost/compress/gzip"
	velerov1 "github.com/vmware-tanzu/velero/pkg/apis/velero/v1"
	"go.temporal.io/sdk/client"

	"github.com/lifeboat-backup/lifeboat/internal/archive/layout"
	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/store"
)

// damage is a backup that was whole, and what was done to one of its files.
type damage struct {
	name   string
	file   func(layout.Backup) string
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
	manifest, index, tarball, volumes := layout.Backup.Manifest, layout.Backup.Index, layout.Backup.Tarball, layout.Backup.VolumeInfo
	return []damage{
		{"manifest, a bit", manifest, flip(0.5), "digest differs"},
		{"index, gone", index, nil, ""},
		{"member, first bit", tarball, flip(0.3), "digest differs"},
		{"tarball, cut", tarball, cut(0.4), "early"},
		{"tarball, gone", tarball, nil, ""},
		{"volume info, a bit", volumes, flip(0.5), ""},
		{"volume info, another whole file", volumes, func([]byte) []byte { return zipped([]byte("[]\n\n")) }, "digest differs"},
		{"volume info, cut", volumes, cut(0.5), ""},
	}
}

// TestDamagedBackups changes one file after another of a backup and restores it into
// another namespace: each restore is refused at the first attempt with the file's
// name, and leaves neither an object in the cluster nor a file in the bucket. That every
// bit and every cut is found is for internal/archive to show.
func TestDamagedBackups(t *testing.T) {
	t.Parallel()
	l := beside(t, "damaged")
	names := l.namespaces(t, "victim")
	ns := names.Replace("<victim>")
	var manifest strings.Builder
	fmt.Fprintf(&manifest, "{apiVersion: v1, kind: Namespace, metadata: {name: %s}}\n", ns)
	for i := range 30 {
		fmt.Fprintf(&manifest, "---\n{apiVersion: v1, kind: ConfigMap, metadata: {name: c%d, namespace: %s}, data: {v: value-%d}}\n", i, ns, i*i)
	}
	l.apply(t, manifest.String())
	completed(t, backup(t, l.Harness, "victim", velerov1.BackupSpec{IncludedNamespaces: []string{ns}}))
	files := layout.Backup{Name: "victim"}
	for i, d := range damages() {
		t.Run(d.name, func(t *testing.T) {
			key := d.file(files)
			good := raw(t, l.Store, key)
			t.Cleanup(func() { l.put(t, key, good) })
			if d.change == nil {
				l.remove(t, key)
			} else {
				l.put(t, key, d.change(good))
			}
			text := l.refused(t, contract.RestoreInput{Name: fmt.Sprintf("damaged-%d", i), Spec: velerov1.RestoreSpec{
				BackupName: "victim", NamespaceMapping: map[string]string{ns: "damaged-" + l.ID},
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
		if l.Object(t, "namespaces", "", target) != nil {
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
