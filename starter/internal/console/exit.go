package console

import (
	"context"
	"errors"

	"github.com/lifeboat-backup/lifeboat/internal/temporal"
)

// Exit codes; the package comment and --help document them.
const (
	CodeDone            = 0
	CodeError           = 1
	CodeFailed          = 2
	CodePartiallyFailed = 3
	CodeNotFound        = 4
	CodeExists          = 5
	CodeInterrupted     = 130
)

// ExitCodesHelp is the part of a help text that explains the exit codes.
const ExitCodesHelp = `Exit codes:
  0    done; a backup or restore that was waited for is Completed
  1    bad input, whoever finds it: nothing was done (FailedValidation); or something on
       the way failed
  2    the backup, restore or deletion is Failed or Canceled, or a backup that was
       verified is Corrupt
  3    the backup or restore is PartiallyFailed, a deletion left something, schedules
       were left that stand in the worker's configuration, or not everything could be
       verified or measured
  4    what was asked for does not exist
  5    the name is taken already
  130  interrupted: Ctrl-C stops the waiting, never the run`

// failedValidation is the phase of a run whose input the worker has refused. Its code is that of
// input which this program refuses: who calls it cannot know which of both looks at a field.
const failedValidation = "FailedValidation"

// Outcome ends a command with a code when everything has been said already.
type Outcome struct{ Code int }

// Error is for debuggers; run prints no outcome.
func (o Outcome) Error() string { return "reported already" }

// PhaseOutcome is the error with which a command ends that waited for a phase.
func PhaseOutcome(phase string) error {
	if code := codeOfPhase(phase); code != CodeDone {
		return Outcome{Code: code}
	}
	return nil
}

func codeOfPhase(phase string) int {
	switch phase {
	case "Completed", "Deleted":
		return CodeDone
	case "PartiallyFailed":
		return CodePartiallyFailed
	case failedValidation:
		return CodeError
	default:
		return CodeFailed
	}
}

// IsSettled tells whether a command ended with an answer: done, said already, or what a worker found.
// Any other error of a command that was interrupted is the interruption itself, in the words of
// whatever was waited for.
func IsSettled(err error) bool {
	code := CodeOf(err)
	return code != CodeError && code != CodeInterrupted
}

// CodeOf maps what a command returned to its exit code.
func CodeOf(err error) int {
	var said Outcome
	var failed *temporal.RunError
	switch {
	case err == nil:
		return CodeDone
	case errors.As(err, &said):
		return said.Code
	case errors.Is(err, temporal.ErrNotFound):
		return CodeNotFound
	case errors.Is(err, temporal.ErrExists):
		return CodeExists
	case errors.As(err, &failed) && failed.Phase == failedValidation:
		return CodeError
	case errors.As(err, &failed):
		return CodeFailed
	case errors.Is(err, context.Canceled):
		return CodeInterrupted
	default:
		return CodeError
	}
}
