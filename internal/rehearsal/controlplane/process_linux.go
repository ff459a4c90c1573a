package controlplane

import (
	"fmt"
	"os"
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

// maxMemory is the most that a process had, in bytes.
func maxMemory(r *syscall.Rusage) int64 { return r.Maxrss << 10 }
