package store

import (
	"errors"

	"github.com/lifeboat-backup/lifeboat/internal/aws/awsconf"
)

// What can go wrong with an object store, told apart with errors.Is.
var (
	// ErrNotFound: the object does not exist.
	ErrNotFound = errors.New("object not found")
	// ErrExists: a conditional write found the key taken.
	ErrExists = errors.New("object already exists")
	// ErrAccessDenied: the credentials are good but may not do this.
	ErrAccessDenied = errors.New("access denied")
	// ErrCredentials: there are no credentials, or they are wrong or expired.
	ErrCredentials = awsconf.ErrCredentials
	// ErrLocked: a retention period or legal hold protects the object.
	ErrLocked = errors.New("object is locked")
	// ErrLockUnknown: the credentials may not read whether a retention period or legal hold
	// protects the object.
	ErrLockUnknown = errors.New("whether the object is locked is not known")
	// ErrNoBucket: the bucket does not exist.
	ErrNoBucket = errors.New("bucket not found")
	// ErrRegion: the bucket lives in another region than the one configured.
	ErrRegion = errors.New("bucket is in another region")
	// ErrReadOnly: the location's access mode forbids writing.
	ErrReadOnly = errors.New("location is read-only")
	// ErrUnavailable: the store cannot be reached, or asks to slow down, after
	// all retries. Trying again later is right.
	ErrUnavailable = errors.New("object store unavailable")
	// ErrNoAnswer: a location was given up on before the store had answered.
	ErrNoAnswer = errors.New("the object store does not answer")
	// ErrArchived: the object is in an archive tier, where it cannot be read.
	ErrArchived = errors.New("object is in an archive tier")
	// ErrUnsupported: the store does not implement the operation.
	ErrUnsupported = errors.New("not supported by the object store")
	// ErrInvalid: the request itself is wrong (key, range, parts).
	ErrInvalid = errors.New("invalid request")
	// ErrConflict: a concurrent write to the same key got in the way, also
	// after retries.
	ErrConflict = errors.New("conflicting concurrent write")
	// ErrChanged: the object was replaced since it was looked at, or while it was read.
	ErrChanged = errors.New("object was replaced meanwhile")
)
