//go:build stack

package drill

import (
	"slices"
	"strings"
	"testing"

	"github.com/lifeboat-backup/lifeboat/internal/drill/evidence"
	"github.com/lifeboat-backup/lifeboat/test/harness"
)

// outside are words of what acts outside of the copy, none of which may reach the API server, also
// not in a dry run.
func outside() []string { return []string{"shop.example.com", "external-dns", `"LoadBalancer"`} }

// checkWrites holds what the worker has written, since the log had a length, against what belongs to
// a drill, and looks for what acts outside in whatever it has sent.
func checkWrites(t *testing.T, since int64, copies []evidence.NamespaceMapping) {
	t.Helper()
	requests, err := shared.audit.Requests(since)
	if err != nil {
		t.Fatal(err)
	}
	writes, bodies := 0, 0
	for _, r := range requests {
		bodies += len(r.Object)
		for _, word := range outside() {
			if strings.Contains(string(r.Object), word) {
				t.Errorf("%s %s has %s: %s", r.Verb, r.RequestURI, word, r.Object)
			}
		}
		if !r.IsWrite() {
			continue
		}
		writes++
		if !isOfDrill(r, copies) {
			t.Errorf("a write outside of the copy: %s %s", r.Verb, r.RequestURI)
		}
	}
	if writes < 5 || bodies < 1000 {
		t.Errorf("the log has %d writes of a drill, with %d bytes", writes, bodies)
	}
}

func isOfDrill(e harness.AuditEvent, copies []evidence.NamespaceMapping) bool {
	isCopy := func(name string) bool {
		return slices.ContainsFunc(copies, func(m evidence.NamespaceMapping) bool { return m.To == name })
	}
	ref := e.ObjectRef
	switch {
	case ref.Resource == "namespaces":
		return isCopy(ref.Name) || e.Verb == "create" && ref.Name == ""
	case ref.Namespace != "":
		return isCopy(ref.Namespace)
	}
	return ref.Resource == "priorityclasses" && (strings.HasPrefix(ref.Name, "lifeboat-drill-") || ref.Name == "")
}

// objects are uid and resourceVersion of what is in the cluster, by type and name.
type objects map[string]string

// snapshotOf reads what a drill must not change: cluster-scoped objects, and namespaces with what
// people have made in them.
func snapshotOf(t *testing.T) objects {
	t.Helper()
	all := objects{}
	for _, resource := range []string{"namespaces", "persistentvolumes", "storageclasses", "priorityclasses", "clusterroles", "customresourcedefinitions", "configmaps", "secrets", "services", "deployments", "ingresses", "networkpolicies", "poddisruptionbudgets"} {
		for _, obj := range shared.List(t, resource, "", "") {
			uid, _ := harness.At(obj, "metadata", "uid").(string)
			name, _ := harness.At(obj, "metadata", "name").(string)
			namespace, _ := harness.At(obj, "metadata", "namespace").(string)
			version, _ := harness.At(obj, "metadata", "resourceVersion").(string)
			all[resource+" "+namespace+"/"+name] = uid + " " + version
		}
	}
	return all
}

// checkSame wants both to be the same, so far as a drill could have changed it.
func (o objects) checkSame(t *testing.T, now objects, ns string) {
	t.Helper()
	for name, was := range o {
		if now[name] != was {
			t.Errorf("%s was %q before the drill and is %q", name, was, now[name])
		}
	}
	for name := range now {
		if _, there := o[name]; !there {
			t.Errorf("%s is left", name)
		}
	}
	if len(o) == 0 || o["deployments "+ns+"/web"] == "" {
		t.Error("the original was not looked at")
	}
}
