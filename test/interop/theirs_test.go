//go:build stack

package interop

import (
	"context"
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"

	velerov1 "github.com/vmware-tanzu/velero/pkg/apis/velero/v1"
)

// A backup of Velero's, shown and restored by Lifeboat.
func TestLifeboatRestoresVelerosBackup(t *testing.T) {
	t.Parallel()
	p, ctx := start(t)
	f := p.app(t, ctx, "theirs", 31002)
	p.ownerships(t, ctx, f)
	before, port := f.state(t, ctx), f.nodePort(t, ctx)
	backup := p.name("velero-ns")
	if err := p.velero.Backup(ctx, backup, "--include-namespaces="+f.List()); err != nil {
		t.Fatal(err)
	}
	t.Run("shown", func(t *testing.T) { p.lifeboatShows(t, ctx, backup, f) })
	f.destroy(t, ctx, related)
	p.lifeboat(t, ctx, "restore", "create", p.name("theirs-whole"), "--from-backup", backup, "--wait")
	f.identical(t, ctx, before)
	if now := f.nodePort(t, ctx); now != port {
		t.Errorf("stated node port is %s, was %s", now, port)
	}
	t.Run("volumes", func(t *testing.T) { p.boundAsBefore(t, ctx, f) })
	t.Run("restore shown", func(t *testing.T) {
		out := p.lifeboat(t, ctx, "restore", "describe", p.name("theirs-whole"))
		if !strings.Contains(out, "Completed") || !strings.Contains(out, backup) {
			t.Error(out)
		}
		if logs := p.lifeboat(t, ctx, "restore", "logs", p.name("theirs-whole")); !strings.Contains(logs, "restore finished") {
			t.Error(logs)
		}
	})
}

// ownerships adds what Velero drops at a restore and we bring back: an owner that is
// no controller, and the fields of a server-side applier.
func (p *peers) ownerships(t *testing.T, ctx context.Context, f *fixture) {
	t.Helper()
	ns := f.Namespaces()[0]
	uid := p.kubectl(t, ctx, "", "-n", ns, "get", "widgets."+f.Prefix+".example.com", "first", "-o", "jsonpath={.metadata.uid}")
	p.kubectl(t, ctx, `{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"owned","namespace":"`+ns+`","ownerReferences":[
		{"apiVersion":"`+f.Prefix+`.example.com/v1","kind":"Widget","name":"first","uid":"`+uid+`"}]},"data":{"of":"widget"}}`,
		"apply", "--server-side", "--field-manager=gitops", "-f", "-")
}

func (p *peers) lifeboatShows(t *testing.T, ctx context.Context, backup string, f *fixture) {
	if out := p.lifeboat(t, ctx, "backup", "get", backup); !strings.Contains(out, backup) || !strings.Contains(out, "Completed") {
		t.Errorf("backup get: %s", out)
	}
	if out := p.lifeboat(t, ctx, "backup", "describe", backup, "--details"); !strings.Contains(out, f.Namespaces()[0]+"/web") || !strings.Contains(out, "Completed") {
		t.Errorf("backup describe: %s", out)
	}
	var doc velerov1.Backup
	if err := json.Unmarshal([]byte(p.lifeboat(t, ctx, "backup", "get", backup, "-o", "json")), &doc); err != nil || doc.Name != backup {
		t.Errorf("backup get -o json: %v %q", err, doc.Name)
	}
	if out := p.lifeboat(t, ctx, "backup", "logs", backup); !strings.Contains(out, "Processing item") {
		t.Errorf("backup logs: %.300s", out)
	}
	file := filepath.Join(t.TempDir(), "backup.tar.gz")
	p.lifeboat(t, ctx, "backup", "download", backup, "--output", file)
	if n := len(unpack(t, read(t, file))); n != len(p.tarball(t, ctx, backup)) {
		t.Errorf("the downloaded tarball has %d entries", n)
	}
}

// boundAsBefore: the kept disk is bound again by name, the others are new ones.
func (p *peers) boundAsBefore(t *testing.T, ctx context.Context, f *fixture) {
	ns := f.Namespaces()[1]
	await(t, ctx, "claims to be bound", func() (bool, string) {
		out := p.kubectl(t, ctx, "", "-n", ns, "get", "pvc", "-o", "jsonpath={range .items[*]}{.metadata.name}={.status.phase}:{.spec.volumeName} {end}")
		return strings.Count(out, "=Bound:") == 3 && strings.Contains(out, "disk=Bound:"+f.Prefix+"-disk"), out
	})
}

// The whole cluster, both ways. It runs alone: everything is compared.
func TestWholeCluster(t *testing.T) {
	p, ctx := start(t)
	f := p.app(t, ctx, "whole", 31003)
	before := p.everything(t, ctx)
	theirs, ours := p.name("velero-all"), p.name("ours-all")
	if err := p.velero.Backup(ctx, theirs, "--include-cluster-resources=true"); err != nil {
		t.Fatal(err)
	}
	p.lifeboat(t, ctx, "backup", "create", ours, "--wait")
	t.Run("velero to lifeboat", func(t *testing.T) {
		f.destroy(t, ctx, related+","+others)
		p.lifeboat(t, ctx, "restore", "create", p.name("all-theirs"), "--from-backup", theirs, "--wait")
		same(t, ctx, before, p.taking(ctx))
	})
	t.Run("lifeboat to velero", func(t *testing.T) {
		p.resync(t, ctx)
		p.known(t, ctx, ours)
		f.destroy(t, ctx, related+","+others)
		if err := p.velero.Restore(ctx, p.name("all-ours"), "--from-backup="+ours); err != nil {
			t.Fatal(err)
		}
		same(t, ctx, before, p.taking(ctx))
	})
	t.Run("same selection", func(t *testing.T) { p.wholeSelections(t, ctx) })
}
