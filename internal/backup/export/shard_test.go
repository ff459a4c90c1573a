package export

import (
	"fmt"
	"slices"
	"testing"

	velerov1 "github.com/vmware-tanzu/velero/pkg/apis/velero/v1"

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
