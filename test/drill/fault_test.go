//go:build stack

package drill

import (
	"bytes"
	"context"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/lifeboat-backup/lifeboat/internal/archive/layout"
	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/drill/evidence"
	"github.com/lifeboat-backup/lifeboat/internal/store"
)

// stuck is a workload that never becomes ready in a copy: its pods fit no node then.
const stuck = `
{apiVersion: v1, kind: Namespace, metadata: {name: <ns>}}
---
{apiVersion: v1, kind: ConfigMap, metadata: {name: c, namespace: <ns>}, data: {k: v}}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: <ns>}
spec:
  replicas: 1
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {nodeSelector: {none: has}, containers: [{name: web, image: "registry.k8s.io/pause:3.10"}]}
`

// setUpStuck backs a workload up that is not ready, and will not be.
func setUpStuck(t *testing.T, short string) (ns, backup string) {
	t.Helper()
	ns = short + "-" + shared.ID
	apply(t, strings.ReplaceAll(stuck, "<ns>", ns))
	cli(t, 0, "backup", "create", short, "--include-namespaces", ns, "--wait")
	return ns, short
}

func apply(t *testing.T, manifest string) {
	t.Helper()
	if _, err := shared.Kubectl(t.Context(), manifest, "apply", "-f", "-"); err != nil {
		t.Fatal(err)
	}
}

// checkFailed wants a drill to have failed at a level, for a cause that names something, and its
// copy to be gone all the same.
func checkFailed(t *testing.T, p evidence.Predicate, level evidence.Level, code evidence.FailureCode, says string) {
	t.Helper()
	if p.Claim.Level != level || !strings.Contains(jsonOf(p.Claim), `"`+string(code)+`"`) || !strings.Contains(jsonOf(p.Claim), says) {
		t.Errorf("want %s with %s that says %q: %s", level, code, says, jsonOf(p.Claim))
	}
	if p.Teardown.Outcome != evidence.TeardownComplete {
		t.Errorf("teardown %+v", p.Teardown)
	}
}

// TestNotReady: what is not ready is named with its cause.
func TestNotReady(t *testing.T) {
	_, name := setUpStuck(t, "stuck")
	_, p := drill(t, 3, "stuck", "--from-backup", name, "--ready-timeout", "3s")
	checkFailed(t, p, evidence.L3, evidence.LevelMissed, "0 of 1 pods are ready; pod web-")
}

// TestTooSlow: an objective that is not reached fails a drill that proves everything.
func TestTooSlow(t *testing.T) {
	_, name := setUpStuck(t, "slow")
	_, p := drill(t, 3, "slow", "--from-backup", name, "--level", "L2", "--rto", "1ms", "--ready-timeout", "1s")
	checkFailed(t, p, evidence.L3, evidence.RTOExceeded, "1ms is wanted")
}

const definition = `
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: orders.<id>.example.com}
spec:
  group: <id>.example.com
  scope: Namespaced
  names: {plural: orders, singular: order, kind: Order}
  versions: [{name: v1, served: true, storage: true, schema: {openAPIV3Schema: {type: object, x-kubernetes-preserve-unknown-fields: true}}}]
`

// TestCustomResources: a custom resource is tried and not created unless its kind is allowed; one
// whose definition the cluster lacks is lost, and named.
func TestCustomResources(t *testing.T) {
	ns, group := "custom-"+shared.ID, "d"+shared.ID+".example.com"
	crd := strings.ReplaceAll(definition, "<id>", "d"+shared.ID)
	apply(t, crd)
	if _, err := shared.Kubectl(t.Context(), "", "wait", "--for=condition=Established", "crd/orders."+group, "--timeout=1m"); err != nil {
		t.Fatal(err)
	}
	apply(t, strings.ReplaceAll(`{apiVersion: v1, kind: Namespace, metadata: {name: <ns>}}`, "<ns>", ns))
	apply(t, "{apiVersion: "+group+"/v1, kind: Order, metadata: {name: one, namespace: "+ns+"}, spec: {count: 1}}")
	cli(t, 0, "backup", "create", "custom", "--include-namespaces", ns, "--wait")

	_, p := drill(t, 0, "custom", "--from-backup", "custom")
	if !strings.Contains(jsonOf(p.Objects), `"code":"KIND_NOT_ALLOWED"`) {
		t.Errorf("not kept out: %s", jsonOf(p.Objects))
	}
	_, p = drill(t, 0, "custom", "--from-backup", "custom", "--allow-kinds", "orders."+group)
	if strings.Contains(jsonOf(p.Objects), `"code":"KIND_NOT_ALLOWED"`) {
		t.Errorf("kept out though allowed: %s", jsonOf(p.Objects))
	}
	if _, err := shared.Kubectl(t.Context(), "", "delete", "crd", "orders."+group, "--timeout=1m"); err != nil {
		t.Fatal(err)
	}
	_, p = drill(t, 3, "custom", "--from-backup", "custom")
	checkFailed(t, p, evidence.L0, evidence.ObjectsLost, "TYPE_NOT_SERVED")
}

