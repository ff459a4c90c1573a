//go:build stack

package node

import (
	"context"
	"errors"
	"path/filepath"
	"strings"
	"testing"

	velerov1 "github.com/vmware-tanzu/velero/pkg/apis/velero/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"
	"sigs.k8s.io/yaml"

	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/test/harness"
)

// hooked are two Pods: one asks for its hooks by annotations, one leaves them to the
// restore.
const hooked = `
apiVersion: v1
kind: Pod
metadata:
  name: noted
  annotations:
    init.hook.restore.velero.io/container-image: docker.io/library/busybox:1.35
    init.hook.restore.velero.io/container-name: prepare
    init.hook.restore.velero.io/command: '["sh", "-c", "echo prepared"]'
    post.hook.restore.velero.io/command: '["sh", "-c", "echo noted >>/data/log"]'
spec:
  terminationGracePeriodSeconds: 0
  containers:
  - name: app
    image: docker.io/library/busybox:1.35
    volumeMounts: [{name: data, mountPath: /data}]
  volumes: [{name: data, emptyDir: {}}]
---
apiVersion: v1
kind: Pod
metadata: {name: plain, labels: {hooks: spec}}
spec:
  terminationGracePeriodSeconds: 0
  initContainers:
  - name: own
    image: docker.io/library/busybox:1.35
    command: [sh, -c, "echo own >>/data/log"]
    volumeMounts: [{name: data, mountPath: /data}]
  containers:
  - name: app
    image: docker.io/library/busybox:1.35
    volumeMounts: [{name: data, mountPath: /data}]
  - name: late
    image: docker.io/library/busybox:1.35
    readinessProbe: {exec: {command: [test, -e, /data/go]}, periodSeconds: 1}
    volumeMounts: [{name: data, mountPath: /data}]
  volumes: [{name: data, emptyDir: {}}]
`

// restoreHooks are a Restore's hooks for the second Pod in namespace <target>. The
// hook of the container that gets ready late comes first and runs last.
const restoreHooks = `
resources:
- name: warm
  includedNamespaces: [<target>]
  labelSelector: {matchLabels: {hooks: spec}}
  postHooks:
  - init:
      initContainers:
      - {name: first, image: "docker.io/library/busybox:1.35", command: [sh, -c, "echo first >>/data/log"], volumeMounts: [{name: data, mountPath: /data}]}
  - exec: {container: late, command: [sh, -c, "echo late >>/data/log; echo the reason >&2; exit 5"], waitForReady: true, onError: Fail}
  - exec: {container: app, command: [sh, -c, "echo one >>/data/log"]}
  - exec: {container: app, command: [sleep, "43219"], execTimeout: 5s, onError: Continue}
  - exec: {container: app, command: [sh, -c, "echo two >>/data/log; touch /data/go"]}
  - exec: {container: late, command: [sh, -c, "echo never >>/data/log"]}
`

// hookedBackup is a backup of the Pods, and the namespace to restore them into.
func hookedBackup(t *testing.T, c cluster, manifest string) (backup, source, target string) {
	t.Helper()
	source = c.namespace(t, "hooked")
	target = source + "-copy"
	c.forget(t, target)
	c.applyIn(t, source, manifest)
	backup = "backup-" + source
	if _, err := c.Run(t.Context(), "backup", "create", backup, "--include-namespaces", source, "--snapshot-volumes=false", "--wait"); err != nil {
		t.Fatal(err)
	}
	return backup, source, target
}

func (c cluster) restoreWithHooks(t *testing.T, name, backup, source, target, hooks string, dry bool) client.WorkflowRun {
	t.Helper()
	in := contract.RestoreInput{Name: name, DryRun: dry, Spec: velerov1.RestoreSpec{BackupName: backup, NamespaceMapping: map[string]string{source: target}}}
	if err := yaml.Unmarshal([]byte(strings.ReplaceAll(hooks, "<target>", target)), &in.Spec.Hooks); err != nil {
		t.Fatal(err)
	}
	run, err := c.Temporal.ExecuteWorkflow(t.Context(), client.StartWorkflowOptions{
		ID: contract.RestoreID(c.Cluster, name), TaskQueue: contract.TaskQueue(c.Cluster),
	}, contract.RestoreWorkflow, in)
	if err != nil {
		t.Fatal(err)
	}
	return run
}

func restored(t *testing.T, run client.WorkflowRun) contract.RestoreResult {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	var res contract.RestoreResult
	if err := run.Get(ctx, &res); err != nil {
		t.Fatal(err)
	}
	return res
}

