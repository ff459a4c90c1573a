//go:build stack

package interop

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"path"
	"strings"
	"testing"

	"github.com/lifeboat-backup/lifeboat/internal/archive/layout"
	"github.com/lifeboat-backup/lifeboat/internal/store"
)

// files are those of one backup, by key below its directory, without its name.
type files map[string][]byte

// variant is a form in which older or other Veleros leave a backup.
type variant struct {
	name  string
	phase string // in lists; default Completed
	edit  func(t *testing.T, f files)
}

var variants = []variant{
	{name: "bare", edit: func(_ *testing.T, f files) { // what Velero needs, and no more
		for name := range f {
			if name != document && name != contents {
				delete(f, name)
			}
		}
	}},
	{name: "nulls", edit: func(t *testing.T, f files) {
		for name := range f {
			if strings.HasSuffix(name, ".json.gz") {
				f[name] = packed(t, "null\n")
			}
		}
	}},
	{name: "v1-9", edit: func(t *testing.T, f files) { // before results and operations; restic's list
		for _, name := range []string{"-volumeinfo.json.gz", "-results.gz", "-itemoperations.json.gz", "-resource-list.json.gz"} {
			delete(f, name)
		}
		f["-podvolumebackups.json.gz"] = packed(t, "null\n")
	}},
	{name: "v1-17", edit: func(t *testing.T, f files) {
		f["-csi-volumesnapshotclasses.json.gz"] = packed(t, `[{"apiVersion":"snapshot.storage.k8s.io/v1","kind":"VolumeSnapshotClass","metadata":{"name":"ebs"},"driver":"ebs.csi.aws.com","deletionPolicy":"Delete"}]`+"\n")
	}},
	{name: "format-1-0", edit: func(t *testing.T, f files) { // one copy of each object, no version
		var kept []entry
		for _, e := range unpack(t, f[contents]) {
			if strings.HasPrefix(e.path, "resources/") && !strings.Contains(e.path, "-preferredversion/") {
				kept = append(kept, e)
			}
		}
		f[contents] = pack(t, kept)
		f.change(t, func(doc map[string]any) { delete(part(doc, "status"), "formatVersion") })
	}},
	{name: "directories", edit: func(t *testing.T, f files) { // unpacked by hand, edited and packed again
		all := []entry{{path: "./"}, {path: "./resources/"}}
		for _, e := range unpack(t, f[contents]) {
			all = append(all, entry{"./" + e.path, e.body})
		}
		f[contents] = pack(t, all)
	}},
	{name: "unknown-fields", edit: func(t *testing.T, f files) { // a newer Velero's
		f["-something-new.json.gz"] = packed(t, "{}\n")
		f.change(t, func(doc map[string]any) {
			doc["futureTop"] = map[string]any{"a": 1}
			part(doc, "spec")["futureSpec"] = []any{"x"}
			part(doc, "spec")["defaultVolumesToRestic"] = false
			part(doc, "status")["futureStatus"] = map[string]any{"b": true}
		})
	}},
	{name: "partially-failed", phase: "PartiallyFailed", edit: func(t *testing.T, f files) {
		f["-results.gz"] = packed(t, `{"warnings":{},"errors":{"velero":["one object could not be read"]}}`+"\n")
		f.change(t, func(doc map[string]any) {
			status := part(doc, "status")
			status["phase"], status["errors"] = "PartiallyFailed", 1
			delete(status, "completionTimestamp")
			delete(status, "expiration")
			delete(status, "progress")
		})
	}},
}

const document, contents = "velero-backup.json", ".tar.gz"

