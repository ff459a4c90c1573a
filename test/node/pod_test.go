//go:build stack

package node

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const writer = `
apiVersion: v1
kind: Pod
metadata: {name: writer}
spec:
  terminationGracePeriodSeconds: 0
  securityContext: {runAsUser: 70, runAsGroup: 70, fsGroup: 70}
  containers:
  - name: writer
    image: docker.io/library/busybox:1.35
    command: [sh, -c, "echo it runs; exec sleep 100000"]
    volumeMounts: [{name: data, mountPath: /data}]
  - name: beside
    image: docker.io/library/busybox:1.35
  volumes: [{name: data, emptyDir: {}}]
`

// TestPod shows that Pods run: logs, commands with output and exit codes,
// and files of a user that is not root.
func TestPod(t *testing.T) {
	t.Parallel()
	c := plain(t)
	ns := c.namespace(t, "pod")
	c.applyIn(t, ns, writer)
	c.ready(t, ns, "writer")
	if got := c.kubectl(t, "logs", "--namespace", ns, "writer", "--container", "writer"); got != "it runs\n" {
		t.Errorf("logs: %q", got)
	}
	c.write(t, ns, "writer", "/data/file", "some bytes")
	if got := c.exec(t, ns, "writer", "sh", "-c", "cat /data/file; stat -c ' %u' /data/file"); got != "some bytes 70" {
		t.Errorf("read back: %q", got)
	}
	if got := c.kubectl(t, "exec", "--namespace", ns, "writer", "--container=beside", "--", "hostname"); got != "writer\n" {
		t.Errorf("host name in the second container: %q", got)
	}
	_, err := c.Kubectl(t.Context(), "", "exec", "--namespace", ns, "writer", "--", "sh", "-c", "exit 7")
	if err == nil || !strings.Contains(err.Error(), "exit code 7") {
		t.Errorf("a command that fails: %v", err)
	}
	c.onDisk(t, "some bytes")
}

// onDisk looks for the one emptyDir file on the machine: data is no more than files.
func (c cluster) onDisk(t *testing.T, want string) {
	t.Helper()
	files, err := filepath.Glob(c.Stack.KubeletDir() + "/pods/*/volumes/kubernetes.io~empty-dir/data/file")
	if err != nil || len(files) != 1 {
		t.Fatalf("files on the machine: %v %v", files, err)
	}
	if got, err := os.ReadFile(files[0]); err != nil || string(got) != want {
		t.Errorf("%s: %q %v", files[0], got, err)
	}
}
