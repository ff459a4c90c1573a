//go:build stack && linux

package exec

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// processes runs commands as a container's runtime does: each as the leader of a
// session of its own. A stream that is closed does not end its command.
func processes(t *testing.T, shell []string) *execServer {
	return &execServer{t: t, runWithStdin: func(argv []string, stdin io.Reader, stdout, stderr io.Writer) (int, error) {
		if argv[0] == "/bin/sh" {
			argv = append(append([]string{}, shell...), argv[1:]...)
		}
		cmd := exec.Command(argv[0], argv[1:]...)
		cmd.Stdout, cmd.Stderr = stdout, stderr
		if stdin != nil {
			pipe, err := cmd.StdinPipe()
			if err != nil {
				return 0, err
			}
			go func() { // the end of the command does not wait for that of its stdin
				defer pipe.Close()
				_, _ = io.Copy(pipe, stdin)
			}()
		}
		cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
		err := cmd.Run()
		var exit *exec.ExitError
		if errors.As(err, &exit) {
			if status := exit.Sys().(syscall.WaitStatus); status.Signaled() {
				return 128 + int(status.Signal()), nil
			}
			return exit.ExitCode(), nil
		}
		return 0, err
	}}
}

// shells are those that images have: Debian's, Alpine's and busybox's, Red Hat's.
func shells(t *testing.T) map[string][]string {
	out := map[string][]string{}
	for name, argv := range map[string][]string{"dash": {"dash"}, "busybox": {"busybox", "sh"}, "bash": {"bash", "--posix"}} {
		path, err := exec.LookPath(argv[0])
		if err != nil {
			t.Logf("%s is not installed on this machine and is not tried", name)
			continue
		}
		out[name] = append([]string{path}, argv[1:]...)
	}
	if len(out) == 0 {
		t.Fatal("no shell to try")
	}
	return out
}

func alive(t *testing.T, pidFile string) bool {
	t.Helper()
	text, err := os.ReadFile(pidFile)
	if err != nil {
		t.Fatal(err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil {
		t.Fatal(err)
	}
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return false
	}
	return !strings.HasPrefix(string(stat[strings.LastIndex(string(stat), ")"):]), ") Z")
}

func TestRunTimeoutEndsRealProcesses(t *testing.T) {
	for name, shell := range shells(t) {
		c := serve(t, processes(t, shell).ServeHTTP)
		for what, script := range map[string]string{
			"a child in the background": `sleep 300 & echo $! >"$1"; wait`,
			"a program that tidies up":  `trap 'echo tidied; exit 0' TERM; sleep 300 & echo $! >"$1"; wait`,
			"one that ignores TERM":     `trap '' TERM; echo $$ >"$1"; while :; do sleep 0.1; done`,
			"a job of its own group":    `set -m; sleep 300 & echo $! >"$1"; wait`,
			"one with an odd name":      `cp /bin/sleep "$1 (a) b"; "$1 (a) b" 300 & echo $! >"$1"; wait`,
		} {
			t.Run(name+"/"+what, func(t *testing.T) {
				t.Parallel()
				pid := filepath.Join(t.TempDir(), "pid")
				start := time.Now()
				res, err := Run(context.Background(), c, Request{
					Namespace: "n", Pod: "p", Timeout: time.Second,
					Command: append(append([]string{}, shell...), "-c", script, "sh", pid),
				})
				var cut *InterruptedError
				if !errors.Is(err, ErrTimeout) || !errors.As(err, &cut) || !cut.Ended() {
					t.Errorf("error %v", err)
				}
				if alive(t, pid) {
					t.Error("the process lives on")
				}
				if took := time.Since(start); took > 7*time.Second {
					t.Errorf("took %s", took)
				}
				if strings.Contains(what, "tidies") && string(res.Stdout) != "tidied\n" {
					t.Errorf("stdout %q: TERM was not heeded", res.Stdout)
				}
			})
		}
	}
}

func TestRunOfRealProcesses(t *testing.T) {
	for name, shell := range shells(t) {
		c := serve(t, processes(t, shell).ServeHTTP)
		run := func(command ...string) (Result, error) {
			return Run(context.Background(), c, Request{Namespace: "n", Pod: "p", Command: command})
		}
		odd := `a "b" 'c' $HOME \n ; * ` + "\n"
		res, err := run("printf", "%s|%s", odd, "")
		if err != nil || string(res.Stdout) != odd+"|" {
			t.Errorf("%s: arguments arrived as %q, %v", name, res.Stdout, err)
		}
		res, err = run("/no/such/program", "--password=hunter2")
		var exit *ExitError
		if !errors.As(err, &exit) || exit.Code != 127 || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: missing program: %v", name, err)
		}
		if res, err = run("sh", "-c", "echo oops >&2; exit 9"); !errors.As(err, &exit) || exit.Code != 9 || exit.Stderr != "oops" {
			t.Errorf("%s: %v, %+v", name, err, res)
		}
	}
}

