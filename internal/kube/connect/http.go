package connect

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"

	"github.com/lifeboat-backup/lifeboat/internal/kube"
)

// Endpoint is a port of a Service or a pod.
type Endpoint struct {
	// Resource is kube.Services() or kube.Pods().
	Resource        kube.Resource
	Namespace, Name string
	// Port is a number, or the name of a Service's port.
	Port string
	// TLS speaks https to it. The API server does not check its certificate.
	TLS bool
}

// Response is what an application answered.
type Response struct {
	Status int
	Body   []byte // at most what was asked for
	Cut    bool   // there was more
}

// Get sends a GET for a path, with its query, to an endpoint and returns the answer, whatever
// its status; at most so many bytes of the body. Redirects are not followed. An answer of the
// API server itself is an error that keeps its status.
func Get(ctx context.Context, c *kube.Client, e Endpoint, path string, most int) (Response, error) {
	response, err := get(ctx, c, e.proxyURL(c, path), most)
	if err != nil {
		return response, fmt.Errorf("get %s through %s %s/%s: %w", path, e.Resource.Name, e.Namespace, e.Name, err)
	}
	return response, nil
}

// proxyURL is the address of a path: the proxy takes scheme:name:port for the object's name.
func (e Endpoint) proxyURL(c *kube.Client, path string) *url.URL {
	name := e.Name + ":" + e.Port
	if e.TLS {
		name = "https:" + name
	}
	at := c.SubresourceURL(e.Resource, e.Namespace, name, "proxy")
	path, query, _ := strings.Cut(path, "?")
	at = at.JoinPath(path)
	at.RawQuery = query
	return at
}

func get(ctx context.Context, c *kube.Client, at *url.URL, most int) (Response, error) {
	client, err := rest.HTTPClientFor(c.RESTConfig())
	if err != nil {
		return Response{}, err
	}
	defer client.CloseIdleConnections()
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, at.String(), nil)
	if err != nil {
		return Response{}, err
	}
	answer, err := client.Do(request)
	if err != nil {
		var where *url.Error
		if errors.As(err, &where) {
			err = where.Err
		}
		return Response{}, err
	}
	defer func() { _ = answer.Body.Close() }()
	const longestRefusal = 64 << 10
	body, err := io.ReadAll(io.LimitReader(answer.Body, int64(max(most, longestRefusal))+1))
	if err != nil {
		return Response{}, fmt.Errorf("read the answer: %w", err)
	}
	if refusal := refusalIn(answer.StatusCode, body); refusal != nil {
		return Response{}, refusal
	}
	return Response{Status: answer.StatusCode, Body: body[:min(len(body), most)], Cut: len(body) > most}, nil
}

// refusalIn is the API server's own answer, nil if it is the application's.
func refusalIn(code int, body []byte) error {
	var status metav1.Status
	if err := json.Unmarshal(body, &status); err == nil && code >= http.StatusBadRequest && status.Kind == "Status" && status.APIVersion == "v1" {
		return &apierrors.StatusError{ErrStatus: status}
	}
	return nil
}

// Log returns the last bytes of a container's log, at most so many.
func Log(ctx context.Context, c *kube.Client, namespace, pod, container string, most int) ([]byte, error) {
	at := c.SubresourceURL(kube.Pods(), namespace, pod, "log")
	// The API server counts lines from the end and bytes from the beginning: of the last lines
	// the bytes are cut here.
	const lines, longest = 500, 1 << 20
	at.RawQuery = url.Values{"container": {container}, "tailLines": {strconv.Itoa(lines)}, "limitBytes": {strconv.Itoa(longest)}}.Encode()
	answer, err := get(ctx, c, at, longest)
	if err == nil && answer.Status != http.StatusOK {
		err = fmt.Errorf("status %d", answer.Status)
	}
	if err != nil {
		return nil, fmt.Errorf("read log of pods %s/%s, container %s: %w", namespace, pod, container, err)
	}
	return answer.Body[max(0, len(answer.Body)-most):], nil
}
