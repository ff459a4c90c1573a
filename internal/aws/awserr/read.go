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

// Status is the answer's HTTP status, 0 where there was no answer. It is that of whoever issues
// credentials where none were issued: errors of EKS Pod Identity's agent are no ResponseError.
func Status(err error) int {
	var answer interface{ HTTPStatusCode() int }
	if errors.As(err, &answer) {
		return answer.HTTPStatusCode()
	}
	return 0
}

// imds marks an error of the metadata service of an instance, the last place where the SDK
// looks for credentials. Off AWS it cannot be reached: then there are none at all.
const imds = "ec2imds"

// IsCredentials recognises that no request was made because there was nothing
// to sign it with. The SDK has no type for it. Where who issues credentials cannot be reached,
// or fails by its own fault, there may be some later: that is no answer.
func IsCredentials(err error) bool {
	text := err.Error()
	if IsNetwork(err) && !strings.Contains(text, imds) {
		return false
	}
	for _, mark := range []string{"get identity:", "refresh cached credentials", "static credentials are empty"} {
		if strings.Contains(text, mark) {
			return true
		}
	}
	return false
}

// IsNetwork tells that the connection failed, or that the service says that it is to blame
// itself: trying again later is right.
func IsNetwork(err error) bool {
	var api smithy.APIError
	if errors.As(err, &api) && api.ErrorFault() == smithy.FaultServer {
		return true
	}
	var netErr net.Error
	var urlErr *url.Error
	var sendErr *smithyhttp.RequestSendError
	return errors.As(err, &netErr) || errors.As(err, &urlErr) || errors.As(err, &sendErr) ||
		errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, net.ErrClosed)
}
