package exec

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	utilexec "k8s.io/client-go/util/exec"
	"k8s.io/streaming/pkg/httpstream"
)

// Remedy is the next step where the API server refuses to run a command in a pod.
const Remedy = "grant the worker the verbs get and create of pods/exec, then run it again"

// Sentinel errors of Run.
var (
	// ErrNoContainer: the pod has no container of that name.
	ErrNoContainer = errors.New("the pod has no such container")
	// ErrNotRunning: the container is there and does not run.
	ErrNotRunning = errors.New("the container does not run")
	// ErrNotStarted: the command has certainly not run.
	ErrNotStarted = errors.New("the command was not started")
	// ErrUnreachable: the command was refused on the way to its container and has
	// certainly not run; a later try may succeed. It is ErrNotStarted as well.
	ErrUnreachable = fmt.Errorf("%w: the container cannot be reached", ErrNotStarted)
	// ErrNotRecorded: Started failed with RecordFirst. The command has certainly not run, and a
	// later try may succeed. It is ErrNotStarted as well.
	ErrNotRecorded = fmt.Errorf("%w: its process could not be recorded", ErrNotStarted)
	// ErrTimeout: the command did not end in time; see InterruptedError.
	ErrTimeout = errors.New("the command did not end in time")

	// errLost: the connection broke while the command ran.
	errLost = errors.New("the connection to the command broke")
	// errLeft: a command outlived the process that ran it.
	errLeft = errors.New("the command was left running")
	// errSignal: the script that ends a command did not run as it should.
	errSignal = errors.New("the shell ended with code")
	// errNoShell: the container has no /bin/sh, and nothing was run.
	errNoShell = errors.New("no shell")
)

// ExitError: the command ended with a code other than 0.
type ExitError struct {
	Code int
	// Stderr is the end of what it printed there, in one line.
	Stderr string
}

func (e *ExitError) Error() string {
	text := fmt.Sprintf("the command ended with code %d", e.Code)
	if e.Stderr != "" {
		text += ": " + e.Stderr
	}
	return text
}

// InterruptedError: the command was running and could not be awaited. It is
// ErrTimeout, the end of the caller's context, or a broken connection.
type InterruptedError struct {
	Why   error
	After time.Duration // the timeout
	// Left is empty when the command and all processes of its session are gone;
	// else it says why that is not certain.
	Left string
}

func (e *InterruptedError) Error() string {
	text := e.Why.Error()
	if errors.Is(e.Why, ErrTimeout) {
		text += " (" + e.After.String() + ")"
	}
	if e.Left == "" {
		return text + "; it was ended"
	}
	return text + " and may still run: " + e.Left
}

// Unwrap gives the cause.
func (e *InterruptedError) Unwrap() error { return e.Why }

// Ended reports whether the command is known to be gone.
func (e *InterruptedError) Ended() bool { return e.Left == "" }

// streamError makes an error of the way in which a stream ended.
func (e *execution) streamError(ctx context.Context, s *session, err error) error {
	if s.isHeld() {
		return e.heldError(ctx, s, err)
	}
	var exit utilexec.CodeExitError
	out := s.out
	switch {
	case err == nil:
		return nil
	case out.shell && out.processID() == "" && isShellMissing(err):
		return errNoShell
	case errors.As(err, &exit):
		return &ExitError{Code: exit.Code, Stderr: e.hideArguments(out.lastWords())}
	case out.processID() != "":
		return &InterruptedError{Why: fmt.Errorf("%w: %s", errLost, e.errorText(err)), Left: e.endProcess(ctx, out)}
	case isNeverStarted(err) && apierrors.IsForbidden(e.withoutChain(err)), strings.Contains(err.Error(), "unable to start container process"), strings.Contains(err.Error(), windowsStart):
		return fmt.Errorf("%w: %w", ErrNotStarted, e.withoutChain(err))
	case isNeverStarted(err):
		return fmt.Errorf("%w: %w", ErrUnreachable, e.withoutChain(err))
	}
	return fmt.Errorf("the command could not be run: %w", e.withoutChain(err))
}

// heldError makes an error of the way in which a stream ended whose command had not begun.
func (e *execution) heldError(ctx context.Context, s *session, err error) error {
	text := "its shell ended before the command began"
	if err != nil && s.out.processID() == "" {
		plain := e.streamError(ctx, &session{out: s.out}, err)
		if errors.Is(plain, errNoShell) || errors.Is(plain, ErrNotStarted) {
			return plain
		}
	}
	if err != nil {
		text += ": " + e.errorText(err)
	}
	return fmt.Errorf("%w: %s", ErrUnreachable, text)
}

// windowsStart begins what Windows says of a program that cannot be started (hcsshim). The
// program is not named.
const windowsStart = "hcs::System::CreateProcess"

// isShellMissing: runtimes report a program that is not there as a failure of their
// own (containerd) or by the codes that shells use (CRI-O).
func isShellMissing(err error) bool {
	var exit utilexec.CodeExitError
	if errors.As(err, &exit) {
		return exit.Code == 126 || exit.Code == 127
	}
	text := err.Error()
	if strings.Contains(text, windowsStart) {
		return strings.Contains(text, "cannot find the file") || strings.Contains(text, "cannot find the path")
	}
	if !strings.Contains(text, "/bin/sh") {
		return false
	}
	for _, s := range []string{"no such file", "not found", "permission denied", "not executable"} {
		if strings.Contains(text, s) {
			return true
		}
	}
	return false
}

// isNeverStarted: the request was refused on the way to the container.
func isNeverStarted(err error) bool {
	var status *apierrors.StatusError
	text := err.Error()
	return errors.As(err, &status) || httpstream.IsUpgradeFailure(err) ||
		strings.Contains(text, "error dialing backend") || strings.Contains(text, "unable to upgrade connection")
}

// withoutChain drops an error's chain, in which the request's URL holds the command, but
// keeps the server's status for callers to branch on.
func (e *execution) withoutChain(err error) error {
	var status apierrors.APIStatus
	if errors.As(err, &status) {
		s := status.Status()
		s.Message = e.hideArguments(s.Message)
		return &apierrors.StatusError{ErrStatus: s}
	}
	return errors.New(e.errorText(err))
}

func (e *execution) errorText(err error) string {
	var u *url.Error
	if errors.As(err, &u) {
		err = u.Err
	}
	return e.hideArguments(err.Error())
}

// programName is the first word of the command, at most 64 bytes of it: people write
// whole command lines, with passwords, where a program's path belongs.
func (e *execution) programName() string {
	word, _, _ := strings.Cut(strings.TrimSpace(e.req.Command[0]), " ")
	return word[:min(len(word), 64)]
}

// hideArguments takes the arguments of the command out of a message of others. Words of
// less than 4 bytes stay: they hide nothing and would tear the message.
func (e *execution) hideArguments(text string) string {
	for i, word := range e.req.Command {
		if i == 0 {
			text = strings.ReplaceAll(text, word, e.programName())
			continue
		}
		if len(word) >= 4 {
			text = strings.ReplaceAll(strings.ReplaceAll(text, word, "…"), url.QueryEscape(word), "…")
		}
	}
	return text
}
