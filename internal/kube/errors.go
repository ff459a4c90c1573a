package kube

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/lifeboat-backup/lifeboat/internal/kube/jsonlist"
)

// StatusError is the API server's refusal. Every error that came from the
// server wraps one.
type StatusError = apierrors.StatusError

// Sentinel errors of the lists.
var (
	// ErrExpired: the continue token is too old and the server offered no other,
	// or what the token's list had delivered is not known. List again from the
	// beginning.
	ErrExpired = errors.New("the list has expired")
	// ErrShortList: the pages held fewer objects than the server had announced.
	// List again from the beginning.
	ErrShortList = errors.New("the list came out short")
	// ErrTooLarge: an object is larger than Options.MaxObject.
	ErrTooLarge = jsonlist.ErrTooLarge
	// ErrNotEstablished: the CRD is there but not served.
	ErrNotEstablished = errors.New("not established")
)

// IsNotFound: there is no such object, namespace or type.
func IsNotFound(err error) bool { return apierrors.IsNotFound(err) }

// IsConflict: the object has changed since it was read, or another field
// manager owns the field.
func IsConflict(err error) bool { return apierrors.IsConflict(err) }

// IsAlreadyExists: an object of this name is there (perhaps made by an earlier
// try of the same create).
func IsAlreadyExists(err error) bool { return apierrors.IsAlreadyExists(err) }

// IsForbidden: refused by RBAC, by an admission plugin or quota, or the
// namespace is being deleted (IsTerminating tells).
func IsForbidden(err error) bool { return apierrors.IsForbidden(err) }

// IsTerminating: the namespace of the object is being deleted.
func IsTerminating(err error) bool {
	return apierrors.HasStatusCause(err, "NamespaceTerminating")
}

// IsInvalid: the object does not pass validation; trying again will not help.
func IsInvalid(err error) bool { return apierrors.IsInvalid(err) || apierrors.IsBadRequest(err) }

// IsUnauthorized: our credentials are missing or expired. An admission policy may answer with
// the same code, and means the object.
func IsUnauthorized(err error) bool { return apierrors.IsUnauthorized(err) && !IsDeniedByPolicy(err) }

// IsUnavailable: the server could not serve this now (429, 5xx, no
// connection, no answer in time); a later try may succeed.
func IsUnavailable(err error) bool {
	if isLost(err) {
		return true
	}
	var status apierrors.APIStatus
	if !errors.As(err, &status) {
		return false
	}
	code := status.Status().Code
	return code == http.StatusTooManyRequests || code >= http.StatusInternalServerError && !isTaken(err)
}

// isTaken: the port that a Service states belongs to another one, or is none of the server's. Of
// a health check port the API server says so by a 500, though it is as final as its 422
// of a node port (pkg/registry/core/service/storage/alloc.go of Kubernetes).
func isTaken(err error) bool {
	text := err.Error()
	return strings.Contains(text, "provided port is already allocated") || strings.Contains(text, "provided port is not in the valid range")
}

// UnansweredWebhook is the webhook that the API server could not call for an object, or that
// could not answer, and "" for any other error: a call by admission is named by the webhook,
// one that converts by what it converts. It says nothing about the object.
func UnansweredWebhook(err error) string {
	var status apierrors.APIStatus
	if !errors.As(err, &status) {
		return ""
	}
	text := status.Status().Message
	failed := status.Status().Code >= http.StatusInternalServerError
	if _, of, ok := strings.Cut(text, "conversion webhook for "); ok {
		what, _, _ := strings.Cut(of, " failed")
		return "conversion webhook for " + what
	}
	for _, call := range []string{"failed calling webhook \"", "admission webhook \""} {
		if _, of, ok := strings.Cut(text, call); ok && failed {
			name, _, _ := strings.Cut(of, "\"")
			return "webhook " + name
		}
	}
	return ""
}

// IsDeniedByPolicy: an admission policy of the API server itself refused the object, with
// whatever code the policy chose, or the namespace's Pod Security level did.
func IsDeniedByPolicy(err error) bool {
	text := err.Error()
	return strings.Contains(text, "with binding '") && strings.Contains(text, "denied request") || strings.Contains(text, "violates PodSecurity ")
}

// MissingServiceAccount is the account that a pod was refused for, as the API server did not
// know it yet, and "" for any other error. The cluster makes a namespace's default account
// soon after the namespace.
func MissingServiceAccount(err error) string {
	_, of, ok := strings.Cut(err.Error(), "error looking up service account ")
	if !ok || !IsForbidden(err) {
		return ""
	}
	account, missing, _ := strings.Cut(of, ": ")
	if !strings.Contains(missing, "not found") {
		return ""
	}
	return "service account " + account
}

// isExpired: 410, the continue token or resourceVersion is too old.
func isExpired(err error) bool {
	return apierrors.IsResourceExpired(err) || apierrors.IsGone(err)
}

// lostError is a request that got no answer, or not the whole of it.
type lostError struct{ err error }

func (e *lostError) Error() string { return "no answer from the API server: " + e.err.Error() }
func (e *lostError) Unwrap() error { return e.err }

func isLost(err error) bool {
	var lost *lostError
	return errors.As(err, &lost)
}

// statusError makes an error of a response that is not a success. Only a
// Status of the API server is quoted: other bodies (a proxy's page) may hold
// anything.
func statusError(resp *http.Response, body []byte) error {
	var s metav1.Status
	if json.Unmarshal(body, &s) != nil || s.Kind != "Status" || s.Status == metav1.StatusSuccess {
		s = metav1.Status{Status: metav1.StatusFailure, Message: fmt.Sprintf("HTTP %d (%s) without a status", resp.StatusCode, http.StatusText(resp.StatusCode)), Reason: reasonOf(resp.StatusCode)}
	}
	s.Code = int32(resp.StatusCode)
	if after := retryAfter(resp); after > 0 {
		if s.Details == nil {
			s.Details = &metav1.StatusDetails{}
		}
		s.Details.RetryAfterSeconds = int32(after)
	}
	return &apierrors.StatusError{ErrStatus: s}
}

// reasonOf is for answers that carry no reason of their own.
func reasonOf(code int) metav1.StatusReason {
	switch code {
	case http.StatusUnauthorized:
		return metav1.StatusReasonUnauthorized
	case http.StatusForbidden:
		return metav1.StatusReasonForbidden
	case http.StatusNotFound:
		return metav1.StatusReasonNotFound
	case http.StatusConflict:
		return metav1.StatusReasonConflict
	case http.StatusGone:
		return metav1.StatusReasonGone
	case http.StatusBadRequest:
		return metav1.StatusReasonBadRequest
	case http.StatusTooManyRequests:
		return metav1.StatusReasonTooManyRequests
	case http.StatusServiceUnavailable:
		return metav1.StatusReasonServiceUnavailable
	case http.StatusGatewayTimeout:
		return metav1.StatusReasonTimeout
	}
	return metav1.StatusReasonUnknown
}

// retryAfter reads the header in seconds; 0 when absent. The HTTP-date form is
// not used by API servers. An hour bounds nonsense.
func retryAfter(resp *http.Response) int {
	n, err := strconv.Atoi(strings.TrimSpace(resp.Header.Get("Retry-After")))
	if err != nil || n < 0 {
		return 0
	}
	return min(n, 3600)
}
