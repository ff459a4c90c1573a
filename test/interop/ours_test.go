//go:build stack

package interop

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/lifeboat-backup/lifeboat/internal/archive/layout"
	"github.com/lifeboat-backup/lifeboat/internal/store"
	"github.com/lifeboat-backup/lifeboat/test/compare"
	"github.com/lifeboat-backup/lifeboat/test/stack"
)

// A backup of ours, found by Velero in the bucket and restored by it.
func TestVeleroRestoresOurBackup(t *testing.T) {
	p, ctx := start(t)
	f := p.app(t, ctx, "small", 31001)
	before, port := f.state(t, ctx), f.nodePort(t, ctx)
	backup := p.name("ours-small")
	// The manifest is what Velero's CLI prints, taken as it is.
	manifest := p.veleroRun(t, ctx, "backup", "create", backup, "--include-namespaces="+f.List(), "--ttl=240h", "-o", "yaml")
	file := filepath.Join(t.TempDir(), "velero-backup.yaml")
	if err := os.WriteFile(file, []byte(manifest), 0o600); err != nil {
		t.Fatal(err)
	}
	p.lifeboat(t, ctx, "backup", "create", "-f", file, "--wait")
	t.Parallel() // meanwhile Velero is restarted, and looks into the bucket
	f.destroy(t, ctx, related)
	p.known(t, ctx, backup)
	t.Run("describe", func(t *testing.T) { p.veleroDescribes(t, ctx, backup, f) })
	t.Run("one type", func(t *testing.T) { p.veleroRestoresOneType(t, ctx, backup, f, before) })
	t.Run("whole", func(t *testing.T) {
		if err := p.velero.Restore(ctx, p.name("small-whole"), "--from-backup="+backup); err != nil {
			t.Fatal(err)
		}
		f.identical(t, ctx, before)
		if now := f.nodePort(t, ctx); now != port {
			t.Errorf("stated node port is %s, was %s", now, port)
		}
	})
	t.Run("mapped", func(t *testing.T) { p.veleroRestoresMapped(t, ctx, backup, f) })
}

// veleroDescribes: every file that Velero's CLI reads is there and says what we mean.
func (p *peers) veleroDescribes(t *testing.T, ctx context.Context, backup string, f *fixture) {
	list := p.veleroRun(t, ctx, "backup", "get", backup)
	if !strings.Contains(list, "Completed") {
		t.Errorf("velero backup get: %s", list)
	}
	out := p.veleroRun(t, ctx, "backup", "describe", backup, "--details", "--colorized=false")
	clean(t, "velero backup describe", out)
	for _, want := range []string{
		"Phase:  Completed", "Resource List:", "apps/v1/Deployment:", f.Namespaces()[0] + "/web", f.Prefix + ".example.com/v1/Widget:",
		"Backup Format Version:  1.1.0", "Backup Volumes:",
	} {
		if !strings.Contains(out, want) {
			t.Errorf("velero backup describe --details lacks %q:\n%s", want, out)
		}
	}
	var doc map[string]any
	if err := json.Unmarshal([]byte(p.veleroRun(t, ctx, "backup", "describe", backup, "--details", "-o", "json")), &doc); err != nil {
		t.Errorf("velero backup describe -o json: %v", err)
	}
	logs := p.veleroRun(t, ctx, "backup", "logs", backup)
	if !strings.Contains(logs, "backup started") || strings.Contains(logs, "An error occurred") {
		t.Errorf("velero backup logs: %s", logs)
	}
}

// veleroRestoresOneType: nothing but the type, in a cluster where nothing else is.
func (p *peers) veleroRestoresOneType(t *testing.T, ctx context.Context, backup string, f *fixture, before compare.State) {
	if err := p.velero.Restore(ctx, p.name("small-one"), "--from-backup="+backup, "--include-resources=secrets", "--include-namespaces="+f.Namespaces()[0]); err != nil {
		t.Fatal(err)
	}
	after, err := compare.Take(ctx, p.Kube, f.keep)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for key := range after {
		if !strings.Contains(key, " /") || strings.HasPrefix(key, "namespaces ") { // the cluster-scoped were not all lost
			got = append(got, key)
		}
	}
	slices.Sort(got)
	ns := f.Namespaces()[0]
	want := []string{"namespaces /" + ns, "secrets " + ns + "/credentials", "serviceaccounts " + ns + "/default"}
	if !slices.Equal(got, want) {
		t.Errorf("velero restored %v, want %v", got, want)
	}
	key := "secrets " + ns + "/credentials"
	if diff := compare.Diff(compare.State{key: before[key]}, compare.State{key: after[key]}); len(diff) > 0 {
		t.Error(diff)
	}
}

