package store_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/lifeboat-backup/lifeboat/internal/store"
)

// TestReasons answers as S3, MinIO and versitygw do: the reason names what is wrong and the
// remedy.
func TestReasons(t *testing.T) {
	answer := func(status int, header, code, message string) func(http.ResponseWriter) {
		return func(w http.ResponseWriter) {
			if name, value, ok := strings.Cut(header, ": "); ok {
				w.Header().Set(name, value)
			}
			w.WriteHeader(status)
			if code != "" {
				_, _ = fmt.Fprintf(w, `<?xml version="1.0" encoding="UTF-8"?><Error><Code>%s</Code><Message>%s</Message><RequestId>r</RequestId></Error>`, code, message)
			}
		}
	}
	list := func(ctx context.Context, s store.Store) error { _, err := s.Dirs(ctx, ""); return err }
	get := func(ctx context.Context, s store.Store) error {
		_, err := s.GetRange(ctx, "backups/b/velero-backup.json", 0, 1)
		return err
	}
	put := func(ctx context.Context, s store.Store) error { return s.Put(ctx, "k", nil, store.PutOptions{}) }
	early := "Date: " + time.Now().Add(-time.Hour).UTC().Format(http.TimeFormat)
	for name, c := range map[string]struct {
		answer func(http.ResponseWriter)
		do     func(context.Context, store.Store) error
		code   string
		text   string
	}{
		"S3, no bucket":               {answer(404, "", "NoSuchBucket", "The specified bucket does not exist"), list, store.ReasonNoBucket, "create it, or correct spec.objectStorage.bucket"},
		"S3, list denied":             {answer(403, "", "AccessDenied", "User: arn:aws:iam::1:user/x is not authorized to perform: s3:ListBucket on resource: &quot;arn:aws:s3:::b&quot;"), list, store.ReasonAccessDenied, "may not s3:ListBucket;"},
		"S3, key of KMS denied":       {answer(403, "", "AccessDenied", "User: arn:aws:iam::1:user/x is not authorized to perform: kms:Decrypt on the resource"), get, store.ReasonAccessDenied, "may not kms:Decrypt;"},
		"S3, denied without words":    {answer(403, "", "AccessDenied", "Access Denied"), get, store.ReasonAccessDenied, "may not s3:GetObject;"},
		"MinIO, denied":               {answer(403, "", "AccessDenied", "Access Denied."), list, store.ReasonAccessDenied, "may not s3:ListBucket;"},
		"versitygw, put denied":       {answer(403, "", "AccessDenied", "Access Denied."), put, store.ReasonAccessDenied, "may not s3:PutObject;"},
		"S3, moved":                   {answer(301, "X-Amz-Bucket-Region: eu-west-1", "PermanentRedirect", "The bucket you are attempting to access must be addressed using the specified endpoint"), list, store.ReasonRegion, "in Region eu-west-1; set config.region"},
		"S3, signed for another":      {answer(400, "", "AuthorizationHeaderMalformed", "The authorization header is malformed; the region 'us-east-1' is wrong; expecting 'eu-west-3'"), list, store.ReasonRegion, "in Region eu-west-3"},
		"MinIO, signed for another":   {answer(400, "", "AuthorizationHeaderMalformed", "The authorization header is malformed; the region is wrong"), list, store.ReasonRegion, "in another Region"},
		"S3, clock":                   {answer(403, early, "RequestTimeTooSkewed", "The difference between the request time and the current time is too large."), list, store.ReasonClock, "the clock of the worker is 1h0m"},
		"versitygw, clock":            {answer(403, "Date: ", "RequestTimeTooSkewed", "The difference between the request time and the server's time is too large."), list, store.ReasonClock, "clock"},
		"S3, wrong key":               {answer(403, "", "InvalidAccessKeyId", "The AWS Access Key Id you provided does not exist in our records."), list, store.ReasonCredentials, "wrong or expired"},
		"S3, wrong secret":            {answer(403, "", "SignatureDoesNotMatch", "The request signature we calculated does not match"), list, store.ReasonCredentials, "wrong or expired"},
		"S3, expired token":           {answer(400, "", "ExpiredToken", "The provided token has expired."), list, store.ReasonCredentials, "wrong or expired"},
		"versitygw, unknown account":  {answer(404, "", "XAdminUserNotFound", "No user exists with the provided access key ID."), list, store.ReasonCredentials, "wrong or expired"},
		"S3, Glacier":                 {answer(403, "", "InvalidObjectState", "The operation is not valid for the object's storage class"), get, store.ReasonArchived, "restore-object"},
		"not implemented":             {answer(501, "", "NotImplemented", "A header you provided implies functionality that is not implemented"), put, store.ReasonUnsupported, "location check"},
		"slow down":                   {answer(503, "", "SlowDown", "Please reduce your request rate."), list, store.ReasonUnavailable, "config.s3Url"},
		"a proxy's page":              {answer(502, "", "", ""), list, store.ReasonUnavailable, "config.s3Url"},
		"bad bucket name":             {answer(400, "", "InvalidBucketName", "The specified bucket is not valid."), list, store.ReasonConfiguration, "bucket, prefix"},
		"nothing that a store is for": {answer(418, "", "Teapot", "short and stout"), list, "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { c.answer(w) }))
			defer server.Close()
			checkReason(t, c.do(t.Context(), openOnce(t, server.URL)), c.code, c.text)
		})
	}
}

func openOnce(t *testing.T, endpoint string) store.Store {
	t.Helper()
	bsl := location(map[string]string{"s3Url": endpoint, "s3ForcePathStyle": "true", "credentialsFile": credentialsFile(t, "a", "b")})
	s, err := store.Open(t.Context(), bsl, store.Options{Attempts: 1})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func checkReason(t *testing.T, err error, code, text string) {
	t.Helper()
	if got := store.ReasonOf(err); err == nil || got.Code != code || !strings.Contains(got.Text, text) || (got.Text == "") != (code == "") {
		t.Errorf("%+v of %v, want %s %s", got, err, code, text)
	}
}

// TestReasonsOfConnections: what is wrong before a store answers.
func TestReasonsOfConnections(t *testing.T) {
	quiet := func(s *httptest.Server) *httptest.Server {
		s.Config.ErrorLog = log.New(io.Discard, "", 0)
		t.Cleanup(s.Close)
		return s
	}
	handler := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusOK) })
	unknown := quiet(httptest.NewUnstartedServer(handler))
	unknown.StartTLS()
	plain := quiet(httptest.NewServer(handler))
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := closed.Addr().String()
	if err := closed.Close(); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct{ endpoint, code, text string }{
		"signed by nobody known": {unknown.URL, store.ReasonTLS, "caCert"},
		"no TLS":                 {strings.Replace(plain.URL, "http:", "https:", 1), store.ReasonTLS, "does not speak TLS"},
		"nobody listens":         {"http://" + address, store.ReasonUnavailable, "config.s3Url"},
		"no such host":           {"http://store.invalid", store.ReasonUnavailable, "config.s3Url"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := openOnce(t, c.endpoint).Dirs(t.Context(), "")
			checkReason(t, err, c.code, c.text)
		})
	}
	checkReason(t, fmt.Errorf("%w within 3s", store.ErrNoAnswer), store.ReasonUnavailable, "cannot be reached")
	checkReason(t, &tls.CertificateVerificationError{Err: errHost()}, store.ReasonTLS, "for another name")
}

func errHost() error { return x509.HostnameError{Certificate: &x509.Certificate{}, Host: "store"} }