// TestCorrupt: a backup of which a byte differs is found at L0, and the file is named.
func TestCorrupt(t *testing.T) {
	_, name := setUpStuck(t, "corrupt")
	key := layout.Backup{Name: name}.Tarball()
	body, _, err := shared.Store.Get(t.Context(), key)
	if err != nil {
		t.Fatal(err)
	}
	content, err := io.ReadAll(body)
	if err != nil {
		t.Fatal(err)
	}
	content = bytes.Clone(content)
	content[len(content)/3] ^= 1
	if err := shared.Store.Put(t.Context(), key, content, store.PutOptions{}); err != nil {
		t.Fatal(err)
	}
	res, err := shared.CLI(t.Context(), "drill", "run", "corrupt", "--from-backup", name, "--wait")
	if err != nil || res.Code != 2 {
		t.Errorf("exit %d: %v\n%s%s", res.Code, err, res.Out, res.Err)
	}
	p := latest(t)
	checkFailed(t, p, evidence.LevelNone, evidence.Aborted, key)
	if l0 := p.Claim.Levels[0]; l0.Outcome != evidence.LevelFailed || !strings.Contains(l0.Detail, key) {
		t.Errorf("L0 %+v", l0)
	}
}

// latest is the evidence of the last drill.
func latest(t *testing.T) evidence.Predicate {
	t.Helper()
	var last string
	err := shared.Store.List(t.Context(), layout.DrillDir(shared.Cluster), func(i store.Info) error {
		last = i.Key
		return nil
	})
	if err != nil || last == "" {
		t.Fatalf("no evidence: %v", err)
	}
	return stored(t, last)
}

// begin starts a drill that waits for a workload, and returns when it does.
func begin(t *testing.T, name, backup, timeout string) {
	t.Helper()
	cli(t, 0, "drill", "run", name, "--from-backup", backup, "--ready-timeout", timeout)
	for end := time.Now().Add(time.Minute); ; time.Sleep(200 * time.Millisecond) {
		value, err := shared.Temporal.QueryWorkflow(t.Context(), contract.DrillID(shared.Cluster), "", contract.ProgressQuery)
		var p contract.Progress
		if err == nil && value.Get(&p) == nil && strings.HasPrefix(p.Step, "waiting until workloads") {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("does not get to waiting: %+v, %v", p, err)
		}
	}
}

// copies are the namespaces of drills that are there.
func copies(t *testing.T) []map[string]any {
	t.Helper()
	return shared.List(t, "namespaces", "", contract.DrillLabel)
}

func await(t *testing.T) error {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	return shared.Temporal.GetWorkflow(ctx, contract.DrillID(shared.Cluster), "").Get(ctx, nil)
}

// TestKilled: a drill goes on with another worker; meanwhile no other begins.
func TestKilled(t *testing.T) {
	_, name := setUpStuck(t, "killed")
	begin(t, "killed", name, "20s")
	res, err := shared.CLI(t.Context(), "drill", "run", "other", "--from-backup", name)
	if err != nil || res.Code != 5 || !strings.Contains(res.Err, `drill "killed" is already running since `) {
		t.Errorf("a second one: exit %d, %v: %s", res.Code, err, res.Err)
	}
	shared.Worker.Kill()
	shared.ReplaceWorker(t)
	if err := await(t); err != nil {
		t.Fatal(err)
	}
	checkFailed(t, latest(t), evidence.L3, evidence.LevelMissed, "deployment")
	if left := copies(t); len(left) > 0 {
		t.Errorf("left: %v", left)
	}
}

