package kube

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	authorizationv1 "k8s.io/api/authorization/v1"
)

// May asks the API server whether this client may use a verb on a resource in all namespaces;
// "*" as group and resource stands for all.
func (c *Client) May(ctx context.Context, verb, group, resource string) (bool, error) {
	name, sub, _ := strings.Cut(resource, "/")
	review := authorizationv1.SelfSubjectAccessReview{Spec: authorizationv1.SelfSubjectAccessReviewSpec{
		ResourceAttributes: &authorizationv1.ResourceAttributes{Verb: verb, Group: group, Resource: name, Subresource: sub},
	}}
	review.APIVersion, review.Kind = authorizationv1.SchemeGroupVersion.String(), "SelfSubjectAccessReview"
	body, err := json.Marshal(review)
	if err != nil {
		return false, fmt.Errorf("ask for permissions: %w", err)
	}
	raw, err := c.Create(ctx, Resource{Group: authorizationv1.GroupName, Version: "v1", Name: "selfsubjectaccessreviews", Kind: review.Kind}, "", body, CreateOptions{})
	if err != nil {
		return false, fmt.Errorf("ask for permissions: %w", err)
	}
	if err := json.Unmarshal(raw, &review); err != nil {
		return false, fmt.Errorf("ask for permissions: %w", err)
	}
	return review.Status.Allowed, nil
}
