// Package awserr is the error of a call to AWS, and what can be read off the
// SDK's errors. What an error code means is each service's own knowledge: S3's
// stands in internal/store, EC2's in internal/aws/ebs.
package awserr

import (
	"errors"
	"fmt"
	"strings"

	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/smithy-go"
)

// Kinds of failures of EC2 that no retry mends.
var (
	// ErrInvalid: AWS refuses the request itself.
	ErrInvalid = errors.New("invalid request")
	// ErrDenied: the credentials are good but may not do this.
	ErrDenied = errors.New("access denied")
	// ErrNotOurs: it lacks a tag that only what we made for this purpose has.
	ErrNotOurs = errors.New("not ours")
)

// Error says which operation failed on what. Kind is one of the service's
// sentinels, or nil when the failure fits none of them. Cause is what the
// service or the network said, Code its code in the service's words.
type Error struct {
	Op    string
	Name  string
	Kind  error
	Code  string
	Cause error
}

// Error renders `operation "name": kind (what the service said)`.
func (e *Error) Error() string {
	head := e.Op
	if e.Name != "" {
		head = fmt.Sprintf("%s %q", e.Op, e.Name)
	}
	switch {
	case e.Kind == nil:
		return fmt.Sprintf("%s: %s", head, Brief(e.Cause))
	case e.Cause == nil:
		return fmt.Sprintf("%s: %v", head, e.Kind)
	}
	return fmt.Sprintf("%s: %v (%s)", head, e.Kind, Brief(e.Cause))
}

// Unwrap makes errors.Is and errors.As see both the kind and the cause.
func (e *Error) Unwrap() []error {
	var all []error
	for _, err := range []error{e.Kind, e.Cause} {
		if err != nil {
			all = append(all, err)
		}
	}
	return all
}

// Fail is an error of our own about a call, not one that AWS answered.
func Fail(op, name string, kind error, format string, a ...any) *Error {
	return &Error{Op: op, Name: name, Kind: kind, Cause: fmt.Errorf(format, a...)}
}

// Wrap turns an error of the SDK into an Error of the kind that kindOf finds. A
// nil error stays nil, an error already wrapped stays as it is.
func Wrap(op, name string, err error, kindOf func(error) error) error {
	var known *Error
	if err == nil || errors.As(err, &known) {
		return err
	}
	return &Error{Op: op, Name: name, Kind: kindOf(err), Code: Code(err), Cause: err}
}

// Brief keeps of an SDK error what a reader needs: the service's code and
// message, the status and the request id for its operator.
func Brief(err error) string {
	var api smithy.APIError
	if !errors.As(err, &api) {
		return err.Error()
	}
	text := api.ErrorCode()
	switch m := strings.TrimSuffix(strings.TrimSpace(api.ErrorMessage()), "."); {
	case text == "": // of the agent of EKS Pod Identity, whose answers are plain text
		text = m
	case m != "" && m != text:
		text += ": " + m
	}
	if status := Status(err); status != 0 {
		text = fmt.Sprintf("%d %s", status, text)
	}
	var resp *awshttp.ResponseError
	if errors.As(err, &resp) && resp.ServiceRequestID() != "" {
		text += ", request id " + resp.ServiceRequestID()
	}
	return text
}
