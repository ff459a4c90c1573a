package export

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	velerov1 "github.com/vmware-tanzu/velero/pkg/apis/velero/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/json"

	"github.com/lifeboat-backup/lifeboat/internal/archive"
	"github.com/lifeboat-backup/lifeboat/internal/archive/layout"
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
	service  *backup.Service
	run      *backup.Run
	chunks   []int // of each shard
	attempts contract.ShardAttempts
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
		run: &backup.Run{Store: st, Staging: repository.NewStaging(st, "uid"), Layout: layout.Backup{Name: "b"}, Plan: backup.Plan{
			Resources: types, Filter: f, Shards: plan.Export(counts, f, plan.ExportOptions{MaxShards: 1}),
		}},
	}
}

// add remembers where a result lies.
func (x *exported) add(res contract.ShardResult) {
	if x.attempts == nil {
		x.attempts = contract.ShardAttempts{}
	}
	x.attempts[len(x.chunks)], x.chunks = res.Attempts, append(x.chunks, res.Chunks)
}

// exportShards exports all planned shards.
func (x *exported) exportShards(t *testing.T) (all []contract.ShardResult, err error) {
	t.Helper()
	for i := range x.run.Plan.Shards {
		e := newExport(t.Context(), x.service, x.run, &heartbeat.Recorder{}, i, exportCursor{})
		e.revision = x.run.Plan.Revision
		res, err := e.exportShard(t.Context())
		if err != nil {
			return all, err
		}
		all = append(all, res)
		x.add(res)
	}
	return all, nil
}

// stored returns the keys of what was staged, in its order, and the codes of the reasons,
// each with its object.
func (x *exported) stored(t *testing.T) (keys, reasons []string) {
	t.Helper()
	notes, err := backup.ReadNotes(t.Context(), x.run, x.chunks, x.attempts)
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
	synctest.Test(t, func(t *testing.T) {
		s := kubetest.Start(t, kubetest.WithoutNetwork())
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
	})
}

