package webid

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net/http"
	"strings"
	"sync"
	"time"
)

const (
	fetchTimeout = 10 * time.Second
	maxDocument  = 1 << 20
)

// Issuer is who signs tokens. Its keys are fetched when the first token comes,
// and again when one names a key that is not among them.
type Issuer struct {
	url, jwksURL string
	client       *http.Client

	mu   sync.Mutex
	keys map[string]crypto.PublicKey
}

// NewIssuer makes an issuer. jwksURL may be empty: then the discovery document
// below url names it. ca is PEM, or empty for the system's authorities.
func NewIssuer(url, jwksURL, ca string) (*Issuer, error) {
	if url == "" {
		return nil, errors.New("issuer: url is needed")
	}
	// A test in virtual time would wait for ever for a connection that is kept.
	transport := &http.Transport{DisableKeepAlives: true}
	if ca != "" {
		pool := x509.NewCertPool()
		if !pool.AppendCertsFromPEM([]byte(ca)) {
			return nil, fmt.Errorf("issuer %s: ca: no certificate in it", url)
		}
		transport.TLSClientConfig = &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}
	}
	return &Issuer{url: url, jwksURL: jwksURL, client: &http.Client{Transport: transport, Timeout: fetchTimeout}}, nil
}

func (i *Issuer) key(ctx context.Context, id string) (crypto.PublicKey, error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if key, ok := i.keys[id]; ok {
		return key, nil
	}
	keys, err := i.fetch(ctx)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrFetch, err)
	}
	i.keys = keys
	key, ok := keys[id]
	if !ok {
		return nil, fmt.Errorf("%w: the issuer has no key %q", ErrSignature, id)
	}
	return key, nil
}

func (i *Issuer) fetch(ctx context.Context) (map[string]crypto.PublicKey, error) {
	at := i.jwksURL
	if at == "" {
		var discovery struct {
			JWKS string `json:"jwks_uri"`
		}
		if err := i.get(ctx, strings.TrimSuffix(i.url, "/")+"/.well-known/openid-configuration", &discovery); err != nil {
			return nil, err
		}
		at = discovery.JWKS
	}
	var set struct {
		Keys []jwk `json:"keys"`
	}
	if err := i.get(ctx, at, &set); err != nil {
		return nil, err
	}
	keys := map[string]crypto.PublicKey{}
	for _, one := range set.Keys {
		if key, err := one.public(); err == nil { // of a kind that is not used for RS256 or ES256
			keys[one.ID] = key
		}
	}
	return keys, nil
}

func (i *Issuer) get(ctx context.Context, url string, into any) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	resp, err := i.client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("get %s: %s", url, resp.Status)
	}
	return json.NewDecoder(io.LimitReader(resp.Body, maxDocument)).Decode(into)
}

type jwk struct {
	ID    string `json:"kid"`
	Type  string `json:"kty"`
	Curve string `json:"crv"`
	N     string `json:"n"`
	E     string `json:"e"`
	X     string `json:"x"`
	Y     string `json:"y"`
}

func (k jwk) public() (crypto.PublicKey, error) {
	switch {
	case k.Type == "RSA":
		n, err1 := number(k.N)
		e, err2 := number(k.E)
		if err := errors.Join(err1, err2); err != nil {
			return nil, err
		}
		if !e.IsInt64() || e.Int64() > 1<<31-1 {
			return nil, errors.New("exponent too large")
		}
		return &rsa.PublicKey{N: n, E: int(e.Int64())}, nil
	case k.Type == "EC" && k.Curve == "P-256":
		return k.point()
	}
	return nil, fmt.Errorf("key type %s %s is not supported", k.Type, k.Curve)
}

// point refuses coordinates that are not on the curve.
func (k jwk) point() (crypto.PublicKey, error) {
	x, err1 := base64.RawURLEncoding.DecodeString(k.X)
	y, err2 := base64.RawURLEncoding.DecodeString(k.Y)
	if err := errors.Join(err1, err2); err != nil {
		return nil, err
	}
	raw := append(append([]byte{4}, x...), y...) // uncompressed form
	return ecdsa.ParseUncompressedPublicKey(elliptic.P256(), raw)
}

func number(text string) (*big.Int, error) {
	raw, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil {
		return nil, err
	}
	return new(big.Int).SetBytes(raw), nil
}
