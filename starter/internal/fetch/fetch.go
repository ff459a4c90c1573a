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
	"strconv"
	"strings"
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
	res, err := c.get(ctx, signed, "")
	if err != nil {
		return nil, 0, err
	}
	return res.Body, res.ContentLength, nil
}

// OpenRange starts to read n bytes of a file from off on, or all from there if n is negative. A
// range beyond the end has fewer bytes or none.
func (c *Client) OpenRange(ctx context.Context, signed string, off, n int64) (io.ReadCloser, error) {
	if off == 0 && n < 0 {
		body, _, err := c.Open(ctx, signed)
		return body, err
	}
	if n == 0 {
		return io.NopCloser(strings.NewReader("")), nil
	}
	ranged := fmt.Sprintf("bytes=%d-", off)
	if n > 0 {
		ranged += strconv.FormatInt(off+n-1, 10)
	}
	res, err := c.get(ctx, signed, ranged)
	switch {
	case errors.Is(err, errBeyondEnd):
		return io.NopCloser(strings.NewReader("")), nil
	case err != nil:
		return nil, err
	case res.StatusCode == http.StatusOK: // the store, or something before it, does not know ranges
		return nil, errors.Join(errors.New("fetch: the store sent the whole file in place of a part of it"), res.Body.Close())
	}
	return res.Body, nil
}

// errBeyondEnd says that a file ends before the range that was asked for.
var errBeyondEnd = errors.New("range beyond the end of the file")

// get asks for a file or a range of it; its answer is a good one.
func (c *Client) get(ctx context.Context, signed, ranged string) (*http.Response, error) {
	target, err := url.Parse(signed)
	if err != nil || target.Host == "" {
		return nil, errors.New("fetch: the worker gave no usable URL")
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, signed, nil)
	if err != nil {
		return nil, errors.New("fetch: the worker gave no usable URL")
	}
	if ranged != "" {
		req.Header.Set("Range", ranged)
	}
	res, err := c.http.Do(req)
	if err != nil {
		return nil, fmt.Errorf("fetch from %s: %w; where this machine reaches the store under another address, set publicUrl in the storage location's config",
			target.Host, withoutURL(err))
	}
	if err := checkStatus(res, target.Host); err != nil {
		return nil, errors.Join(err, res.Body.Close())
	}
	return res, nil
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
	case http.StatusOK, http.StatusPartialContent:
		return nil
	case http.StatusRequestedRangeNotSatisfiable:
		return fmt.Errorf("fetch from %s: %w", host, errBeyondEnd)
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
