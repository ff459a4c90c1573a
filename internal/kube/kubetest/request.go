package kubetest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Request is one request for objects that the server was sent.
type Request struct {
	// Verb is "get", "list", "create", "update", "patch", "delete" or "exec".
	Verb string
	// Method is that of HTTP: exec is a GET over WebSockets and a POST over SPDY.
	Method string
	// Resource is named as kube.Resource.GroupResource names it.
	Resource, Version string
	Namespace         string
	// Name is that of the object; that of one to create is in its body.
	Name        string
	Subresource string
	Query       url.Values
	Body        []byte

	group, plural string
}

// ServeHTTP implements http.Handler.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if s.serveAbout(w, r) {
		return
	}
	q, ok := parseRequest(r)
	if !ok {
		http.NotFound(w, r)
		return
	}
	reactions := s.recordRequest(q)
	for _, react := range reactions {
		if react.handle != nil {
			r.Body = io.NopCloser(bytes.NewReader(q.Body))
			react.handle(w, r)
			return
		}
		if react.before != nil {
			if err := react.before(q); err != nil {
				writeError(w, err)
				return
			}
		}
	}
	if q.Verb == "exec" {
		s.serveExec(w, r, q)
		return
	}
	code, answer, err := s.performRequest(q, r)
	for _, react := range reactions {
		if err == nil && react.after != nil {
			react.after(q, answer)
		}
		if react.lose {
			panic(http.ErrAbortHandler) //nolint:forbidigo // net/http's way to break the connection
		}
	}
	if err != nil {
		writeError(w, err)
		return
	}
	writeJSON(w, code, metadataView(r.Header.Get("Accept"), answer))
}

// parseRequest reads what a URL and a method ask for.
func parseRequest(r *http.Request) (Request, bool) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return Request{}, false
	}
	q := Request{Method: r.Method, Query: r.URL.Query(), Body: body}
	var parts []string
	for part := range strings.SplitSeq(strings.Trim(r.URL.EscapedPath(), "/"), "/") {
		text, err := url.PathUnescape(part)
		if err != nil {
			return Request{}, false
		}
		parts = append(parts, text)
	}
	switch {
	case len(parts) > 2 && parts[0] == "api":
		q.Version, parts = parts[1], parts[2:]
	case len(parts) > 3 && parts[0] == "apis":
		q.group, q.Version, parts = parts[1], parts[2], parts[3:]
	default:
		return Request{}, false
	}
	// A namespace is both a place and an object: what follows its name tells.
	if parts[0] == "namespaces" && len(parts) > 2 && !slices.Contains([]string{"status", "finalize"}, parts[2]) {
		q.Namespace, parts = parts[1], parts[2:]
	}
	if len(parts) > 3 && parts[2] != "proxy" { // what follows it is the application's
		return Request{}, false
	}
	parts = append(parts, "", "")
	q.plural, q.Name, q.Subresource = parts[0], parts[1], parts[2]
	q.Resource = strings.TrimSuffix(q.plural+"."+q.group, ".")
	q.Verb = verbOf(r.Method, q)
	if q.Verb == "create" {
		if q.Name != "" {
			return Request{}, false
		}
		q.Name = nameIn(body)
	}
	return q, true
}

func verbOf(method string, q Request) string {
	switch {
	case q.Subresource == "exec":
		return "exec"
	case method == http.MethodGet && q.Name == "":
		return "list"
	case method == http.MethodDelete && q.Name == "":
		return "deletecollection"
	}
	return map[string]string{
		http.MethodGet: "get", http.MethodPost: "create", http.MethodPut: "update", http.MethodPatch: "patch", http.MethodDelete: "delete",
	}[method]
}

func nameIn(body []byte) string {
	var o struct{ Metadata struct{ Name string } }
	_ = json.Unmarshal(body, &o) // a body that is no object is refused later, with its reason
	return o.Metadata.Name
}

// performRequest does what a request asks for.
func (s *Server) performRequest(q Request, r *http.Request) (code int, answer object, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if gv := strings.TrimPrefix(q.group+"/"+q.Version, "/"); slices.Contains(s.stale, gv) {
		return 0, nil, apierrors.NewServiceUnavailable("the server of " + gv + " does not answer")
	}
	t, ok := s.typeOf(q.group, q.Version, q.plural)
	if !ok || q.Namespace != "" && !t.Namespaced || q.Subresource != "" && (q.Subresource != "status" || !t.Status) {
		return 0, nil, errNoPath()
	}
	if !t.hasVerb(q.Verb) || t.Namespaced && q.Namespace == "" && q.Verb != "list" {
		return 0, nil, apierrors.NewMethodNotSupported(t.groupResource(), q.Verb)
	}
	if err := checkParameters(q); err != nil {
		return 0, nil, err
	}
	switch q.Verb {
	case "get":
		answer, err = s.storedObject(t, q)
	case "list":
		answer, err = s.listPage(t, q)
	case "create":
		answer, err = s.createObject(t, q)
		return http.StatusCreated, answer, err
	case "update":
		answer, err = s.updateObject(t, q)
	case "patch":
		answer, err = s.patchObject(t, q, r.Header.Get("Content-Type"))
	case "delete":
		answer, err = s.deleteObject(t, q)
	default:
		err = apierrors.NewMethodNotSupported(t.groupResource(), q.Verb)
	}
	return http.StatusOK, answer, err
}

// checkParameters refuses what a real server ignores, and what this one lacks.
func checkParameters(q Request) error {
	known := map[string][]string{
		"list":   {"labelSelector", "fieldSelector", "limit", "continue", "resourceVersion", "resourceVersionMatch"},
		"create": {"dryRun", "fieldManager", "fieldValidation"},
		"update": {"dryRun", "fieldManager", "fieldValidation"},
		"patch":  {"dryRun", "fieldManager", "fieldValidation", "force"},
	}
	for key := range q.Query {
		if !slices.Contains(known[q.Verb], key) {
			return apierrors.NewBadRequest(fmt.Sprintf("parameter %q of %s is not known", key, q.Verb))
		}
	}
	if dry := q.Query.Get("dryRun"); dry != "" && dry != "All" {
		return apierrors.NewBadRequest(fmt.Sprintf("dryRun: Unsupported value: %q", dry))
	}
	return nil
}

// errNoPath is the answer to a path that nothing serves.
func errNoPath() error {
	return &apierrors.StatusError{ErrStatus: metav1.Status{
		Status: metav1.StatusFailure, Code: http.StatusNotFound, Reason: metav1.StatusReasonNotFound,
		Message: "the server could not find the requested resource",
	}}
}

func writeError(w http.ResponseWriter, err error) {
	var status apierrors.APIStatus
	if !errors.As(err, &status) {
		status = apierrors.NewInternalError(err)
	}
	body := status.Status()
	body.TypeMeta = metav1.TypeMeta{Kind: "Status", APIVersion: "v1"}
	if after := body.Details; after != nil && after.RetryAfterSeconds > 0 {
		w.Header().Set("Retry-After", fmt.Sprint(after.RetryAfterSeconds))
	}
	writeJSON(w, int(body.Code), body)
}

func writeJSON(w http.ResponseWriter, code int, body any) {
	if w.Header().Get("Content-Type") == "" {
		w.Header().Set("Content-Type", "application/json")
	}
	w.WriteHeader(code)
	_ = json.NewEncoder(w).Encode(body) // a client that is gone reads nothing
}