// veleroRestoresMapped: into another namespace, beside the first.
func (p *peers) veleroRestoresMapped(t *testing.T, ctx context.Context, backup string, f *fixture) {
	from, to := f.Namespaces()[0], p.name("mapped")
	if err := p.velero.Restore(ctx, p.name("small-mapped"), "--from-backup="+backup, "--include-namespaces="+from,
		"--namespace-mappings="+from+":"+to, "--exclude-resources=services,endpoints,endpointslices.discovery.k8s.io"); err != nil {
		t.Fatal(err)
	}
	sameMapped(t, ctx, p, from, to, func(resource string) bool { return resource == "services" })
}

// sameMapped compares the objects of two namespaces as if they were of one.
func sameMapped(t *testing.T, ctx context.Context, p *peers, from, to string, left func(resource string) bool) {
	t.Helper()
	before, err := p.renamed(ctx, from, from, left)
	if err != nil {
		t.Fatal(err)
	}
	same(t, ctx, before, func() (compare.State, error) { return p.renamed(ctx, to, from, left) })
}

// renamed is the state of a namespace as if it had another name, except for the types that are left out.
func (p *peers) renamed(ctx context.Context, ns, name string, left func(resource string) bool) (compare.State, error) {
	s, err := compare.Take(ctx, p.Kube, func(resource, namespace, _ string) bool { return namespace == ns && !left(resource) })
	if err != nil {
		return nil, err
	}
	text, err := json.Marshal(s)
	if err != nil {
		return nil, err
	}
	var as compare.State
	return as, json.Unmarshal([]byte(strings.ReplaceAll(string(text), ns, name)), &as)
}

// A Velero that reads the copies by version restores our backups too.
func TestVeleroWithAPIGroupVersionsRestoresOurBackup(t *testing.T) {
	t.Parallel()
	p, ctx := start(t)
	ns, backup := p.name("versions"), p.name("ours-versions")
	p.kubectl(t, ctx, "", "create", "namespace", ns)
	p.kubectl(t, ctx, "", "-n", ns, "create", "configmap", "kept", "--from-literal=value=42")
	p.kubectl(t, ctx, "", "-n", ns, "create", "deployment", "kept", "--image=registry.k8s.io/pause:3.10", "--replicas=0")
	p.lifeboat(t, ctx, "backup", "create", backup, "--include-namespaces", ns, "--wait")
	p.spoilPlain(t, ctx, backup)
	before, err := compare.Take(ctx, p.Kube, inside(ns))
	if err != nil {
		t.Fatal(err)
	}
	o := p.server
	o.Namespace, o.Args = "velero-versions-"+p.run, append([]string{"--features=EnableCSI,EnableAPIGroupVersions"}, o.Args...)
	v, err := shared.StartVelero(ctx, o)
	if err == nil {
		v, err = shared.StartVelero(ctx, o) // it looks into the bucket when it starts, if the location is known to be well
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = v.Stop(context.Background()) })
	p.kubectl(t, ctx, "", "delete", "namespace", ns, "--timeout=120s")
	knownTo(t, ctx, v, backup)
	if err := v.Restore(ctx, p.name("versions"), "--from-backup="+backup); err != nil {
		t.Fatal(err)
	}
	same(t, ctx, before, func() (compare.State, error) { return compare.Take(ctx, p.Kube, inside(ns)) })
}

func knownTo(t *testing.T, ctx context.Context, v *stack.Velero, backup string) {
	t.Helper()
	await(t, ctx, "velero to find "+backup, func() (bool, string) {
		_, err := v.Get(ctx, "backups", backup)
		return err == nil, ""
	})
}

func inside(ns string) func(resource, namespace, name string) bool {
	return func(resource, namespace, name string) bool {
		return namespace == ns || resource == "namespaces" && name == ns
	}
}

// spoilPlain changes the copy of the ConfigMap at its plain path, so that it shows
// which of the two was restored.
func (p *peers) spoilPlain(t *testing.T, ctx context.Context, backup string) {
	t.Helper()
	key := layout.Backup{Name: backup}.Tarball()
	entries, spoilt := p.tarball(t, ctx, backup), 0
	for i, e := range entries {
		if strings.HasSuffix(e.path, "/kept.json") && !strings.Contains(e.path, "-preferredversion/") {
			other := bytes.ReplaceAll(e.body, []byte(`"42"`), []byte(`"41"`))
			if !bytes.Equal(other, e.body) {
				entries[i].body = other
				spoilt++
			}
		}
	}
	if spoilt != 1 {
		t.Fatalf("%d copies changed", spoilt)
	}
	if err := p.Store.Put(ctx, key, pack(t, entries), store.PutOptions{}); err != nil {
		t.Fatal(err)
	}
}