// Backups that other Veleros left, made out of one that the real one made: each is
// shown and restored.
func TestForeignForms(t *testing.T) {
	t.Parallel()
	p, ctx := start(t)
	ns := p.namespace(t, ctx, "forms")
	p.kubectl(t, ctx, "", "-n", ns, "create", "deployment", "web", "--image=registry.k8s.io/pause:3.10", "--replicas=0")
	p.kubectl(t, ctx, "", "-n", ns, "create", "secret", "generic", "credentials", "--from-literal=password=hunter2")
	origin := p.name("velero-forms")
	if err := p.velero.Backup(ctx, origin, "--include-namespaces="+ns); err != nil {
		t.Fatal(err)
	}
	for _, v := range variants {
		t.Run(v.name, func(t *testing.T) {
			f := p.filesOf(t, ctx, origin)
			v.edit(t, f)
			backup := p.name("form-" + v.name)
			p.putFiles(t, ctx, backup, f)
			p.restoresVariant(t, ctx, v, backup, ns)
		})
	}
}

func (p *peers) restoresVariant(t *testing.T, ctx context.Context, v variant, backup, ns string) {
	t.Helper()
	phase := v.phase
	if phase == "" {
		phase = "Completed"
	}
	if out := p.lifeboat(t, ctx, "backup", "get", backup); !strings.Contains(out, phase) {
		t.Errorf("backup get: %s", out)
	}
	if out := p.lifeboat(t, ctx, "backup", "describe", backup, "--details"); !strings.Contains(out, phase) {
		t.Errorf("backup describe: %s", out)
	}
	to := ns + "-" + v.name
	p.lifeboat(t, ctx, "restore", "create", backup, "--from-backup", backup, "--namespace-mappings", ns+":"+to, "--wait")
	sameMapped(t, ctx, p, ns, to, func(string) bool { return false })
}

// Before volumeinfo, what becomes of a volume is told by its reclaim policy.
func TestVolumesBeforeVolumeInfo(t *testing.T) {
	t.Parallel()
	p, ctx := start(t)
	f := p.app(t, ctx, "legacy", 31005)
	before := f.state(t, ctx)
	origin, backup := p.name("velero-legacy"), p.name("form-legacy")
	if err := p.velero.Backup(ctx, origin, "--include-namespaces="+f.List()); err != nil {
		t.Fatal(err)
	}
	files := p.filesOf(t, ctx, origin)
	delete(files, "-volumeinfo.json.gz")
	delete(files, "-volumesnapshots.json.gz")
	p.putFiles(t, ctx, backup, files)
	f.destroy(t, ctx, related)
	p.lifeboat(t, ctx, "restore", "create", backup, "--from-backup", backup, "--wait")
	f.identical(t, ctx, before)
	p.boundAsBefore(t, ctx, f)
}

func (p *peers) filesOf(t *testing.T, ctx context.Context, backup string) files {
	t.Helper()
	f := files{}
	for _, key := range p.keys(t, ctx, layout.BackupDir(backup)) {
		f[strings.TrimPrefix(path.Base(key), backup)] = p.get(t, ctx, key)
	}
	if f[document] == nil || f[contents] == nil || len(f) < 8 {
		t.Fatalf("velero left %d files", len(f))
	}
	return f
}

// putFiles stores them as another backup.
func (p *peers) putFiles(t *testing.T, ctx context.Context, backup string, f files) {
	t.Helper()
	f.change(t, func(doc map[string]any) { part(doc, "metadata")["name"] = backup })
	for name, body := range f {
		if name != document {
			name = backup + name
		}
		if err := p.Store.Put(ctx, layout.BackupDir(backup)+name, body, store.PutOptions{}); err != nil {
			t.Fatal(err)
		}
	}
}

// change edits the Backup document.
func (f files) change(t *testing.T, edit func(doc map[string]any)) {
	t.Helper()
	var doc map[string]any
	if err := json.Unmarshal(f[document], &doc); err != nil {
		t.Fatal(err)
	}
	edit(doc)
	var err error
	if f[document], err = json.Marshal(doc); err != nil {
		t.Fatal(err)
	}
}

func part(doc map[string]any, field string) map[string]any {
	m, _ := doc[field].(map[string]any)
	return m
}

func packed(t *testing.T, text string) []byte {
	t.Helper()
	var buf bytes.Buffer
	zw := gzip.NewWriter(&buf)
	if _, err := zw.Write([]byte(text)); err != nil {
		t.Fatal(err)
	}
	if err := zw.Close(); err != nil {
		t.Fatal(err)
	}
	return buf.Bytes()
}