// Shells that wait for a line become the command once it has come, with no stdin; without it
// they end, and have run nothing.
func TestRecordFirstOfRealProcesses(t *testing.T) {
	for name, shell := range shells(t) {
		s := processes(t, shell)
		dir := t.TempDir()
		command := append(append([]string{}, shell...), "-c", `echo run >>"$1"; cat; readlink /proc/self/fd/0; exit 3`, "sh")
		run := func(file string, started func(context.Context, Process) error) (Result, error) {
			return Run(t.Context(), serve(t, s.ServeHTTP), Request{
				Namespace: "n", Pod: "p", Command: append(command, filepath.Join(dir, file)), RecordFirst: true, Started: started,
			})
		}
		var recorded Process
		res, err := run("recorded", func(_ context.Context, p Process) error {
			recorded = p
			time.Sleep(100 * time.Millisecond)
			if _, err := os.Stat(filepath.Join(dir, "recorded")); !os.IsNotExist(err) {
				t.Errorf("%s: it ran before it was recorded: %v", name, err)
			}
			return nil
		})
		var exit *ExitError
		if text, _ := os.ReadFile(filepath.Join(dir, "recorded")); !errors.As(err, &exit) || exit.Code != 3 || string(res.Stdout) != "/dev/null\n" || string(text) != "run\n" {
			t.Errorf("%s: %q, ran %q, %v", name, res.Stdout, text, err)
		}
		if _, err := run("not recorded", func(context.Context, Process) error { return errors.New("the store is away") }); !errors.Is(err, ErrNotRecorded) {
			t.Errorf("%s: %v", name, err)
		}
		_, err = run("ended", func(ctx context.Context, p Process) error {
			err := End(ctx, serve(t, s.ServeHTTP), "n", "p", p)
			time.Sleep(100 * time.Millisecond) // until its stream has ended too
			return err
		})
		if !errors.Is(err, ErrUnreachable) {
			t.Errorf("%s: a shell that the next worker ended: %v", name, err)
		}
		for _, file := range []string{"not recorded", "ended"} {
			if _, err := os.Stat(filepath.Join(dir, file)); !os.IsNotExist(err) {
				t.Errorf("%s: a command that was %s ran: %v", name, file, err)
			}
		}
		if _, err := Run(t.Context(), serve(t, s.ServeHTTP), Request{Namespace: "n", Pod: "p", Command: []string{"/no/such/program"}, RecordFirst: true}); !errors.As(err, &exit) || exit.Code != 127 {
			t.Errorf("%s: missing program: %v", name, err)
		}
		if err := End(t.Context(), serve(t, s.ServeHTTP), "n", "p", recorded); err != nil {
			t.Errorf("%s: a command that has ended: %v", name, err)
		}
	}
}

// A worker that dies, or whose connection breaks, before it has sent the line leaves nothing:
// its shell ends by itself.
func TestLostBeforeReleaseOfRealProcesses(t *testing.T) {
	for name, shell := range shells(t) {
		s := processes(t, shell)
		file := filepath.Join(t.TempDir(), "ran")
		ended := make(chan error, 1)
		inner := s.runWithStdin
		s.runWithStdin = func(argv []string, stdin io.Reader, stdout, stderr io.Writer) (int, error) {
			code, err := inner(argv, stdin, stdout, stderr)
			ended <- fmt.Errorf("code %d, %v", code, err)
			return code, err
		}
		ctx, cancel := context.WithCancel(t.Context())
		e := &execution{client: serve(t, s.ServeHTTP), req: Request{Namespace: "n", Pod: "p", Container: "app", Command: []string{"touch", file}, RecordFirst: true}, marker: "m"}
		stdin, out := newCommandStdin(), newOutput(100, "m", true)
		go func() {
			<-out.known
			cancel() // which closes the connection, with stdin as it is
		}()
		if err := e.streamCommand(ctx, e.commandLine(true), stdin, out); !errors.Is(err, context.Canceled) {
			t.Fatalf("%s: %v", name, err)
		}
		select {
		case err := <-ended:
			if err.Error() != "code 1, <nil>" {
				t.Errorf("%s: its shell ended with %v", name, err)
			}
		case <-time.After(5 * time.Second):
			t.Errorf("%s: its shell waits on", name)
		}
		if _, err := os.Stat(file); !os.IsNotExist(err) {
			t.Errorf("%s: the command ran: %v", name, err)
		}
		stdin.end()
	}
}
