package exec

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
)

func runIn(t *testing.T, s *execServer, r Request) (Result, error) {
	t.Helper()
	s.t = t
	r.Namespace, r.Pod = "n", "p"
	if r.Command == nil {
		r.Command = []string{"/bin/dump", "--password=hunter2"}
	}
	return Run(context.Background(), serve(t, s.ServeHTTP), r)
}

func TestRunStartsThroughTheShellAndHidesIt(t *testing.T) {
	s := &execServer{run: func(argv []string, stdout, stderr io.Writer, _ <-chan struct{}) (int, error) {
		first, command := asShell(argv)
		for _, part := range []string{first[:5], first[5:] + "out", "put\n"} { // a line may come in pieces
			fmt.Fprint(stdout, part)
		}
		fmt.Fprintf(stderr, "%q", command)
		return 0, nil
	}}
	res, err := runIn(t, s, Request{})
	if err != nil || string(res.Stdout) != "output\n" || string(res.Stderr) != `["/bin/dump" "--password=hunter2"]` || res.Cut {
		t.Errorf("%q %q %v, %v", res.Stdout, res.Stderr, res.Cut, err)
	}
	if len(s.execs) != 1 {
		t.Errorf("%d execs", len(s.execs))
	}
}

func TestRunKeepsTheEndsOfOutputs(t *testing.T) {
	s := &execServer{run: func(argv []string, stdout, stderr io.Writer, _ <-chan struct{}) (int, error) {
		first, _ := asShell(argv)
		fmt.Fprint(stdout, first)
		for i := range 5000 {
			fmt.Fprintf(stdout, "line %d\n", i)
		}
		fmt.Fprint(stderr, "warned\nand died: bad luck\n")
		return 3, nil
	}}
	res, err := runIn(t, s, Request{MaxOutput: 100})
	var exit *ExitError
	if !errors.As(err, &exit) || exit.Code != 3 || res.ExitCode != 3 || exit.Stderr != "warned | and died: bad luck" {
		t.Errorf("error %v, code %d", err, res.ExitCode)
	}
	if len(res.Stdout) != 100 || !strings.HasSuffix(string(res.Stdout), "line 4999\n") || !res.Cut {
		t.Errorf("%d bytes kept: %q", len(res.Stdout), res.Stdout)
	}
	if want := "exec /bin/dump in pods n/p, container app: the command ended with code 3"; !strings.HasPrefix(err.Error(), want) || strings.Contains(err.Error(), "hunter2") {
		t.Errorf("error %q", err)
	}
}

func TestRunWithoutShell(t *testing.T) {
	for name, missing := range map[string]error{
		"containerd":           errors.New(`error executing command in container: failed to exec in container: OCI runtime exec failed: exec failed: unable to start container process: exec: "/bin/sh": stat /bin/sh: no such file or directory: unknown`),
		"cri-o":                nil,
		"windows":              errors.New(`error executing command in container: failed to exec in container: failed to start exec "9a": hcs::System::CreateProcess 4c: The system cannot find the file specified.: unknown`),
		"windows, with a path": errors.New(`failed to create exec "9a": hcs::System::CreateProcess 4c: The system cannot find the path specified. (extra info: {"CommandLine":"/bin/sh -c"})`),
	} {
		s := &execServer{run: func(argv []string, stdout, _ io.Writer, _ <-chan struct{}) (int, error) {
			if argv[0] == "/bin/sh" {
				return 127, missing
			}
			fmt.Fprint(stdout, "no line end")
			return 0, nil
		}}
		res, err := runIn(t, s, Request{})
		if err != nil || string(res.Stdout) != "no line end" || len(s.execs) != 2 || !slices.Equal(s.execs[1], []string{"/bin/dump", "--password=hunter2"}) {
			t.Errorf("%s: %q after %q, %v", name, res.Stdout, s.execs, err)
		}
	}
}

func TestRunEndsTheCommandAtTheTimeout(t *testing.T) {
	t.Parallel()
	ended := make(chan struct{})
	var signals []string
	s := &execServer{}
	s.run = func(argv []string, stdout, _ io.Writer, gone <-chan struct{}) (int, error) {
		if signal, ok := isEnd(argv); ok {
			if argv[5] != "4242" {
				t.Errorf("pid %s", argv[5])
			}
			signals = append(signals, signal)
			if len(signals) == 3 {
				close(ended)
				return 1, nil
			}
			return 0, nil
		}
		first, _ := asShell(argv)
		fmt.Fprint(stdout, first+"begun\n")
		select {
		case <-ended:
			fmt.Fprint(stdout, "tidied\n")
			return 143, nil
		case <-gone:
			t.Error("the stream was closed while the command ran")
			return 0, errBroken
		}
	}
	res, err := runIn(t, s, Request{Timeout: 200 * time.Millisecond})
	var cut *InterruptedError
	if !errors.Is(err, ErrTimeout) || !errors.As(err, &cut) || !cut.Ended() {
		t.Fatalf("error %v", err)
	}
	if string(res.Stdout) != "begun\ntidied\n" || !slices.Equal(signals, []string{"TERM", "0", "0"}) {
		t.Errorf("stdout %q, signals %q", res.Stdout, signals)
	}
	if !strings.Contains(err.Error(), "(200ms); it was ended") {
		t.Errorf("error %q", err)
	}
}

