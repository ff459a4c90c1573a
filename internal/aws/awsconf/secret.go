package awsconf

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
)

// SecretReader reads one key of a Secret in the configured namespace. Nil means
// that the process has no connection to the Secret's cluster.
type SecretReader func(ctx context.Context, name, key string) ([]byte, error)

// Get reads a value. Errors begin with field, the path that named the Secret.
func (r SecretReader) Get(ctx context.Context, field, name, key string) ([]byte, error) {
	if r == nil {
		return nil, fmt.Errorf("%s: reading Secret %q needs a connection to its cluster, which this process has not", field, name)
	}
	value, err := r(ctx, name, key)
	if err != nil {
		return nil, fmt.Errorf("%s: read key %q of Secret %q: %w", field, key, name, err)
	}
	return value, nil
}

// file puts a value into a private temporary file, because the SDK parses
// shared credentials from files only. The caller removes it at once.
func (r SecretReader) file(ctx context.Context, field, name, key string) (string, func(), error) {
	value, err := r.Get(ctx, field, name, key)
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
