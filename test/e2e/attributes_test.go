//go:build stack

package e2e

import (
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	velerov1 "github.com/vmware-tanzu/velero/pkg/apis/velero/v1"
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/operatorservice/v1"
	"go.temporal.io/api/workflowservice/v1"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/lifeboat-backup/lifeboat/internal/config"
	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/test/harness"
)

// TestFullColumns: others use eight of the ten Keyword columns of a Temporal namespace. The
// worker takes the two that are left and says what is missing, and so does `version`; backups
// and restores run without, and are found by the two.
func TestFullColumns(t *testing.T) {
	t.Parallel()
	namespace := "full-" + shared.ID
	fillColumns(t, namespace, 8)
	l := shared.Beside(t, harness.Options{Cluster: "full", Edit: func(c *config.Config) { c.Temporal.Namespace = namespace }})
	told := "namespace " + namespace + " has 10 columns for search attributes of type Keyword, of which 0 are free and 2 are needed"
	if log := string(l.Worker.Log()); !strings.Contains(log, told) || !strings.Contains(log, "2 of 5 search attributes are missing") {
		t.Errorf("the worker does not tell %q:\n%s", told, log)
	}
	ask(t, l.Harness, 0, []string{contract.SearchPhase, contract.SearchSchedule}, "version")

	ns := "few-" + shared.ID
	fill(t, shared.Kube, ns, "few")
	completed(t, backup(t, l.Harness, "few", velerov1.BackupSpec{IncludedNamespaces: []string{ns}}))
	res := restore(t, l.Harness, contract.RestoreInput{Name: "few", Spec: velerov1.RestoreSpec{BackupName: "few", NamespaceMapping: map[string]string{ns: ns + "-copy"}}})
	if res.Phase != "Completed" {
		t.Errorf("restore: %s %q", res.Phase, res.Reasons)
	}
	query := fmt.Sprintf("%s = '%s' AND %s = 'few'", contract.SearchCluster, l.Cluster, contract.SearchName)
	eventually(t, "the runs are found by "+query, func() error {
		found, err := l.Temporal.CountWorkflow(t.Context(), &workflowservice.CountWorkflowExecutionsRequest{Namespace: namespace, Query: query})
		if err == nil && found.GetCount() != 2 {
			err = fmt.Errorf("%d runs", found.GetCount())
		}
		return err
	})
}

// TestNoColumns: others use every Keyword column of a Temporal namespace. The worker starts, says that all
// is missing, and backs up.
func TestNoColumns(t *testing.T) {
	t.Parallel()
	namespace := "none-" + shared.ID
	fillColumns(t, namespace, 10)
	l := shared.Beside(t, harness.Options{Cluster: "none", Edit: func(c *config.Config) { c.Temporal.Namespace = namespace }})
	ask(t, l.Harness, 0, []string{contract.SearchCluster, contract.SearchName, contract.SearchPhase, contract.SearchSchedule}, "version")
	ns := "none-" + shared.ID
	fill(t, shared.Kube, ns, "none")
	completed(t, backup(t, l.Harness, "none", velerov1.BackupSpec{IncludedNamespaces: []string{ns}}))
	ask(t, l.Harness, 0, []string{"none", "Completed"}, "backup", "get")
}

// TestWithoutOperator: a Temporal that has no operator service and tells of no search attributes, as
// Temporal Cloud answers a worker. It starts, says what is missing, and does all that it does.
func TestWithoutOperator(t *testing.T) {
	t.Parallel()
	namespace := "cloud-" + shared.ID
	makeNamespace(t, namespace)
	frontend := cloudBefore(t, shared.Stack.Temporal.Address)
	l := shared.Beside(t, harness.Options{Cluster: "cloud", Temporal: frontend.address, Edit: func(c *config.Config) { c.Temporal.Namespace = namespace }})
	if log := string(l.Worker.Log()); !strings.Contains(log, "5 of 5 search attributes are missing") {
		t.Errorf("the worker does not tell what is missing:\n%s", log)
	}
	ns := "cloud-" + shared.ID
	fill(t, shared.Kube, ns, "cloud")
	for _, args := range [][]string{
		{"version"},
		{"backup", "create", "cloud", "--include-namespaces", ns, "--wait"},
		{"restore", "create", "cloud", "--from-backup", "cloud", "--namespace-mappings", ns + ":" + ns + "-copy", "--wait"},
		{"schedule", "create", "nightly", "--schedule", "0 2 * * *", "--include-namespaces", ns},
		{"schedule", "trigger", "nightly"},
		{"backup", "get"},
		{"restore", "get"},
		{"gc", "run"},
		{"backup", "delete", "cloud", "--confirm"},
	} {
		ask(t, l.Harness, 0, nil, args...)
	}
	if frontend.refused.Load() == 0 {
		t.Error("nothing was asked that was to be refused")
	}
}

