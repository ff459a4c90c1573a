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

	"github.com/lifeboat-backup/lifeboat/internal/aws/awsconf"
)

// customerKeySize is what AES-256 takes, in bytes.
const customerKeySize = 32

// customerKey is a key of the customer's own (SSE-C) as S3's headers carry it.
type customerKey struct{ key, md5 string }

// String keeps the key out of logs.
func (*customerKey) String() string { return "<customer key>" }

// GoString keeps the key out of %#v too.
func (k *customerKey) GoString() string { return k.String() }

const customerAlgorithm = "AES256"

func loadCustomerKey(ctx context.Context, s settings, sec awsconf.SecretReader) (*customerKey, error) {
	switch {
	case s.customerFile != "":
		raw, err := os.ReadFile(filepath.Clean(s.customerFile))
		if err != nil {
			return nil, fmt.Errorf("spec.config.%s: %w", keyCustomerFile, err)
		}
		return newCustomerKey(keyCustomerFile, raw)
	case s.customerSecret != "":
		name, key, _ := strings.Cut(s.customerSecret, "/")
		raw, err := sec.Get(ctx, "spec.config."+keyCustomerSecret, name, key)
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
