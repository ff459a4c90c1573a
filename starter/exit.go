package main

import (
	"context"
	"errors"

	"github.com/lifeboat-backup/lifeboat/internal/temporal"
)

// Exit codes; the package comment and --help document them.
const (
	codeDone            = 0
	codeError           = 1
	codeFailed          = 2
	codePartiallyFailed = 3
	codeNotFound        = 4
	codeExists          = 5
	codeInterrupted     = 130
)

const exitCodesHelp = `Exit codes:
  0    done; a backup or restore that was waited for is Completed
  1    bad usage, or something on the way failed
  2    the backup, restore or deletion is Failed, FailedValidation or Canceled, or a
       backup that was verified is Corrupt
  3    the backup or restore is PartiallyFailed, a deletion left something, or not
       everything could be verified
  4    what was asked for does not exist
  5    the name is taken already
  130  interrupted: Ctrl-C stops the waiting, never the run`

// outcome ends a command with a code when everything has been said already.
type outcome struct{ code int }

// Error is for debuggers; run prints no outcome.
func (o outcome) Error() string { return "reported already" }

// phaseOutcome is the error with which a command ends that waited for a phase.
func phaseOutcome(phase string) error {
	if code := codeOfPhase(phase); code != codeDone {
		return outcome{code}
	}
	return nil
}

func codeOfPhase(phase string) int {
	switch phase {
	case "Completed", "Deleted":
		return codeDone
	case "PartiallyFailed":
		return codePartiallyFailed
	default:
		return codeFailed
	}
}

// codeOf maps what a command returned to its exit code.
func codeOf(err error) int {
	var said outcome
	var failed *temporal.RunError
	switch {
	case err == nil:
		return codeDone
	case errors.As(err, &said):
		return said.code
	case errors.Is(err, temporal.ErrNotFound):
		return codeNotFound
	case errors.Is(err, temporal.ErrExists):
		return codeExists
	case errors.As(err, &failed):
		return codeFailed
	case errors.Is(err, context.Canceled):
		return codeInterrupted
	default:
		return codeError
	}
}
