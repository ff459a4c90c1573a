// Package failure gives errors that no retry mends their type of the contract. An
// activity types what it returns by TypeOf, once, at its edge.
package failure

import (
	"errors"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/lifeboat-backup/lifeboat/internal/archive"
	"github.com/lifeboat-backup/lifeboat/internal/aws/awserr"
	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/filter"
	"github.com/lifeboat-backup/lifeboat/internal/store"
)

// Error is an error that no retry can mend, with its contract type.
type Error struct {
	kind string
	err  error
}

func (p *Error) Error() string { return p.err.Error() }
func (p *Error) Unwrap() error { return p.err }

// New is err as an error that no retry mends, of a type of the contract.
func New(kind string, err error) error { return &Error{kind, err} }

// Invalid is bad input: the field, what is wrong with it, and the remedy.
func Invalid(format string, args ...any) error {
	return &Error{contract.ErrTypeInvalid, fmt.Errorf(format, args...)}
}

// Exists is a name that is taken by a finished backup or a running one.
func Exists(format string, args ...any) error {
	return &Error{contract.ErrTypeExists, fmt.Errorf(format, args...)}
}

// NotFound is a named backup, restore or file that is not there.
func NotFound(format string, args ...any) error {
	return &Error{contract.ErrTypeNotFound, fmt.Errorf(format, args...)}
}

// Locked is what a retention period or a legal hold of the store keeps.
func Locked(format string, args ...any) error {
	return &Error{contract.ErrTypeLocked, fmt.Errorf(format, args...)}
}

// Denied is a store or cluster that refuses our identity, or keeps what is to go.
func Denied(format string, args ...any) error {
	return &Error{contract.ErrTypeDenied, fmt.Errorf(format, args...)}
}

// Unusable is a storage location that cannot serve.
func Unusable(format string, args ...any) error {
	return &Error{contract.ErrTypeLocation, fmt.Errorf(format, args...)}
}

// NameTaken is a name of a cluster that belongs to another cluster.
func NameTaken(format string, args ...any) error {
	return &Error{contract.ErrTypeCluster, fmt.Errorf(format, args...)}
}

// wrongWorker is an error that another worker does not have.
type wrongWorker struct{ err error }

func (w *wrongWorker) Error() string { return w.err.Error() }
func (w *wrongWorker) Unwrap() error { return w.err }

// WrongWorker is a run that is not for this worker: of another cluster, or with its files
// in another place. It has no type, for it is final only where no other worker is found.
func WrongWorker(format string, args ...any) error {
	return &wrongWorker{fmt.Errorf(format, args...)}
}

// IsWrongWorker tells that another worker has to take the run.
func IsWrongWorker(err error) bool {
	var w *wrongWorker
	return errors.As(err, &w)
}

// kinds are the domain errors that no retry mends. What imports this package links all that they
// are from: none is of a package with a client of Kubernetes or EC2.
var kinds = []struct {
	err  error
	kind string
}{
	{archive.ErrCorrupt, contract.ErrTypeCorrupt},
	{archive.ErrVersion, contract.ErrTypeCorrupt},
	{archive.ErrHostile, contract.ErrTypeCorrupt},
	{store.ErrNoBucket, contract.ErrTypeLocation},
	{store.ErrReadOnly, contract.ErrTypeLocation},
	{store.ErrArchived, contract.ErrTypeLocation},
	{store.ErrRegion, contract.ErrTypeLocation},
	{store.ErrUnsupported, contract.ErrTypeLocation},
	{store.ErrInvalid, contract.ErrTypeLocation}, // what users name is checked before it is part of a key
	{store.ErrAccessDenied, contract.ErrTypeDenied},
	{store.ErrCredentials, contract.ErrTypeDenied},
	{awserr.ErrInvalid, contract.ErrTypeInvalid},
	{awserr.ErrDenied, contract.ErrTypeDenied},
	{awserr.ErrNotOurs, contract.ErrTypeDenied},
}

// TypeOf is the type of the contract of an error that no retry mends, and "" of any other.
func TypeOf(err error) string {
	var p *Error
	if errors.As(err, &p) {
		return p.kind
	}
	var fields filter.FieldErrors
	if errors.As(err, &fields) {
		return contract.ErrTypeInvalid
	}
	for _, k := range kinds {
		if errors.Is(err, k.err) {
			return k.kind
		}
	}
	if apierrors.IsForbidden(err) || apierrors.IsUnauthorized(err) {
		return contract.ErrTypeDenied
	}
	return ""
}

// Text is what an error says, "" for none: what is told once is compared by it.
func Text(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}
