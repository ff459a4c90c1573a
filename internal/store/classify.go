package store

import (
	"context"
	"errors"
	"net/http"
	"net/url"

	"github.com/lifeboat-backup/lifeboat/internal/aws/awserr"
)

// kindOfCode is the one place that knows S3's error codes, those of the
// stores that imitate it included.
func kindOfCode(code string) error {
	switch code {
	case "NoSuchKey", "NotFound", "NoSuchVersion", "NoSuchUpload", "NoSuchObjectLockConfiguration", "ObjectLockConfigurationNotFoundError":
		return ErrNotFound
	case "NoSuchBucket":
		return ErrNoBucket
	case "PreconditionFailed":
		return ErrExists
	case "ConditionalRequestConflict", "OperationAborted":
		return ErrConflict
	case "AccessDenied", "AllAccessDisabled", "AccountProblem", "Forbidden", "UnauthorizedAccess":
		return ErrAccessDenied
	case "InvalidAccessKeyId", "SignatureDoesNotMatch", "ExpiredToken", "InvalidToken", "TokenRefreshRequired",
		"ExpiredTokenException", "InvalidIdentityToken", "IDPRejectedClaim", "InvalidClientTokenId", codeClock, "InvalidSecurity", "XAdminUserNotFound":
		return ErrCredentials
	case "ObjectLocked", "InvalidObjectState.Locked":
		return ErrLocked
	case "InvalidObjectState":
		return ErrArchived
	case "PermanentRedirect", "TemporaryRedirect", "AuthorizationHeaderMalformed", "IllegalLocationConstraintException":
		return ErrRegion
	case "NotImplemented", "MethodNotAllowed", "UnsupportedOperation", "XNotImplemented":
		return ErrUnsupported
	case "SlowDown", "ServiceUnavailable", "InternalError", "RequestTimeout", "Throttling", "ThrottlingException",
		"RequestLimitExceeded", "TooManyRequests", "BandwidthLimitExceeded", "XMinioServerNotInitialized", "IDPCommunicationError",
		// Damage on the way, which the next attempt need not have.
		"BadDigest", "IncompleteBody", "XAmzContentSHA256Mismatch", "XAmzContentChecksumMismatch", "InvalidChunkSizeError":
		return ErrUnavailable
	case "InvalidArgument", "InvalidRequest", "InvalidRange", "EntityTooSmall", "EntityTooLarge", "KeyTooLongError",
		"InvalidPart", "InvalidPartOrder", "InvalidTag", "InvalidDigest", "MalformedXML", "InvalidBucketName":
		return ErrInvalid
	case "BadRequest": // what the SDK makes of an answer without a body: of S3 to a HEAD with an expired token
		return ErrCredentials
	}
	return nil
}

// kindOfStatus classifies answers without a body, such as those to HEAD.
func kindOfStatus(status int) error {
	switch {
	case status == http.StatusNotFound:
		return ErrNotFound
	case status == http.StatusForbidden:
		return ErrAccessDenied
	case status == http.StatusUnauthorized:
		return ErrCredentials
	case status == http.StatusPreconditionFailed:
		return ErrExists
	case status == http.StatusConflict:
		return ErrConflict
	case status == http.StatusMovedPermanently, status == http.StatusTemporaryRedirect:
		return ErrRegion
	case status == http.StatusNotImplemented, status == http.StatusMethodNotAllowed:
		return ErrUnsupported
	case status == http.StatusBadRequest, status == http.StatusRequestedRangeNotSatisfiable:
		return ErrInvalid
	case status == http.StatusTooManyRequests, status >= 500:
		return ErrUnavailable
	}
	return nil
}

// kindOfUnknown classifies an answer whose code is not known. A 404 with a code
// of its own need not speak of the object: versitygw answers so to an unknown
// account, and taking that for a missing object would hide a whole backup. A 400 with an unknown
// code need not be the request's fault and may pass.
func kindOfUnknown(code string, status int) error {
	if (status == http.StatusNotFound || status == http.StatusBadRequest) && code != "" {
		return nil
	}
	return kindOfStatus(status)
}

// classifyError turns an error of the SDK into an Error of one of this package's kinds.
func classifyError(op, key string, err error) error { return awserr.Wrap(op, key, err, kindOf) }

func kindOf(err error) error {
	if err == nil || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return nil
	}
	if kind := kindOfCode(awserr.Code(err)); kind != nil {
		return kind
	}
	status := awserr.Status(err)
	switch {
	case status == http.StatusTooManyRequests || status >= 500 || awserr.IsNetwork(err) && !awserr.IsCredentials(err):
		return ErrUnavailable
	case awserr.IsCredentials(err):
		return ErrCredentials
	case status != 0:
		return kindOfUnknown(awserr.Code(err), status)
	}
	return nil
}

// stripURL drops the URL from net/http's error: a signed URL is a secret.
func stripURL(err error) error {
	var u *url.Error
	if errors.As(err, &u) {
		return &url.Error{Op: u.Op, URL: "(signed)", Err: u.Err}
	}
	return err
}
