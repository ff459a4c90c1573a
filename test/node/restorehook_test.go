//go:build stack

package node

import (
	"strings"
	"testing"

	"github.com/lifeboat-backup/lifeboat/test/harness"
)

// greeter is a Pod that a restore greets: an init container of the hook, then a
// command in the running container.
const greeter = `
apiVersion: v1
kind: Pod
metadata:
  name: <name>
  annotations:
    init.hook.restore.velero.io/container-image: docker.io/library/busybox:1.35
    init.hook.restore.velero.io/container-name: before
    init.hook.restore.velero.io/command: '["sh", "-c", "echo before the others"]'
    post.hook.restore.velero.io/container: second
    post.hook.restore.velero.io/command: '["sh", "-c", "<command>"]'
    post.hook.restore.velero.io/exec-timeout: 5s
    post.hook.restore.velero.io/wait-timeout: 1m
spec:
  terminationGracePeriodSeconds: 0
  containers:
  - name: first
    image: docker.io/library/busybox:1.35
    volumeMounts: [{name: data, mountPath: /data}]
  - name: second
    image: docker.io/library/busybox:1.35
    volumeMounts: [{name: data, mountPath: /data}]
  volumes: [{name: data, emptyDir: {}}]
`

// TestRestoreHooks runs both kinds of hooks in restored Pods, once each, and ends a
// command that does not.
func TestRestoreHooks(t *testing.T) {
	t.Parallel()
	c := lifeboat(t, shared, harness.Options{Cluster: "greet", Edit: withDisks(shared)})
	ns := c.namespace(t, "greet")
	c.applyIn(t, ns, strings.NewReplacer("<name>", "good", "<command>", "echo restored >>/data/log").Replace(greeter))
	c.applyIn(t, ns, strings.NewReplacer("<name>", "endless", "<command>", "echo begun >>/data/log; sleep 87654").Replace(greeter))
	c.ready(t, ns, "good")
	c.ready(t, ns, "endless")
	if _, err := c.Run(t.Context(), "backup", "create", "greet", "--include-namespaces", ns, "--wait"); err != nil {
		t.Fatal(err)
	}
	c.kubectl(t, "delete", "namespace", ns, "--timeout=120s")

	res, err := c.CLI(t.Context(), "restore", "create", "greet", "--from-backup", "greet", "--wait")
	if err != nil || !strings.Contains(res.Out, "PartiallyFailed") {
		t.Errorf("the restore with a hook that does not end: %v %+v", err, res)
	}
	for pod, want := range map[string]string{"good": "restored", "endless": "begun"} {
		c.ready(t, ns, pod)
		if got := c.exec(t, ns, pod, "cat", "/data/log"); got != want {
			t.Errorf("%s: hook left %q, want %q", pod, got, want)
		}
		if got := c.kubectl(t, "logs", "--namespace", ns, pod, "--container", "before"); got != "before the others\n" {
			t.Errorf("%s: init container printed %q", pod, got)
		}
	}
	if left := running(t, "87654"); len(left) > 0 {
		t.Errorf("still running: %q", left)
	}
	described, err := c.Run(t.Context(), "restore", "describe", "greet", "--details")
	if err != nil || !strings.Contains(described, "endless") || !strings.Contains(described, "hook") {
		t.Errorf("the restore does not say which hook failed: %v\n%s", err, described)
	}
}
