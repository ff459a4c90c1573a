package exec

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/lifeboat-backup/lifeboat/internal/kube"
	"github.com/lifeboat-backup/lifeboat/internal/lease"
)

const (
	// defaultMaxOutput is how many bytes of each output are kept unless the request says so.
	defaultMaxOutput = 8 << 10
	// defaultTimeout is for requests that state no timeout: nothing runs for ever.
	defaultTimeout = 30 * time.Second
	// lastOutputWait is how long the outputs of a command that has been ended may still
	// take to arrive.
	lastOutputWait = 2 * time.Second
	// startedTimeout is how long Started may take.
	startedTimeout = 2 * time.Second
)

// Request is a command to run in a container.
type Request struct {
	Namespace, Pod string
	// Container is empty for the pod's first.
	Container string
	// Command is the program and its arguments; no shell splits them.
	Command []string
	// Timeout is how long the command may run; 0 means 30 s.
	Timeout time.Duration
	// MaxOutput is how many of the last bytes of each output are kept; 0 means 8
	// KiB.
	MaxOutput int
	// Started is called once the command runs, where that can be told, with what
	// End needs if this process is lost. It holds up nothing for longer than
	// its context lasts (2 s); what it fails at costs only that certainty.
	Started func(ctx context.Context, p Process) error
	// RecordFirst has Started called before the command begins, which it does only if that
	// succeeds: whoever comes after a lost process then finds every command that may run. The
	// time that Started takes is no part of Timeout. A container without /bin/sh knows no
	// such moment: the command begins at once there, and Started is not called.
	RecordFirst bool
}

// Result is what a command left behind. What it printed may be secret: it is
// not for errors or logs as a whole.
type Result struct {
	Stdout, Stderr []byte // the last bytes
	ExitCode       int
	// Cut says that an output was longer than what is kept of it.
	Cut bool
	// Took is how long the command ran, connecting and Started included.
	Took time.Duration
}

// Run runs a command in a container and waits until it has ended. It is not
// idempotent and never tries again by itself once the command may have started.
//
// Where the container has /bin/sh, the command is started through it so that its
// process id is known. A command that is still running at the timeout, or when ctx
// ends or the connection breaks, is then ended with all processes of its session:
// TERM first, KILL after a grace of 3 s. The error, an *InterruptedError, says
// whether that is certain.
//
// With RecordFirst the shell waits for a line on its stdin before it becomes the command.
// That line is sent once Started has succeeded, and only while the lease of ctx lasts. If
// stdin ends before it, because this process died or the connection broke, the shell ends
// and has run nothing; until then the command has certainly not run.
//
// Errors: apierrors.IsNotFound when there is no such pod; ErrNoContainer, ErrNotRunning;
// ErrNotStarted when the command has certainly not run, and ErrUnreachable or
// ErrNotRecorded when a later try may succeed; *ExitError when it ended
// with another code than 0, together with the result. None of them carries an
// argument of the command, and of its outputs at most the end of stderr.
func Run(ctx context.Context, c *kube.Client, r Request) (Result, error) {
	if len(r.Command) == 0 || r.Command[0] == "" {
		return Result{}, fmt.Errorf("exec in pods %s/%s: %w: no command", r.Namespace, r.Pod, ErrNotStarted)
	}
	r.Timeout = cmp.Or(r.Timeout, defaultTimeout)
	r.MaxOutput = cmp.Or(r.MaxOutput, defaultMaxOutput)
	e := &execution{client: c, req: r, marker: "lifeboat-exec-" + rand.Text()}
	if err := e.checkContainer(ctx); err != nil {
		return Result{}, e.wrapError(err)
	}
	res, err := e.runCommand(ctx, true)
	if errors.Is(err, errNoShell) {
		res, err = e.runCommand(ctx, false)
	}
	return res, e.wrapError(err)
}

// execution is one Run.
type execution struct {
	client *kube.Client
	req    Request
	marker string // of the line that tells the process id; nobody can guess it
	life   string // container id: another one after each restart
}

// wrap names what failed: the place, and the program without its arguments.
func (e *execution) wrapError(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("exec %s in pods %s/%s, container %s: %w", e.programName(), e.req.Namespace, e.req.Pod, e.req.Container, err)
}

// checkContainer looks whether the container can run anything, because the answers to an
// exec that cannot are only words for people.
func (e *execution) checkContainer(ctx context.Context) error {
	pod, err := kube.Read[corev1.Pod](ctx, e.client, kube.Pods(), e.req.Namespace, e.req.Pod)
	if err != nil {
		return err
	}
	if e.req.Container == "" && len(pod.Spec.Containers) > 0 {
		e.req.Container = pod.Spec.Containers[0].Name
	}
	for _, list := range [][]corev1.ContainerStatus{pod.Status.ContainerStatuses, pod.Status.InitContainerStatuses, pod.Status.EphemeralContainerStatuses} {
		for i := range list {
			if list[i].Name == e.req.Container {
				e.life = list[i].ContainerID
				return checkRunning(&list[i])
			}
		}
	}
	if containerNames(&pod)[e.req.Container] {
		return fmt.Errorf("%w: it has not been started (pod phase %s)", ErrNotRunning, pod.Status.Phase)
	}
	return ErrNoContainer
}

