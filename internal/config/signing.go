package config

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/lifeboat-backup/lifeboat/internal/drill/evidence"
)

// SigningKey says where the Ed25519 key is, in PKCS #8 and PEM, by which evidence is signed:
// in a file, or in a Secret of the worker's namespace.
type SigningKey struct {
	// File is the path of the key.
	File string `json:"file,omitempty"`
	// Secret names a Secret and which of its entries the key is.
	Secret *SecretEntry `json:"secret,omitempty"`
}

// SecretEntry is one entry of a Secret.
type SecretEntry struct {
	Name string `json:"name"`
	Key  string `json:"key"`
}

// maxKeyBytes bounds a file with a key, which has some 120 bytes.
const maxKeyBytes = 16 << 10

// Load reads the key, through readSecret if it is in a Secret. No error repeats any of it.
func (s SigningKey) Load(ctx context.Context, readSecret func(ctx context.Context, name, key string) ([]byte, error)) (ed25519.PrivateKey, error) {
	text, where, err := s.read(ctx, readSecret)
	if err != nil {
		return nil, fmt.Errorf("signing key: %w", err)
	}
	key, err := evidence.ParsePrivateKey(text)
	if err != nil {
		return nil, fmt.Errorf("signing key in %s: %w", where, err)
	}
	return key, nil
}

func (s SigningKey) read(ctx context.Context, readSecret func(ctx context.Context, name, key string) ([]byte, error)) (text []byte, where string, err error) {
	if err := s.check(); err != nil {
		return nil, "", err
	}
	if s.File != "" {
		text, err = readKeyFile(s.File)
		return text, s.File, err
	}
	text, err = readSecret(ctx, s.Secret.Name, s.Secret.Key)
	return text, fmt.Sprintf("secret %s, %s", s.Secret.Name, s.Secret.Key), err
}

// check says what is wrong with it that can be seen without reading the key.
func (s SigningKey) check() error {
	switch {
	case (s.File == "") == (s.Secret == nil):
		return errors.New("name a file or a secret, and not both")
	case s.Secret != nil && (s.Secret.Name == "" || s.Secret.Key == ""):
		return errors.New("secret: name and key are required")
	}
	return nil
}

func readKeyFile(name string) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	text, err := io.ReadAll(io.LimitReader(f, maxKeyBytes))
	return text, errors.Join(err, f.Close())
}
