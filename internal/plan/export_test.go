package plan

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"

	velerov1 "github.com/vmware-tanzu/velero/pkg/apis/velero/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/lifeboat-backup/lifeboat/internal/filter"
)

// show writes shards as "type(namespaces) ... | ...".
func show(shards []Shard) string {
	var out []string
	for _, s := range shards {
		var lists []string
		for _, l := range s.Lists {
			where := ""
			if l.Namespaces != nil {
				where = fmt.Sprintf("(%d)", len(l.Namespaces))
			}
			lists = append(lists, l.Type.GroupResource+where)
		}
		out = append(out, strings.Join(lists, " "))
	}
	return strings.Join(out, " | ")
}

func TestExportOrder(t *testing.T) {
	types := []TypeCount{
		of("widgets.example.com", 1), of("deployments.extensions", 9), of("deployments.apps", 9), of("events.events.k8s.io", 5),
		of("secrets", 1), of("events", 5), cluster("persistentvolumes", 1), of("pods", 1), cluster("namespaces", 3),
		of("networkpolicies.extensions", 1), of("persistentvolumeclaims", 1), of("configmaps", 1), of("pods", 1),
	}
	want := "pods persistentvolumeclaims persistentvolumes configmaps events namespaces secrets " +
		"deployments.apps widgets.example.com networkpolicies.extensions"
	for range 10 {
		rand.Shuffle(len(types), func(i, j int) { types[i], types[j] = types[j], types[i] })
		if got := show(Export(types, bind(t, velerov1.BackupSpec{}, names(3)), ExportOptions{})); got != want {
			t.Fatalf("got  %s\nwant %s", got, want)
		}
	}
}

// The second of two cohabiting types stands in when the first is filtered out.
func TestExportCohabitingTypeFilteredOut(t *testing.T) {
	f := bind(t, velerov1.BackupSpec{ExcludedResources: []string{"events"}}, names(1))
	if got := show(Export([]TypeCount{of("events", 1), of("events.events.k8s.io", 1)}, f, ExportOptions{})); got != "events.events.k8s.io" {
		t.Error(got)
	}
}

func TestExportShards(t *testing.T) {
	spec := velerov1.BackupSpec{}
	small := []TypeCount{of("pods", 200), of("secrets", 300), cluster("nodes", 10)}
	for _, c := range []struct {
		name       string
		types      []TypeCount
		spec       velerov1.BackupSpec
		namespaces int
		o          ExportOptions
		want       string
	}{
		{"nothing", nil, spec, 3, ExportOptions{}, ""},
		{"small types share a shard", small, spec, 3, ExportOptions{}, "pods nodes secrets"},
		{"few objects, few shards", []TypeCount{of("configmaps", 4000), of("secrets", 3000)}, spec, 1, ExportOptions{}, "configmaps | secrets"},
		{
			"a large type is split by namespaces",
			[]TypeCount{of("configmaps", 20000)},
			spec, 40,
			ExportOptions{Parallelism: 2},
			"configmaps(10) | configmaps(10) | configmaps(10) | configmaps(10)",
		},
		{"one namespace cannot be split", []TypeCount{of("configmaps", 50000)}, spec, 1, ExportOptions{}, "configmaps"},
		{"tiny namespaces are not worth a call each", []TypeCount{of("configmaps", 20000)}, spec, 2000, ExportOptions{}, "configmaps"},
		{"no more shards than allowed", []TypeCount{of("a", 9000), of("b", 9000), of("c", 9000)}, spec, 1, ExportOptions{MaxShards: 2}, "a b | c"},
		{"unknown counts", []TypeCount{of("a", -1), of("b", -1)}, spec, 5, ExportOptions{}, "a b"},
		{"selected namespaces one by one", small, velerov1.BackupSpec{IncludedNamespaces: []string{"ns-000", "ns-001"}}, 3, ExportOptions{}, "pods(2) secrets(2)"},
		{"unless the type is sparse", []TypeCount{of("pods", 2), of("jobs.batch", 0), of("x", -1)}, velerov1.BackupSpec{IncludedNamespaces: []string{"ns-00*"}}, 20, ExportOptions{}, "pods x(10) jobs.batch"},
		{"globs of nothing", small, velerov1.BackupSpec{IncludedNamespaces: []string{"x*"}}, 3, ExportOptions{}, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := show(Export(c.types, bind(t, c.spec, names(c.namespaces)), c.o))
			if got != c.want {
				t.Errorf("got  %s\nwant %s", got, c.want)
			}
		})
	}
}

