// Package webid verifies OpenID Connect tokens against the keys that their issuer
// publishes: RS256 and ES256, issuer and time. Who may use one for what is not
// decided here.
package webid

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"slices"
	"strings"
	"time"
)

// Errors that callers tell apart.
var (
	ErrFormat    = errors.New("the token is malformed")
	ErrSignature = errors.New("the token's signature does not match")
	ErrExpired   = errors.New("the token is expired")
	ErrFetch     = errors.New("the issuer's keys cannot be fetched")
)

// leeway is how far clocks may differ.
const leeway = 10 * time.Second

// Claims are what a token says.
type Claims struct {
	Issuer    string    `json:"iss"`
	Subject   string    `json:"sub"`
	Audience  audience  `json:"aud"`
	Expires   timestamp `json:"exp"`
	NotBefore timestamp `json:"nbf"`
	// Kubernetes is in tokens of service accounts only.
	Kubernetes Kubernetes `json:"kubernetes.io"`
}

// Kubernetes says whose token it is, and of which pod if it is bound to one.
type Kubernetes struct {
	Namespace      string `json:"namespace"`
	ServiceAccount Object `json:"serviceaccount"`
	Pod            Object `json:"pod"`
}

// Object is an object of a cluster.
type Object struct {
	Name string `json:"name"`
	UID  string `json:"uid"`
}

// For says if the token is meant for one of the audiences.
func (c Claims) For(audiences ...string) bool {
	return slices.ContainsFunc(c.Audience, func(a string) bool { return slices.Contains(audiences, a) })
}

// audience is one or several.
type audience []string

// UnmarshalJSON accepts a string or a list.
func (a *audience) UnmarshalJSON(text []byte) error {
	var one string
	if json.Unmarshal(text, &one) == nil {
		*a = audience{one}
		return nil
	}
	return json.Unmarshal(text, (*[]string)(a))
}

// timestamp is seconds since 1970, possibly with a fraction.
type timestamp float64

func (t timestamp) time() time.Time { return time.Unix(int64(t), 0) }

type header struct {
	Algorithm string `json:"alg"`
	KeyID     string `json:"kid"`
}

// Peek reads the claims of a token without verifying anything.
func Peek(token string) (Claims, error) {
	_, claims, _, _, err := split(token)
	return claims, err
}

func split(token string) (h header, c Claims, signed string, signature []byte, err error) {
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return h, c, "", nil, fmt.Errorf("%w: want three parts", ErrFormat)
	}
	if err := decode(parts[0], &h); err != nil {
		return h, c, "", nil, err
	}
	if err := decode(parts[1], &c); err != nil {
		return h, c, "", nil, err
	}
	signature, err = base64.RawURLEncoding.DecodeString(parts[2])
	if err != nil {
		return h, c, "", nil, fmt.Errorf("%w: signature", ErrFormat)
	}
	return h, c, parts[0] + "." + parts[1], signature, nil
}

func decode(part string, into any) error {
	text, err := base64.RawURLEncoding.DecodeString(part)
	if err != nil {
		return fmt.Errorf("%w: not base64", ErrFormat)
	}
	if err := json.Unmarshal(text, into); err != nil {
		return fmt.Errorf("%w: %s", ErrFormat, err)
	}
	return nil
}

// Verify checks a token's signature, issuer and times.
func (i *Issuer) Verify(ctx context.Context, token string, now time.Time) (Claims, error) {
	h, claims, signed, signature, err := split(token)
	if err != nil {
		return Claims{}, err
	}
	if claims.Issuer != i.url {
		return Claims{}, fmt.Errorf("%w: issuer %q is not %q", ErrFormat, claims.Issuer, i.url)
	}
	key, err := i.key(ctx, h.KeyID)
	if err != nil {
		return Claims{}, err
	}
	if !check(h.Algorithm, key, signed, signature) {
		return Claims{}, ErrSignature
	}
	if !now.Before(claims.Expires.time().Add(leeway)) {
		return Claims{}, fmt.Errorf("%w since %s", ErrExpired, claims.Expires.time().UTC())
	}
	if now.Before(claims.NotBefore.time().Add(-leeway)) {
		return Claims{}, fmt.Errorf("%w: not valid before %s", ErrFormat, claims.NotBefore.time().UTC())
	}
	return claims, nil
}

// check accepts only the algorithm that fits the key, so that a token cannot
// choose a weaker one.
func check(algorithm string, key crypto.PublicKey, signed string, signature []byte) bool {
	digest := sha256.Sum256([]byte(signed))
	switch key := key.(type) {
	case *rsa.PublicKey:
		return algorithm == "RS256" && rsa.VerifyPKCS1v15(key, crypto.SHA256, digest[:], signature) == nil
	case *ecdsa.PublicKey:
		if algorithm != "ES256" || len(signature) != 64 {
			return false
		}
		r, s := new(big.Int).SetBytes(signature[:32]), new(big.Int).SetBytes(signature[32:])
		return ecdsa.Verify(key, digest[:], r, s)
	}
	return false
}
