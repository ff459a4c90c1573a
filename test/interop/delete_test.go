//go:build stack

package interop

import (
	"context"
	"strings"
	"testing"

	"github.com/lifeboat-backup/lifeboat/internal/archive/layout"
)

// Lifeboat deletes backups, Velero's and its own, under Velero's eyes: nothing is
// left in the bucket and Velero forgets them.
func TestLifeboatDeletesWhatVeleroWatches(t *testing.T) {
	p, ctx := start(t)
	ns := p.namespace(t, ctx, "deleted")
	theirs, ours := p.name("velero-deleted"), p.name("ours-deleted")
	if err := p.velero.Backup(ctx, theirs, "--include-namespaces="+ns); err != nil {
		t.Fatal(err)
	}
	p.lifeboat(t, ctx, "backup", "create", ours, "--include-namespaces", ns, "--wait")
	t.Parallel() // meanwhile Velero is restarted, and looks into the bucket
	p.known(t, ctx, ours)
	for _, backup := range []string{theirs, ours} {
		p.lifeboat(t, ctx, "backup", "delete", backup, "--confirm")
		p.checkGone(t, ctx, backup)
	}
	for _, backup := range []string{theirs, ours} {
		await(t, ctx, "velero to forget "+backup, func() (bool, string) {
			_, err := p.velero.Get(ctx, "backups", backup)
			return err != nil && strings.Contains(err.Error(), "404"), ""
		})
	}
	p.available(t, ctx)
}

// Velero deletes a backup of ours: what it leaves is gone when Lifeboat has listed its
// backups, the name is free again, and what else Lifeboat has stays whole.
func TestVeleroDeletesOurBackup(t *testing.T) {
	p, ctx := start(t)
	ns := p.namespace(t, ctx, "removed")
	removed, kept := p.name("ours-removed"), p.name("ours-kept")
	for _, backup := range []string{removed, kept} {
		p.lifeboat(t, ctx, "backup", "create", backup, "--include-namespaces", ns, "--wait")
	}
	t.Parallel() // meanwhile Velero is restarted, and looks into the bucket
	p.known(t, ctx, removed)
	p.veleroRun(t, ctx, "backup", "delete", removed, "--confirm")
	await(t, ctx, "velero to delete "+removed, func() (bool, string) {
		_, err := p.velero.Get(ctx, "backups", removed)
		return err != nil && strings.Contains(err.Error(), "404"), ""
	})
	p.checkForgotten(t, ctx, removed)
	if out := p.lifeboat(t, ctx, "backup", "describe", kept); !strings.Contains(out, "Completed") {
		t.Error(out)
	}
	p.lifeboat(t, ctx, "restore", "create", p.name("kept"), "--from-backup", kept, "--namespace-mappings", ns+":"+ns+"-again", "--wait")
	if out := p.kubectl(t, ctx, "", "-n", ns+"-again", "get", "configmap", "kept", "-o", "jsonpath={.data.value}"); out != "42" {
		t.Errorf("restored %q", out)
	}
	p.lifeboat(t, ctx, "backup", "create", removed, "--include-namespaces", ns, "--wait")
}

// namespace makes one with a ConfigMap in it.
func (p *peers) namespace(t *testing.T, ctx context.Context, name string) string {
	t.Helper()
	ns := p.name(name)
	p.kubectl(t, ctx, "", "create", "namespace", ns)
	p.kubectl(t, ctx, "", "-n", ns, "create", "configmap", "kept", "--from-literal=value=42")
	return ns
}

// checkForgotten lists the backups after Velero has deleted one: at most its catalog entry,
// which Velero does not know, was left, and after the listing nothing is.
func (p *peers) checkForgotten(t *testing.T, ctx context.Context, backup string) {
	t.Helper()
	for _, key := range p.keysOf(t, ctx, backup) {
		if !strings.HasPrefix(key, layout.CatalogDir(backup)) {
			t.Errorf("left of %s: %s", backup, key)
		}
	}
	if out := p.lifeboat(t, ctx, "backup", "get"); strings.Contains(out, backup) {
		t.Errorf("lifeboat backup get shows %s:\n%s", backup, out)
	}
	p.checkGone(t, ctx, backup)
}

// keysOf are the files of a backup and the working files that name it.
func (p *peers) keysOf(t *testing.T, ctx context.Context, backup string) []string {
	t.Helper()
	all := p.keys(t, ctx, layout.BackupDir(backup))
	for _, key := range p.keys(t, ctx, layout.PluginDir) {
		if strings.Contains(key, backup) {
			all = append(all, key)
		}
	}
	return all
}

// checkGone fails if there are keys of the backup, or if Lifeboat knows it.
func (p *peers) checkGone(t *testing.T, ctx context.Context, backup string) {
	t.Helper()
	if left := p.keysOf(t, ctx, backup); len(left) > 0 {
		t.Errorf("left of %s: %v", backup, left)
	}
	res, err := p.CLI(ctx, "backup", "get", backup)
	if err != nil || res.Code == 0 || !strings.Contains(res.Err, "not found") {
		t.Errorf("lifeboat backup get %s: exit %d, %s %s %v", backup, res.Code, res.Out, res.Err, err)
	}
}

// available: nothing we keep in the bucket makes Velero refuse it.
func (p *peers) available(t *testing.T, ctx context.Context) {
	t.Helper()
	if out := p.veleroRun(t, ctx, "backup-location", "get"); !strings.Contains(out, "Available") || strings.Contains(out, "Unavailable") {
		t.Error(out)
	}
}
