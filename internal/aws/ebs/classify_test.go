package ebs

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"strings"
	"testing"

	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"github.com/lifeboat-backup/lifeboat/internal/aws/awserr"
)

func apiError(code string) error {
	return &smithy.OperationError{ServiceID: "EC2", OperationName: "X", Err: &smithy.GenericAPIError{Code: code, Message: "said so."}}
}

func TestClassify(t *testing.T) {
	for code, want := range map[string]error{
		"UnauthorizedOperation": ErrDenied, "AccessDenied": ErrDenied,
		"AuthFailure": ErrCredentials, "ExpiredToken": ErrCredentials, "InvalidClientTokenId": ErrCredentials, "RequestExpired": ErrCredentials,
		"InvalidVolume.NotFound": ErrNotFound, "InvalidSnapshot.NotFound": ErrNotFound, "InvalidInstanceID.NotFound": ErrNotFound, "InvalidZone.NotFound": ErrNotFound,
		"SnapshotLimitExceeded": ErrLimit, "VolumeLimitExceeded": ErrLimit, "TagLimitExceeded": ErrLimit, "MaxIOPSLimitExceeded": ErrLimit, "SomeNewLimitExceeded": ErrLimit,
		"IncorrectState": ErrState, "VolumeInUse": ErrState, "InvalidSnapshot.InUse": ErrState,
		"IDPCommunicationError": ErrUnavailable, "InternalError": ErrUnavailable, "Unavailable": ErrUnavailable, "RequestLimitExceeded": ErrUnavailable, "PendingSnapshotLimitExceeded": ErrUnavailable,
		"InsufficientVolumeCapacity": ErrCapacity,
		"InvalidParameterValue":      ErrInvalid, "MissingParameter": ErrInvalid, "IdempotentParameterMismatch": ErrInvalid, "InvalidSnapshotID.Malformed": ErrInvalid,
	} {
		err := classify("CreateSnapshot", "vol-1", apiError(code))
		if !errors.Is(err, want) {
			t.Errorf("%s: %v, want %v", code, err, want)
		}
		if text := err.Error(); !strings.HasPrefix(text, `CreateSnapshot "vol-1": `) || !strings.Contains(text, code+": said so") {
			t.Errorf("%s: %q", code, text)
		}
	}
	if err := classify("X", "", apiError("NeverHeardOf")); errors.Is(err, ErrInvalid) || errors.Is(err, ErrUnavailable) {
		t.Errorf("an unknown code is of no kind, got %v", err)
	}
}

func TestClassifyKeeps(t *testing.T) {
	if classify("X", "", nil) != nil {
		t.Error("no error became one")
	}
	first := awserr.Fail("A", "vol-1", ErrState, "why")
	if got := classify("B", "vol-2", fmt.Errorf("wrapped: %w", first)); !strings.Contains(got.Error(), `A "vol-1"`) {
		t.Errorf("classified twice: %v", got)
	}
	ended := classify("X", "", context.Canceled)
	if !errors.Is(ended, context.Canceled) || errors.Is(ended, ErrUnavailable) {
		t.Errorf("the context's end: %v", ended)
	}
}

func TestAmbiguous(t *testing.T) {
	send := func(err error) error {
		return &smithyhttp.RequestSendError{Err: &url.Error{Op: "Post", URL: "x", Err: err}}
	}
	for name, tt := range map[string]struct {
		err  error
		want bool
	}{
		"answer cut off":    {send(io.ErrUnexpectedEOF), true},
		"timeout":           {send(&net.OpError{Op: "read", Err: errors.New("i/o timeout")}), true},
		"never connected":   {send(&net.OpError{Op: "dial", Err: errors.New("connection refused")}), false},
		"internal error":    {apiError("InternalError"), true},
		"throttled":         {apiError("RequestLimitExceeded"), false},
		"limit":             {apiError("ConcurrentSnapshotLimitExceeded"), false},
		"refused":           {apiError("UnauthorizedOperation"), false},
		"the context ended": {context.Canceled, false},
	} {
		if got := isAmbiguous(tt.err); got != tt.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

func TestProgress(t *testing.T) {
	for text, want := range map[string]int{"": 0, "0%": 0, "42%": 42, " 100% ": 100, "100": 100, "250%": 100, "-3%": 0, "many": 0} {
		if got := progress(text); got != want {
			t.Errorf("%q: %d, want %d", text, got, want)
		}
	}
}