// cloud is a frontend of Temporal that has no operator service.
type cloud struct {
	address string
	refused atomic.Int64
}

// cloudBefore makes one before another frontend.
func cloudBefore(t *testing.T, target string) *cloud {
	t.Helper()
	var plain http.Protocols // HTTP/2 without TLS, as gRPC has it
	plain.SetUnencryptedHTTP2(true)
	forward := &httputil.ReverseProxy{
		Rewrite:       func(r *httputil.ProxyRequest) { r.SetURL(&url.URL{Scheme: "http", Host: target}) },
		Transport:     &http.Transport{Protocols: &plain},
		FlushInterval: -1,
		ModifyResponse: func(r *http.Response) error { // an error is headers alone, which a proxy that flushes cuts in two
			for _, name := range []string{"Grpc-Status", "Grpc-Message", "Grpc-Status-Details-Bin"} {
				if value := r.Header.Values(name); len(value) > 0 {
					if r.Trailer == nil {
						r.Trailer = http.Header{}
					}
					r.Trailer[name] = value
					r.Header.Del(name)
				}
			}
			return nil
		},
		ErrorLog: log.New(io.Discard, "", 0), // polls that a worker gives up
	}
	c := &cloud{}
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !strings.Contains(r.URL.Path, ".operatorservice.") && !strings.HasSuffix(r.URL.Path, "SearchAttributes") {
			forward.ServeHTTP(w, r)
			return
		}
		c.refused.Add(1)
		w.Header().Set("Content-Type", "application/grpc")
		w.Header().Set("Grpc-Status", strconv.Itoa(int(codes.PermissionDenied)))
		w.Header().Set("Grpc-Message", "Request unauthorized.")
	}))
	server.Config.Protocols = &plain
	server.Start()
	t.Cleanup(server.CloseClientConnections)
	c.address = server.Listener.Addr().String()
	return c
}

// makeNamespace makes a namespace of Temporal.
func makeNamespace(t *testing.T, namespace string) {
	t.Helper()
	_, err := shared.Temporal.WorkflowService().RegisterNamespace(t.Context(), &workflowservice.RegisterNamespaceRequest{
		Namespace: namespace, WorkflowExecutionRetentionPeriod: durationpb.New(24 * time.Hour),
	})
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, "the namespace is known", func() error { // servers read new ones from time to time
		_, err := shared.Temporal.WorkflowService().DescribeNamespace(t.Context(), &workflowservice.DescribeNamespaceRequest{Namespace: namespace})
		return err
	})
}

// fillColumns makes a namespace in which others use n columns of type Keyword.
func fillColumns(t *testing.T, namespace string, n int) {
	t.Helper()
	makeNamespace(t, namespace)
	others := map[string]enumspb.IndexedValueType{}
	for i := range n {
		others[fmt.Sprintf("OfOthers%d", i)] = enumspb.INDEXED_VALUE_TYPE_KEYWORD
	}
	eventually(t, "the namespace is known", func() error { // servers read new ones from time to time
		_, err := shared.Temporal.OperatorService().AddSearchAttributes(t.Context(), &operatorservice.AddSearchAttributesRequest{Namespace: namespace, SearchAttributes: others})
		return err
	})
	eventually(t, "the columns are used", func() error {
		listed, err := shared.Temporal.OperatorService().ListSearchAttributes(t.Context(), &operatorservice.ListSearchAttributesRequest{Namespace: namespace})
		if err == nil && len(listed.GetCustomAttributes()) < n {
			err = fmt.Errorf("%d of %d", len(listed.GetCustomAttributes()), n)
		}
		return err
	})
}
