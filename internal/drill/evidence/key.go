package evidence

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
)

const (
	privateBlock = "PRIVATE KEY"
	publicBlock  = "PUBLIC KEY"
)

// KeyID names a public key: the digest of its SubjectPublicKeyInfo in DER, as
// `openssl pkey -pubin -outform DER | sha256sum` prints it.
func KeyID(key ed25519.PublicKey) (Digest, error) {
	der, err := x509.MarshalPKIXPublicKey(key)
	if err != nil {
		return "", fmt.Errorf("name public key: %w", err)
	}
	return DigestOf(der), nil
}

// ParsePrivateKey reads an Ed25519 key in PKCS #8 and PEM. Errors do not repeat the text.
func ParsePrivateKey(text []byte) (ed25519.PrivateKey, error) {
	der, err := onlyBlock(text, privateBlock)
	if err != nil {
		return nil, fmt.Errorf("read private key: %w", err)
	}
	parsed, err := x509.ParsePKCS8PrivateKey(der)
	if err != nil {
		return nil, errors.New("read private key: not in PKCS #8; make one with 'lifeboat drill keygen'")
	}
	key, ok := parsed.(ed25519.PrivateKey)
	if !ok {
		return nil, fmt.Errorf("read private key: a %T, wanted Ed25519; make one with 'lifeboat drill keygen'", parsed)
	}
	return key, nil
}

// ParsePublicKey reads an Ed25519 key as SubjectPublicKeyInfo in PEM.
func ParsePublicKey(text []byte) (ed25519.PublicKey, error) {
	der, err := onlyBlock(text, publicBlock)
	if err != nil {
		return nil, fmt.Errorf("read public key: %w", err)
	}
	parsed, err := x509.ParsePKIXPublicKey(der)
	if err != nil {
		return nil, fmt.Errorf("read public key: %w", err)
	}
	key, ok := parsed.(ed25519.PublicKey)
	if !ok {
		return nil, fmt.Errorf("read public key: a %T, wanted Ed25519", parsed)
	}
	return key, nil
}

// onlyBlock is the content of a PEM text that has one block and nothing else.
func onlyBlock(text []byte, kind string) ([]byte, error) {
	block, rest := pem.Decode(text)
	switch {
	case block == nil:
		return nil, fmt.Errorf("no PEM block %q", kind)
	case block.Type == privateBlock && kind == publicBlock:
		return nil, errors.New("this is a private key: give the public one, and keep this one secret")
	case block.Type != kind:
		return nil, fmt.Errorf("a PEM block %q instead of %q", block.Type, kind)
	case len(bytes.TrimSpace(rest)) > 0:
		return nil, errors.New("more than one PEM block")
	}
	return block.Bytes, nil
}

// NewKey makes a key: the private one in PKCS #8, the public one as SubjectPublicKeyInfo, both
// in PEM, and its KeyID.
func NewKey() (private, public []byte, id Digest, err error) {
	pub, priv, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, nil, "", fmt.Errorf("make key: %w", err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(priv)
	if err != nil {
		return nil, nil, "", fmt.Errorf("make key: %w", err)
	}
	public, err = EncodePublicKey(pub)
	if err != nil {
		return nil, nil, "", fmt.Errorf("make key: %w", err)
	}
	id, err = KeyID(pub)
	return pem.EncodeToMemory(&pem.Block{Type: privateBlock, Bytes: der}), public, id, err
}

// EncodePublicKey is a key as SubjectPublicKeyInfo in PEM.
func EncodePublicKey(key ed25519.PublicKey) ([]byte, error) {
	der, err := x509.MarshalPKIXPublicKey(key)
	if err != nil {
		return nil, fmt.Errorf("encode public key: %w", err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: publicBlock, Bytes: der}), nil
}
