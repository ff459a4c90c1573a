//go:build !linux

package controlplane

import (
	"os"
	"syscall"
)

func attributesOf() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }

func lockFile(f *os.File) error {
	return syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
}

func commandLine(int) string { return "" }

func defaultRoot() string { return os.TempDir() }

func peakMemory(int) int64 { return 0 }

func freeReserved(string) {}

func allocatedBytes(string) int64 { return 0 }