func TestRunSaysWhatItCouldNotEnd(t *testing.T) {
	t.Parallel()
	hang := func(gone <-chan struct{}) (int, error) { <-gone; return 0, errBroken }
	cases := map[string]struct {
		run  func(argv []string, stdout, stderr io.Writer, gone <-chan struct{}) (int, error)
		want string
	}{
		"no shell": {func(argv []string, _, _ io.Writer, gone <-chan struct{}) (int, error) {
			if argv[0] == "/bin/sh" {
				return 126, nil
			}
			return hang(gone)
		}, "may still run: the container has no /bin/sh"},
		"nothing heard": {
			func(_ []string, _, _ io.Writer, gone <-chan struct{}) (int, error) { return hang(gone) },
			"may still run: it is not known whether it was started",
		},
		"not ours to kill": {func(argv []string, stdout, _ io.Writer, gone <-chan struct{}) (int, error) {
			if _, ok := isEnd(argv); ok {
				return 2, nil
			}
			first, _ := asShell(argv)
			fmt.Fprint(stdout, first)
			return hang(gone)
		}, "may still run: ending it failed: the shell ended with code 2"},
	}
	for name, c := range cases {
		_, err := runIn(t, &execServer{run: c.run}, Request{Timeout: 100 * time.Millisecond})
		var cut *InterruptedError
		if !errors.As(err, &cut) || cut.Ended() || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestRunEndsTheCommandOfACancelledCaller(t *testing.T) {
	ctx, cancel := context.WithCancelCause(context.Background())
	stop := errors.New("the backup is cancelled")
	ended := make(chan struct{})
	s := &execServer{t: t}
	s.run = func(argv []string, stdout, _ io.Writer, _ <-chan struct{}) (int, error) {
		if _, ok := isEnd(argv); ok {
			close(ended)
			return 1, nil
		}
		first, _ := asShell(argv)
		fmt.Fprint(stdout, first)
		time.AfterFunc(50*time.Millisecond, func() { cancel(stop) })
		<-ended
		return 143, nil
	}
	_, err := Run(ctx, serve(t, s.ServeHTTP), Request{Namespace: "n", Pod: "p", Command: []string{"x"}})
	var cut *InterruptedError
	if !errors.Is(err, stop) || !errors.As(err, &cut) || !cut.Ended() {
		t.Errorf("error %v", err)
	}
}

func TestRunEndsACommandWhoseConnectionBroke(t *testing.T) {
	s := &execServer{}
	s.run = func(argv []string, stdout, _ io.Writer, _ <-chan struct{}) (int, error) {
		if _, ok := isEnd(argv); ok {
			return 1, nil
		}
		first, _ := asShell(argv)
		fmt.Fprint(stdout, first)
		return 0, errBroken
	}
	_, err := runIn(t, s, Request{})
	var cut *InterruptedError
	if !errors.As(err, &cut) || !cut.Ended() || errors.Is(err, ErrTimeout) || !strings.Contains(err.Error(), "connection to the command broke") {
		t.Errorf("error %v", err)
	}
}

func TestEndEndsWhatWasLeft(t *testing.T) {
	t.Parallel()
	var noted Process
	signals := 0
	s := &execServer{pod: strings.Replace(runningPod, `"name":"app","state"`, `"name":"app","containerID":"c1","state"`, 1)}
	s.run = func(argv []string, stdout, _ io.Writer, _ <-chan struct{}) (int, error) {
		if _, ok := isEnd(argv); ok {
			if signals++; signals == 1 {
				return 0, nil
			}
			return 1, nil
		}
		first, _ := asShell(argv)
		fmt.Fprint(stdout, first)
		time.Sleep(50 * time.Millisecond)
		return 0, nil
	}
	if _, err := runIn(t, s, Request{Started: func(_ context.Context, p Process) error { noted = p; return nil }}); err != nil {
		t.Fatal(err)
	}
	if noted != (Process{"app", "c1", "4242"}) {
		t.Errorf("noted %+v", noted)
	}
	c := serve(t, s.ServeHTTP)
	if err := End(context.Background(), c, "n", "p", noted); err != nil || signals != 2 {
		t.Errorf("%v after %d signals", err, signals)
	}
	for name, p := range map[string]Process{"restarted": {"app", "c0", "4242"}, "crashing": {"late", "", "4242"}, "unknown": {"none", "c1", "4242"}} {
		if err := End(context.Background(), c, "n", "p", p); err != nil || signals != 2 {
			t.Errorf("%s container: %v, %d signals", name, err, signals)
		}
	}
	if err := End(context.Background(), c, "n", "gone", noted); err != nil {
		t.Errorf("pod that is gone: %v", err)
	}
	s.run = func([]string, io.Writer, io.Writer, <-chan struct{}) (int, error) { return 2, nil }
	var cut *InterruptedError
	if err := End(context.Background(), c, "n", "p", noted); !errors.As(err, &cut) || cut.Ended() {
		t.Errorf("command that cannot be ended: %v", err)
	}
}

func TestRunLooksBeforeItStarts(t *testing.T) {
	s := &execServer{run: func([]string, io.Writer, io.Writer, <-chan struct{}) (int, error) { return 0, nil }}
	if _, err := runIn(t, s, Request{Container: "none"}); !errors.Is(err, ErrNoContainer) {
		t.Errorf("unknown container: %v", err)
	}
	if _, err := runIn(t, s, Request{Container: "late"}); !errors.Is(err, ErrNotRunning) || !strings.Contains(err.Error(), "CrashLoopBackOff") {
		t.Errorf("container that crashes: %v", err)
	}
	if _, err := runIn(t, s, Request{Command: []string{""}}); !errors.Is(err, ErrNotStarted) {
		t.Errorf("no command: %v", err)
	}
	s.pod = `{"spec":{"containers":[{"name":"app"}]},"status":{"phase":"Pending"}}`
	if _, err := runIn(t, s, Request{}); !errors.Is(err, ErrNotRunning) || !strings.Contains(err.Error(), "Pending") {
		t.Errorf("pending pod: %v", err)
	}
	c := serve(t, s.ServeHTTP)
	if _, err := Run(context.Background(), c, Request{Namespace: "n", Pod: "gone", Command: []string{"x"}}); !apierrors.IsNotFound(err) {
		t.Errorf("no pod: %v", err)
	}
	if len(s.execs) != 0 {
		t.Errorf("%d execs were tried", len(s.execs))
	}
}

func TestRunRefusedByTheServer(t *testing.T) {
	s := &execServer{}
	var methods []string
	s.refuse = func(w http.ResponseWriter, r *http.Request) bool {
		methods = append(methods, r.Method)
		writeStatus(w, 403, "Forbidden", "you may not run "+r.URL.Query()["command"][5])
		return true
	}
	_, err := runIn(t, s, Request{})
	if !errors.Is(err, ErrNotStarted) || !apierrors.IsForbidden(err) || strings.Contains(err.Error(), "hunter2") {
		t.Errorf("error %v", err)
	}
	if !slices.Equal(methods, []string{"GET", "POST"}) {
		t.Errorf("methods %q: a server without WebSockets is to be asked for SPDY", methods)
	}
	s = &execServer{run: func([]string, io.Writer, io.Writer, <-chan struct{}) (int, error) {
		return 0, errors.New("error dialing backend: dial tcp 10.0.0.1:10250: connect: connection refused")
	}}
	if _, err = runIn(t, s, Request{}); !errors.Is(err, ErrNotStarted) || !errors.Is(err, ErrUnreachable) {
		t.Errorf("node that is down: %v", err)
	}
	s = &execServer{run: func(argv []string, _, _ io.Writer, _ <-chan struct{}) (int, error) {
		return 0, fmt.Errorf("unable to start container process: exec: %q: executable file not found in $PATH", argv[0])
	}}
	if _, err = runIn(t, s, Request{}); !errors.Is(err, ErrNotStarted) || errors.Is(err, ErrUnreachable) {
		t.Errorf("program that is missing where no shell is: %v", err)
	}
}

func TestRunErrorsHideTheCommand(t *testing.T) {
	s := &execServer{run: func(argv []string, _, _ io.Writer, _ <-chan struct{}) (int, error) {
		return 0, fmt.Errorf("cannot run %q", argv)
	}}
	_, err := runIn(t, s, Request{Command: []string{"mysql -phunter2", "s3cret word"}})
	if err == nil || strings.Contains(err.Error(), "hunter2") || strings.Contains(err.Error(), "s3cret") || !strings.Contains(err.Error(), "exec mysql in") {
		t.Errorf("error %v", err)
	}
}
