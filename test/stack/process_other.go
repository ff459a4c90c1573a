//go:build !linux

package stack

import (
	"os/exec"
	"strconv"
	"strings"
	"syscall"
)

// dieWithThread does nothing where the kernel has no such signal: there a killed
// test leaves its stack to `stack down --dir`.
func dieWithThread(*syscall.SysProcAttr) {}

func birth(pid int) string {
	out, err := exec.Command("ps", "-o", "stat=,lstart=", "-p", strconv.Itoa(pid)).Output()
	stat, started, _ := strings.Cut(strings.TrimSpace(string(out)), " ")
	if err != nil || strings.HasPrefix(stat, "Z") {
		return ""
	}
	return strings.TrimSpace(started)
}

// members is empty: other processes' environments cannot be read here.
func members(string) []int { return nil }
