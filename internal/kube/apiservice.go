package kube

import (
	"context"
	"encoding/json"
)

// explainFailures puts the API server's own reason (its Available condition on the
// APIService) into the failures. It stays with what discovery said where that
// cannot be read: the reason is for people, the failure is reported anyhow.
func (c *Client) explainFailures(ctx context.Context, cat *Catalog) {
	services, ok := cat.Find("apiservices.apiregistration.k8s.io")
	if !ok {
		return
	}
	for i := range cat.Failures {
		f := &cat.Failures[i]
		raw, err := c.Get(ctx, services, "", f.Version+"."+f.Group)
		if err != nil {
			continue
		}
		if why := unavailableReason(raw); why != "" {
			f.Reason = why
		}
	}
}

// conditions is what objects with status conditions have in common.
type conditions struct {
	Status struct {
		Conditions []struct{ Type, Status, Reason, Message string }
	}
}

func unavailableReason(raw []byte) string {
	var o conditions
	if json.Unmarshal(raw, &o) != nil {
		return ""
	}
	for _, c := range o.Status.Conditions {
		if c.Type == "Available" && c.Status != "True" {
			return c.Reason + ": " + c.Message
		}
	}
	return ""
}
