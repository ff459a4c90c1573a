//go:build stack

package e2e

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
	"testing"

	velerov1 "github.com/vmware-tanzu/velero/pkg/apis/velero/v1"

	"github.com/lifeboat-backup/lifeboat/internal/config"
	"github.com/lifeboat-backup/lifeboat/internal/iam"
	"github.com/lifeboat-backup/lifeboat/internal/iam/evaluation"
	"github.com/lifeboat-backup/lifeboat/test/harness"
)

// policyGate stands before the store and judges each request by IAM policies, as S3 would.
type policyGate struct {
	store http.Handler

	mu       sync.Mutex
	policies []evaluation.Policy
	role     iam.Role
	denied   []string
	used     map[string]bool // actions
}

// newPolicyGate is the gate, and its address. It lets nothing through until it has a policy.
func newPolicyGate(t *testing.T, target string) (*policyGate, string) {
	t.Helper()
	to, err := url.Parse(target)
	if err != nil {
		t.Fatal(err)
	}
	forward := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		r.SetURL(to)
		r.Out.Host = r.In.Host // the request is signed for it
	}}
	g := &policyGate{store: forward, used: map[string]bool{}}
	server := httptest.NewServer(g)
	t.Cleanup(server.Close)
	return g, strings.TrimPrefix(server.URL, "http://")
}

// judgeBy has requests judged by the policy that is printed for a role from now on.
func (g *policyGate) judgeBy(t *testing.T, o iam.Options) {
	t.Helper()
	document, err := iam.Policy(o)
	if err != nil {
		t.Fatal(err)
	}
	text, err := document.Text()
	if err != nil {
		t.Fatal(err)
	}
	policy, err := evaluation.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.policies, g.role = []evaluation.Policy{policy}, o.Role
}

// checkNothingDenied: what was done was allowed, but for HeadBucket, whose refusal tells the Region.
func (g *policyGate) checkNothingDenied(t *testing.T) {
	t.Helper()
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, denied := range g.denied {
		if !strings.Contains(denied, ": s3:ListBucket on ") || !strings.HasSuffix(denied, "map[]") {
			t.Errorf("denied to role %s", denied)
		}
	}
}

func (g *policyGate) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	for _, request := range s3Requests(r) {
		if g.allows(request) {
			continue
		}
		w.Header().Set("Content-Type", "application/xml")
		w.WriteHeader(http.StatusForbidden)
		_, _ = io.WriteString(w, "<Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>")
		return
	}
	g.store.ServeHTTP(w, r)
}

func (g *policyGate) allows(r evaluation.Request) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if evaluation.Evaluate(g.policies, r) != evaluation.Allowed {
		g.denied = append(g.denied, fmt.Sprintf("%s: %s on %s %v", g.role, r.Action, r.Resource, r.Keys))
		return false
	}
	g.used[r.Action] = true
	return true
}

// s3Requests are what IAM is asked about a request of S3's API, path style.
func s3Requests(r *http.Request) []evaluation.Request {
	bucket, key, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	query := r.URL.Query()
	if key == "" {
		return bucketRequests(r, bucket, query)
	}
	object := evaluation.Request{Action: objectAction(r.Method, query), Resource: "arn:aws:s3:::" + bucket + "/" + key}
	requests := []evaluation.Request{object}
	if source := r.Header.Get("X-Amz-Copy-Source"); source != "" {
		path, _ := url.PathUnescape(strings.TrimPrefix(source, "/"))
		requests = append(requests, evaluation.Request{Action: "s3:GetObject", Resource: "arn:aws:s3:::" + path})
	}
	return requests
}

func objectAction(method string, query url.Values) string {
	switch {
	case method == http.MethodGet && query.Has("retention"):
		return "s3:GetObjectRetention"
	case method == http.MethodGet && query.Has("legal-hold"):
		return "s3:GetObjectLegalHold"
	case method == http.MethodGet && query.Has("uploadId"):
		return "s3:ListMultipartUploadParts"
	case method == http.MethodGet || method == http.MethodHead:
		return "s3:GetObject"
	case method == http.MethodDelete && query.Has("uploadId"):
		return "s3:AbortMultipartUpload"
	case method == http.MethodDelete:
		return "s3:DeleteObject"
	}
	return "s3:PutObject"
}

func bucketRequests(r *http.Request, bucket string, query url.Values) []evaluation.Request {
	arn := "arn:aws:s3:::" + bucket
	if r.Method == http.MethodPost && query.Has("delete") {
		return requestsToDelete(r, arn)
	}
	request := evaluation.Request{Resource: arn, Action: "s3:" + r.Method + " " + r.URL.RawQuery}
	switch {
	case query.Has("uploads"):
		request.Action = "s3:ListBucketMultipartUploads"
	case query.Has("list-type"):
		request.Action = "s3:ListBucket"
		request.Set("s3:prefix", query.Get("prefix"))
	case r.Method == http.MethodHead:
		request.Action = "s3:ListBucket"
	case r.Method == http.MethodGet:
		request.Action = settingAction(query, request.Action)
	}
	return []evaluation.Request{request}
}

// settingAction reads a setting of a bucket.
func settingAction(query url.Values, unknown string) string {
	for parameter, action := range map[string]string{
		"versioning": "s3:GetBucketVersioning", "encryption": "s3:GetEncryptionConfiguration", "lifecycle": "s3:GetLifecycleConfiguration",
		"policy": "s3:GetBucketPolicy", "replication": "s3:GetReplicationConfiguration", "object-lock": "s3:GetBucketObjectLockConfiguration",
	} {
		if query.Has(parameter) {
			return action
		}
	}
	return unknown
}

