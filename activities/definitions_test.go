package activities_test

import (
	"fmt"
	"testing"

	velerov1 "github.com/vmware-tanzu/velero/pkg/apis/velero/v1"

	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/kube"
	"github.com/lifeboat-backup/lifeboat/internal/kube/kubetest"
	"github.com/lifeboat-backup/lifeboat/internal/repository"
)

// definitions is how many custom types a cluster has that is full of operators: an object of
// each is backed up and restored.
const definitions = 2000

// TestTwoThousandDefinitions: the definitions of custom resources come with them, are awaited,
// and every custom resource is restored.
func TestTwoThousandDefinitions(t *testing.T) {
	all, api := buckets{}, newCluster(t, "ours")
	types := make([]kubetest.Type, definitions)
	for i := range types {
		types[i] = kubetest.Type{Custom: true, Resource: kube.Resource{
			Group: fmt.Sprintf("g%d.example.com", i%20), Version: "v1", Name: fmt.Sprintf("k%ds", i), Singular: fmt.Sprint("k", i), Kind: fmt.Sprint("K", i), Namespaced: true,
		}}
	}
	api.Serve(types...)
	for _, r := range types {
		api.PutJSON(
			fmt.Sprintf(`{"apiVersion":"apiextensions.k8s.io/v1","kind":"CustomResourceDefinition","metadata":{"name":%q},"spec":{"group":%q,"scope":"Namespaced","names":{"plural":%q,"singular":%q,"kind":%q},"versions":[{"name":"v1","served":true,"storage":true,"schema":{"openAPIV3Schema":{"type":"object","x-kubernetes-preserve-unknown-fields":true}}}]}}`, r.GroupResource(), r.Group, r.Name, r.Singular, r.Kind),
			fmt.Sprintf(`{"apiVersion":"%s/v1","kind":%q,"metadata":{"name":"x","namespace":"shop"}}`, r.Group, r.Kind))
	}
	q := newQueue(1, newSite(t, api, all, "p", ""))
	if err := q.backup(t, "b"); err != nil {
		t.Fatal(err)
	}
	byName := map[string]kubetest.Type{}
	for _, r := range types {
		api.Remove(r.Resource, "shop", "x")
		api.Remove(crds(), "", r.GroupResource())
		api.Withdraw(r.GroupResource())
		byName[r.GroupResource()] = r
	}
	api.After(kubetest.On("create", crds()), func(request kubetest.Request, _ map[string]any) {
		api.Serve(byName[request.Name])
		kubetest.Modify(api, crds(), "", request.Name, func(d *map[string]any) {
			(*d)["status"] = map[string]any{"conditions": []any{
				map[string]any{"type": "NamesAccepted", "status": "True"}, map[string]any{"type": "Established", "status": "True"},
			}}
		})
	})
	if err := q.run(t, "uid-r", contract.RestoreWorkflow, contract.RestoreInput{Name: "r", Spec: velerov1.RestoreSpec{BackupName: "b", IncludedNamespaces: []string{"shop"}}}); err != nil {
		t.Fatal(err)
	}
	missing := 0
	for _, r := range types {
		if _, there := kubetest.Get[map[string]any](api, r.Resource, "shop", "x"); !there {
			missing++
		}
	}
	var doc velerov1.Restore
	err := repository.GetJSON(t.Context(), all["p"], repository.RestoreDocumentKey("r"), &doc)
	if err != nil || missing > 0 || doc.Status.Phase != velerov1.RestorePhaseCompleted || doc.Status.Progress.ItemsRestored < 2*definitions {
		t.Errorf("%d are missing; %v; %+v %+v", missing, err, doc.Status, doc.Status.Progress)
	}
}

func crds() kube.Resource {
	return kube.Resource{Group: "apiextensions.k8s.io", Version: "v1", Name: "customresourcedefinitions", Kind: "CustomResourceDefinition"}
}
