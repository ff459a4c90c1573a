package kube

import (
	"context"
	"encoding/json"
	"fmt"
)

// Namespace is one namespace of the cluster.
type Namespace struct {
	Name   string
	Labels map[string]string
	// Phase is "Active" or "Terminating".
	Phase string
	// Deleting says that the namespace is on its way out: creates in it fail.
	Deleting bool
}

// Namespaces lists the namespaces by name.
func (c *Client) Namespaces(ctx context.Context) ([]Namespace, error) {
	var out []Namespace
	req := ListAllRequest{ListRequest: ListRequest{Resource: Namespaces()}}
	_, err := c.ListAll(ctx, req, func(it Item) error {
		var o struct{ Status struct{ Phase string } }
		if err := json.Unmarshal(it.Raw, &o); err != nil {
			return fmt.Errorf("read namespace %s: %w", it.Name, err)
		}
		out = append(out, Namespace{Name: it.Name, Labels: it.Labels, Phase: o.Status.Phase, Deleting: it.Deleting})
		return nil
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}
