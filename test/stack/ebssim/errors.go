package ebssim

import (
	"net/http"

	"github.com/lifeboat-backup/lifeboat/test/stack/ebssim/internal/wire"
)

func errVolumeNotFound(id string) error {
	return wire.Invalid("InvalidVolume.NotFound", "The volume '%s' does not exist.", id)
}

func errSnapshotNotFound(id string) error {
	return wire.Invalid("InvalidSnapshot.NotFound", "The snapshot '%s' does not exist.", id)
}

func errInstanceNotFound(id string) error {
	return wire.Invalid("InvalidInstanceID.NotFound", "The instance ID '%s' does not exist", id)
}

func errMissing(parameter string) error {
	return wire.Invalid("MissingParameter", "The request must contain the parameter %s", parameter)
}

func errValue(format string, args ...any) error {
	return wire.Invalid("InvalidParameterValue", format, args...)
}

func errCombination(format string, args ...any) error {
	return wire.Invalid("InvalidParameterCombination", format, args...)
}

func errState(format string, args ...any) error {
	return wire.Invalid("IncorrectState", format, args...)
}

func errSnapshotRate() error {
	return wire.Invalid("SnapshotCreationPerVolumeRateExceeded",
		"The maximum per volume CreateSnapshot request rate has been exceeded. Use an increasing or variable sleep interval between requests.")
}

func errConcurrent(volumeID string) error {
	return wire.Invalid("ConcurrentSnapshotLimitExceeded", "Maximum allowed in-progress snapshots for a single volume exceeded: %s.", volumeID)
}

func errPending(limit int) error {
	return wire.Invalid("PendingSnapshotLimitExceeded", "Maximum number of pending snapshots (%d) exceeded.", limit)
}

func errDenied(message string) error {
	return &wire.Error{Status: http.StatusForbidden, Code: "UnauthorizedOperation", Message: "You are not authorized to perform this operation. " + message}
}

func errDryRun() error {
	return &wire.Error{
		Status: http.StatusPreconditionFailed, Code: "DryRunOperation",
		Message: "Request would have succeeded, but DryRun flag is set.",
	}
}
