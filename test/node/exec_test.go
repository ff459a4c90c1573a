//go:build stack

package node

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/lifeboat-backup/lifeboat/internal/kube/exec"
)

// shells are a container with a shell and one without: its /bin is empty.
const shells = `
apiVersion: v1
kind: Pod
metadata: {name: shells}
spec:
  terminationGracePeriodSeconds: 0
  initContainers:
  - name: copy
    image: docker.io/library/busybox:1.35
    command: [cp, /bin/busybox, /tools/busybox]
    volumeMounts: [{name: tools, mountPath: /tools}]
  containers:
  - name: shell
    image: docker.io/library/busybox:1.35
  - name: bare
    image: docker.io/library/busybox:1.35
    command: [/tools/busybox, sleep, "100000"]
    volumeMounts: [{name: tools, mountPath: /tools}, {name: empty, mountPath: /bin}]
  volumes: [{name: tools, emptyDir: {}}, {name: empty, emptyDir: {}}]
`

func shellsPod(t *testing.T, short string) (c cluster, namespace string) {
	t.Helper()
	c = plain(t)
	namespace = c.namespace(t, short)
	c.applyIn(t, namespace, shells)
	c.ready(t, namespace, "shells")
	return c, namespace
}

// running are the machine's processes whose arguments have a text: containers hide
// nothing from the machine they run on.
func running(t *testing.T, text string) []string {
	t.Helper()
	files, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		t.Fatal(err)
	}
	var found []string
	for _, file := range files {
		line, err := os.ReadFile(file)
		if err == nil && strings.Contains(string(line), text) {
			found = append(found, strings.ReplaceAll(string(line), "\x00", " "))
		}
	}
	return found
}

// TestExecTimeout shows that a hook's timeout ends the command itself, also one
// that does not care, and what it started, and that the container lives on.
func TestExecTimeout(t *testing.T) {
	t.Parallel()
	c, ns := shellsPod(t, "timeout")
	for name, command := range map[string][]string{
		"gentle":   {"sleep", "54321"},
		"stubborn": {"sh", "-c", `trap "" TERM HUP INT; sleep 54321 & while :; do sleep 54321; done`},
	} {
		t.Run(name, func(t *testing.T) {
			start := time.Now()
			_, err := exec.Run(t.Context(), c.Kube, exec.Request{Namespace: ns, Pod: "shells", Command: command, Timeout: 3 * time.Second})
			var cut *exec.InterruptedError
			if !errors.As(err, &cut) || !errors.Is(err, exec.ErrTimeout) || !cut.Ended() {
				t.Errorf("got %v", err)
			}
			if left := running(t, "54321"); len(left) > 0 {
				t.Errorf("still running: %q", left)
			}
			if took := time.Since(start); took > 20*time.Second {
				t.Errorf("took %v", took)
			}
			c.exec(t, ns, "shells", "true")
		})
	}
}

// TestExecCancelled shows the same for a caller that gives up while the command runs, as a
// cancelled backup does.
func TestExecCancelled(t *testing.T) {
	t.Parallel()
	c, ns := shellsPod(t, "cancelled")
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		defer cancel()
		for end := time.Now().Add(time.Minute); len(running(t, "65432")) == 0 && time.Now().Before(end); {
			time.Sleep(100 * time.Millisecond)
		}
	}()
	_, err := exec.Run(ctx, c.Kube, exec.Request{Namespace: ns, Pod: "shells", Command: []string{"sleep", "65432"}, Timeout: time.Hour})
	var cut *exec.InterruptedError
	if !errors.As(err, &cut) || !errors.Is(err, context.Canceled) || !cut.Ended() {
		t.Errorf("got %v", err)
	}
	if left := running(t, "65432"); len(left) > 0 {
		t.Errorf("still running: %q", left)
	}
}

// TestExecWithoutShell shows that a command in a container without a shell runs,
// and that nobody claims to have ended one that goes on.
func TestExecWithoutShell(t *testing.T) {
	t.Parallel()
	c, ns := shellsPod(t, "bare")
	res, err := exec.Run(t.Context(), c.Kube, exec.Request{Namespace: ns, Pod: "shells", Container: "bare", Command: []string{"/tools/busybox", "echo", "out"}})
	if err != nil || string(res.Stdout) != "out\n" {
		t.Errorf("%q %v", res.Stdout, err)
	}
	_, err = exec.Run(t.Context(), c.Kube, exec.Request{
		Namespace: ns, Pod: "shells", Container: "bare", Command: []string{"/tools/busybox", "sleep", "76543"}, Timeout: 5 * time.Second,
	})
	var cut *exec.InterruptedError
	if !errors.As(err, &cut) || cut.Ended() {
		t.Errorf("got %v", err)
	}
	if len(running(t, "76543")) == 0 {
		t.Error("it has ended, and the error says that it has not")
	}
}
