//go:build stack

package ebssim_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/ec2"
)

// pod writes numbers to the file a of one volume and then to the file b of
// another, as fast as it can, in a mount namespace of its own as a container has.
const pod = `set -e
mkdir -p "$1/mnt/a" "$1/mnt/b"
mount --bind "$2" "$1/mnt/a"
mount --bind "$3" "$1/mnt/b"
n=0
while :; do
	n=$((n + 1))
	echo $n >> "$1/mnt/a/log"
	echo $n >> "$1/mnt/b/log"
done
`

// The snapshots of two volumes that a process writes to in turn are of one
// moment: b has all that a has but, at most, the last line. Without a halt, b is
// copied later than a and is ahead of it.
func TestSnapshotsUnderLoadAreCrashConsistent(t *testing.T) {
	r := start(t, nil)
	first, second := r.newVolume(t), r.newVolume(t)
	if first > second { // copied in the order of ids
		first, second = second, first
	}
	r.attach(t, first, "/dev/xvdb")
	r.attach(t, second, "/dev/xvdc")
	a, b := must[string](t)(r.VolumeDir(first)), must[string](t)(r.VolumeDir(second))
	ballast(t, a)
	run := exec.CommandContext(t.Context(), "/bin/sh", "-c", pod, "pod", t.TempDir(), a, b)
	run.SysProcAttr = ownMounts()
	run.Stderr = os.Stderr
	if err := run.Start(); err != nil {
		t.Fatal(err)
	}
	defer run.Wait()
	defer run.Process.Kill()
	until(t, func() bool { return last(t, b) > 100 })
	for range 5 {
		taken := r.ofInstance(t, ec2.CreateSnapshotsInput{})
		inA, inB := last(t, r.dirOf(t, *taken[first].SnapshotId)), last(t, r.dirOf(t, *taken[second].SnapshotId))
		if inB > inA || inA > inB+1 {
			t.Fatalf("a has %d lines, b %d: not one moment", inA, inB)
		}
		until(t, func() bool { return last(t, b) > inB+100 }) // the pod goes on
	}
}

// ownMounts is a mount namespace, and without root a user namespace that allows it.
func ownMounts() *syscall.SysProcAttr {
	attr := &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNS, Pdeathsig: syscall.SIGKILL}
	if os.Geteuid() != 0 {
		attr.Cloneflags |= syscall.CLONE_NEWUSER
		attr.UidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}}
		attr.GidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}}
	}
	return attr
}

// ballast makes copying a take some time.
func ballast(t *testing.T, dir string) {
	t.Helper()
	for i := range 64 {
		if err := os.WriteFile(filepath.Join(dir, fmt.Sprintf("z%d", i)), make([]byte, 1<<20), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

func (r rig) dirOf(t *testing.T, snapshot string) string {
	t.Helper()
	for _, s := range r.State().Snapshots {
		if s.ID == snapshot {
			return s.Dir
		}
	}
	t.Fatalf("no snapshot %s", snapshot)
	return ""
}

// last is the last whole line of a volume's log.
func last(t *testing.T, dir string) int {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(dir, "log"))
	if os.IsNotExist(err) {
		return 0
	}
	lines := strings.Split(string(text), "\n")
	if err != nil || len(lines) < 2 {
		return 0
	}
	return must[int](t)(strconv.Atoi(lines[len(lines)-2]))
}

func until(t *testing.T, done func() bool) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); !done(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("the pod stands still")
		}
	}
}
