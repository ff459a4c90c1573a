//go:build stack

package isolation_test

import (
	"encoding/json"
	"os"
	"testing"

	"github.com/lifeboat-backup/lifeboat/internal/drill/isolation"
	"github.com/lifeboat-backup/lifeboat/internal/kube"
	"github.com/lifeboat-backup/lifeboat/test/stack"
)

// kubeconfigVariable names the API server of the tests.
const kubeconfigVariable = "LIFEBOAT_TEST_KUBECONFIG"

func TestMain(m *testing.M) {
	os.Exit(stack.Main(m, stack.Options{}, func(s *stack.Stack) { os.Setenv(kubeconfigVariable, s.Kubeconfig) }))
}

// TestAPIServerTakesThem creates what the rules leave of each case in a real API server: what
// they change stays valid. Its own types only; the definitions of others are not there.
func TestAPIServerTakesThem(t *testing.T) {
	cfg, err := kube.Config(os.Getenv(kubeconfigVariable), "")
	if err != nil {
		t.Fatal(err)
	}
	client, err := kube.New(cfg, kube.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	catalog, err := client.Discover(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	wall, err := isolation.Wall{Labels: map[string]string{"drill": "one"}, APIServer: []string{"10.0.0.1", "fd00::1"}}.Policy("drill")
	if err != nil {
		t.Fatal(err)
	}
	create(t, client, &catalog, "namespaces", json.RawMessage(`{"apiVersion":"v1","kind":"Namespace","metadata":{"name":"drill"}}`))
	create(t, client, &catalog, "serviceaccounts", json.RawMessage(`{"apiVersion":"v1","kind":"ServiceAccount","metadata":{"name":"default","namespace":"drill"}}`))
	create(t, client, &catalog, "priorityclasses.scheduling.k8s.io", isolation.PriorityClass("prod", nil))
	create(t, client, &catalog, "networkpolicies.networking.k8s.io", wall)
	created := 0
	for i, tc := range readCases(t) {
		if d := testRules().Apply(tc.Resource, tc.Object); d.Outcome != isolation.Create || catalog.Lacks(tc.Resource, "") {
			continue
		}
		meta, _ := tc.Object["metadata"].(map[string]any)
		delete(meta, "name")
		meta["generateName"] = "case-"
		t.Logf("%d: %s", i, tc.Why)
		create(t, client, &catalog, tc.Resource, tc.Object)
		created++
	}
	const builtIn = 22
	if created < builtIn {
		t.Errorf("%d objects were tried, at least %d are expected", created, builtIn)
	}
}

func create(t *testing.T, client *kube.Client, catalog *kube.Catalog, resource string, obj any) {
	t.Helper()
	body, err := json.Marshal(obj)
	if err != nil {
		t.Fatal(err)
	}
	for _, served := range catalog.Resources {
		if served.GroupResource() != resource {
			continue
		}
		namespace := ""
		if served.Namespaced {
			namespace = "drill"
		}
		_, err := client.Create(t.Context(), served, namespace, body, kube.WriteOptions{})
		if err != nil && !(resource == "serviceaccounts" && kube.IsAlreadyExists(err)) {
			t.Errorf("%s: %v", resource, err)
		}
		return
	}
	t.Errorf("%s is not served", resource)
}