func checkRunning(s *corev1.ContainerStatus) error {
	switch {
	case s.State.Running != nil:
		return nil
	case s.State.Terminated != nil:
		return fmt.Errorf("%w: it has ended (%s)", ErrNotRunning, s.State.Terminated.Reason)
	case s.State.Waiting != nil:
		return fmt.Errorf("%w: it waits to be started (%s)", ErrNotRunning, s.State.Waiting.Reason)
	}
	return fmt.Errorf("%w: it has not been started", ErrNotRunning)
}

func containerNames(pod *corev1.Pod) map[string]bool {
	out := map[string]bool{}
	for i := range pod.Spec.Containers {
		out[pod.Spec.Containers[i].Name] = true
	}
	for i := range pod.Spec.InitContainers {
		out[pod.Spec.InitContainers[i].Name] = true
	}
	return out
}

// session is one stream of the command.
type session struct {
	out   *output
	stdin *commandStdin // nil unless the command waits for its release
	done  chan error    // receives the stream's end, once
	until time.Time     // when the command times out
	timer *time.Timer
}

func (e *execution) newSession(shell bool) *session {
	s := &session{
		out: newOutput(e.req.MaxOutput, e.marker, shell), done: make(chan error, 1),
		until: time.Now().Add(e.req.Timeout), timer: time.NewTimer(e.req.Timeout),
	}
	if shell && e.req.RecordFirst {
		s.stdin = newCommandStdin()
	}
	return s
}

func (s *session) close() {
	s.timer.Stop()
	if s.stdin != nil {
		s.stdin.end()
	}
}

// isHeld reports whether the command has certainly not begun, because it waits for its release.
func (s *session) isHeld() bool { return s.stdin != nil && !s.stdin.released }

// runCommand streams the command once. The stream outlives ctx and the timeout: it is
// closed when the command is known to have ended, or cannot be ended.
func (e *execution) runCommand(ctx context.Context, shell bool) (Result, error) {
	start := time.Now()
	s := e.newSession(shell)
	defer s.close()
	streaming, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	go func() { s.done <- e.streamCommand(streaming, e.commandLine(shell), s.stdin, s.out) }()
	err := e.awaitEnd(ctx, streaming, s)
	res := s.out.toResult()
	res.Took = time.Since(start)
	var exit *ExitError
	if errors.As(err, &exit) {
		res.ExitCode = exit.Code
	}
	return res, err
}

// awaitEnd waits for what comes first: the end of the command, or a reason to end it.
func (e *execution) awaitEnd(ctx, streaming context.Context, s *session) error {
	for {
		select {
		case err := <-s.done:
			return e.streamError(streaming, s, err)
		case <-s.timer.C:
			return e.interruptCommand(streaming, s, ErrTimeout)
		case <-ctx.Done():
			return e.interruptCommand(streaming, s, context.Cause(ctx))
		case pid := <-s.out.known:
			if err := e.recordStart(ctx, s, pid); err != nil {
				return e.interruptCommand(streaming, s, err)
			}
		}
	}
}

// recordStart has the command's process recorded, and then releases a command that waits for
// that. If nothing waits, the command runs, whatever becomes of its record.
func (e *execution) recordStart(ctx context.Context, s *session, pid string) error {
	left := time.Until(s.until)
	err := e.reportStart(ctx, pid)
	switch {
	case !s.isHeld():
	case err != nil:
		return fmt.Errorf("%w: %w", ErrNotRecorded, err)
	case len(s.done) == 0: // else the stream has ended, and nothing has begun
		s.stdin.release()
		s.timer.Reset(left)
	}
	return nil
}

// reportStart calls Started. A record may be relied on only if the lease lasts behind it: an
// attempt that stood still meanwhile may have been followed by another one, which looked for
// records before there was this.
func (e *execution) reportStart(ctx context.Context, pid string) error {
	if e.req.Started == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, startedTimeout)
	defer cancel()
	if err := e.req.Started(ctx, Process{Container: e.req.Container, Life: e.life, PID: pid}); err != nil {
		return err
	}
	return lease.Check(ctx)
}

// commandLine is the command, or the shell that prints its own process id and becomes
// the command, at once or when it has read a line. A command has no stdin either way.
func (e *execution) commandLine(shell bool) []string {
	if !shell {
		return e.req.Command
	}
	script := `echo "` + e.marker + ` $$"; exec "$@"`
	if e.req.RecordFirst {
		script = `echo "` + e.marker + ` $$"; read -r line && exec "$@" </dev/null`
	}
	return append([]string{"/bin/sh", "-c", script, "sh"}, e.req.Command...)
}

// interruptCommand ends a command that must not run on, and waits for what it last said.
func (e *execution) interruptCommand(ctx context.Context, s *session, why error) error {
	if s.isHeld() {
		return e.withholdCommand(s, why)
	}
	err := &InterruptedError{Why: why, After: e.req.Timeout}
	if err.Left = e.endProcess(ctx, s.out); err.Ended() {
		s.awaitLastOutput()
	}
	return err
}

// withholdCommand lets the shell end that waits to become the command.
func (e *execution) withholdCommand(s *session, why error) error {
	s.stdin.end()
	s.awaitLastOutput()
	switch {
	case errors.Is(why, ErrNotStarted):
		return why
	case errors.Is(why, ErrTimeout):
		return fmt.Errorf("%w: its shell did not answer within %s", ErrUnreachable, e.req.Timeout)
	}
	return fmt.Errorf("%w: %w", ErrNotStarted, why)
}

func (s *session) awaitLastOutput() {
	last := time.NewTimer(lastOutputWait)
	defer last.Stop()
	select {
	case <-s.done: //nolint:errcheck // it says that the command was ended
	case <-last.C:
	}
}
