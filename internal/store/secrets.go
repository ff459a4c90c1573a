package store

import (
	"context"
	"crypto/md5" //nolint:gosec // S3 wants the key's MD5 in a header; it protects nothing
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// secrets reads values from Secrets through the caller.
type secrets struct {
	read func(ctx context.Context, name, key string) ([]byte, error)
}

func (s secrets) get(ctx context.Context, field, name, key string) ([]byte, error) {
	if s.read == nil {
		return nil, fmt.Errorf("%s: reading Secret %q needs a connection to its cluster, which this process has not", field, name)
	}
	value, err := s.read(ctx, name, key)
	if err != nil {
		return nil, fmt.Errorf("%s: read key %q of Secret %q: %w", field, key, name, err)
	}
	return value, nil
}

// file puts a value into a private temporary file, because the SDK parses
// shared credentials from files only. The caller removes it at once.
func (s secrets) file(ctx context.Context, field, name, key string) (string, func(), error) {
	value, err := s.get(ctx, field, name, key)
	if err != nil {
		return "", nil, err
	}
	dir, err := os.MkdirTemp("", "lifeboat-credentials-")
	if err != nil {
		return "", nil, fmt.Errorf("%s: %w", field, err)
	}
	remove := func() { _ = os.RemoveAll(dir) }
	path := filepath.Join(dir, "credentials")
	if err := os.WriteFile(path, value, 0o600); err != nil {
		remove()
		return "", nil, fmt.Errorf("%s: %w", field, err)
	}
	return path, remove, nil
}

// customerKeySize is what AES-256 takes, in bytes.
const customerKeySize = 32

// customerKey is a key of the customer's own (SSE-C) as S3's headers carry it.
type customerKey struct{ key, md5 string }

// String keeps the key out of logs.
func (*customerKey) String() string { return "<customer key>" }

// GoString keeps the key out of %#v too.
func (k *customerKey) GoString() string { return k.String() }

const customerAlgorithm = "AES256"

func loadCustomerKey(ctx context.Context, s settings, sec secrets) (*customerKey, error) {
	switch {
	case s.customerFile != "":
		raw, err := os.ReadFile(filepath.Clean(s.customerFile))
		if err != nil {
			return nil, fmt.Errorf("spec.config.%s: %w", keyCustomerFile, err)
		}
		return newCustomerKey(keyCustomerFile, raw)
	case s.customerSecret != "":
		name, key, _ := strings.Cut(s.customerSecret, "/")
		raw, err := sec.get(ctx, "spec.config."+keyCustomerSecret, name, key)
		if err != nil {
			return nil, err
		}
		return newCustomerKey(keyCustomerSecret, raw)
	}
	return nil, nil
}

func newCustomerKey(field string, raw []byte) (*customerKey, error) {
	if len(raw) != customerKeySize {
		hint := ""
		if len(raw) == customerKeySize+1 && raw[customerKeySize] == '\n' {
			hint = "; the last byte is a newline"
		}
		return nil, errors.New("spec.config." + field + fmt.Sprintf(": the key has %d bytes, exactly %d are needed%s", len(raw), customerKeySize, hint))
	}
	sum := md5.Sum(raw) //nolint:gosec // see the import
	return &customerKey{
		key: base64.StdEncoding.EncodeToString(raw),
		md5: base64.StdEncoding.EncodeToString(sum[:]),
	}, nil
}