// TestCancelled: the copy of a drill that is cancelled, or stopped, goes; the evidence says why.
func TestCancelled(t *testing.T) {
	_, name := setUpStuck(t, "cancelled")
	for want, end := range map[string]func() error{
		"cancelled":                 func() error { return shared.Temporal.CancelWorkflow(t.Context(), contract.DrillID(shared.Cluster), "") },
		"somebody asked it to stop": func() error { _, err := shared.Run(t.Context(), "drill", "stop"); return err },
	} {
		begin(t, "cancelled", name, "5m")
		if err := end(); err != nil {
			t.Fatal(err)
		}
		if err := await(t); err == nil {
			t.Error("ends well")
		}
		checkFailed(t, latest(t), evidence.L3, evidence.Aborted, want)
		if left := copies(t); len(left) > 0 {
			t.Errorf("left: %v", left)
		}
	}
}

// TestLost: what a drill has left whose run was terminated is removed before the next begins.
func TestLost(t *testing.T) {
	_, name := setUpStuck(t, "lost")
	begin(t, "lost", name, "5m")
	if err := shared.Temporal.TerminateWorkflow(t.Context(), contract.DrillID(shared.Cluster), "", "test"); err != nil {
		t.Fatal(err)
	}
	if len(copies(t)) != 1 {
		t.Fatal("there is nothing lost")
	}
	// Garbage collection knows it, and whose it was; it removes it after the grace period, an hour at least.
	res, err := shared.CLI(t.Context(), "gc", "plan", "-o", "json")
	if id := copies(t)[0]["metadata"].(map[string]any)["labels"].(map[string]any)[contract.DrillLabel].(string); err != nil || res.Code != 0 || !strings.Contains(res.Out, `"`+id+`"`) || !strings.Contains(res.Out, contract.DrillID(shared.Cluster)) {
		t.Errorf("garbage collection does not know of %s: exit %d, %v\n%s%s", id, res.Code, err, res.Out, res.Err)
	}
	_, p := drill(t, 3, "lost", "--from-backup", name, "--ready-timeout", "1s")
	checkFailed(t, p, evidence.L3, evidence.LevelMissed, "deployment")
	if left := copies(t); len(left) > 0 {
		t.Errorf("left: %v", left)
	}
}

// TestRefused: what cannot begin says what to do; where its backup is known there is evidence, and
// somebody is told in any case.
func TestRefused(t *testing.T) {
	ns, name := setUpStuck(t, "refused")
	for want, args := range map[string][]string{
		"has no namespace":        {"--from-backup", name, "--include-namespaces", "none"},
		"there is no good backup": {"--from-schedule", "none"},
		`no backup "none"`:        {"--from-backup", "none"},
	} {
		res, err := shared.CLI(t.Context(), append([]string{"drill", "run", "refused", "--wait"}, args...)...)
		if err != nil || res.Code == 0 || !strings.Contains(res.Out+res.Err, want) {
			t.Errorf("want %q: exit %d, %v\n%s%s", want, res.Code, err, res.Out, res.Err)
		}
	}
	file := filepath.Join(t.TempDir(), "drill.yaml")
	for _, backup := range []string{name, "none"} {
		text := "apiVersion: lifeboat-backup.github.io/v1\nkind: Drill\nmetadata: {name: told}\nspec: {source: {backup: " + backup + "}, includedNamespaces: [none], notifications: [{name: e, event: {namespace: " + ns + "}}]}\n"
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if res, err := shared.CLI(t.Context(), "drill", "run", "-f", file, "--wait"); err != nil || res.Code == 0 {
			t.Errorf("exit %d, %v", res.Code, err)
		}
	}
	p := latest(t)
	if p.Drill.Name != "told" || p.Source.Backup.Name != name {
		t.Errorf("the last evidence is of %s", p.Drill.Name)
	}
	checkFailed(t, p, evidence.LevelNone, evidence.Aborted, "has no namespace")
	events, err := shared.Kubectl(t.Context(), "", "get", "events", "-n", ns, "--field-selector=reason=DrillFailed", "-o", "jsonpath={.items[*].message}")
	if err != nil || !strings.Contains(events, "has left no evidence") || !strings.Contains(events, "has no namespace") {
		t.Errorf("told %s, %v", events, err)
	}
}
