package kube

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
)

// ErrNoSecret says that a Secret, or a key in it, is not there.
var ErrNoSecret = errors.New("not there")

// SecretValue reads one key of a Secret. No error quotes the Secret's data. ErrNoSecret tells
// what is not there from an API server that does not answer.
func SecretValue(ctx context.Context, c *Client, namespace, name, key string) ([]byte, error) {
	raw, err := c.Get(ctx, Secrets(), namespace, name)
	if apierrors.IsNotFound(err) {
		return nil, fmt.Errorf("secret %s/%s is %w", namespace, name, ErrNoSecret)
	}
	if err != nil {
		return nil, fmt.Errorf("read secret %s/%s: %w", namespace, name, err)
	}
	var secret struct {
		Data map[string][]byte `json:"data"`
	}
	if err := json.Unmarshal(raw, &secret); err != nil {
		return nil, fmt.Errorf("read secret %s/%s: not a Secret", namespace, name) // without the cause: it may quote the data
	}
	value, ok := secret.Data[key]
	if !ok {
		return nil, fmt.Errorf("key %q of secret %s/%s is %w", key, namespace, name, ErrNoSecret)
	}
	return value, nil
}
