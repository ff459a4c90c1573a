//go:build stack

package node

import (
	"context"
	"errors"
	"fmt"
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

// TestExecRecordedFirst shows, over both protocols, that a command which is recorded first begins
// behind its record, without a stdin, and that its shell ends by itself where there is no record:
// because that failed, or because the connection broke, as it does with a worker that dies.
func TestExecRecordedFirst(t *testing.T) {
	t.Parallel()
	c, ns := shellsPod(t, "recorded")
	for name, webSockets := range map[string]bool{"WebSockets": true, "SPDY": false} {
		t.Run(name, func(t *testing.T) {
			k, spdy, cut := c.behindProxy(t, webSockets)
			number := map[bool]string{true: "45671", false: "45672"}[webSockets]
			run := func(started func() error) (exec.Result, error) {
				return exec.Run(t.Context(), k, exec.Request{
					Namespace: ns, Pod: "shells", Command: []string{"sh", "-c", "touch /tmp/" + number + "; cat; readlink /proc/self/fd/0; exit 4"},
					RecordFirst: true, Started: func(context.Context, exec.Process) error { return started() },
				})
			}
			away := errors.New("the store is away")
			if _, err := run(func() error { return away }); !errors.Is(err, exec.ErrNotRecorded) || !errors.Is(err, away) {
				t.Errorf("the record fails: %v", err)
			}
			if _, err := run(func() error { cut(); time.Sleep(time.Second); return nil }); !errors.Is(err, exec.ErrUnreachable) {
				t.Errorf("the connection breaks: %v", err)
			}
			within(t, 10*time.Second, "the shells end", func() error {
				if left := running(t, number); len(left) > 0 {
					return fmt.Errorf("still running: %q", left)
				}
				return nil
			})
			if c.exec(t, ns, "shells", "sh", "-c", "test -e /tmp/"+number+" || echo none") != "none" {
				t.Error("a command ran that was not recorded")
			}
			res, err := run(func() error { time.Sleep(100 * time.Millisecond); return nil })
			var exit *exec.ExitError
			if !errors.As(err, &exit) || exit.Code != 4 || string(res.Stdout) != "/dev/null\n" {
				t.Errorf("recorded: %q, %v", res.Stdout, err)
			}
			if webSockets == (spdy.Load() > 0) {
				t.Errorf("%d connections were SPDY", spdy.Load())
			}
		})
	}
}