// exportRelated exports what the exported objects refer to, as the activity does.
func (x *exported) exportRelated(t *testing.T) {
	t.Helper()
	r := newRelatedExport(t.Context(), x.service, x.run, &heartbeat.Recorder{}, len(x.chunks))
	r.revision = x.run.Plan.Revision
	res, err := r.exportRelated(t.Context(), contract.ExportRelatedInput{Shards: x.chunks, Attempts: x.attempts})
	if err != nil {
		t.Fatal(err)
	}
	x.add(res)
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

// TestTypeThatDoesNotAnswer: namespaces whose lists of one type fail cost two calls each,
// however many they are, and are told one by one.
func TestTypeThatDoesNotAnswer(t *testing.T) {
	t.Parallel()
	s := kubetest.Start(t)
	var names, want []string
	for i := range 40 {
		names = append(names, fmt.Sprintf("ns-%02d", i))
	}
	putNamespaces(s, append(names, "other")...)
	broken := kubetest.On("list", kube.ConfigMaps())
	s.Refuse(func(q kubetest.Request) bool { return broken(q) && q.Namespace != "ns-20" }, 500, "InternalError", "conversion webhook failed")
	x := newExported(t, s, velerov1.BackupSpec{IncludedNamespaces: names}, configMaps())
	x.service.Kube = s.Client(kube.Options{RetryFor: -1})
	if _, err := x.exportShards(t); err != nil {
		t.Fatal(err)
	}
	for _, ns := range slices.Delete(names, 20, 21) {
		want = append(want, "LIST_FAILED configmaps "+ns+"/")
	}
	keys, reasons := x.stored(t)
	if !slices.Equal(keys, []string{"configmaps ns-20/ns-20"}) || !slices.Equal(reasons, want) {
		t.Errorf("stored %q, reasons %q, want %q", keys, reasons, want)
	}
	if n := s.Count(broken); n > 2*40 {
		t.Errorf("%d lists of 40 namespaces", n)
	}
}

// TestTypeThatTakesLongToFail: once lists of a type took too long to fail, it is not listed
// in further namespaces.
func TestTypeThatTakesLongToFail(t *testing.T) {
	s := kubetest.Start(t)
	putNamespaces(s, "mine", "ours", "theirs")
	x := newExported(t, s, velerov1.BackupSpec{IncludedNamespaces: []string{"mine", "ours"}}, configMaps())
	e := newExport(t.Context(), x.service, x.run, &heartbeat.Recorder{}, 0, exportCursor{})
	e.failedTime["configmaps"] = maxFailedTime + time.Second
	res, err := e.exportShard(t.Context())
	if err != nil || res.Errors != 2 || s.Count(kubetest.On("list", kube.ConfigMaps())) > 0 {
		t.Errorf("%+v, %v", res, err)
	}
}

// TestObjectThatIsTooLarge costs no other object of its type.
func TestObjectThatIsTooLarge(t *testing.T) {
	t.Parallel()
	s := kubetest.Start(t)
	putNamespaces(s, "a", "b", "d")
	s.PutJSON(fmt.Sprintf(`{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"large","namespace":"b"},"data":{"x":%q}}`, strings.Repeat("x", 9000)))
	x := newExported(t, s, velerov1.BackupSpec{OrderedResources: map[string]string{"configmaps": "b/large,d/d"}}, configMaps())
	for _, ordered := range [][]string{x.run.Plan.Shards[0].Lists[0].Ordered, nil} {
		x.chunks, x.run.Plan.Shards[0].Lists[0].Ordered, x.run.Plan.Shards[0].Lists[0].Skip = nil, ordered, ordered
		x.service.Kube = s.Client(kube.Options{MaxObject: 4000})
		if _, err := x.exportShards(t); err != nil {
			t.Fatal(err)
		}
		keys, reasons := x.stored(t)
		slices.Sort(keys)
		if want := []string{"configmaps a/a", "configmaps b/b", "configmaps d/d"}; !slices.Equal(keys, want) {
			t.Errorf("stored %q, want %q", keys, want)
		}
		want := []string{"OBJECT_INVALID configmaps b/large"}
		if ordered != nil {
			want = []string{"READ_FAILED configmaps b/large"}
		}
		if !slices.Equal(reasons, want) {
			t.Errorf("reasons %q, want %q", reasons, want)
		}
	}
}

// TestListsThatAreAlwaysShort: an aggregated API may announce more objects than it has.
func TestListsThatAreAlwaysShort(t *testing.T) {
	s := kubetest.Start(t)
	putNamespaces(s, "a", "b", "c")
	s.After(kubetest.On("list", kube.ConfigMaps()), func(_ kubetest.Request, answer map[string]any) {
		answer["metadata"].(map[string]any)["remainingItemCount"] = 7
	})
	x := newExported(t, s, velerov1.BackupSpec{IncludedNamespaces: []string{"a", "b"}}, configMaps())
	if _, err := x.exportShards(t); err != nil {
		t.Fatal(err)
	}
	keys, reasons := x.stored(t)
	if want := []string{"configmaps a/a", "configmaps b/b"}; !slices.Equal(keys, want) {
		t.Errorf("stored %q, want %q", keys, want)
	}
	if want := []string{"LIST_INCONSISTENT configmaps a/", "LIST_INCONSISTENT configmaps b/"}; !slices.Equal(reasons, want) {
		t.Errorf("reasons %q, want %q", reasons, want)
	}
}

// atRevision exports at the present revision of the server.
func (x *exported) atRevision(t *testing.T) *exported {
	t.Helper()
	revision, err := x.service.Kube.Revision(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	x.run.Plan.Revision = revision
	return x
}

// invariantTypes are types whose objects of one name are written one after the other.
func invariantTypes() (types []kubetest.Type) {
	for i := range 10 {
		types = append(types, kubetest.Type{Custom: true, Resource: listable(kube.Resource{
			Group: "x.example.com", Version: "v1", Name: fmt.Sprintf("parts%d", i), Kind: fmt.Sprintf("Part%d", i), Namespaced: true,
		})})
	}
	return types
}

// TestOneInstant: writers change objects of ten types one after the other, so that at any
// moment a type is as far as the one before it or one step behind. No backup shows anything
// else, and all of them show the revision.
func TestOneInstant(t *testing.T) {
	types := invariantTypes()
	s := kubetest.Start(t, kubetest.WithTypes(types...))
	s.PutNamespaces("shop")
	var resources []kube.Resource
	for _, k := range types {
		resources = append(resources, k.Resource)
	}
	write := func(step int) {
		for i := range types {
			s.PutJSON(fmt.Sprintf(`{"apiVersion":"x.example.com/v1","kind":"Part%d","metadata":{"name":"one","namespace":"shop","labels":{"step":"s%d"}}}`, i, step))
			time.Sleep(500 * time.Microsecond)
		}
	}
	write(0)
	stop, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		for step := 1; ; step++ {
			select {
			case <-stop:
				return
			default:
				write(step)
			}
		}
	}()
	defer func() { close(stop); <-done }()
	for range 100 {
		x := newExported(t, s, velerov1.BackupSpec{}, resources...).atRevision(t)
		if _, err := x.exportShards(t); err != nil {
			t.Fatal(err)
		}
		keys, reasons := x.stored(t)
		if len(keys) != len(types) || len(reasons) > 0 {
			t.Fatalf("stored %q, reasons %q", keys, reasons)
		}
		if steps := x.stepsOf(t); !isOneInstant(steps) {
			t.Fatalf("torn: %v", steps)
		}
	}
}

// stepsOf returns the steps of the parts, in the order of their types.
func (x *exported) stepsOf(t *testing.T) (steps []int) {
	t.Helper()
	notes, err := backup.ReadNotes(t.Context(), x.run, x.chunks, x.attempts)
	if err != nil {
		t.Fatal(err)
	}
	arc, err := archive.OpenStaged(repository.NewSource(x.run.Store), backup.ChunksOf(notes))
	if err != nil {
		t.Fatal(err)
	}
	err = arc.Walk(t.Context(), 0, len(arc.Members()), func(_ int, _ archive.Entry, body []byte) error {
		var o struct {
			Metadata struct {
				Labels map[string]string `json:"labels"`
			} `json:"metadata"`
		}
		if err := json.Unmarshal(body, &o); err != nil {
			return err
		}
		var step int
		_, err := fmt.Sscanf(o.Metadata.Labels["step"], "s%d", &step)
		steps = append(steps, step)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return steps
}

// isOneInstant: no type is ahead of one before it, nor more than a step behind the first.
func isOneInstant(steps []int) bool {
	for i := 1; i < len(steps); i++ {
		if steps[i] > steps[i-1] || steps[i] < steps[0]-1 {
			return false
		}
	}
	return true
}

// TestCachesReachTheRevision: behind snapshots, a list of many objects is preceded by a request
// for one, by which the API server's cache of the type reaches the revision; a short list is not.
func TestCachesReachTheRevision(t *testing.T) {
	for name, tc := range map[string]struct {
		units []backup.Unit
		count int64
		want  int
	}{
		"many":                 {[]backup.Unit{{}}, manyObjects, 2},
		"few":                  {[]backup.Unit{{}}, manyObjects - 1, 1},
		"not behind snapshots": {nil, manyObjects, 1},
	} {
		t.Run(name, func(t *testing.T) {
			s := kubetest.Start(t)
			putNamespaces(s, "a")
			x := newExported(t, s, velerov1.BackupSpec{}, configMaps()).atRevision(t)
			x.run.Plan.Volumes.Units, x.run.Plan.Shards[0].Lists[0].Count = tc.units, tc.count
			if _, err := x.exportShards(t); err != nil {
				t.Fatal(err)
			}
			keys, _ := x.stored(t)
			if got := s.Count(kubetest.On("list", kube.ConfigMaps())); got != tc.want || !slices.Equal(keys, []string{"configmaps a/a"}) {
				t.Errorf("%d requests, want %d; stored %q", got, tc.want, keys)
			}
		})
	}
}

// TestTypesThatAreNotAtTheRevision are listed in their newest state, and named.
func TestTypesThatAreNotAtTheRevision(t *testing.T) {
	secrets := listable(kube.Resource{Version: "v1", Name: "secrets", Kind: "Secret", Namespaced: true})
	for name, tc := range map[string]struct {
		prepare func(s *kubetest.Server, x *exported)
		reasons []string
		plain   []string
		late    []string // what is stored of later than the revision
	}{
		"all are": {func(*kubetest.Server, *exported) {}, nil, nil, nil},
		"forgotten": {
			func(s *kubetest.Server, _ *exported) { s.Compact() },
			[]string{"LIST_INCONSISTENT configmaps", "LIST_INCONSISTENT secrets"},
			[]string{"configmaps", "secrets"},
			[]string{"configmaps shop/late", "secrets shop/late"},
		},
		"of another etcd": {
			func(_ *kubetest.Server, x *exported) { x.run.Plan.Plain = []string{"secrets"} },
			nil, nil,
			[]string{"secrets shop/late"},
		},
		"not known to the server": {
			func(s *kubetest.Server, _ *exported) {
				s.React(func(q kubetest.Request) bool {
					return q.Resource == "secrets" && q.Query.Get("resourceVersionMatch") != ""
				}, func(kubetest.Request) error {
					return apierrors.NewBadRequest("resourceVersionMatch is forbidden")
				})
			},
			[]string{"LIST_INCONSISTENT secrets"},
			[]string{"secrets"},
			[]string{"secrets shop/late"},
		},
		"not reached": {
			func(s *kubetest.Server, x *exported) { x.run.Plan.Revision = fmt.Sprint(s.Revision() + 100) },
			[]string{"LIST_INCONSISTENT configmaps", "LIST_INCONSISTENT secrets"},
			[]string{"configmaps", "secrets"},
			[]string{"configmaps shop/late", "secrets shop/late"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := kubetest.Start(t)
			s.PutNamespaces("shop")
			put := func(name string) {
				s.PutJSON(fmt.Sprintf(`{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":%q,"namespace":"shop"}}`, name),
					fmt.Sprintf(`{"apiVersion":"v1","kind":"Secret","metadata":{"name":%q,"namespace":"shop"}}`, name))
			}
			put("early")
			x := newExported(t, s, velerov1.BackupSpec{OrderedResources: map[string]string{"secrets": "shop/early"}}, configMaps(), secrets).atRevision(t)
			put("late")
			tc.prepare(s, x)
			if _, err := x.exportShards(t); err != nil {
				t.Fatal(err)
			}
			keys, reasons := x.stored(t)
			want := append([]string{"configmaps shop/early", "secrets shop/early"}, tc.late...)
			slices.Sort(want)
			if slices.Sort(keys); !slices.Equal(keys, want) || !slices.Equal(reasons, tc.reasons) {
				t.Errorf("stored %q, want %q; reasons %q, want %q", keys, want, reasons, tc.reasons)
			}
			notes, err := backup.ReadNotes(t.Context(), x.run, x.chunks, x.attempts)
			var plain []string
			for _, n := range notes {
				plain = append(plain, n.Plain...)
			}
			if slices.Sort(plain); err != nil || !slices.Equal(plain, tc.plain) {
				t.Errorf("plain %q, want %q, %v", plain, tc.plain, err)
			}
		})
	}
}