func TestExportUsesCountsPerNamespace(t *testing.T) {
	big := of("configmaps", 10000)
	big.PerNamespace = map[string]int64{"ns-000": 5000, "ns-001": 100, "ns-002": 100, "ns-003": 4800}
	shards := Export([]TypeCount{big}, bind(t, velerov1.BackupSpec{}, names(4)), ExportOptions{Parallelism: 1})
	if len(shards) != 2 || shards[0].Count != 5000 || shards[1].Count != 5000 {
		t.Errorf("got %s of %d and more", show(shards), shards[0].Count)
	}
}

func TestExportSelectors(t *testing.T) {
	or := []*metav1.LabelSelector{{MatchLabels: map[string]string{"a": "1"}}, {MatchLabels: map[string]string{"b": "2"}}}
	shards := Export([]TypeCount{of("pods", 1), cluster("namespaces", 1)}, bind(t, velerov1.BackupSpec{OrLabelSelectors: or}, names(1)), ExportOptions{})
	lists := shards[0].Lists
	if got := lists[0].Selectors; !slices.Equal(got, []string{"a=1", "b=2"}) {
		t.Errorf("pods: %v", got)
	}
	if got := lists[1].Selectors; !slices.Equal(got, []string{""}) {
		t.Errorf("namespaces must be listed without selectors: %v", got)
	}
}

func TestExportOrdered(t *testing.T) {
	f := bind(t, velerov1.BackupSpec{OrderedResources: map[string]string{"configmaps": "ns-039/z,ns-000/a"}}, names(40))
	shards := Export([]TypeCount{of("configmaps", 20000), of("secrets", 10)}, f, ExportOptions{Parallelism: 2})
	want := []string{"ns-039/z", "ns-000/a"}
	first := true
	for _, s := range shards {
		for _, l := range s.Lists {
			ordered := l.Type.GroupResource == "configmaps"
			if slices.Equal(l.Skip, want) != ordered || slices.Equal(l.Ordered, want) != (ordered && first) {
				t.Errorf("%s: ordered %v, skip %v", l.Type.GroupResource, l.Ordered, l.Skip)
			}
			first = false
		}
	}
}

// Whatever the cluster and the spec: each selected pair of type and namespace
// is listed by exactly one shard, no other is, types keep the archive's order,
// and the plan does not depend on the order of the input.
func TestExportListsEachPairOnce(t *testing.T) {
	for seed := range uint64(150) {
		r := rand.New(rand.NewPCG(seed, 7))
		all := names(1 + r.IntN(60))
		types := randomTypes(r)
		spec := randomSpec(r, all)
		f := bind(t, spec, all)
		o := ExportOptions{Parallelism: 1 + r.IntN(6), ObjectsPerShard: int64(1 + r.IntN(3000)), MaxShards: r.IntN(9)}
		shards := Export(types, f, o)
		if msg := checkPairs(shards, types, all, f); msg != "" {
			t.Fatalf("seed %d: %s", seed, msg)
		}
		if limit := o.shardCount(1 << 40); len(shards) > limit {
			t.Fatalf("seed %d: %d shards, limit %d", seed, len(shards), limit)
		}
		r.Shuffle(len(types), func(i, j int) { types[i], types[j] = types[j], types[i] })
		if !reflect.DeepEqual(shards, Export(types, f, o)) {
			t.Fatalf("seed %d: the plan depends on the order of types", seed)
		}
	}
}

