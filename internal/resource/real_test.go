//go:build stack

package resource

import (
	"crypto/rand"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	utiljson "k8s.io/apimachinery/pkg/util/json"

	"github.com/lifeboat-backup/lifeboat/internal/report"
)

// What testdata/real.json says in place of a run's own namespace and node port.
const (
	placeholder     = "rules-source"
	placeholderPort = "30777"
)

// realTypes are restored in this order; Pods before their controllers, so that
// they are adopted.
var realTypes = []struct{ resource, path string }{
	{"serviceaccounts", "/api/v1"},
	{"secrets", "/api/v1"},
	{"configmaps", "/api/v1"},
	{"persistentvolumeclaims", "/api/v1"},
	{"roles.rbac.authorization.k8s.io", "/apis/rbac.authorization.k8s.io/v1"},
	{"rolebindings.rbac.authorization.k8s.io", "/apis/rbac.authorization.k8s.io/v1"},
	{"pods", "/api/v1"},
	{"replicasets.apps", "/apis/apps/v1"},
	{"controllerrevisions.apps", "/apis/apps/v1"},
	{"deployments.apps", "/apis/apps/v1"},
	{"statefulsets.apps", "/apis/apps/v1"},
	{"daemonsets.apps", "/apis/apps/v1"},
	{"jobs.batch", "/apis/batch/v1"},
	{"cronjobs.batch", "/apis/batch/v1"},
	{"endpoints", "/api/v1"},
	{"endpointslices.discovery.k8s.io", "/apis/discovery.k8s.io/v1"},
	{"services", "/api/v1"},
	{"ingresses.networking.k8s.io", "/apis/networking.k8s.io/v1"},
	{"networkpolicies.networking.k8s.io", "/apis/networking.k8s.io/v1"},
	{"poddisruptionbudgets.policy", "/apis/policy/v1"},
	{"horizontalpodautoscalers.autoscaling", "/apis/autoscaling/v2"},
	{"leases.coordination.k8s.io", "/apis/coordination.k8s.io/v1"},
	{"limitranges", "/api/v1"},
	{"resourcequotas", "/api/v1"},
}

// TestRealServer restores what a real API server and its controllers made of a
// namespace into another one. Every object must be accepted, must equal what was
// asked for afterwards, and Pods must be adopted instead of made twice.
func TestRealServer(t *testing.T) {
	api := newAPI(t)
	run := strings.ToLower(rand.Text()[:6]) // the stack may be one that outlives the test
	source, target := "rules-source-"+run, "rules-target-"+run
	api.source, api.target = source, target
	api.namespace(source)
	api.load("testdata/real.json")
	api.settle()

	r, stored := NewRegistry(), api.read(source)
	c := &Context{
		Backup: "b", Restore: "r", NamespaceMapping: map[string]string{source: target},
		Has: func(resource, _, name string) bool { return slices.Contains(stored.names[resource], name) },
	}
	// The two namespaces live in one cluster, where a node port exists once.
	api.must(http.MethodDelete, "/api/v1/namespaces/"+source+"/services/port-stated", nil)
	api.namespace(target)
	for _, resource := range stored.order {
		t.Logf("%s: %v", resource, stored.names[resource])
		for _, obj := range stored.objects[resource] {
			api.restore(r, c, resource, obj)
		}
	}
	api.adopted(stored.names["pods"])
}

// restore creates one object and compares what the server made of it.
func (a *api) restore(r *Registry, c *Context, resource string, obj map[string]any) {
	a.t.Helper()
	id := resource + " " + name(obj)
	r.Backup(resource, obj)
	out, err := r.Restore(c, resource, obj)
	if err != nil {
		a.t.Fatalf("%s: %v", id, err)
	}
	a.outcome(id, out)
	if out.Skipped() {
		a.t.Logf("%s: skipped, %s", id, out.Skip.Text)
		return
	}
	path := a.path(resource, a.target)
	code, answer := a.do(http.MethodPost, path, obj)
	if code == http.StatusConflict && resource == "serviceaccounts" {
		live := a.get(path + "/" + name(obj))
		if patch, _ := MergeServiceAccount(live, obj, false); patch != nil {
			a.t.Errorf("%s: a fresh default account lacks %v", id, patch)
		}
		return
	}
	if code != http.StatusCreated {
		a.t.Errorf("%s: create: %d %s", id, code, answer)
		return
	}
	if out.ManagedFields != nil {
		a.giveBack(id, path+"/"+name(obj), answer, out.ManagedFields)
	}
	if patch := r.MergePatch(resource, a.get(path+"/"+name(obj)), obj); patch != nil {
		a.t.Errorf("%s: the server made it differ by %v", id, patch)
	}
}

