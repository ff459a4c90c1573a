package kube

import (
	"context"
	"errors"
	"fmt"
)

// systemNamespace is there in every cluster for as long as the cluster lives, so its UID
// tells one cluster from another, whatever address or name they have.
const systemNamespace = "kube-system"

// Identity is the UID of the cluster's namespace kube-system. It is asked for each time:
// behind an address may be another cluster than a minute ago.
func (c *Client) Identity(ctx context.Context) (string, error) {
	type namespace struct {
		Metadata struct {
			UID string `json:"uid"`
		} `json:"metadata"`
	}
	ns, err := Read[namespace](ctx, c, Resource{Version: "v1", Name: "namespaces", Kind: "Namespace"}, "", systemNamespace)
	if err == nil && ns.Metadata.UID == "" {
		err = errors.New("it has no uid")
	}
	if err != nil {
		return "", fmt.Errorf("read the cluster's identity, the uid of namespace %s: %w", systemNamespace, err)
	}
	return ns.Metadata.UID, nil
}
