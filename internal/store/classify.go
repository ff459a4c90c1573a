package store

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"

	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"
)

// kindOfCode is the one place that knows S3's error codes, those of the
// stores that imitate it included.
func kindOfCode(code string) error {
	switch code {
	case "NoSuchKey", "NotFound", "NoSuchVersion", "NoSuchUpload":
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
		"ExpiredTokenException", "InvalidIdentityToken", "RequestTimeTooSkewed", "InvalidSecurity", "XAdminUserNotFound":
		return ErrCredentials
	case "ObjectLocked", "InvalidObjectState.Locked":
		return ErrLocked
	case "PermanentRedirect", "TemporaryRedirect", "AuthorizationHeaderMalformed", "IllegalLocationConstraintException":
		return ErrRegion
	case "NotImplemented", "MethodNotAllowed", "UnsupportedOperation", "XNotImplemented":
		return ErrUnsupported
	case "SlowDown", "ServiceUnavailable", "InternalError", "RequestTimeout", "Throttling", "ThrottlingException",
		"RequestLimitExceeded", "TooManyRequests", "BandwidthLimitExceeded", "XMinioServerNotInitialized":
		return ErrUnavailable
	case "InvalidArgument", "InvalidRequest", "InvalidRange", "EntityTooSmall", "EntityTooLarge", "KeyTooLongError",
		"InvalidPart", "InvalidPartOrder", "InvalidTag", "InvalidDigest", "BadDigest", "MalformedXML", "InvalidBucketName":
		return ErrInvalid
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
// account, and taking that for a missing object would hide a whole backup.
func kindOfUnknown(code string, status int) error {
	if status == http.StatusNotFound && code != "" {
		return nil
	}
	return kindOfStatus(status)
}

// classify turns an error of the SDK into one of this package. A nil error
// stays nil, an error already classified stays as it is.
func classify(op, key string, err error) error {
	var known *Error
	if err == nil || errors.As(err, &known) {
		return err
	}
	return &Error{Op: op, Key: key, Kind: kindOf(err), Code: codeOf(err), Cause: err}
}

func kindOf(err error) error {
	if err == nil || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return nil
	}
	if kind := kindOfCode(codeOf(err)); kind != nil {
		return kind
	}
	if status := statusOf(err); status != 0 {
		return kindOfUnknown(codeOf(err), status)
	}
	if isCredentialError(err) {
		return ErrCredentials
	}
	if isNetwork(err) {
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

// brief keeps of an SDK error what a reader needs: the store's code and
// message, the status and the request id for its operator.
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

// stripURL drops the URL from net/http's error: a signed URL is a secret.
func stripURL(err error) error {
	var u *url.Error
	if errors.As(err, &u) {
		return &url.Error{Op: u.Op, URL: "(signed)", Err: u.Err}
	}
	return err
}