// giveBack proves why ManagedFields exists: the create drops appliers' entries
// and a second call brings them back.
func (a *api) giveBack(id, path string, created []byte, fields []any) {
	a.t.Helper()
	var obj map[string]any
	if err := utiljson.Unmarshal(created, &obj); err != nil {
		a.t.Fatal(err)
	}
	if hasServerSideApply(list(child(obj, "metadata"), "managedFields")) {
		a.t.Errorf("%s: the create kept an applier's entry", id)
	}
	a.must(http.MethodPatch, path, map[string]any{"metadata": map[string]any{"managedFields": fields}})
	if !hasServerSideApply(list(child(a.get(path), "metadata"), "managedFields")) {
		a.t.Errorf("%s: the applier's entry did not come back", id)
	}
}

// outcome asserts what the rules say of this very namespace.
func (a *api) outcome(id string, out Outcome) {
	a.t.Helper()
	want := map[string]report.Code{
		"configmaps kube-root-ca.crt": report.ClusterManaged, "jobs.batch done": report.Finished,
		"endpoints plain": report.ClusterManaged, "endpoints external": "", "configmaps applied": "", "jobs.batch running": "",
	}
	if code, ok := want[id]; ok && out.Skip.Code != code {
		a.t.Errorf("%s: skip code %q, want %q", id, out.Skip.Code, code)
	}
	if (id == "configmaps applied") != (out.ManagedFields != nil) {
		a.t.Errorf("%s: managedFields given back: %v", id, out.ManagedFields)
	}
	if len(out.Residual) > 0 && !strings.HasPrefix(id, "pods") {
		a.t.Errorf("%s: residual %v", id, out.Residual)
	}
}

// adopted waits and then sees that the Deployment's Pods in the target are the
// restored ones.
func (a *api) adopted(stored []string) {
	a.t.Helper()
	var names []string
	a.wait("pods to be adopted", func() bool {
		names = nil
		pods := objects(a.get(a.path("pods", a.target)+"?labelSelector=app%3Dweb"), "items")
		owned := 0
		for _, pod := range pods {
			names = append(names, name(pod))
			owned += len(objects(child(pod, "metadata"), "ownerReferences"))
		}
		return len(pods) == 2 && owned == 2
	})
	for _, pod := range names {
		if !slices.Contains(stored, pod) {
			a.t.Errorf("pod %s was made anew", pod)
		}
	}
}

type collected struct {
	order   []string
	objects map[string][]map[string]any
	names   map[string][]string
}

func (a *api) read(namespace string) collected {
	a.t.Helper()
	all := collected{objects: map[string][]map[string]any{}, names: map[string][]string{}}
	for _, kind := range realTypes {
		answer := a.get(a.path(kind.resource, namespace))
		all.order = append(all.order, kind.resource)
		for _, obj := range objects(answer, "items") {
			obj["apiVersion"], obj["kind"] = answer["apiVersion"], strings.TrimSuffix(str(answer, "kind"), "List")
			all.objects[kind.resource] = append(all.objects[kind.resource], obj)
			all.names[kind.resource] = append(all.names[kind.resource], name(obj))
		}
		if len(all.names[kind.resource]) == 0 {
			a.t.Errorf("no %s to test with", kind.resource)
		}
	}
	return all
}

// settle waits until the controllers have done what the rules have to undo.
func (a *api) settle() {
	a.t.Helper()
	ns := "/api/v1/namespaces/" + a.source
	a.wait("controllers", func() bool {
		pods := objects(a.get(ns+"/pods?labelSelector=app%3Dweb"), "items")
		token := child(a.get(ns+"/secrets/build-token"), "data")
		_, _, endpoints := a.try(http.MethodGet, ns+"/endpoints/plain", nil)
		_, _, revision := a.try(http.MethodGet, ns+"/serviceaccounts/default", nil)
		jobPods := objects(a.get(ns+"/pods?labelSelector=job-name%3Drunning"), "items")
		return len(pods) == 2 && token["token"] != nil && endpoints && revision && len(jobPods) == 1
	})
	job := a.path("jobs.batch", a.source) + "/done/status"
	now := time.Now().UTC().Format(time.RFC3339)
	a.must(http.MethodPatch, job, map[string]any{"status": map[string]any{
		"startTime": now, "completionTime": now, "succeeded": 0,
		"conditions": []any{
			map[string]any{"type": "SuccessCriteriaMet", "status": "True", "lastTransitionTime": now, "lastProbeTime": now},
			map[string]any{"type": "Complete", "status": "True", "lastTransitionTime": now, "lastProbeTime": now},
		},
	}})
}
