package controlplane

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// attributesOf make a process end with the thread that started it, and put it into a group of
// its own, so that a signal to the worker's group leaves it to Stop.
func attributesOf() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setpgid: true}
}

// lockFile takes the lock of a file, or fails at once where another process has it.
func lockFile(f *os.File) error {
	return syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
}

// commandLine is that of a process, "" if there is none.
func commandLine(pid int) string {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
	if err != nil {
		return ""
	}
	return string(data)
}

// memoryRoot is where files are in memory.
const memoryRoot = "/dev/shm"

// roomWanted is what a backup of 50,000 objects takes in etcd, with its log.
const roomWanted = 1 << 30

// defaultRoot is where files are in memory, if there is room for them, as in a container
// there mostly is not.
func defaultRoot() string {
	var st syscall.Statfs_t
	if err := syscall.Statfs(memoryRoot, &st); err == nil && uint64(st.Bsize)*st.Bavail >= roomWanted {
		return memoryRoot
	}
	return os.TempDir()
}

// peakMemory is the most that a process that runs has had, in bytes; 0 of one that has ended. What
// wait(2) tells is no less than what its parent, this process, had when it started it.
func peakMemory(pid int) int64 {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0
	}
	var kib int64
	for line := range strings.Lines(string(status)) {
		if value, found := strings.CutPrefix(line, "VmHWM:"); found {
			_, _ = fmt.Sscan(value, &kib)
		}
	}
	return kib << 10
}

const (
	// punchHole gives back the space of a part of a file, which reads as zeros from then on and
	// keeps its size: FALLOC_FL_PUNCH_HOLE and FALLOC_FL_KEEP_SIZE of fallocate(2).
	punchHole = 2 | 1
	// logSegment is the size of the files that etcd reserves for its log, and logKept how much
	// is left of the one that it writes. When an API server begins to serve it has written a
	// megabyte or two.
	logSegment, logKept = 64 << 20, 16 << 20
)

// freeReserved gives back what etcd has reserved for its log in memory, two files of 64 MB: it
// takes what it needs as it writes. Where that is not possible it costs memory.
func freeReserved(dir string) {
	files, _ := filepath.Glob(filepath.Join(dir, "*"))
	for _, path := range files {
		from := int64(logKept)
		if filepath.Ext(path) == ".tmp" { // the next one
			from = 0
		}
		f, err := os.OpenFile(path, os.O_RDWR, 0)
		if err != nil {
			continue
		}
		_ = syscall.Fallocate(int(f.Fd()), punchHole, from, logSegment-from)
		_ = f.Close()
	}
}

// allocatedBytes is what the files of a directory take.
func allocatedBytes(dir string) (n int64) {
	files, _ := filepath.Glob(filepath.Join(dir, "*"))
	for _, path := range files {
		var st syscall.Stat_t
		if syscall.Stat(path, &st) == nil {
			n += st.Blocks * 512 // as stat(2) counts them
		}
	}
	return n
}
