package kubetest

import (
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"

	"github.com/lifeboat-backup/lifeboat/internal/kube"
)

// Exec is a command that a container runs.
type Exec struct {
	Namespace, Pod, Container string
	// Command is the command itself, without the shell that package exec starts it
	// through to learn its process id.
	Command        []string
	Stdout, Stderr io.Writer
	// Stopped is closed when the command is sent TERM or KILL.
	Stopped <-chan struct{}
	// Gone is closed when the client has closed the connection. The command runs on, as
	// it does in a real container.
	Gone <-chan struct{}
}

// process is a running Exec. It can be signalled only in the container that it runs in.
type process struct {
	pod       types.UID
	container string
	stopped   chan struct{}
	stop      sync.Once
}

// execTarget is the container that a request wants to run something in.
type execTarget struct {
	pod       types.UID
	container string
}

// serveExec answers a request for pods/exec, over WebSockets or SPDY.
func (s *Server) serveExec(w http.ResponseWriter, r *http.Request, q Request) {
	target, err := s.checkExec(q)
	if err != nil {
		writeError(w, err)
		return
	}
	streams := openStreams(w, r)
	if streams == nil {
		return // the refusal is written
	}
	defer streams.close()
	code, err := s.runProcess(q, target, streams)
	streams.writeStatus(execStatus(code, err))
}

// checkExec refuses what cannot run: no pod, no such container, or one that does not run.
func (s *Server) checkExec(q Request) (execTarget, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := checkExecParameters(q); err != nil {
		return execTarget{}, err
	}
	o, err := s.storedObject(Type{Resource: kube.Pods()}, q)
	if err != nil {
		return execTarget{}, err
	}
	pod, container := convertObject[corev1.Pod](s, o), q.Query.Get("container")
	named := func(c corev1.Container) bool { return c.Name == container }
	if !slices.ContainsFunc(pod.Spec.Containers, named) && !slices.ContainsFunc(pod.Spec.InitContainers, named) {
		return execTarget{}, apierrors.NewBadRequest(fmt.Sprintf("container %s is not valid for pod %s", container, q.Name))
	}
	statuses := slices.Concat(pod.Status.ContainerStatuses, pod.Status.InitContainerStatuses)
	running := func(c corev1.ContainerStatus) bool { return c.Name == container && c.State.Running != nil }
	if !slices.ContainsFunc(statuses, running) {
		return execTarget{}, apierrors.NewInternalError(fmt.Errorf("unable to upgrade connection: container not found (%q)", container))
	}
	return execTarget{pod.UID, container}, nil
}

// checkExecParameters refuses what a real server ignores or fills in by itself: Lifeboat
// names the container, and wants both outputs, and an input only of a shell that waits for it.
func checkExecParameters(q Request) error {
	for key := range q.Query {
		if !slices.Contains([]string{"container", "command", "stdout", "stderr", "stdin"}, key) {
			return apierrors.NewBadRequest(fmt.Sprintf("parameter %q of exec is not known", key))
		}
	}
	if _, _, waits := withoutShell(q.Query["command"]); waits != (q.Query.Get("stdin") == "true") {
		return apierrors.NewBadRequest("stdin is for shells that wait for a line, which it releases")
	}
	for _, key := range []string{"container", "command", "stdout", "stderr"} {
		if q.Query.Get(key) == "" {
			return apierrors.NewBadRequest(fmt.Sprintf("parameter %q of exec is missing", key))
		}
	}
	return nil
}

// runProcess runs the command of a request, or sends a signal to one that runs.
func (s *Server) runProcess(q Request, target execTarget, streams execStreams) (int, error) {
	argv := q.Query["command"]
	if argv[0] == "/bin/sh" && s.noShell {
		return 0, fmt.Errorf("failed to exec in container: unable to start container process: exec: %q: stat /bin/sh: no such file or directory", argv[0])
	}
	if signal, pid, ok := asSignal(argv); ok {
		return s.signalProcess(target, signal, pid), nil
	}
	p, pid := s.newProcess(target)
	defer s.endProcess(pid)
	marker, command, waits := withoutShell(argv)
	if marker != "" {
		_, _ = io.WriteString(streams.stdout(), marker+" "+pid+"\n")
	}
	if waits {
		if code := p.awaitRelease(streams.stdin()); code != 0 {
			return code, nil
		}
	}
	return s.runProgram(&Exec{
		Namespace: q.Namespace, Pod: q.Name, Container: target.container, Command: command,
		Stdout: streams.stdout(), Stderr: streams.stderr(), Stopped: p.stopped, Gone: streams.gone(),
	}), nil
}

func (s *Server) newProcess(target execTarget) (*process, string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.made++
	p, pid := &process{pod: target.pod, container: target.container, stopped: make(chan struct{})}, strconv.Itoa(1000+s.made)
	s.processes[pid] = p
	return p, pid
}

func (s *Server) endProcess(pid string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.processes, pid)
}

// signalProcess answers as the script that ends commands: 0 when one was alive.
func (s *Server) signalProcess(target execTarget, name, pid string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	p, alive := s.processes[pid]
	if !alive || p.pod != target.pod || p.container != target.container {
		return 1
	}
	if name != "0" {
		p.stop.Do(func() { close(p.stopped) })
	}
	return 0
}

// awaitRelease plays a shell that waits for one line and nothing else before it becomes its
// command. It returns the code with which the shell ends instead, 0 if it does not.
func (p *process) awaitRelease(stdin io.Reader) int {
	sent := make(chan string, 1)
	go func() {
		all, _ := io.ReadAll(stdin) // until the client ends it, or the connection
		sent <- string(all)
	}()
	select {
	case text := <-sent:
		if text != "\n" {
			return 1
		}
		return 0
	case <-p.stopped:
		return 143
	}
}

// withoutShell takes off /bin/sh -c 'echo "marker $$"; exec "$@"' sh. waits says that the shell
// reads a line before it becomes the command.
func withoutShell(argv []string) (marker string, command []string, waits bool) {
	if len(argv) < 5 || argv[0] != "/bin/sh" {
		return "", argv, false
	}
	first, then, _ := strings.Cut(argv[2], ` $$"; `)
	waits = then == `read -r line && exec "$@" </dev/null`
	if !waits && then != `exec "$@"` {
		return "", argv, false
	}
	return strings.TrimPrefix(first, `echo "`), argv[4:], waits
}

// asSignal reads /bin/sh -c SCRIPT sh SIGNAL PID.
func asSignal(argv []string) (signal, pid string, ok bool) {
	if len(argv) != 6 || argv[0] != "/bin/sh" || !strings.HasPrefix(argv[2], "sig=$1 pid=$2 ") {
		return "", "", false
	}
	return argv[4], argv[5], true
}
