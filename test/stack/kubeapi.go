package stack

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
)

// kubeAPI is the little of a Kubernetes client that the stack needs. client-go
// would be linked into every test that starts a stack.
type kubeAPI struct {
	server, token, caFile string
}

func (s *Stack) kube() kubeAPI {
	return kubeAPI{server: s.APIServer, token: s.AdminToken, caFile: s.CAFile}
}

func (k kubeAPI) get(ctx context.Context, path string) ([]byte, error) {
	return k.do(ctx, http.MethodGet, path, "", nil)
}

// apply is a server-side apply: it takes YAML and JSON as they are, creates what
// is missing and may be repeated.
func (k kubeAPI) apply(ctx context.Context, path string, doc []byte) error {
	_, err := k.do(ctx, http.MethodPatch, path+"?fieldManager=stack&force=true", "application/apply-patch+yaml", doc)
	return err
}

func (k kubeAPI) do(ctx context.Context, method, path, contentType string, body []byte) ([]byte, error) {
	ca, err := os.ReadFile(k.caFile)
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(ca)
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}}
	defer transport.CloseIdleConnections()
	req, err := http.NewRequestWithContext(ctx, method, k.server+path, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Authorization", "Bearer "+k.token)
	req.Header.Set("Accept", "application/json")
	if contentType != "" {
		req.Header.Set("Content-Type", contentType)
	}
	resp, err := transport.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode >= 300 {
		err = fmt.Errorf("%s %s: %s: %s", method, path, resp.Status, tail(string(answer), 5))
	}
	return answer, err
}

// hasCondition tells whether an object's status says that a condition is true.
func hasCondition(object []byte, condition string) bool {
	var o struct {
		Status struct {
			Conditions []struct{ Type, Status string }
		}
	}
	if json.Unmarshal(object, &o) != nil {
		return false
	}
	for _, c := range o.Status.Conditions {
		if c.Type == condition && c.Status == "True" {
			return true
		}
	}
	return false
}