// requestsToDelete are one request for each key of a deletion of many.
func requestsToDelete(r *http.Request, bucket string) []evaluation.Request {
	body, _ := io.ReadAll(r.Body)
	r.Body = io.NopCloser(bytes.NewReader(body))
	var in struct{ Object []struct{ Key string } }
	if xml.Unmarshal(body, &in) != nil {
		return []evaluation.Request{{Action: "s3:unreadable", Resource: bucket}}
	}
	var out []evaluation.Request
	for _, object := range in.Object {
		out = append(out, evaluation.Request{Action: "s3:DeleteObject", Resource: bucket + "/" + object.Key})
	}
	return out
}

// TestBucketPolicy: with the policy that we ship nothing that a worker does is refused by the
// store, and nothing of what the policy allows is for nothing (uploads are broken off, and their
// parts listed, only where something failed; locks are read only of files that have one).
func TestBucketPolicy(t *testing.T) {
	t.Parallel()
	l := shared
	names := l.namespaces(t, "policy")
	ns := names.Replace("<policy>")
	l.apply(t, fmt.Sprintf("{apiVersion: v1, kind: Namespace, metadata: {name: %s}}", ns))
	l.fill(t, ns, 200)
	gate, address := newPolicyGate(t, l.Stack.S3.Endpoint)
	gate.judgeBy(t, iam.Options{Role: iam.All, Bucket: l.Stack.S3.Bucket, Prefix: "policy"})
	h := l.Beside(t, harness.Options{Cluster: "policy", Prefix: "policy", S3: address}).Harness

	completed(t, backup(t, h, "b", velerov1.BackupSpec{IncludedNamespaces: []string{ns}}))
	for _, args := range [][]string{
		{"location", "check"},
		{"backup", "get"},
		{"backup", "describe", "b", "--details"},
		{"backup", "logs", "b"},
		{"backup", "verify", "b", "--wait"},
		{"backup", "hold", "b", "--reason", "audit"},
		{"backup", "release", "b"},
		{"restore", "create", "r", "--from-backup", "b", "--namespace-mappings", ns + ":" + ns, "--wait"},
		{"restore", "describe", "r"},
		{"restore", "logs", "r"},
		{"schedule", "create", "s", "--schedule", "0 2 * * *"},
		{"schedule", "delete", "s", "--confirm"},
		{"gc", "run"},
		{"backup", "delete", "b", "--confirm"},
	} {
		ask(t, h, 0, nil, args...)
	}
	gate.checkNothingDenied(t)
	gate.mu.Lock()
	defer gate.mu.Unlock()
	for _, action := range []string{"s3:ListBucket", "s3:ListBucketMultipartUploads", "s3:GetObject", "s3:PutObject", "s3:DeleteObject"} {
		if !gate.used[action] {
			t.Errorf("nothing used %s", action)
		}
	}
}

// TestBucketPolicyOfRoles: a worker of each role does all that its role is for, from its start on, and
// nothing is refused to it.
func TestBucketPolicyOfRoles(t *testing.T) {
	t.Parallel()
	ns := shared.namespaces(t, "roles").Replace("<roles>")
	shared.apply(t, fmt.Sprintf("{apiVersion: v1, kind: Namespace, metadata: {name: %s}}", ns))
	shared.fill(t, ns, 20)
	key, err := harness.MakeDrillKey(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	gate, address := newPolicyGate(t, shared.Stack.S3.Endpoint)
	h := shared.Idle(t, harness.Options{Cluster: "roles", Prefix: "roles", S3: address, Edit: func(c *config.Config) {
		c.Drills.SigningKey = &config.SigningKey{File: key}
	}})
	for _, work := range []struct {
		role     iam.Role
		commands [][]string
	}{
		{iam.Backup, [][]string{
			{"backup", "create", "b", "--include-namespaces", ns, "--wait"},
			{"location", "check"},
			{"backup", "describe", "b", "--details"},
			{"backup", "logs", "b"},
			{"backup", "verify", "b", "--wait"},
			{"schedule", "create", "s", "--schedule", "0 2 * * *"},
			{"schedule", "delete", "s", "--confirm"},
		}},
		{iam.Restore, [][]string{
			{"location", "check"},
			{"backup", "get"},
			{"restore", "create", "r", "--from-backup", "b", "--namespace-mappings", ns + ":" + ns + "-r", "--wait"},
			{"restore", "describe", "r", "--details"},
			{"restore", "logs", "r"},
			{"drill", "run", "--from-backup", "b", "--level", "L2", "--wait"}, // its evidence has the answers of doctor
			{"drill", "history"},
			{"drill", "get"},
		}},
		{iam.Collect, [][]string{
			{"location", "check"},
			{"backup", "hold", "b", "--reason", "audit"},
			{"backup", "release", "b"},
			{"gc", "plan"},
			{"gc", "run"},
			{"backup", "delete", "b", "--confirm"},
		}},
	} {
		gate.judgeBy(t, iam.Options{Role: work.role, Bucket: shared.Stack.S3.Bucket, Prefix: "roles", Inspect: work.role == iam.Restore})
		w, err := h.StartWorker(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, args := range work.commands {
			ask(t, h, 0, nil, args...)
		}
		w.Stop()
	}
	gate.checkNothingDenied(t)
}
