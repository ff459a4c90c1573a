package kube

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
)

func TestMay(t *testing.T) {
	c := serve(t, func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil || r.URL.Path != "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews" {
			t.Errorf("%s %v", r.URL, err)
		}
		allowed := strings.Contains(string(body), `"resourceAttributes":{"verb":"create","resource":"pods","subresource":"exec"}`)
		fmt.Fprintf(w, `{"kind":"SelfSubjectAccessReview","status":{"allowed":%t}}`, allowed)
	})
	for resource, want := range map[string]bool{"pods/exec": true, "pods": false} {
		if got, err := c.May(t.Context(), "create", "", resource); got != want || err != nil {
			t.Errorf("%s: %t, %v", resource, got, err)
		}
	}
}
