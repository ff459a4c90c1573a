//go:build stack

package interop

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	velerov1 "github.com/vmware-tanzu/velero/pkg/apis/velero/v1"

	"github.com/lifeboat-backup/lifeboat/internal/archive/layout"
	"github.com/lifeboat-backup/lifeboat/internal/config"
	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/drill/evidence"
	"github.com/lifeboat-backup/lifeboat/internal/store"
	"github.com/lifeboat-backup/lifeboat/test/harness"
)

// TestProvenWhereNothingIsWritten: backups of Velero's, edited into the forms in which other
// versions and other hands leave them, are rehearsed and drilled by a worker with one ReadOnly
// location, into which nothing is written and nothing is tried to be. TestRecordedBuckets has what
// versions left themselves.
func TestProvenWhereNothingIsWritten(t *testing.T) {
	t.Parallel()
	p, ctx := start(t)
	ns := p.namespace(t, ctx, "proven")
	p.kubectl(t, ctx, "", "-n", ns, "create", "deployment", "web", "--image=registry.k8s.io/pause:3.10", "--replicas=1")
	p.kubectl(t, ctx, "", "-n", ns, "create", "configmap", "c", "--from-literal=k=v")
	p.kubectl(t, ctx, "", "-n", ns, "rollout", "status", "deployment/web", "--timeout=2m")
	origin := p.name("velero-proven")
	if err := p.velero.Backup(ctx, origin, "--include-namespaces="+ns); err != nil {
		t.Fatal(err)
	}
	s3, writes := harness.ReadOnlyS3(t, p.Stack.S3.Endpoint)
	h, err := harness.New(ctx, shared, p.bin, t.TempDir(), harness.Options{Cluster: "proven-" + p.run, S3: s3, Edit: readsOnly(t)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(h.Close)
	var forms []variant
	for _, v := range variants {
		if v.phase == "" { // others are not good, and not drilled
			forms = append(forms, v)
		}
	}
	for _, v := range forms {
		f := p.filesOf(t, ctx, origin)
		v.edit(t, f)
		p.copyFiles(t, ctx, h.Cluster, v.name, f)
	}
	before := listing(t, ctx, h.Store)
	if _, err := h.StartWorker(ctx); err != nil {
		t.Fatal(err)
	}
	for _, v := range forms {
		t.Run(v.name, func(t *testing.T) {
			rehearses(t, ctx, h, v.name)
			drills(t, ctx, h, v.name)
		})
	}
	refused(t, ctx, h, forms[0].name)
	if now := listing(t, ctx, h.Store); !slices.Equal(now, before) {
		t.Errorf("the bucket has changed:\n%q\n%q", before, now)
	}
	if tried := writes(); len(tried) > 0 {
		t.Errorf("tried to write: %q", tried)
	}
}

// readsOnly is a configuration with one ReadOnly location, whose worker rehearses and drills.
func readsOnly(t *testing.T) func(*config.Config) {
	t.Helper()
	key, err := harness.MakeDrillKey(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	planes, err := harness.Rehearsals()
	if err != nil {
		t.Fatal(err)
	}
	return func(c *config.Config) {
		c.BackupStorageLocations[0].Spec.AccessMode = velerov1.BackupStorageLocationAccessModeReadOnly
		c.Drills.SigningKey = &config.SigningKey{File: key}
		c.Rehearsal = planes
	}
}

// copyFiles puts a backup's files into the bucket of another Lifeboat, which shares the stack's.
func (p *peers) copyFiles(t *testing.T, ctx context.Context, prefix, backup string, f files) {
	t.Helper()
	to, err := harness.New(ctx, shared, p.bin, t.TempDir(), harness.Options{Cluster: prefix})
	if err != nil {
		t.Fatal(err)
	}
	defer to.Close()
	f.change(t, func(doc map[string]any) { part(doc, "metadata")["name"] = backup })
	for name, body := range f {
		if name != document {
			name = backup + name
		}
		if err := to.Store.Put(ctx, layout.BackupDir(backup)+name, body, store.PutOptions{}); err != nil {
			t.Fatal(err)
		}
	}
}

func listing(t *testing.T, ctx context.Context, st store.Store) (all []string) {
	t.Helper()
	err := st.List(ctx, "", func(i store.Info) error {
		all = append(all, fmt.Sprint(i.Key, " ", i.Size, " ", i.ETag, " ", i.Modified))
		return nil
	})
	if err != nil || len(all) == 0 {
		t.Fatal(all, err)
	}
	return all
}

// rehearses proves a backup in a control plane of its own.
func rehearses(t *testing.T, ctx context.Context, h *harness.Harness, backup string) {
	t.Helper()
	var rehearsal contract.RehearsalResult
	out, err := h.Run(ctx, "backup", "rehearse", backup, "-o", "json")
	if err == nil {
		err = json.Unmarshal([]byte(out), &rehearsal)
	}
	if err != nil || rehearsal.Level != contract.LevelEqual {
		t.Errorf("rehearsal: %v\n%s", err, out)
	}
}

// drills proves a backup with its workloads.
func drills(t *testing.T, ctx context.Context, h *harness.Harness, backup string) {
	t.Helper()
	var drill contract.DrillResult
	out, err := h.Run(ctx, "drill", "run", "--from-backup", backup, "-o", "json")
	if err == nil {
		err = json.Unmarshal([]byte(out), &drill)
	}
	if err != nil || !drill.Passed() || drill.Level != contract.LevelReady || drill.Key != "" {
		t.Fatalf("drill: %v\n%s", err, out)
	}
	e, err := evidence.Read([]byte(drill.Evidence))
	if err != nil || e.Statement.Predicate.Teardown.Outcome != evidence.TeardownComplete {
		t.Errorf("evidence: %v: %+v", err, e.Statement.Predicate.Teardown)
	}
}

// refused has a drill end before it has begun. Its evidence is where the error is.
func refused(t *testing.T, ctx context.Context, h *harness.Harness, backup string) {
	t.Helper()
	var drill contract.DrillResult
	out, err := h.Run(ctx, "drill", "run", "--from-backup", backup, "--include-namespaces", "not-there", "-o", "json")
	if err == nil || !strings.Contains(err.Error(), "not-there") {
		t.Errorf("ends with %v", err)
	}
	if err := json.Unmarshal([]byte(out), &drill); err != nil || drill.Passed() || drill.Key != "" {
		t.Fatalf("result: %v\n%s", err, out)
	}
	e, err := evidence.Read([]byte(drill.Evidence))
	if failures := e.Statement.Predicate.Claim.Failures; err != nil || len(failures) == 0 || failures[len(failures)-1].Code != evidence.Aborted {
		t.Errorf("evidence: %v: %+v", err, failures)
	}
}
