package ebs

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"strings"

	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"
)

// Refusals that are about when, not about what.
const (
	codePending   = "PendingSnapshotLimitExceeded"          // too many pending in the account
	codePerVolume = "ConcurrentSnapshotLimitExceeded"       // too many pending of the volume
	codeApart     = "SnapshotCreationPerVolumeRateExceeded" // too soon after the volume's last
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

// isLimit: a snapshot is refused for now; the pool waits it out.
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
	case "InternalError", "InternalFailure", "ServiceUnavailable", "Unavailable", "RequestTimeout", "InsufficientVolumeCapacity":
		return ErrUnavailable
	case "IdempotentParameterMismatch", "UnknownParameter", "UnknownVolumeType.Unsupported", "ValidationError", "UnsupportedOperation":
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

// classify turns an error of the SDK into one of this package. A nil error
// stays nil, an error already classified stays as it is.
func classify(action, id string, err error) error {
	var known *Error
	if err == nil || errors.As(err, &known) {
		return err
	}
	return &Error{Action: action, ID: id, Kind: kindOf(err), Code: codeOf(err), Cause: err}
}

func kindOf(err error) error {
	if err == nil || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return nil
	}
	if kind := kindOfCode(codeOf(err)); kind != nil {
		return kind
	}
	switch status := statusOf(err); {
	case status == 401:
		return ErrCredentials
	case status == 403:
		return ErrDenied
	case status == 429 || status >= 500:
		return ErrUnavailable
	case status >= 400:
		return ErrInvalid
	case isCredentialError(err):
		return ErrCredentials
	case isNetwork(err):
		return ErrUnavailable
	}
	return nil
}

func codeOf(err error) string {
	var api smithy.APIError
	if errors.As(err, &api) {
		return api.ErrorCode()
	}
	return ""
}

func statusOf(err error) int {
	var resp *smithyhttp.ResponseError
	if errors.As(err, &resp) {
		return resp.HTTPStatusCode()
	}
	return 0
}

// isCredentialError recognises that no request was made because there was
// nothing to sign it with. The SDK has no type for it.
func isCredentialError(err error) bool {
	text := err.Error()
	for _, mark := range []string{"get identity:", "refresh cached credentials", "static credentials are empty"} {
		if strings.Contains(text, mark) {
			return true
		}
	}
	return false
}

func isNetwork(err error) bool {
	var netErr net.Error
	var urlErr *url.Error
	var sendErr *smithyhttp.RequestSendError
	return errors.As(err, &netErr) || errors.As(err, &urlErr) || errors.As(err, &sendErr) ||
		errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, net.ErrClosed)
}

// isAmbiguous: the request may have been carried out although it failed. A
// connection that was never made is not.
func isAmbiguous(err error) bool {
	var op *net.OpError
	if errors.As(err, &op) && op.Op == "dial" {
		return false
	}
	code := codeOf(err)
	return errors.Is(kindOf(err), ErrUnavailable) && !isThrottle(code) && !isLimit(code)
}

// brief keeps of an SDK error what a reader needs: EC2's code and message, the
// status and the request id for AWS support.
func brief(err error) string {
	var api smithy.APIError
	if !errors.As(err, &api) {
		return err.Error()
	}
	text := api.ErrorCode()
	if m := api.ErrorMessage(); m != "" && m != text {
		text += ": " + strings.TrimSuffix(m, ".")
	}
	if status := statusOf(err); status != 0 {
		text = fmt.Sprintf("%d %s", status, text)
	}
	var resp *awshttp.ResponseError
	if errors.As(err, &resp) && resp.ServiceRequestID() != "" {
		text += ", request id " + resp.ServiceRequestID()
	}
	return text
}
