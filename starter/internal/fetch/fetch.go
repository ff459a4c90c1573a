// Package fetch reads files of a bucket by signed URL.
//
// A signed URL is a credential for as long as it lives: it stands in no error and
// no output of this package. Errors name the host alone.
package fetch

import (
	"bufio"
	"compress/gzip"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"time"
)

// ErrNotFound says that the store has no such file.
var ErrNotFound = errors.New("file not found in the bucket")

// headerTimeout is how long a store may take to begin its answer.
const headerTimeout = 30 * time.Second

// Options say how to trust the store.
type Options struct {
	// InsecureSkipTLSVerify trusts any certificate.
	InsecureSkipTLSVerify bool
	// CACert is a PEM file with more authorities to trust.
	CACert string
}

// Client fetches files.
type Client struct{ http *http.Client }

// New prepares a client; it fails when the certificate file cannot be used.
func New(o Options) (*Client, error) {
	trust := &tls.Config{MinVersion: tls.VersionTLS12, InsecureSkipVerify: o.InsecureSkipTLSVerify} //nolint:gosec // asked for by flag
	if o.CACert != "" {
		pool, err := readAuthorities(o.CACert)
		if err != nil {
			return nil, err
		}
		trust.RootCAs = pool
	}
	return &Client{http: &http.Client{Transport: &http.Transport{
		Proxy:                 http.ProxyFromEnvironment,
		TLSClientConfig:       trust,
		DisableCompression:    true, // files are gzip themselves and are wanted as stored
		ResponseHeaderTimeout: headerTimeout,
	}}}, nil
}

// readAuthorities adds the certificates of a file to those that the system trusts.
func readAuthorities(file string) (*x509.CertPool, error) {
	pem, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("--cacert: %w", err)
	}
	pool, err := x509.SystemCertPool()
	if err != nil {
		pool = x509.NewCertPool()
	}
	if !pool.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("--cacert: %s holds no PEM certificate", file)
	}
	return pool, nil
}

// Open starts to read a file as it is stored. Its size is -1 where it is unknown. The caller
// closes the body. The error is ErrNotFound where the store has no such file.
func (c *Client) Open(ctx context.Context, signed string) (body io.ReadCloser, size int64, err error) {
	target, err := url.Parse(signed)
	if err != nil || target.Host == "" {
		return nil, 0, errors.New("fetch: the worker gave no usable URL")
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, signed, nil)
	if err != nil {
		return nil, 0, errors.New("fetch: the worker gave no usable URL")
	}
	res, err := c.http.Do(req)
	if err != nil {
		return nil, 0, fmt.Errorf("fetch from %s: %w; where this machine reaches the store under another address, set publicUrl in the storage location's config",
			target.Host, withoutURL(err))
	}
	if err := checkStatus(res, target.Host); err != nil {
		return nil, 0, errors.Join(err, res.Body.Close())
	}
	return res.Body, res.ContentLength, nil
}

// withoutURL takes the URL, which net/http puts in front, off an error.
func withoutURL(err error) error {
	var wrapped *url.Error
	if errors.As(err, &wrapped) {
		return wrapped.Err
	}
	return err
}

// checkStatus refuses every answer that is not the file, with a remedy where there is one.
func checkStatus(res *http.Response, host string) error {
	switch res.StatusCode {
	case http.StatusOK:
		return nil
	case http.StatusNotFound:
		return fmt.Errorf("fetch from %s: %w", host, ErrNotFound)
	case http.StatusForbidden:
		return fmt.Errorf("fetch from %s: the store refused the signed URL (%s): check the clocks of both sides and the worker's permission to read", host, res.Status)
	default:
		return fmt.Errorf("fetch from %s: %s", host, res.Status)
	}
}

// Plain unpacks r when it is gzip and passes it on as it is otherwise: some
// stores unpack on the way.
func Plain(r io.Reader) (io.Reader, error) {
	buffered := bufio.NewReader(r)
	magic, err := buffered.Peek(2)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("read file: %w", withoutURL(err))
	}
	if len(magic) < 2 || magic[0] != 0x1f || magic[1] != 0x8b {
		return buffered, nil
	}
	unpacked, err := gzip.NewReader(buffered)
	if err != nil {
		return nil, fmt.Errorf("unpack file: %w", err)
	}
	return unpacked, nil
}
