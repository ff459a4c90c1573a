package temporal

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/temporal"

	"github.com/lifeboat-backup/lifeboat/internal/contract"
)

// Sentinels that callers branch on with errors.Is.
var (
	// ErrNotFound says that a backup, restore, file or run is not there.
	ErrNotFound = errors.New("not found")
	// ErrExists says that a name is taken by a finished backup or a running one.
	ErrExists = errors.New("already exists")
	// ErrLocked says that a retention period or a legal hold keeps what was to be deleted.
	ErrLocked = errors.New("locked")
	// ErrNoWorker says that nobody serves the cluster's task queue.
	ErrNoWorker = errors.New("no worker")
	// ErrLost says that the Temporal server does not answer.
	ErrLost = errors.New("connection lost")
)

// RunError is a run that ended without a result. Phase is Velero's name for it
// ("Failed", "FailedValidation") or "Canceled".
type RunError struct {
	Run     Run
	Phase   string
	Message string
	kind    error // one of the sentinels, or nil
}

// Error names the run, what became of it and why.
func (e *RunError) Error() string {
	return fmt.Sprintf("%s: %s: %s", e.Run.Kind.naming(e.Run.Name), e.Phase, e.Message)
}

// Unwrap gives ErrNotFound, ErrExists or ErrLocked where the run failed for that reason.
func (e *RunError) Unwrap() error { return e.kind }

// remoteError is what the server or a worker answered. People see its text alone;
// callers branch on its kind.
type remoteError struct {
	text string
	kind error
}

func (e *remoteError) Error() string { return e.text }
func (e *remoteError) Unwrap() error { return e.kind }

// explainError turns an error of the SDK into one for people: the innermost
// application message without wrapping, or a word on the connection.
func explainError(err error) error {
	var app *temporal.ApplicationError
	if errors.As(err, &app) {
		return &remoteError{text: messageOf(app), kind: sentinelFor(app.Type())}
	}
	var missing *serviceerror.NotFound
	if errors.As(err, &missing) {
		return &remoteError{text: missing.Error(), kind: ErrNotFound}
	}
	if isConnectionLost(err) {
		return &remoteError{text: err.Error(), kind: ErrLost}
	}
	return err
}

// messageOf is what a worker said. It names the field of an input that is wrong; the name is what the
// user gave as an argument, and what there is of that name is in the message.
func messageOf(app *temporal.ApplicationError) string {
	return strings.TrimPrefix(app.Message(), "name: ")
}

// sentinelFor is the sentinel for the type of an application error, nil where there is none.
func sentinelFor(errType string) error {
	switch errType {
	case contract.ErrTypeNotFound:
		return ErrNotFound
	case contract.ErrTypeExists:
		return ErrExists
	case contract.ErrTypeLocked:
		return ErrLocked
	default:
		return nil
	}
}

// isConnectionLost tells trouble on the way to the server, which passes, from an answer.
func isConnectionLost(err error) bool {
	var unavailable *serviceerror.Unavailable
	var deadline *serviceerror.DeadlineExceeded
	var busy *serviceerror.ResourceExhausted
	var canceled *serviceerror.Canceled
	return errors.As(err, &unavailable) || errors.As(err, &deadline) || errors.As(err, &busy) ||
		errors.As(err, &canceled) || errors.Is(err, context.DeadlineExceeded)
}

// leftRemedy says what becomes of what a terminated run of a kind has left.
func leftRemedy(kind Kind) string {
	switch kind {
	case KindBackup:
		return ": the next backup of this name does. Cancel a backup, do not terminate it"
	case KindDelete:
		return ": delete the backup again to go on"
	default:
		return ": what it has made and its working files stay. Cancel a restore, do not terminate it"
	}
}

// runFailure translates the failure of a workflow run. Errors that are not about the
// run itself come back as explainError gives them.
func runFailure(run Run, err error) error {
	var failed *temporal.WorkflowExecutionError
	if !errors.As(err, &failed) {
		return explainError(err)
	}
	var app *temporal.ApplicationError
	var timeout *temporal.TimeoutError
	var terminated *temporal.TerminatedError
	out := &RunError{Run: run, Phase: "Failed", Message: failed.Error()}
	switch {
	case temporal.IsCanceledError(failed.Unwrap()):
		out.Phase, out.Message = "Canceled", "it was cancelled"
	case errors.As(err, &terminated):
		out.Message = "its workflow was terminated by hand, so that it could not clean up" + leftRemedy(run.Kind)
	case errors.As(err, &app):
		out.Message, out.kind = messageOf(app), sentinelFor(app.Type())
		if app.Type() == contract.ErrTypeInvalid {
			out.Phase = "FailedValidation"
		}
	case errors.As(err, &timeout):
		out.Message = "gave up: " + timeout.Error()
	}
	return out
}
