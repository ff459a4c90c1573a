package awserr

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"testing"

	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"
)

var errKind = errors.New("access denied")

func answer(status int, id string, err error) error {
	return &awshttp.ResponseError{RequestID: id, ResponseError: &smithyhttp.ResponseError{
		Response: &smithyhttp.Response{Response: &http.Response{StatusCode: status}}, Err: err,
	}}
}

func TestText(t *testing.T) {
	refused := answer(403, "r-1", &smithy.GenericAPIError{Code: "AccessDenied", Message: "Not for you."})
	for want, err := range map[string]error{
		`get "k": access denied (403 AccessDenied: Not for you, request id r-1)`: Wrap("get", "k", refused, func(error) error { return errKind }),
		`get "k": 403 AccessDenied: Not for you, request id r-1`:                 Wrap("get", "k", refused, func(error) error { return nil }),
		`get "k": (ResourceNotFoundException): no association`:                   Wrap("get", "k", &smithy.GenericAPIError{Message: "(ResourceNotFoundException): no association\n"}, func(error) error { return nil }),
		`head bucket: access denied`:                                             &Error{Op: "head bucket", Kind: errKind},
		`delete "v": access denied (tag is missing)`:                             Fail("delete", "v", errKind, "tag is %s", "missing"),
	} {
		if err.Error() != want {
			t.Errorf("got  %s\nwant %s", err, want)
		}
	}
}

// What a caller asks with errors.Is is answered by the kind and by the cause,
// and the innermost call's error is not wrapped a second time.
func TestWrap(t *testing.T) {
	inner := Wrap("get", "k", io.ErrUnexpectedEOF, func(error) error { return errKind })
	if !errors.Is(inner, errKind) || !errors.Is(inner, io.ErrUnexpectedEOF) {
		t.Errorf("%v hides its kind or cause", inner)
	}
	if outer := Wrap("read", "all", inner, func(error) error { return nil }); outer != inner {
		t.Errorf("wrapped twice: %v", outer)
	}
	if err := Wrap("get", "k", nil, nil); err != nil {
		t.Errorf("nil became %v", err)
	}
}

func TestRead(t *testing.T) {
	api := answer(503, "", &smithy.GenericAPIError{Code: "SlowDown"})
	if Code(api) != "SlowDown" || Status(api) != 503 {
		t.Errorf("read %q and %d", Code(api), Status(api))
	}
	if Code(io.EOF) != "" || Status(io.EOF) != 0 {
		t.Error("an error without an answer has a code or a status")
	}
	for _, tt := range []struct {
		err                  error
		credentials, network bool
	}{
		{err: errors.New("get identity: get credentials: failed to refresh cached credentials"), credentials: true},
		{err: fmt.Errorf("get identity: get credentials: %w", &net.OpError{Op: "dial", Err: errors.New("refused")}), network: true},
		{err: fmt.Errorf("get identity: get credentials: operation error ec2imds: %w", &net.OpError{Op: "dial", Err: errors.New("refused")}), credentials: true, network: true},
		{err: fmt.Errorf("get identity: %w", &smithy.GenericAPIError{Code: "InternalServerException", Fault: smithy.FaultServer}), network: true},
		{err: &url.Error{Op: "Get", URL: "http://x", Err: io.EOF}, network: true},
		{err: &net.OpError{Op: "dial", Err: errors.New("refused")}, network: true},
		{err: &smithyhttp.RequestSendError{Err: errors.New("reset")}, network: true},
		{err: io.ErrUnexpectedEOF, network: true},
		{err: answer(429, "", &smithy.GenericAPIError{Fault: smithy.FaultClient}), network: true},
		{err: context.Canceled},
		{err: api},
		{err: fmt.Errorf("get identity: get credentials: failed to refresh cached credentials, no EC2 IMDS role found, operation error ec2imds: GetMetadata, %w", answer(403, "", nil)), credentials: true},
	} {
		if IsCredentials(tt.err) != tt.credentials || IsNetwork(tt.err) != tt.network {
			t.Errorf("%v: credentials %t, network %t", tt.err, IsCredentials(tt.err), IsNetwork(tt.err))
		}
	}
}
