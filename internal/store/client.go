package store

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/ratelimit"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/lifeboat-backup/lifeboat/internal/aws/awsconf"
)

const (
	dialTimeout = 10 * time.Second
	// stallTimeout ends a read that yields nothing. Completing a large
	// multipart upload may keep S3 silent for tens of seconds.
	stallTimeout = 2 * time.Minute
	// idleTimeout is far below stallTimeout, whose clock also runs while a
	// connection is idle.
	idleTimeout = 30 * time.Second
	idleConns   = 128
	// defaultAttempts with these pauses ride out some twenty seconds; longer
	// outages are for the caller's own retries.
	defaultAttempts = 11
	defaultRegion   = "us-east-1"
)

// newRetryer retries without a shared budget: with many requests in flight a
// short outage would spend the SDK's budget and fail them all at once.
func newRetryer(attempts int) func() aws.Retryer {
	return func() aws.Retryer {
		return retry.NewStandard(func(o *retry.StandardOptions) {
			o.MaxAttempts, o.RateLimiter, o.Backoff = attempts, ratelimit.None, retry.BackoffDelayerFunc(awsconf.Backoff)
		})
	}
}

// newHTTPClient serves the location's endpoint only, so that its certificate
// authority and insecureSkipTLSVerify never reach calls to AWS STS.
func newHTTPClient(s settings) (aws.HTTPClient, error) {
	roots, err := rootCAs(s.caCert)
	if err != nil {
		return nil, err
	}
	dialer := &net.Dialer{
		Timeout:         dialTimeout,
		KeepAliveConfig: net.KeepAliveConfig{Enable: true, Idle: 15 * time.Second, Interval: 5 * time.Second, Count: 6},
	}
	client := awshttp.NewBuildableClient().WithTransportOptions(func(t *http.Transport) {
		t.DialContext = dialer.DialContext
		t.MaxIdleConns, t.MaxIdleConnsPerHost, t.IdleConnTimeout = idleConns, idleConns, idleTimeout
		t.WriteBufferSize, t.ReadBufferSize = 64<<10, 64<<10
		t.TLSClientConfig = &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: roots, InsecureSkipVerify: s.insecureTLS} //nolint:gosec // asked for by the location
	})
	return client.WithReadTimeout(stallTimeout).Freeze(), nil
}

// rootCAs is the system's pool, plus the location's authority and the one of
// AWS_CA_BUNDLE; nil leaves the choice to crypto/tls.
func rootCAs(own []byte) (*x509.CertPool, error) {
	bundle := os.Getenv("AWS_CA_BUNDLE")
	if len(own) == 0 && bundle == "" {
		return nil, nil
	}
	pool, err := x509.SystemCertPool()
	if err != nil {
		pool = x509.NewCertPool()
	}
	if len(own) > 0 && !pool.AppendCertsFromPEM(own) {
		return nil, errors.New("certificate authority: no certificate in PEM found in caCert")
	}
	if bundle == "" {
		return pool, nil
	}
	pem, err := os.ReadFile(filepath.Clean(bundle)) //nolint:gosec // AWS_CA_BUNDLE is the operator's
	if err != nil {
		return nil, fmt.Errorf("read AWS_CA_BUNDLE: %w", err)
	}
	pool.AppendCertsFromPEM(pem)
	return pool, nil
}

// clientOptions set up a client for the given endpoint; "" is AWS itself.
func (s *S3) clientOptions(endpoint string) func(*s3.Options) {
	return func(o *s3.Options) {
		if endpoint != "" {
			o.BaseEndpoint = aws.String(endpoint)
		}
		o.UsePathStyle, o.UseARNRegion = s.pathStyle, true
		o.HTTPClient = &countingClient{next: s.http, meter: s.meter}
		o.DisableLogOutputChecksumValidationSkipped = true
		o.RequestChecksumCalculation = aws.RequestChecksumCalculationWhenSupported
		o.ResponseChecksumValidation = aws.ResponseChecksumValidationWhenSupported
		if s.checksum == "" {
			o.RequestChecksumCalculation = aws.RequestChecksumCalculationWhenRequired
			o.ResponseChecksumValidation = aws.ResponseChecksumValidationWhenRequired
		}
	}
}

func (s *S3) presignOptions() func(*s3.Options) {
	endpoint := s.publicURL
	if endpoint == "" {
		endpoint = s.s3URL
	}
	base := s.clientOptions(endpoint)
	return func(o *s3.Options) {
		base(o)
		// A URL is read by plain HTTP clients: keep checksum parameters out.
		o.ResponseChecksumValidation = aws.ResponseChecksumValidationWhenRequired
	}
}
