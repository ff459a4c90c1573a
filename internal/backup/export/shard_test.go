package export

import (
	"fmt"
	"slices"
	"testing"

	velerov1 "github.com/vmware-tanzu/velero/pkg/apis/velero/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/lifeboat-backup/lifeboat/internal/archive"
	"github.com/lifeboat-backup/lifeboat/internal/backup"
	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/filter"
	"github.com/lifeboat-backup/lifeboat/internal/heartbeat"
	"github.com/lifeboat-backup/lifeboat/internal/kube"
	"github.com/lifeboat-backup/lifeboat/internal/kube/kubetest"
	"github.com/lifeboat-backup/lifeboat/internal/plan"
	"github.com/lifeboat-backup/lifeboat/internal/report"
	"github.com/lifeboat-backup/lifeboat/internal/repository"
	"github.com/lifeboat-backup/lifeboat/internal/resource"
	"github.com/lifeboat-backup/lifeboat/internal/store/memstore"
)

// exported is a backup of types of a server, as far as its export.
type exported struct {
	service *backup.Service
	run     *backup.Run
	chunks  []int // of each shard
}

// newExported plans a backup of the given types. The namespaces are those of the server.
func newExported(t *testing.T, s *kubetest.Server, spec velerov1.BackupSpec, types ...kube.Resource) *exported {
	t.Helper()
	client := s.Client()
	all, err := client.Namespaces(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var namespaces []filter.Namespace
	for _, n := range all {
		namespaces = append(namespaces, filter.Namespace{Name: n.Name, Labels: n.Labels, Active: true})
	}
	f, _, err := filter.NewBackup(&spec, kube.FilterResolver(kube.Catalog{Resources: types}), namespaces)
	if err != nil {
		t.Fatal(err)
	}
	var counts []plan.TypeCount
	for _, r := range types {
		counts = append(counts, plan.TypeCount{Type: kube.FilterType(r), Count: -1})
	}
	st := memstore.New()
	return &exported{
		service: &backup.Service{Kube: client, Rules: resource.NewRegistry()},
		run: &backup.Run{Store: st, Staging: repository.NewStaging(st, "uid"), Layout: archive.Layout{Backup: "b"}, Plan: backup.Plan{
			Resources: types, Filter: f, Shards: plan.Export(counts, f, plan.ExportOptions{MaxShards: 1}),
		}},
	}
}

// exportShards exports all planned shards.
func (x *exported) exportShards(t *testing.T) (all []contract.ShardResult, err error) {
	t.Helper()
	for i := range x.run.Plan.Shards {
		res, err := newExport(t.Context(), x.service, x.run, &heartbeat.Recorder{}, i, exportCursor{}).exportShard(t.Context())
		if err != nil {
			return all, err
		}
		all, x.chunks = append(all, res), append(x.chunks, res.Chunks)
	}
	return all, nil
}

// stored returns the keys of what was staged, in its order, and the codes of the reasons,
// each with its object.
func (x *exported) stored(t *testing.T) (keys, reasons []string) {
	t.Helper()
	notes, err := backup.ReadNotes(t.Context(), x.service, x.run, x.chunks)
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range notes {
		for _, r := range n.Reasons {
			reasons = append(reasons, reasonKey(r))
		}
	}
	chunks := backup.ChunksOf(notes)
	if len(chunks) == 0 {
		return nil, reasons
	}
	arc, err := archive.OpenStaged(repository.NewSource(x.run.Store), chunks)
	if err != nil {
		t.Fatal(err)
	}
	err = arc.WalkEntries(t.Context(), 0, len(arc.Members()), func(_ int, entries []archive.Entry) error {
		for _, e := range entries {
			keys = append(keys, fmt.Sprint(e.Resource, " ", resource.ObjectName(e.Namespace, e.Name)))
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return keys, reasons
}

func reasonKey(r report.Reason) string {
	key := string(r.Code)
	for _, part := range []string{r.Resource, resource.ObjectName(r.Namespace, r.Name)} {
		if part != "" {
			key += " " + part
		}
	}
	return key
}

func configMaps() kube.Resource {
	r := kube.ConfigMaps()
	r.Verbs = []string{"list", "create", "get", "delete"}
	return r
}

// putNamespaces makes namespaces, each with a ConfigMap of its own name.
func putNamespaces(s *kubetest.Server, names ...string) {
	for _, ns := range names {
		s.PutJSON(fmt.Sprintf(`{"apiVersion":"v1","kind":"Namespace","metadata":{"name":%q},"status":{"phase":"Active"}}`, ns))
		s.PutJSON(fmt.Sprintf(`{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":%q,"namespace":%q}}`, ns, ns))
	}
}

// TestOrderedObjectsSelectNothing: spec.orderedResources says in which order objects are
// stored, and brings none of a namespace that is not selected.
func TestOrderedObjectsSelectNothing(t *testing.T) {
	for name, spec := range map[string]velerov1.BackupSpec{
		"included": {IncludedNamespaces: []string{"mine", "ours"}},
		"excluded": {ExcludedNamespaces: []string{"theirs"}},
	} {
		s := kubetest.Start(t)
		putNamespaces(s, "mine", "ours", "theirs")
		s.Refuse(kubetest.On("get", kube.ConfigMaps()).In("theirs"), 403, "Forbidden", "")
		spec.OrderedResources = map[string]string{"configmaps": "theirs/theirs,ours/ours"}
		x := newExported(t, s, spec, configMaps())
		if _, err := x.exportShards(t); err != nil {
			t.Fatal(err)
		}
		keys, reasons := x.stored(t)
		if want := []string{"configmaps ours/ours", "configmaps mine/mine"}; !slices.Equal(keys, want) || len(reasons) > 0 {
			t.Errorf("%s: stored %q, want %q, reasons %q", name, keys, want, reasons)
		}
	}
}

// TestServerThatShedsLoad: how often a list is sent away for load says nothing about its type.
func TestServerThatShedsLoad(t *testing.T) {
	t.Parallel()
	s := kubetest.Start(t)
	putNamespaces(s, "shop")
	s.Refuse(kubetest.On("list", kube.ConfigMaps()).Times(15), 429, "TooManyRequests", "too many requests, please try again later")
	x := newExported(t, s, velerov1.BackupSpec{}, configMaps())
	if _, err := x.exportShards(t); err != nil {
		t.Fatal(err)
	}
	keys, reasons := x.stored(t)
	if !slices.Equal(keys, []string{"configmaps shop/shop"}) || len(reasons) > 0 {
		t.Errorf("stored %q, reasons %q", keys, reasons)
	}
}

// exportRelated exports what the exported objects refer to, as the activity does.
func (x *exported) exportRelated(t *testing.T) {
	t.Helper()
	r := newRelatedExport(t.Context(), x.service, x.run, &heartbeat.Recorder{}, len(x.chunks))
	res, err := r.exportRelated(t.Context(), x.chunks)
	if err != nil {
		t.Fatal(err)
	}
	x.chunks = append(x.chunks, res.Chunks)
}

func listable(r kube.Resource) kube.Resource {
	r.Verbs = []string{"list", "create", "get", "delete"}
	return r
}

func rbac(name, kind string) kube.Resource {
	return listable(kube.Resource{Group: "rbac.authorization.k8s.io", Version: "v1", Name: name, Kind: kind})
}

// TestRelatedObjectsAreStoredOnce: what the lists hold already is not fetched again, in
// whichever round it is referred to.
func TestRelatedObjectsAreStoredOnce(t *testing.T) {
	bindings, roles := rbac("clusterrolebindings", "ClusterRoleBinding"), rbac("clusterroles", "ClusterRole")
	accounts := listable(kube.Resource{Version: "v1", Name: "serviceaccounts", Kind: "ServiceAccount", Namespaced: true})
	namespaces := listable(kube.Resource{Version: "v1", Name: "namespaces", Kind: "Namespace"})
	for name, tc := range map[string]struct {
		spec velerov1.BackupSpec
		want []string
	}{
		"roles are listed": {
			velerov1.BackupSpec{IncludedNamespaces: []string{"shop"}, IncludedClusterScopedResources: []string{"clusterroles"}},
			[]string{"clusterroles.rbac.authorization.k8s.io other", "clusterroles.rbac.authorization.k8s.io reader", "clusterrolebindings.rbac.authorization.k8s.io reads"},
		},
		"roles are related": {
			velerov1.BackupSpec{IncludedNamespaces: []string{"shop"}},
			[]string{"clusterrolebindings.rbac.authorization.k8s.io reads", "clusterroles.rbac.authorization.k8s.io reader"},
		},
	} {
		s := kubetest.Start(t, kubetest.WithTypes(kubetest.Type{Resource: bindings}))
		putNamespaces(s, "shop", "theirs")
		s.PutJSON(`{"apiVersion":"v1","kind":"ServiceAccount","metadata":{"name":"web","namespace":"shop"}}`)
		s.PutJSON(`{"apiVersion":"rbac.authorization.k8s.io/v1","kind":"ClusterRole","metadata":{"name":"reader"}}`)
		s.PutJSON(`{"apiVersion":"rbac.authorization.k8s.io/v1","kind":"ClusterRole","metadata":{"name":"other"}}`)
		s.PutJSON(`{"apiVersion":"rbac.authorization.k8s.io/v1","kind":"ClusterRoleBinding","metadata":{"name":"reads"},"subjects":[{"kind":"ServiceAccount","namespace":"shop","name":"web"}],"roleRef":{"kind":"ClusterRole","name":"reader","apiGroup":"rbac.authorization.k8s.io"}}`)
		x := newExported(t, s, tc.spec, namespaces, accounts, roles, bindings)
		x.run.Plan.Related = true
		if _, err := x.exportShards(t); err != nil {
			t.Fatal(err)
		}
		x.exportRelated(t)
		keys, reasons := x.stored(t)
		want := append([]string{"namespaces shop", "serviceaccounts shop/web"}, tc.want...)
		if !slices.Equal(keys, want) || len(reasons) > 0 {
			t.Errorf("%s: stored %q, want %q; %q", name, keys, want, reasons)
		}
	}
}

// TestNamespacesOfSelectedObjects: the Namespace of what is stored is stored with it whatever
// the lists of types say, and no Namespace where nothing is.
func TestNamespacesOfSelectedObjects(t *testing.T) {
	namespaces := listable(kube.Resource{Version: "v1", Name: "namespaces", Kind: "Namespace"})
	none := &metav1.LabelSelector{MatchLabels: map[string]string{"app": "none"}}
	for name, tc := range map[string]struct {
		spec velerov1.BackupSpec
		want []string
	}{
		"some types":         {velerov1.BackupSpec{IncludedNamespaces: []string{"shop"}, IncludedResources: []string{"configmaps"}}, []string{"configmaps shop/shop", "namespaces shop"}},
		"excluded":           {velerov1.BackupSpec{IncludedNamespaces: []string{"shop"}, ExcludedResources: []string{"namespaces"}}, []string{"configmaps shop/shop"}},
		"no cluster-scoped":  {velerov1.BackupSpec{IncludedNamespaces: []string{"shop"}, IncludeClusterResources: new(bool)}, []string{"configmaps shop/shop"}},
		"nothing matches":    {velerov1.BackupSpec{IncludedNamespaces: []string{"shop"}, LabelSelector: none}, nil},
		"nothing is labeled": {velerov1.BackupSpec{LabelSelector: none}, nil},
	} {
		s := kubetest.Start(t)
		putNamespaces(s, "shop", "theirs")
		x := newExported(t, s, tc.spec, namespaces, configMaps())
		x.run.Plan.Related = true
		if _, err := x.exportShards(t); err != nil {
			t.Fatal(err)
		}
		x.exportRelated(t)
		if keys, reasons := x.stored(t); !slices.Equal(keys, tc.want) || len(reasons) > 0 {
			t.Errorf("%s: stored %q, want %q; %q", name, keys, tc.want, reasons)
		}
	}
}
