package plan

import (
	"encoding/json"
	"fmt"
	"iter"
	"math/rand/v2"
	"reflect"
	"runtime"
	"slices"
	"strconv"
	"testing"

	velerov1 "github.com/vmware-tanzu/velero/pkg/apis/velero/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/lifeboat-backup/lifeboat/internal/filter"
)

func bindRestore(t testing.TB, spec velerov1.RestoreSpec, names ...string) *filter.Restore {
	t.Helper()
	spec.BackupName = "b"
	resolve := func(string) (filter.Type, bool) { return filter.Type{}, false }
	in := filter.Contents{Resources: []string{"pods", "secrets", "configmaps", "namespaces", "nodes", "widgets.example.com"}}
	f, _, err := filter.NewRestore(&spec, names, resolve, in)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// planOf plans a restore of all objects.
func planOf(objs iter.Seq[Object], f *filter.Restore, o RestoreOptions) RestorePlan {
	c := NewInventory(f)
	for obj := range objs {
		c.Add(obj)
	}
	return c.Plan(o)
}

// member holds n objects of a resource in a namespace.
func member(m int, resource, ns string, n int) []Object {
	var out []Object
	for i := range n {
		out = append(out, Object{Member: m, Resource: resource, Namespace: ns, Name: fmt.Sprintf("%s-%d-%d", resource, m, i)})
	}
	return out
}

func TestRestorePlan(t *testing.T) {
	objs := slices.Concat(
		member(0, "pods", "dev", 2), member(0, "secrets", "dev", 3), member(1, "secrets", "prod", 1),
		[]Object{{1, "namespaces", "", "prod"}, {1, "namespaces", "", "empty"}, {2, "nodes", "", "n"}},
		member(9, "widgets.example.com", "dev", 1),
	)
	got := planOf(slices.Values(objs), bindRestore(t, velerov1.RestoreSpec{NamespaceMapping: map[string]string{"prod": "prod2"}}), RestoreOptions{})
	want := RestorePlan{
		Namespaces: []NamespaceNeed{{Source: "dev", Target: "dev", Member: -1}, {Source: "prod", Target: "prod2", Member: 1}},
		Levels: []LevelPlan{
			{Level: Namespaces, Name: "namespaces", Tasks: []Task{{[]Range{{1, 2}}, 2}}, Objects: 2},
			{Level: Config, Name: "config", Tasks: []Task{{[]Range{{0, 2}}, 4}}, Objects: 4},
			{Level: Pods, Name: "pods", Tasks: []Task{{[]Range{{0, 1}}, 2}}, Objects: 2},
			{Level: CustomResources, Name: "custom-resources", Tasks: []Task{{[]Range{{9, 10}}, 1}}, Objects: 1},
		},
		Objects: 9,
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
}

// TestPassesOfALevel: a level of which some objects may have to come first has a pass for
// these, over the members that hold such types, which counts nothing.
func TestPassesOfALevel(t *testing.T) {
	objs := slices.Concat(member(0, "ingresses.networking.k8s.io", "dev", 9), member(1, "services", "dev", 2), member(4, "widgets.example.com", "dev", 2), member(5, "quotas.example.com", "dev", 1))
	got := planOf(slices.Values(objs), bindRestore(t, velerov1.RestoreSpec{}), RestoreOptions{})
	want := []LevelPlan{
		{Level: Services, Name: "services-first", Pass: FirstObjects, Tasks: []Task{{Ranges: []Range{{1, 2}}}}},
		{Level: Services, Name: "services", Pass: OtherObjects, Tasks: []Task{{[]Range{{0, 2}}, 11}}, Objects: 11},
		{Level: CustomResources, Name: "custom-resources-first", Pass: FirstObjects, Tasks: []Task{{Ranges: []Range{{4, 6}}}}},
		{Level: CustomResources, Name: "custom-resources", Pass: OtherObjects, Tasks: []Task{{[]Range{{4, 6}}, 3}}, Objects: 3},
	}
	if !reflect.DeepEqual(got.Levels, want) || got.Objects != 14 {
		t.Errorf("got  %+v\nwant %+v", got.Levels, want)
	}
}

func TestRestorePlanOfOneObjectReadsOneMember(t *testing.T) {
	var objs []Object
	for m := range 400 {
		objs = append(objs, member(m, "secrets", "dev", 128)...)
	}
	f := bindRestore(t, velerov1.RestoreSpec{IncludedResources: []string{"secrets"}}, "dev/secrets-123-4")
	p := planOf(slices.Values(objs), f, RestoreOptions{})
	if p.Objects != 1 || len(p.Levels) != 1 || !reflect.DeepEqual(p.Levels[0].Tasks, []Task{{[]Range{{123, 124}}, 1}}) {
		t.Errorf("%+v", p)
	}
	if len(p.Namespaces) != 1 || p.Namespaces[0].Source != "dev" {
		t.Errorf("namespaces %+v", p.Namespaces)
	}
}

func TestRestorePlanNamespacesAreLazyWithSelectors(t *testing.T) {
	sel := &metav1.LabelSelector{MatchLabels: map[string]string{"a": "b"}}
	p := planOf(slices.Values(member(0, "pods", "dev", 1)), bindRestore(t, velerov1.RestoreSpec{LabelSelector: sel}), RestoreOptions{})
	if len(p.Namespaces) != 1 || !p.Namespaces[0].Lazy {
		t.Errorf("%+v", p.Namespaces)
	}
}

func TestRestorePlanOfNothing(t *testing.T) {
	p := planOf(slices.Values(member(0, "pods", "dev", 1)), bindRestore(t, velerov1.RestoreSpec{IncludedNamespaces: []string{"x*"}}), RestoreOptions{})
	if !reflect.DeepEqual(p, RestorePlan{}) {
		t.Errorf("%+v", p)
	}
}

func TestRestoreTasks(t *testing.T) {
	counts := func(objects int, members ...int) map[int]int {
		m := map[int]int{}
		for _, i := range members {
			m[i] = objects
		}
		return m
	}
	run := func(n int) []int {
		var out []int
		for i := range n {
			out = append(out, i)
		}
		return out
	}
	for _, c := range []struct {
		name   string
		counts map[int]int
		o      RestoreOptions
		want   []Task
	}{
		{"none", nil, RestoreOptions{}, nil},
		{"small gaps are read through", counts(10, 0, 1, 4, 8), RestoreOptions{}, []Task{{[]Range{{0, 5}, {8, 9}}, 40}}},
		{"no gap allowed", counts(10, 0, 1, 3), RestoreOptions{Gap: -1}, []Task{{[]Range{{0, 2}, {3, 4}}, 30}}},
		{"4,400 objects are one task", counts(110, run(40)...), RestoreOptions{}, []Task{{[]Range{{0, 40}}, 4400}}},
		{"4,600 objects are two", counts(115, run(40)...), RestoreOptions{}, []Task{{[]Range{{0, 20}}, 2300}, {[]Range{{20, 40}}, 2300}}},
		{"a member is never split", counts(9000, 0, 1), RestoreOptions{}, []Task{{[]Range{{0, 1}}, 9000}, {[]Range{{1, 2}}, 9000}}},
		{"one large member", map[int]int{0: 10, 1: 9000, 2: 10}, RestoreOptions{}, []Task{{[]Range{{0, 2}}, 9010}, {[]Range{{2, 3}}, 10}}},
	} {
		if got := cutTasks(c.counts, c.o.withDefaults()); !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s: got %v, want %v", c.name, got, c.want)
		}
	}
}

// Whatever the archive: each selected object is in exactly one task, which is
// of its level, and the plan does not depend on the order of the index.
func TestRestorePlanCoversEachObjectOnce(t *testing.T) {
	resources := []string{"pods", "secrets", "configmaps", "widgets.example.com", "nodes"}
	for seed := range uint64(25) {
		r := rand.New(rand.NewPCG(seed, 1))
		var objs []Object
		for m := range 1 + r.IntN(200) {
			for range r.IntN(3) {
				ns := []string{"dev", "prod", ""}[r.IntN(3)]
				objs = append(objs, member(m, resources[r.IntN(5)], ns, r.IntN(60))...)
			}
		}
		spec := []velerov1.RestoreSpec{{}, {IncludedNamespaces: []string{"d*"}}, {ExcludedResources: []string{"secrets"}}}[r.IntN(3)]
		f := bindRestore(t, spec)
		o := RestoreOptions{TaskObjects: 1 + r.IntN(900), Gap: r.IntN(4) - 1}
		p := planOf(slices.Values(objs), f, o)
		if msg := checkCover(p, objs, f); msg != "" {
			t.Fatalf("seed %d: %s", seed, msg)
		}
		r.Shuffle(len(objs), func(i, j int) { objs[i], objs[j] = objs[j], objs[i] })
		if !reflect.DeepEqual(p, planOf(slices.Values(objs), f, o)) {
			t.Fatalf("seed %d: the plan depends on the order of the index", seed)
		}
	}
}

func checkCover(p RestorePlan, objs []Object, f *filter.Restore) string {
	total, applied := 0, 0
	for _, o := range objs {
		if !f.IncludeObject(o.Resource, o.Namespace, o.Name) {
			continue
		}
		total++
		hits := 0
		for _, l := range p.Levels {
			for _, task := range l.Tasks {
				for _, r := range task.Ranges {
					if l.Pass != FirstObjects && l.Level == LevelOf(o.Resource) && r.From <= o.Member && o.Member < r.To {
						hits++
					}
				}
			}
		}
		if hits != 1 {
			return fmt.Sprintf("%+v is in %d tasks", o, hits)
		}
		if o.Namespace != "" && !slices.ContainsFunc(p.Namespaces, func(n NamespaceNeed) bool { return n.Source == o.Namespace }) {
			return "no namespace for " + o.Namespace
		}
	}
	for i, l := range p.Levels {
		if pass := i > 0 && p.Levels[i-1].Pass == FirstObjects; i > 0 && !pass && l.Level <= p.Levels[i-1].Level || pass && (l.Level != p.Levels[i-1].Level || l.Pass != OtherObjects) {
			return "levels are out of order"
		}
		for _, task := range l.Tasks {
			applied += task.Objects
		}
	}
	if total != p.Objects || total != applied {
		return fmt.Sprintf("%d objects, planned %d, in tasks %d", total, p.Objects, applied)
	}
	return ""
}

// A plan must stay small enough to travel by reference or value.
func TestRestorePlanIsSmall(t *testing.T) {
	var objs []Object
	for m := range 800 {
		objs = append(objs, member(m, []string{"pods", "secrets"}[m/400], "dev", 125)...)
	}
	data, err := json.Marshal(planOf(slices.Values(objs), bindRestore(t, velerov1.RestoreSpec{}), RestoreOptions{}))
	if err != nil || len(data) > 10_000 {
		t.Errorf("%d bytes, %v", len(data), err)
	}
}

// What is related is planned beside what is selected, and nothing is counted twice.
func TestRestorePlanOfRelatedObjects(t *testing.T) {
	spec := velerov1.RestoreSpec{IncludedNamespaces: []string{"dev"}, LabelSelector: &metav1.LabelSelector{MatchLabels: map[string]string{"a": "b"}}}
	c := NewInventory(bindRestore(t, spec))
	class := Object{Member: 3, Resource: "priorityclasses.scheduling.k8s.io", Name: "urgent"}
	for _, o := range slices.Concat(member(0, "pods", "dev", 2), member(1, "configmaps", "dev", 1), []Object{class}) {
		if selected := c.Add(o); selected != (o != class) {
			t.Errorf("%+v: selected %v", o, selected)
		}
	}
	c.AddRelated(class)
	c.AddRelated(member(1, "configmaps", "dev", 1)[0]) // one of the namespace, labels aside
	want := []LevelPlan{
		{Level: ClusterConfig, Name: "cluster-config", Tasks: []Task{{[]Range{{3, 4}}, 1}}, Objects: 1},
		{Level: Config, Name: "config", Tasks: []Task{{[]Range{{1, 2}}, 1}}, Objects: 1},
		{Level: Pods, Name: "pods", Tasks: []Task{{[]Range{{0, 1}}, 2}}, Objects: 2},
	}
	if got := c.Plan(RestoreOptions{}); !reflect.DeepEqual(got.Levels, want) || got.Objects != 4 {
		t.Errorf("got %+v", got)
	}
}

// stream hands out objects of 80 members one at a time, as the index is read.
func stream(objects int) iter.Seq[Object] {
	return func(yield func(Object) bool) {
		for i := range objects {
			if !yield(Object{Member: i * 80 / objects, Resource: "secrets", Namespace: "dev", Name: "s"}) {
				return
			}
		}
	}
}

// Ten times the objects in as many members take no more memory.
func TestPlanningTakesMemoryByMemberNotByObject(t *testing.T) {
	f := bindRestore(t, velerov1.RestoreSpec{})
	bytesOf := func(objects int) uint64 {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		planOf(stream(objects), f, RestoreOptions{})
		runtime.ReadMemStats(&after)
		return after.TotalAlloc - before.TotalAlloc
	}
	if few, many := bytesOf(10_000), bytesOf(100_000); many > 2*few {
		t.Errorf("%d bytes for 10,000 objects, %d for 100,000", few, many)
	}
}

func BenchmarkRestore(b *testing.B) {
	f := bindRestore(b, velerov1.RestoreSpec{})
	for _, objects := range []int{10_000, 100_000} {
		b.Run(strconv.Itoa(objects), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				planOf(stream(objects), f, RestoreOptions{})
			}
		})
	}
}
