package ebs

import (
	"errors"

	"github.com/lifeboat-backup/lifeboat/internal/aws/awsconf"
	"github.com/lifeboat-backup/lifeboat/internal/aws/awserr"
)

// What can go wrong, told apart with errors.Is.
var (
	// ErrNotFound: the volume, snapshot or instance does not exist.
	ErrNotFound = errors.New("not found")
	// ErrDenied: the credentials are good but may not do this.
	ErrDenied = awserr.ErrDenied
	// ErrCredentials: there are no credentials, or they are wrong or expired.
	ErrCredentials = awsconf.ErrCredentials
	// ErrNotOurs: it lacks a tag that only what we made for this purpose has.
	ErrNotOurs = awserr.ErrNotOurs
	// ErrLimit: a quota is used up that waiting does not free, such as the
	// number of snapshots an account may keep.
	ErrLimit = errors.New("quota exceeded")
	// ErrInvalid: EC2 refuses the request itself.
	ErrInvalid = awserr.ErrInvalid
	// ErrState: the resource is not in the state the request needs. Trying again
	// later may be right.
	ErrState = errors.New("wrong state")
	// ErrGroupTooSmall: an instance has so many other volumes that EC2 cannot be told to leave
	// all of them out of a group of snapshots.
	ErrGroupTooSmall = errors.New("too many other volumes")
	// ErrCapacity: the zone has no room for a volume of that type just now.
	ErrCapacity = errors.New("no capacity in the zone")
	// ErrUnavailable: EC2 cannot be reached or fails, after all retries. Trying
	// again later is right.
	ErrUnavailable = errors.New("EC2 unavailable")
)

// IsPermanent tells that no request like the one that failed will do better.
func IsPermanent(err error) bool { return IsFinal(err) || errors.Is(err, ErrCredentials) }

// IsFinal tells that trying again does not mend the error.
func IsFinal(err error) bool {
	for _, final := range []error{ErrNotFound, ErrInvalid, ErrLimit, ErrDenied, ErrNotOurs} {
		if errors.Is(err, final) {
			return true
		}
	}
	return false
}