func reasonsHave(t *testing.T, res contract.RestoreResult, texts ...string) {
	t.Helper()
	all := strings.Join(res.Reasons, "\n")
	for _, text := range texts {
		if !strings.Contains(all, text) {
			t.Errorf("no reason says %q:\n%s", text, all)
		}
	}
}

// TestRestoreHooksOfSpec restores Pods with every kind of hook into another namespace.
func TestRestoreHooksOfSpec(t *testing.T) {
	t.Parallel()
	c := lifeboat(t, shared, harness.Options{Cluster: "hooks"})
	backup, source, target := hookedBackup(t, c, hooked)
	dry := restored(t, c.restoreWithHooks(t, "look-"+source, backup, source, target, restoreHooks, true))
	if want := (contract.HookCounts{Attempted: 6}); dry.Hooks != want {
		t.Errorf("the dry run counts %+v", dry.Hooks)
	}
	if _, err := c.Kubectl(t.Context(), "", "get", "namespace", target); err == nil {
		t.Error("the dry run made the namespace")
	}
	res := restored(t, c.restoreWithHooks(t, "restore-"+source, backup, source, target, restoreHooks, false))
	if want := (contract.HookCounts{Attempted: 5, Failed: 2}); res.Phase != "PartiallyFailed" || res.Hooks != want {
		t.Errorf("%s, hooks %+v", res.Phase, res.Hooks)
	}
	reasonsHave(t, res, "the command did not end in time (5s); it was ended", "the command ended with code 5: the reason", "1 hooks were left out")
	if got := c.exec(t, target, "plain", "cat", "/data/log"); got != "first\nown\none\ntwo\nlate" {
		t.Errorf("what happened: %q", got)
	}
	if got := c.exec(t, target, "noted", "cat", "/data/log"); got != "noted" {
		t.Errorf("the hook of annotations left %q", got)
	}
	if got := c.kubectl(t, "logs", "--namespace", target, "noted", "--container", "prepare"); got != "prepared\n" {
		t.Errorf("the init hook of annotations printed %q", got)
	}
	if left := running(t, "43219"); len(left) > 0 {
		t.Errorf("still running: %q", left)
	}
	c.untouched(t, source, res.Name)
}

// untouched checks that the Pods which were backed up know nothing of hooks, and that
// Velero's count of them is in the results.
func (c cluster) untouched(t *testing.T, source, restore string) {
	t.Helper()
	if got := c.exec(t, source, "plain", "cat", "/data/log"); got != "own" {
		t.Errorf("the original Pod has %q", got)
	}
	out, err := c.Run(t.Context(), "restore", "get", restore, "-o", "json")
	if err != nil || !strings.Contains(out, `"hooksAttempted": 5`) || !strings.Contains(out, `"hooksFailed": 2`) {
		t.Errorf("%v: %s", err, out)
	}
}

// podLog is where the machine has a Pod's file /data/log, once the Pod is there.
func (c cluster) podLog(t *testing.T, namespace, pod string) func() string {
	return func() string {
		uid, _ := harness.At(c.Object(t, "pods", namespace, pod), "metadata", "uid").(string)
		return filepath.Join(c.Stack.KubeletDir(), "pods", uid, "volumes/kubernetes.io~empty-dir/data/log")
	}
}

const endless = `
resources:
- name: endless
  postHooks:
  - exec: {execTimeout: 1h, command: [sh, -c, "echo begun >>/data/log; sleep 34567"]}
  - exec: {command: [sh, -c, "echo never >>/data/log"]}
`

// TestRestoreHooksCancelled cancels a restore while a hook runs: its command is ended.
func TestRestoreHooksCancelled(t *testing.T) {
	t.Parallel()
	c := lifeboat(t, shared, harness.Options{Cluster: "gaveup"})
	backup, source, target := hookedBackup(t, c, strings.Split(hooked, "---")[1])
	run := c.restoreWithHooks(t, "restore-"+source, backup, source, target, endless, false)
	within(t, patience, "the hook runs", func() error {
		if len(running(t, "sleep\x0034567")) == 0 { // and not only the shell that starts it
			return errors.New("no process")
		}
		return nil
	})
	if err := c.Temporal.CancelWorkflow(t.Context(), run.GetID(), run.GetRunID()); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	var canceled *temporal.CanceledError
	if err := run.Get(ctx, nil); !errors.As(err, &canceled) {
		t.Errorf("the restore ended with %v", err)
	}
	if left := running(t, "34567"); len(left) > 0 {
		t.Errorf("still running: %q", left)
	}
	if got := c.exec(t, target, "plain", "cat", "/data/log"); got != "own\nbegun" {
		t.Errorf("what happened: %q", got)
	}
}
