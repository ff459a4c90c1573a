//go:build stack

package monitoring_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"
)

// arguments are those of the processes that ran while somebody looked, which everybody on a machine may
// read.
type arguments struct {
	stop chan struct{}
	seen chan map[string]bool
}

// watchArguments looks, until check, at the processes that the test and its worker start: the command
// line, and the control planes of rehearsals.
func watchArguments(t *testing.T) *arguments {
	t.Helper()
	a := &arguments{stop: make(chan struct{}), seen: make(chan map[string]bool, 1)}
	worker := shared.Worker.PID()
	go func() {
		seen := map[string]bool{}
		for look := true; look; {
			select {
			case <-a.stop:
				look = false
			case <-time.After(20 * time.Millisecond):
			}
			for _, line := range linesOf(worker) {
				seen[line] = true
			}
		}
		a.seen <- seen
	}()
	t.Cleanup(a.end)
	return a
}

// end ends the looking. It may repeat.
func (a *arguments) end() {
	select {
	case <-a.stop:
	default:
		close(a.stop)
	}
}

// check: the arguments have no secret, neither a known one nor what a flag calls so and is no file.
func (a *arguments) check(t *testing.T) {
	t.Helper()
	a.end()
	programs, built := map[string]int{}, regexp.MustCompile(`-[0-9a-f]{12}$`)
	secrets := knownSecrets(t)
	inFlag := regexp.MustCompile(`(?i)--?[a-z-]*(token|secret|password)[a-z-]*[= ]([^-/][^ ]*)`)
	for line := range <-a.seen {
		program, _, _ := strings.Cut(line, " ")
		programs[built.ReplaceAllString(filepath.Base(program), "")]++
		for what, secret := range secrets {
			if strings.Contains(line, secret) {
				t.Errorf("%s has the %s among its arguments", program, what)
			}
		}
		if found := inFlag.FindString(line); found != "" {
			t.Errorf("%s has a secret among its arguments: %.20s…", program, found)
		}
	}
	for _, name := range []string{"lifeboat", "lifeboat-worker", "etcd", "kube-apiserver"} {
		if programs[name] == 0 {
			t.Errorf("no process of %s was seen: %v", name, programs)
		}
	}
}

// linesOf are the command lines of a worker, of the processes that it started, and of those of the test
// that are the command line's.
func linesOf(worker int) (lines []string) {
	files, _ := filepath.Glob("/proc/[0-9]*/cmdline")
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil || len(text) == 0 {
			continue // it has ended, or is the kernel's
		}
		pid, _ := strconv.Atoi(filepath.Base(filepath.Dir(file)))
		line := strings.TrimSpace(strings.ReplaceAll(string(text), "\x00", " "))
		program, _, _ := strings.Cut(line, " ")
		ofTest := filepath.Base(program) == "lifeboat" && parentOf(pid) == os.Getpid()
		if pid == worker || isBelow(pid, worker) || ofTest {
			lines = append(lines, line)
		}
	}
	return lines
}

// isBelow tells that a process was started by another one, or by one that it started.
func isBelow(pid, above int) bool {
	for range 4 {
		if pid = parentOf(pid); pid == above {
			return true
		}
	}
	return false
}

// parentOf is 0 where there is none.
func parentOf(pid int) int {
	text, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "stat"))
	if err != nil {
		return 0
	}
	// pid (name) state parent: the name may have blanks and brackets.
	fields := strings.Fields(string(text[strings.LastIndexByte(string(text), ')')+1:]))
	if len(fields) < 2 {
		return 0
	}
	parent, _ := strconv.Atoi(fields[1])
	return parent
}
