package stack

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

func dieWithThread(attr *syscall.SysProcAttr) {
	attr.Pdeathsig = syscall.SIGKILL
}

// birth is when a process started, in ticks since boot; empty if it does not run.
// A zombie does not run: in a container nobody may ever reap it. One whose other threads
// have yet to end still has its files open, ports among them.
func birth(pid int) string {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return ""
	}
	end := bytes.LastIndexByte(stat, ')') // the name before it may hold anything
	fields := strings.Fields(string(stat[end+1:]))
	if len(fields) < 20 || fields[0] == "X" {
		return ""
	}
	if threads, _ := strconv.Atoi(fields[17]); fields[0] == "Z" && threads < 2 {
		return ""
	}
	return fields[19]
}

// members are the processes that carry the stack's mark in their environment.
func members(dir string) []int {
	mark := []byte(memberVariable + "=" + dir)
	files, _ := filepath.Glob("/proc/[0-9]*/environ")
	var pids []int
	for _, file := range files {
		pid, err := strconv.Atoi(filepath.Base(filepath.Dir(file)))
		if err != nil || pid == os.Getpid() {
			continue
		}
		environ, err := os.ReadFile(file)
		if err == nil && containsVariable(environ, mark) && birth(pid) != "" {
			pids = append(pids, pid)
		}
	}
	return pids
}

func containsVariable(environ, mark []byte) bool {
	for variable := range bytes.SplitSeq(environ, []byte{0}) {
		if bytes.Equal(variable, mark) {
			return true
		}
	}
	return false
}
