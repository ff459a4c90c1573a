package kube

import (
	"context"
	"encoding/json"
	"fmt"
)

// SecretValue reads one key of a Secret. No error quotes the Secret's data.
func SecretValue(ctx context.Context, c *Client, namespace, name, key string) ([]byte, error) {
	raw, err := c.Get(ctx, Resource{Version: "v1", Name: "secrets", Kind: "Secret", Namespaced: true}, namespace, name)
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
		return nil, fmt.Errorf("secret %s/%s has no key %q", namespace, name, key)
	}
	return value, nil
}
