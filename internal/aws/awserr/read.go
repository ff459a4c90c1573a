package awserr

import (
	"errors"
	"io"
	"net"
	"net/url"
	"strings"

	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"
)

// Code is the service's error code, "" where it gave none.
func Code(err error) string {
	var api smithy.APIError
	if errors.As(err, &api) {
		return api.ErrorCode()
	}
	return ""
}

// Status is the answer's HTTP status, 0 where there was no answer.
func Status(err error) int {
	var resp *smithyhttp.ResponseError
	if errors.As(err, &resp) {
		return resp.HTTPStatusCode()
	}
	return 0
}

// IsCredentials recognises that no request was made because there was nothing
// to sign it with. The SDK has no type for it.
func IsCredentials(err error) bool {
	text := err.Error()
	for _, mark := range []string{"get identity:", "refresh cached credentials", "static credentials are empty"} {
		if strings.Contains(text, mark) {
			return true
		}
	}
	return false
}

// IsNobody tells that who gives credentials answered that there are none: the refusal is not
// the service's. (The metadata of a machine without a role answers 403 or 404.)
func IsNobody(err error) bool {
	status := Status(err)
	return IsCredentials(err) && status >= 400 && status < 500 && status != 429
}

// IsNetwork tells that the connection failed, not the service.
func IsNetwork(err error) bool {
	var netErr net.Error
	var urlErr *url.Error
	var sendErr *smithyhttp.RequestSendError
	return errors.As(err, &netErr) || errors.As(err, &urlErr) || errors.As(err, &sendErr) ||
		errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, net.ErrClosed)
}
