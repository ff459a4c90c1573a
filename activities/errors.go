package activities

import (
	"errors"
	"fmt"

	"github.com/lifeboat-backup/lifeboat/internal/archive"
	"github.com/lifeboat-backup/lifeboat/internal/aws/ebs"
	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/filter"
	"github.com/lifeboat-backup/lifeboat/internal/kube"
	"github.com/lifeboat-backup/lifeboat/internal/store"
)

// problem is an error that no retry can mend, with its contract type.
type problem struct {
	kind string
	err  error
}

func (p *problem) Error() string { return p.err.Error() }
func (p *problem) Unwrap() error { return p.err }

// newProblem is err as an error that no retry mends, of a type of the contract.
func newProblem(kind string, err error) error { return &problem{kind, err} }

func invalid(format string, args ...any) error {
	return &problem{contract.ErrTypeInvalid, fmt.Errorf(format, args...)}
}

func exists(format string, args ...any) error {
	return &problem{contract.ErrTypeExists, fmt.Errorf(format, args...)}
}

func notFound(format string, args ...any) error {
	return &problem{contract.ErrTypeNotFound, fmt.Errorf(format, args...)}
}

func denied(format string, args ...any) error {
	return &problem{contract.ErrTypeDenied, fmt.Errorf(format, args...)}
}

func unusable(format string, args ...any) error {
	return &problem{contract.ErrTypeLocation, fmt.Errorf(format, args...)}
}

// kinds are the domain errors that no retry mends.
var kinds = []struct {
	err  error
	kind string
}{
	{archive.ErrCorrupt, contract.ErrTypeCorrupt},
	{archive.ErrVersion, contract.ErrTypeCorrupt},
	{archive.ErrHostile, contract.ErrTypeCorrupt},
	{store.ErrNoBucket, contract.ErrTypeLocation},
	{store.ErrReadOnly, contract.ErrTypeLocation},
	{store.ErrRegion, contract.ErrTypeLocation},
	{store.ErrUnsupported, contract.ErrTypeLocation},
	{store.ErrInvalid, contract.ErrTypeInvalid},
	{store.ErrAccessDenied, contract.ErrTypeDenied},
	{store.ErrCredentials, contract.ErrTypeDenied},
	{ebs.ErrInvalid, contract.ErrTypeInvalid},
	{ebs.ErrDenied, contract.ErrTypeDenied},
	{ebs.ErrNotOurs, contract.ErrTypeDenied},
}

func kindOf(err error) string {
	var p *problem
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
	if kube.IsForbidden(err) || kube.IsUnauthorized(err) {
		return contract.ErrTypeDenied
	}
	return ""
}
