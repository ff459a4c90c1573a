package ebssim

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// freeze stops the processes that see one of the directories as a mount in a
// mount namespace of their own: those of pods. A copy of files that somebody
// writes to is no point in time; a copy made while the writers stand still is.
// Processes in this program's namespace (the kubelet, tests) are left alone, and
// so are those of other users without root. thaw lets them go on.
func freeze(dirs []string) (thaw func() error, err error) {
	stopped := map[int]bool{}
	thaw = func() error { return signalAll(stopped, syscall.SIGCONT) }
	for { // a process may start another before it stops: until nobody new is there
		found, err := mounting(dirs)
		if err != nil {
			return nil, errors.Join(err, thaw())
		}
		fresh := map[int]bool{}
		for _, pid := range found {
			if !stopped[pid] {
				fresh[pid], stopped[pid] = true, true
			}
		}
		if len(fresh) == 0 {
			return thaw, nil
		}
		if err := errors.Join(signalAll(fresh, syscall.SIGSTOP), standing(fresh)); err != nil {
			return nil, errors.Join(err, thaw())
		}
	}
}

// stopTimeout is how long a process may take to stop: it ends its system call first.
const stopTimeout = 5 * time.Second

// standing waits until no thread of the processes runs: a signal is only a request.
func standing(pids map[int]bool) error {
	for pid := range pids {
		for end := time.Now().Add(stopTimeout); runs(pid); time.Sleep(time.Millisecond) {
			if time.Now().After(end) {
				return fmt.Errorf("process %d of a pod does not stop", pid)
			}
		}
	}
	return nil
}

// runs says if a thread of a process may still write.
func runs(pid int) bool {
	tasks, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/stat", pid))
	if err != nil {
		return false
	}
	for _, task := range tasks {
		text, err := os.ReadFile(task)
		if err != nil { // it ended meanwhile
			continue
		}
		// The state is the field after the name, which may have parentheses in it.
		rest := bytes.TrimSpace(text[bytes.LastIndexByte(text, ')')+1:])
		if len(rest) > 0 && !strings.ContainsRune("TtZX", rune(rest[0])) {
			return true
		}
	}
	return false
}

// thawAll lets every process go on that mounts something below a directory: a
// simulator that was killed between freeze and thaw left them standing.
func thawAll(parent string) error {
	found, err := mounting([]string{parent})
	if err != nil {
		return err
	}
	all := map[int]bool{}
	for _, pid := range found {
		all[pid] = true
	}
	return signalAll(all, syscall.SIGCONT)
}

func signalAll(pids map[int]bool, sig syscall.Signal) error {
	var failed error
	for pid := range pids {
		if err := syscall.Kill(pid, sig); err != nil && !errors.Is(err, syscall.ESRCH) {
			failed = errors.Join(failed, fmt.Errorf("signal process %d of a pod: %w", pid, err))
		}
	}
	return failed
}

// mounting is the processes of other mount namespaces that have a directory, or
// something below it, mounted. Namespaces are looked at once each.
func mounting(dirs []string) ([]int, error) {
	if len(dirs) == 0 {
		return nil, nil
	}
	own, err := os.Readlink("/proc/self/ns/mnt")
	if err != nil {
		return nil, fmt.Errorf("read mount namespace: %w", err)
	}
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil, fmt.Errorf("list processes: %w", err)
	}
	devices, err := loopsOn(dirs)
	if err != nil {
		return nil, err
	}
	var found []int
	seen := map[string]bool{own: false}
	for _, entry := range entries {
		pid, err := strconv.Atoi(entry.Name())
		if err != nil {
			continue
		}
		namespace, err := os.Readlink(filepath.Join("/proc", entry.Name(), "ns/mnt"))
		if err != nil { // it ended meanwhile, or is another user's
			continue
		}
		if _, known := seen[namespace]; !known {
			seen[namespace] = mounts(entry.Name(), dirs, devices)
		}
		if seen[namespace] {
			found = append(found, pid)
		}
	}
	return found, nil
}

// loopsOn is the loop devices whose files lie in one of the directories, by their numbers as
// in "7:0": the volumes that have a file system of their own.
func loopsOn(dirs []string) (map[string]bool, error) {
	files, err := filepath.Glob("/sys/block/loop*/loop/backing_file")
	if err != nil {
		return nil, err
	}
	devices := map[string]bool{}
	for _, file := range files {
		backing, err := os.ReadFile(file)
		if err != nil || !isBelow(strings.TrimSpace(string(backing)), dirs) { // it was detached, or is another's
			continue
		}
		number, err := os.ReadFile(filepath.Join(filepath.Dir(file), "..", "dev"))
		if err != nil {
			return nil, fmt.Errorf("read number of loop device: %w", err)
		}
		devices[strings.TrimSpace(string(number))] = true
	}
	return devices, nil
}

// mounts reads the devices (the third field) and the roots (the fourth) in a process's
// mountinfo. Roots are paths inside their file system, so one of them may lack the start of
// ours. What the kubelet mounted below its own directory does not count: every namespace
// that mounts propagate to sees it there, a container at a path of its own.
func mounts(pid string, dirs []string, devices map[string]bool) bool {
	table, err := os.ReadFile(filepath.Join("/proc", pid, "mountinfo"))
	if err != nil {
		return false
	}
	for line := range bytes.Lines(table) {
		columns := strings.Fields(string(line))
		if len(columns) < 5 || strings.Contains(columns[4], "/kubernetes.io") {
			continue
		}
		if devices[columns[2]] || columns[3] != "/" && isBelow(columns[3], dirs) {
			return true
		}
	}
	return false
}

func isBelow(path string, dirs []string) bool {
	return slices.ContainsFunc(dirs, func(dir string) bool { return rootIs(path, dir) })
}

// rootIs says if a mount's root is dir or below it. The last three parts of dir
// (<name>/volumes/vol-...) are enough to tell volumes apart.
func rootIs(root, dir string) bool {
	parts := strings.Split(filepath.Clean(dir), "/")
	tail := "/" + strings.Join(parts[max(0, len(parts)-3):], "/")
	return strings.HasSuffix(root, tail) || strings.Contains(root, tail+"/")
}