func randomTypes(r *rand.Rand) []TypeCount {
	var types []TypeCount
	for i := range 1 + r.IntN(40) {
		t := of(fmt.Sprintf("kind%02d.group%d", i, r.IntN(4)), int64(r.IntN(9))-1)
		if r.IntN(4) == 0 {
			t.Count = int64(r.IntN(30000))
		}
		t.Namespaced = r.IntN(4) > 0
		types = append(types, t)
	}
	return append(types, of("pods", 100), cluster("persistentvolumes", 50), cluster("namespaces", 9))
}

func randomSpec(r *rand.Rand, all []string) velerov1.BackupSpec {
	spec := velerov1.BackupSpec{}
	switch r.IntN(5) {
	case 0:
		spec.IncludedNamespaces = all[:1+r.IntN(len(all))]
	case 1:
		spec.IncludedNamespaces = []string{"ns-0[0-3]?"}
	case 2:
		spec.ExcludedNamespaces = []string{all[0], "ns-01?"}
	case 3:
		spec.IncludedNamespaces, spec.ExcludedNamespaces = []string{"*1", "*3"}, []string{"ns-01*"}
	}
	if r.IntN(3) == 0 {
		spec.ExcludedNamespaceScopedResources = []string{"*.group2"}
	}
	return spec
}

func checkPairs(shards []Shard, types []TypeCount, all []string, f *filter.Backup) string {
	listed := map[string]int{}
	var order []filter.Type
	for i, s := range shards {
		if s.ID != i || len(s.Lists) == 0 {
			return fmt.Sprintf("shard %d has id %d and %d lists", i, s.ID, len(s.Lists))
		}
		for _, l := range s.Lists {
			order = append(order, l.Type)
			where := l.Namespaces
			if where == nil {
				where = all
			}
			if !l.Type.Namespaced {
				where = []string{""}
			}
			for _, ns := range where {
				if ns == "" || f.IncludeNamespace(ns) { // a cluster-wide list is sorted out by the filter
					listed[l.Type.GroupResource+" "+ns]++
				} else if l.Namespaces != nil {
					return "a namespace that is not selected is listed: " + ns
				}
			}
		}
	}
	if !slices.IsSortedFunc(order, archiveOrder) {
		return "types are out of order: " + show(shards)
	}
	for _, t := range types {
		where := f.Namespaces()
		if !t.Namespaced {
			where = []string{""}
		}
		for _, ns := range where {
			key := t.GroupResource + " " + ns
			if f.IncludeType(t.Type) == filter.All && listed[key] != 1 {
				return fmt.Sprintf("%q is listed %d times", key, listed[key])
			}
			delete(listed, key)
		}
	}
	if len(listed) > 0 {
		return fmt.Sprintf("listed and not selected: %v", listed)
	}
	return ""
}

// No shard is much larger than its share when the types allow it.
func TestExportIsBalanced(t *testing.T) {
	var types []TypeCount
	for i := range 60 {
		types = append(types, of(fmt.Sprintf("kind%02d", i), int64(100*(i%9))))
	}
	types = append(types, of("pods", 9000), of("configmaps", 30000), of("secrets", 12000))
	shards := Export(types, bind(t, velerov1.BackupSpec{}, names(100)), ExportOptions{Parallelism: 4})
	var total, largest int64
	for _, s := range shards {
		total, largest = total+s.Count, max(largest, s.Count)
	}
	if share := total / int64(len(shards)); len(shards) != 8 || largest > share*5/4 {
		t.Errorf("%d shards, largest %d, share %d", len(shards), largest, share)
	}
}

func BenchmarkExport(b *testing.B) {
	var types []TypeCount
	for i := range 400 {
		types = append(types, of(fmt.Sprintf("kind%03d", i), int64(i*10)))
	}
	f := bind(b, velerov1.BackupSpec{}, names(1000))
	for b.Loop() {
		Export(types, f, ExportOptions{})
	}
}
