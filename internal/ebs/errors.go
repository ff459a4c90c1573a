package ebs

import (
	"errors"
	"fmt"

	"github.com/lifeboat-backup/lifeboat/internal/awsconf"
)

// What can go wrong, told apart with errors.Is.
var (
	// ErrNotFound: the volume, snapshot or instance does not exist.
	ErrNotFound = errors.New("not found")
	// ErrDenied: the credentials are good but may not do this.
	ErrDenied = errors.New("access denied")
	// ErrCredentials: there are no credentials, or they are wrong or expired.
	ErrCredentials = awsconf.ErrCredentials
	// ErrNotOurs: it lacks a tag that only what we made for this purpose has.
	ErrNotOurs = errors.New("not ours")
	// ErrLimit: a quota is used up that waiting does not free, such as the
	// number of snapshots an account may keep.
	ErrLimit = errors.New("quota exceeded")
	// ErrInvalid: EC2 refuses the request itself.
	ErrInvalid = errors.New("invalid request")
	// ErrState: the resource is not in the state the request needs. Trying again
	// later may be right.
	ErrState = errors.New("wrong state")
	// ErrUnavailable: EC2 cannot be reached or fails, after all retries. Trying
	// again later is right.
	ErrUnavailable = errors.New("EC2 unavailable")
)

// Error says which EC2 action failed on what. Kind is one of the sentinels, or
// nil when the failure fits none. Cause is what EC2 or the network said.
type Error struct {
	Action string
	ID     string
	Kind   error
	Code   string
	Cause  error
}

// Error renders `Action "id": kind (what EC2 said)`.
func (e *Error) Error() string {
	head := e.Action
	if e.ID != "" {
		head = fmt.Sprintf("%s %q", e.Action, e.ID)
	}
	switch {
	case e.Kind == nil:
		return fmt.Sprintf("%s: %s", head, brief(e.Cause))
	case e.Cause == nil:
		return fmt.Sprintf("%s: %v", head, e.Kind)
	}
	return fmt.Sprintf("%s: %v (%s)", head, e.Kind, brief(e.Cause))
}

// Unwrap makes errors.Is and errors.As see both the kind and the cause.
func (e *Error) Unwrap() []error {
	var all []error
	for _, err := range []error{e.Kind, e.Cause} {
		if err != nil {
			all = append(all, err)
		}
	}
	return all
}

// IsFinal tells that trying again does not mend the error.
func IsFinal(err error) bool {
	for _, final := range []error{ErrNotFound, ErrInvalid, ErrLimit, ErrDenied, ErrNotOurs} {
		if errors.Is(err, final) {
			return true
		}
	}
	return false
}

func fail(action, id string, kind error, format string, a ...any) *Error {
	return &Error{Action: action, ID: id, Kind: kind, Cause: fmt.Errorf(format, a...)}
}
