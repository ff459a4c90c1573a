package store

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"time"

	smithyhttp "github.com/aws/smithy-go/transport/http"

	"github.com/lifeboat-backup/lifeboat/internal/aws/awserr"
)

// Reason is why a location cannot be used: a word for programs, and what is wrong with its
// remedy for people. It is empty where the error is none that a store gives.
type Reason struct{ Code, Text string }

// Words of Reason.Code.
const (
	ReasonNoBucket      = "NoSuchBucket"
	ReasonAccessDenied  = "AccessDenied"
	ReasonRegion        = "WrongRegion"
	ReasonClock         = "ClockSkew"
	ReasonTLS           = "TLS"
	ReasonCredentials   = "Credentials"
	ReasonArchived      = "ArchiveTier"
	ReasonUnsupported   = "MissingCapability"
	ReasonUnavailable   = "Unreachable"
	ReasonConfiguration = "Configuration"
)

// ReasonOf tells from an error of a store why the location cannot be used.
func ReasonOf(err error) Reason {
	if text := tlsReason(err); text != "" {
		return Reason{ReasonTLS, text}
	}
	switch {
	case awserr.Code(err) == codeClock:
		return Reason{ReasonClock, clockReason(err) + "; set the clock of the worker's node"}
	case errors.Is(err, ErrNoBucket):
		return Reason{ReasonNoBucket, "the bucket does not exist; create it, or correct spec.objectStorage.bucket"}
	case errors.Is(err, ErrRegion):
		return Reason{ReasonRegion, regionReason(err)}
	case errors.Is(err, ErrArchived):
		return Reason{ReasonArchived, "objects are in an archive tier, where they cannot be read; restore them from there first (aws s3api restore-object), and exclude the prefix from lifecycle rules that move it there"}
	case errors.Is(err, ErrAccessDenied):
		return Reason{ReasonAccessDenied, fmt.Sprintf("the credentials may not %s; allow that in their policy, and in that of the bucket", deniedAction(err))}
	case errors.Is(err, ErrCredentials):
		return Reason{ReasonCredentials, "there are no credentials, or they are wrong or expired; correct spec.credential, config.credentialsFile or the worker's role"}
	case errors.Is(err, ErrUnsupported):
		return Reason{ReasonUnsupported, "the object store cannot do what is needed; 'lifeboat location check' says what it can"}
	case errors.Is(err, ErrUnavailable), errors.Is(err, ErrNoAnswer):
		return Reason{ReasonUnavailable, "the object store cannot be reached, or is not well; check config.s3Url and the network between it and the worker"}
	case errors.Is(err, ErrInvalid):
		return Reason{ReasonConfiguration, "the object store refuses the request itself; check bucket, prefix and config of the location"}
	}
	return Reason{}
}

const codeClock = "RequestTimeTooSkewed"

// tlsReason is "" where TLS is not the reason.
func tlsReason(err error) string {
	var authority x509.UnknownAuthorityError
	var host x509.HostnameError
	var invalid x509.CertificateInvalidError
	var record tls.RecordHeaderError
	switch {
	case errors.As(err, &authority):
		return "nobody whom the worker trusts has signed the certificate of the object store; set spec.objectStorage.caCert or caCertRef to the authority that has"
	case errors.As(err, &host):
		return "the certificate of the object store is for another name; use the name in config.s3Url that it is for"
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		return "the certificate of the object store has expired, or is not valid yet; renew it, or set the clock of the worker's node"
	case errors.As(err, &invalid):
		return "the certificate of the object store is not valid"
	case errors.As(err, &record), err != nil && strings.Contains(err.Error(), "server gave HTTP response to HTTPS client"):
		return "the object store does not speak TLS at this address; use http:// in config.s3Url, or the port that does"
	}
	return ""
}

// clockReason says how far apart the clocks are, where the answer tells.
func clockReason(err error) string {
	at, parseErr := http.ParseTime(answerHeader(err, "Date"))
	if parseErr != nil {
		return "the clocks of the worker and of the object store are too far apart"
	}
	skew := time.Since(at).Round(time.Second)
	if skew < 0 {
		return fmt.Sprintf("the clock of the worker is %s behind that of the object store", -skew)
	}
	return fmt.Sprintf("the clock of the worker is %s ahead of that of the object store", skew)
}

var expectedRegion = regexp.MustCompile(`expecting '([a-z0-9-]+)'`)

// regionReason names the Region that the bucket is in, where the answer tells.
func regionReason(err error) string {
	region := answerHeader(err, "X-Amz-Bucket-Region")
	if m := expectedRegion.FindStringSubmatch(err.Error()); region == "" && m != nil {
		region = m[1]
	}
	if region == "" {
		return "the bucket is in another Region; correct config.region"
	}
	return fmt.Sprintf("the bucket is in Region %s; set config.region to that", region)
}

func answerHeader(err error, name string) string {
	var resp *smithyhttp.ResponseError
	if errors.As(err, &resp) && resp.Response != nil && resp.Response.Response != nil {
		return resp.Response.Header.Get(name)
	}
	return ""
}

// refusedAction finds the action that AWS names in its words.
var refusedAction = regexp.MustCompile(`not authorized to perform: ([a-z0-9]+:[A-Za-z]+)`)

// deniedAction is the action that was denied: as the answer says, or what the operation needs.
func deniedAction(err error) string {
	if m := refusedAction.FindStringSubmatch(err.Error()); m != nil {
		return m[1]
	}
	var call *awserr.Error
	if !errors.As(err, &call) {
		return "do that"
	}
	switch call.Op {
	case "list", "head bucket":
		return "s3:ListBucket"
	case "get", "get range", "head", "read":
		return "s3:GetObject"
	case "put", "compose":
		return "s3:PutObject"
	case "delete":
		return "s3:DeleteObject"
	case "list uploads":
		return "s3:ListBucketMultipartUploads"
	case "abort upload":
		return "s3:AbortMultipartUpload"
	}
	return call.Op
}
