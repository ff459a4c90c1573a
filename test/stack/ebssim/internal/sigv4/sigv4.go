// Package sigv4 checks AWS Signature Version 4 on requests that carry it in the
// Authorization header.
package sigv4

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

const (
	algorithm = "AWS4-HMAC-SHA256"
	stampForm = "20060102T150405Z"
)

// Errors that callers tell apart.
var (
	ErrMissing  = errors.New("the request is not signed")
	ErrFormat   = errors.New("the signature is malformed")
	ErrMismatch = errors.New("the signature does not match")
)

// Signature is what a request says about its signature: who, when, for what.
type Signature struct {
	AccessKeyID string
	Region      string
	Service     string
	// Token is the session token of temporary credentials.
	Token string
	Time  time.Time

	date    string
	headers []string
	value   string
}

// Parse reads a request's signature without checking it.
// It fails with ErrMissing or ErrFormat.
func Parse(r *http.Request) (Signature, error) {
	header := r.Header.Get("Authorization")
	if header == "" {
		return Signature{}, ErrMissing
	}
	rest, ok := strings.CutPrefix(header, algorithm+" ")
	if !ok {
		return Signature{}, fmt.Errorf("%w: not %s", ErrFormat, algorithm)
	}
	parts := map[string]string{}
	for field := range strings.SplitSeq(rest, ",") {
		name, value, _ := strings.Cut(strings.TrimSpace(field), "=")
		parts[name] = value
	}
	return fromParts(r, parts)
}

func fromParts(r *http.Request, parts map[string]string) (Signature, error) {
	scope := strings.Split(parts["Credential"], "/")
	if len(scope) != 5 || scope[4] != "aws4_request" {
		return Signature{}, fmt.Errorf("%w: credential scope", ErrFormat)
	}
	at, err := time.Parse(stampForm, r.Header.Get("X-Amz-Date"))
	if err != nil {
		return Signature{}, fmt.Errorf("%w: X-Amz-Date", ErrFormat)
	}
	if parts["Signature"] == "" || parts["SignedHeaders"] == "" {
		return Signature{}, fmt.Errorf("%w: no signature", ErrFormat)
	}
	return Signature{
		AccessKeyID: scope[0], Region: scope[2], Service: scope[3], Time: at,
		Token: r.Header.Get("X-Amz-Security-Token"),
		date:  scope[1], headers: strings.Split(parts["SignedHeaders"], ";"), value: parts["Signature"],
	}, nil
}

// Verify checks the signature over the request and its body with the secret of
// its access key. It fails with ErrMismatch.
func (s Signature) Verify(r *http.Request, body []byte, secret string) error {
	if !slices.Contains(s.headers, "host") || s.date != s.Time.Format("20060102") {
		return ErrMismatch
	}
	if s.Token != "" && !slices.Contains(s.headers, "x-amz-security-token") {
		return ErrMismatch
	}
	scope := strings.Join([]string{s.date, s.Region, s.Service, "aws4_request"}, "/")
	text := strings.Join([]string{algorithm, s.Time.Format(stampForm), scope, sum([]byte(s.canonical(r, body)))}, "\n")
	key := []byte("AWS4" + secret)
	for part := range strings.SplitSeq(scope, "/") {
		key = mac(key, part)
	}
	if !hmac.Equal([]byte(hex.EncodeToString(mac(key, text))), []byte(s.value)) {
		return ErrMismatch
	}
	return nil
}

func (s Signature) canonical(r *http.Request, body []byte) string {
	var headers strings.Builder
	for _, name := range s.headers {
		headers.WriteString(name + ":" + headerValue(r, name) + "\n")
	}
	path := r.URL.EscapedPath()
	if path == "" {
		path = "/"
	}
	return strings.Join([]string{
		r.Method, path, canonicalQuery(r.URL.Query()), headers.String(), strings.Join(s.headers, ";"), sum(body),
	}, "\n")
}

func headerValue(r *http.Request, name string) string {
	switch name {
	case "host":
		return r.Host
	case "content-length":
		return fmt.Sprint(r.ContentLength)
	}
	var values []string
	for _, value := range r.Header.Values(name) {
		values = append(values, strings.Join(strings.Fields(value), " "))
	}
	return strings.Join(values, ",")
}

// canonicalQuery is sorted and writes a space as %20, which url.Values does not.
func canonicalQuery(values url.Values) string {
	return strings.ReplaceAll(values.Encode(), "+", "%20")
}

func mac(key []byte, text string) []byte {
	h := hmac.New(sha256.New, key)
	h.Write([]byte(text))
	return h.Sum(nil)
}

func sum(text []byte) string {
	digest := sha256.Sum256(text)
	return hex.EncodeToString(digest[:])
}
