package ebs

import (
	"context"
	"errors"
	"net"
	"strings"

	"github.com/lifeboat-backup/lifeboat/internal/aws/awserr"
)

// Refusals that are about when, not about what.
const (
	codePending   = "PendingSnapshotLimitExceeded"          // too many pending in the account
	codePerVolume = "ConcurrentSnapshotLimitExceeded"       // too many pending of the volume
	codeApart     = "SnapshotCreationPerVolumeRateExceeded" // too soon after the volume's last
	codeCapacity  = "InsufficientVolumeCapacity"            // of the zone, for the volume's type
)

// isThrottle: EC2 took too many requests of this action in too short a time.
func isThrottle(code string) bool {
	switch code {
	case "RequestLimitExceeded", "Throttling", "ThrottlingException", "ThrottledException", "RequestThrottled",
		"RequestThrottledException", "TooManyRequestsException", "EC2ThrottledException", "BandwidthLimitExceeded", "SlowDown":
		return true
	}
	return false
}

// isLimit: a snapshot is refused for now; the quota waits it out.
func isLimit(code string) bool {
	return code == codePending || code == codePerVolume || code == codeApart
}

// kindOfCode is the one place that knows EC2's and STS's error codes.
func kindOfCode(code string) error {
	switch code {
	case "UnauthorizedOperation", "AccessDenied", "AccessDeniedException", "OptInRequired", "OperationNotPermitted", "Blocked":
		return ErrDenied
	case "AuthFailure", "InvalidClientTokenId", "ExpiredToken", "ExpiredTokenException", "RequestExpired", "SignatureDoesNotMatch",
		"MissingAuthenticationToken", "IncompleteSignature", "InvalidIdentityToken", "IDPRejectedClaim", "PendingVerification":
		return ErrCredentials
	case "SnapshotLimitExceeded", "VolumeLimitExceeded", "MaxIOPSLimitExceeded", "MaxThroughputLimitExceeded",
		"VolumeIOPSLimitExceeded", "TagLimitExceeded", "ResourceCountExceeded":
		return ErrLimit
	case "IncorrectState", "IncorrectInstanceState", "IncorrectModificationState", "VolumeInUse", "InvalidSnapshot.InUse",
		"ResourceInUse", "DependencyViolation":
		return ErrState
	case "InternalError", "InternalFailure", "ServiceUnavailable", "Unavailable", "RequestTimeout", "IDPCommunicationError":
		return ErrUnavailable
	case "ResourceNotFoundException":
		return ErrNotFound
	case codeCapacity:
		return ErrCapacity
	case "IdempotentParameterMismatch", "UnknownParameter", "UnknownVolumeType.Unsupported", "ValidationError", "ValidationException", "UnsupportedOperation":
		return ErrInvalid
	}
	switch {
	case isThrottle(code), isLimit(code):
		return ErrUnavailable
	case strings.HasSuffix(code, ".NotFound"):
		return ErrNotFound
	case strings.HasSuffix(code, "LimitExceeded"):
		return ErrLimit
	case strings.HasPrefix(code, "Invalid"), strings.HasPrefix(code, "Missing"):
		return ErrInvalid
	}
	return nil
}

// classify turns an error of the SDK into an Error of one of this package's kinds.
func classify(action, id string, err error) error { return awserr.Wrap(action, id, err, kindOf) }

func kindOf(err error) error {
	if err == nil || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return nil
	}
	if kind := kindOfCode(awserr.Code(err)); kind != nil {
		return kind
	}
	switch status := awserr.Status(err); {
	case status == 429 || status >= 500 || awserr.IsNetwork(err) && !awserr.IsCredentials(err):
		return ErrUnavailable
	case awserr.IsCredentials(err), status == 401:
		return ErrCredentials
	case status == 403:
		return ErrDenied
	case status >= 400:
		return ErrInvalid
	}
	return nil
}

// isAmbiguous: the request may have been carried out although it failed. A
// connection that was never made is not.
func isAmbiguous(err error) bool {
	var op *net.OpError
	if errors.As(err, &op) && op.Op == "dial" {
		return false
	}
	code := awserr.Code(err)
	return errors.Is(kindOf(err), ErrUnavailable) && !isThrottle(code) && !isLimit(code)
}
