//go:build stack

package node

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/lifeboat-backup/lifeboat/test/stack"
)

// starterVariable makes this test binary start a stack in the directory it names.
const starterVariable = "LIFEBOAT_NODE_STARTER"

func starter(dir string) int {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	if _, err := stack.Start(ctx, stack.Options{Node: true, Dir: dir, Stdout: os.Stdout}); err != nil {
		fmt.Println(err)
		return 1
	}
	select {}
}

// TestStopAfterStarterCrashed kills the starter of a second node on this machine in
// the middle, and once it is done, and cleans up from here: no process, no mount, no
// bridge, no control group, no line in /etc/hosts. The first node lives on.
func TestStopAfterStarterCrashed(t *testing.T) {
	t.Parallel()
	c := plain(t)
	ns := c.namespace(t, "neighbour")
	c.kubectl(t, "run", "--namespace", ns, "stays", "--image=docker.io/library/busybox:1.35")
	c.ready(t, ns, "stays")
	for _, moment := range []string{"start containerd", "start kubelet", "stack ready"} {
		t.Run(moment, func(t *testing.T) { crashStarter(t, moment) })
	}
	c.exec(t, ns, "stays", "true")
}

func crashStarter(t *testing.T, moment string) {
	dir := t.TempDir()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), starterVariable+"="+dir)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	seen := false
	for lines := bufio.NewScanner(out); !seen && lines.Scan(); {
		seen = strings.HasPrefix(lines.Text(), moment)
	}
	if moment == "stack ready" {
		runPod(t, dir)
	}
	_ = cmd.Process.Kill()
	_ = cmd.Wait()
	if !seen {
		t.Fatalf("the starter never said %q", moment)
	}
	if len(traces(t, dir)) == 0 {
		t.Error("the second node left no traces: there is nothing to test")
	}
	stopTwice(t, dir)
	if left := traces(t, dir); len(left) > 0 {
		t.Errorf("left behind: %q", left)
	}
	if left := running(t, dir); len(left) > 0 {
		t.Errorf("processes left behind: %v", left)
	}
}

// runPod puts something onto the second node, so that there is more to clean up.
func runPod(t *testing.T, dir string) {
	t.Helper()
	s, err := stack.Attach(dir)
	if err != nil {
		t.Fatal(err)
	}
	kubectl := filepath.Join(s.BinDir(), "kubectl")
	for _, args := range [][]string{
		{"run", "pod", "--image=docker.io/library/busybox:1.35"},
		{"wait", "--for=condition=Ready", "pod/pod", "--timeout=60s"},
	} {
		out, err := exec.CommandContext(t.Context(), kubectl, append([]string{"--kubeconfig", s.Kubeconfig}, args...)...).CombinedOutput()
		if err != nil {
			t.Fatalf("kubectl %s: %v: %s", args[0], err, out)
		}
	}
}

func stopTwice(t *testing.T, dir string) {
	t.Helper()
	s, err := stack.Attach(dir)
	if err != nil {
		t.Fatal(err)
	}
	for range 2 { // idempotent
		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
		if err := s.Stop(ctx); err != nil {
			t.Fatal(err)
		}
		cancel()
	}
}

// traces is what a stack's node leaves on the machine outside its directory. Others
// may come and go meanwhile.
func traces(t *testing.T, dir string) []string {
	t.Helper()
	var found []string
	for _, pattern := range []string{"/sys/class/net/*", "/sys/fs/cgroup/*", "/sys/fs/cgroup/*/*"} {
		files, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		found = append(found, grep(files, stack.NodeMark(dir))...)
	}
	for _, file := range []string{"/etc/hosts", "/proc/self/mounts"} {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		found = append(found, grep(strings.Split(string(data), "\n"), dir)...)
	}
	return found
}

func grep(lines []string, text string) []string {
	return slices.DeleteFunc(lines, func(line string) bool { return !strings.Contains(line, text) })
}

// TestRefusesWithoutRoot shows that a user who is not root learns what is missing
// and what to run instead.
func TestRefusesWithoutRoot(t *testing.T) {
	t.Parallel()
	dir, err := os.MkdirTemp("", "lifeboat-nobody-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	binary := filepath.Join(dir, "node.test")
	data, err := os.ReadFile(os.Args[0])
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(binary, data, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), binary)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), starterVariable+"="+dir)
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	out, err := cmd.CombinedOutput()
	if err == nil || !strings.Contains(string(out), "it needs root, and this is user 65534") || !strings.Contains(string(out), "make test-noroot") {
		t.Errorf("%v: %s", err, out)
	}
}
