package stack

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"
)

// checkMachine says what forbids a node here.
func checkMachine() error {
	if os.Geteuid() != 0 {
		return fmt.Errorf("it needs root, and this is user %d", os.Geteuid())
	}
	if !exists("/dev/kmsg") {
		return errors.New("the kubelet needs /dev/kmsg, and this machine has none")
	}
	if len(cgroupRoots()) == 0 {
		return errors.New("no control groups are mounted at " + cgroupFS)
	}
	if out, err := exec.Command("unshare", "--mount", "--pid", "--fork", "true").CombinedOutput(); err != nil {
		return fmt.Errorf("no namespaces can be made: %w: %s", err, tail(string(out), 2))
	}
	return nil
}

const cgroupFS = "/sys/fs/cgroup"

// cgroupRoots are the hierarchies in which groups are made: one with version 2,
// one a controller with version 1, and both where version 2 stands beside it.
func cgroupRoots() []string {
	if exists(filepath.Join(cgroupFS, "cgroup.controllers")) {
		return []string{cgroupFS}
	}
	var roots []string
	files, _ := filepath.Glob(filepath.Join(cgroupFS, "*", "cgroup.procs"))
	for _, file := range files {
		if dir := filepath.Dir(file); !isLink(dir) { // cpu and cpuacct may be one
			roots = append(roots, dir)
		}
	}
	return roots
}

func isLink(path string) bool {
	info, err := os.Lstat(path)
	return err == nil && info.Mode()&fs.ModeSymlink != 0
}

// makeCgroups makes the group under which the kubelet puts all Pods, in every
// hierarchy: the kubelet takes only one that exists.
func makeCgroups(name string) error {
	if err := delegate(); err != nil {
		return err
	}
	for _, root := range cgroupRoots() {
		if err := os.Mkdir(filepath.Join(root, name), 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
			return err
		}
		if err := errors.Join(copyCPUSet(root, name), raiseShare(root, name)); err != nil {
			return err
		}
	}
	return nil
}

// raiseShare gives a new group the processor time of four processes. A group counts as one beside
// every process of the machine that is in none: beside a dozen compilers, all containers together
// would get less than a tenth of a processor each.
func raiseShare(root, name string) error {
	for file, value := range map[string]string{"cpu.shares": "4096", "cpu.weight": "400"} { // of version 1, of version 2
		path := filepath.Join(root, name, file)
		if !exists(path) {
			continue // another controller
		}
		if err := os.WriteFile(path, []byte(value), 0o644); err != nil {
			return err
		}
	}
	return nil
}

// delegate lets groups of version 2 below the root use what the kubelet insists on.
func delegate() error {
	available, err := os.ReadFile(filepath.Join(cgroupFS, "cgroup.controllers"))
	if err != nil {
		return nil //nolint:nilerr // version 1: each controller has its hierarchy
	}
	for _, name := range []string{"cpu", "cpuset", "memory", "pids", "hugetlb"} {
		if !slices.Contains(strings.Fields(string(available)), name) {
			continue
		}
		if err := os.WriteFile(filepath.Join(cgroupFS, "cgroup.subtree_control"), []byte("+"+name), 0o644); err != nil {
			return err
		}
	}
	return nil
}

// copyCPUSet gives a new group of version 1 the processors and memory of its
// parent: it starts with none, and no process can enter it.
func copyCPUSet(root, name string) error {
	for _, file := range []string{"cpuset.cpus", "cpuset.mems"} {
		value, err := os.ReadFile(filepath.Join(root, file))
		if err != nil {
			continue // another controller
		}
		if err := os.WriteFile(filepath.Join(root, name, file), value, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// removeCgroups removes the group and those below it. Their processes are killed;
// a group is busy until the kernel is done with the last of them.
func removeCgroups(ctx context.Context, name string) error {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	return poll(ctx, "remove control groups "+name, func() (bool, error) {
		for _, root := range cgroupRoots() {
			err := removeGroup(filepath.Join(root, name))
			if errors.Is(err, syscall.EBUSY) {
				return false, nil
			}
			if err != nil {
				return false, err
			}
		}
		return true, nil
	})
}

// removeGroup goes from the leaves up. A group's files are no obstacle, and must
// not be removed by name.
func removeGroup(dir string) error {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	for _, entry := range entries {
		if !entry.IsDir() {
			continue
		}
		if err := removeGroup(filepath.Join(dir, entry.Name())); err != nil {
			return err
		}
	}
	return syscall.Rmdir(dir)
}

// removeBridge removes the Pods' bridge; their ends of it died with them.
func removeBridge(name string) error {
	if !exists(filepath.Join("/sys/class/net", name)) {
		return nil
	}
	out, err := exec.Command("ip", "link", "delete", name).CombinedOutput()
	if err != nil && !strings.Contains(string(out), "Cannot find device") {
		return fmt.Errorf("ip link delete %s: %w: %s", name, err, tail(string(out), 2))
	}
	return nil
}
