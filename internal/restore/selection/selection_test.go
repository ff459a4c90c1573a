package selection

import (
	"fmt"
	"maps"
	"runtime"
	"slices"
	"strings"
	"testing"

	velerov1 "github.com/vmware-tanzu/velero/pkg/apis/velero/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/lifeboat-backup/lifeboat/internal/archive"
	"github.com/lifeboat-backup/lifeboat/internal/kube/kubetest"
	"github.com/lifeboat-backup/lifeboat/internal/plan"
	"github.com/lifeboat-backup/lifeboat/internal/resource"
	"github.com/lifeboat-backup/lifeboat/internal/restore"
	"github.com/lifeboat-backup/lifeboat/internal/restore/restoretest"
)

const classes = "priorityclasses.scheduling.k8s.io"

// shop is a namespace of an application whose pod needs what carries no label.
var shop = []restoretest.Stored{
	{Key: "pods shop/web", Labels: `{"app":"web"}`, Rest: `,"spec":{"priorityClassName":"urgent","volumes":[{"name":"d","persistentVolumeClaim":{"claimName":"data"}}]}`},
	{Key: "pods shop/ended", Labels: `{"app":"web"}`, Rest: `,"status":{"phase":"Succeeded"},"spec":{"volumes":[{"name":"d","persistentVolumeClaim":{"claimName":"old"}}]}`},
	{Key: "pods shop/other", Rest: `,"spec":{"priorityClassName":"lazy"}`},
	{Key: "pods elsewhere/web", Labels: `{"app":"web"}`, Rest: `,"spec":{"priorityClassName":"missing"}`},
	{Key: "persistentvolumeclaims shop/data"},
	{Key: "persistentvolumeclaims shop/old"},
	{Key: "configmaps shop/settings", Labels: `{"app":"web"}`},
	{Key: "jobs.batch shop/sum", Labels: `{"app":"web"}`},
	{Key: "jobs.batch shop/count"},
	{Key: classes + " urgent"},
	{Key: classes + " lazy"},
	{Key: "volumesnapshots.snapshot.storage.k8s.io shop/mine", Rest: `,"status":{"boundVolumeSnapshotContentName":"mine"}`},
	{Key: "volumesnapshots.snapshot.storage.k8s.io shop/taken", Rest: `,"status":{"boundVolumeSnapshotContentName":"taken"}`},
	{Key: "volumesnapshotcontents.snapshot.storage.k8s.io mine"},
	{Key: "volumesnapshotcontents.snapshot.storage.k8s.io taken"},
}

func byLabel(app string) *metav1.LabelSelector {
	return &metav1.LabelSelector{MatchLabels: map[string]string{"app": app}}
}

// TestBring: what selected objects need comes along, as far as the spec lets it.
func TestBring(t *testing.T) {
	type spec = velerov1.RestoreSpec
	const data, urgent, lazy, mine = "persistentvolumeclaims shop/data", classes + " urgent", classes + " lazy", "volumesnapshotcontents.snapshot.storage.k8s.io mine"
	no := false
	for name, tc := range map[string]struct {
		spec  spec
		names []string
		want  []string // sorted
	}{
		"everything":             {spec{}, nil, nil},
		"label":                  {spec{LabelSelector: byLabel("web")}, nil, []string{data, urgent}},
		"namespace":              {spec{IncludedNamespaces: []string{"shop"}}, nil, []string{lazy, urgent, mine}},
		"other namespace":        {spec{IncludedNamespaces: []string{"elsewhere"}}, nil, nil},
		"label and namespace":    {spec{IncludedNamespaces: []string{"shop"}, LabelSelector: byLabel("web")}, nil, []string{data, urgent}},
		"no cluster-scoped":      {spec{LabelSelector: byLabel("web"), IncludeClusterResources: &no}, nil, []string{data}},
		"claims are excluded":    {spec{LabelSelector: byLabel("web"), ExcludedResources: []string{"persistentvolumeclaims"}}, nil, []string{urgent}},
		"only pods are included": {spec{LabelSelector: byLabel("web"), IncludedResources: []string{"pods"}}, nil, nil},
		"pods are excluded":      {spec{LabelSelector: byLabel("web"), ExcludedResources: []string{"pods"}}, nil, nil},
		"by name":                {spec{}, []string{"shop/other"}, []string{lazy}},
		"by name and types":      {spec{IncludedResources: []string{"pods", classes}}, []string{"shop/web"}, []string{urgent}},
		"nothing is selected":    {spec{LabelSelector: byLabel("none")}, nil, nil},
	} {
		t.Run(name, func(t *testing.T) {
			s, _ := restoretest.StoredSession(t, shop, tc.spec, tc.names...)
			x := selectionOf(t, s)
			s.Index.Taken["shop/taken"] = true
			for _, gr := range []string{resource.Pods, resource.VolumeSnapshots} {
				if err := x.addDependencies(t.Context(), gr); err != nil {
					t.Fatal(err)
				}
			}
			var got []string
			for _, ref := range s.Plan.Related {
				got = append(got, archive.Key{Resource: ref.Resource, Namespace: ref.Namespace, Name: ref.Name}.String())
				if !s.Includes(ref.Resource, ref.Namespace, ref.Name) {
					t.Errorf("%v is brought and not restored", ref)
				}
			}
			if slices.Sort(got); !slices.Equal(got, tc.want) {
				t.Errorf("got %q, want %q", got, tc.want)
			}
			checkPlanned(t, x, tc.want)
		})
	}
}

func selectionOf(t testing.TB, s *restore.Run) *selection {
	t.Helper()
	x, err := newSelection(t.Context(), s, resource.NewRegistry(), restoretest.KnownType, nil)
	if err != nil {
		t.Fatal(err)
	}
	return x
}

// checkPlanned looks for the levels of what was brought, in their order.
func checkPlanned(t *testing.T, x *selection, brought []string) {
	t.Helper()
	p := x.inventory.Plan(plan.RestoreOptions{})
	levels := map[plan.Level]bool{}
	for i, l := range p.Levels {
		levels[l.Level] = true
		if i > 0 && (l.Level < p.Levels[i-1].Level || l.Level == p.Levels[i-1].Level && l.Pass != plan.OtherObjects) {
			t.Errorf("levels %v", p.Levels)
		}
	}
	for _, b := range brought {
		gr, _, _ := strings.Cut(b, " ")
		if !levels[plan.LevelOf(gr)] {
			t.Errorf("%s is in no level of %v", b, p.Levels)
		}
	}
}

// A restore that needs nothing brought reads no body for it.
func TestBringReadsNothingInVain(t *testing.T) {
	for name, tc := range map[string]struct {
		spec  velerov1.RestoreSpec
		names []string
	}{
		"everything":   {},
		"one object":   {velerov1.RestoreSpec{IncludedResources: []string{"configmaps"}}, []string{"shop/settings"}},
		"only configs": {velerov1.RestoreSpec{IncludedResources: []string{"configmaps"}, LabelSelector: byLabel("web")}, nil},
	} {
		s, src := restoretest.StoredSession(t, shop, tc.spec, tc.names...)
		x := selectionOf(t, s)
		before := src.Read
		if err := x.addDependencies(t.Context(), resource.Pods); err != nil || src.Read != before || len(x.holders) > 0 {
			t.Errorf("%s: read %d bytes, %v", name, src.Read-before, err)
		}
	}
}

// An object is part of a restore if its labels are selected, too.
func TestHasMindsLabels(t *testing.T) {
	s, _ := restoretest.StoredSession(t, shop, velerov1.RestoreSpec{LabelSelector: byLabel("web")})
	if err := selectionOf(t, s).addDependencies(t.Context(), resource.Pods); err != nil {
		t.Fatal(err)
	}
	look := restore.NewLookup(t.Context(), s)
	for key, want := range map[string]bool{
		"jobs.batch shop/sum": true, "jobs.batch shop/count": false, "jobs.batch shop/none": false,
		"persistentvolumeclaims shop/data": true, "persistentvolumeclaims shop/old": false,
		classes + " urgent": true, classes + " lazy": false,
	} {
		k, _ := restoretest.Stored{Key: key}.Split()
		if got := look.Has(k.Resource, k.Namespace, k.Name); got != want || look.Failed() != nil {
			t.Errorf("%s: %v, %v", key, got, look.Failed())
		}
	}
}

// The index of ten times the objects leaves no more in memory.
func TestSelectionForgetsObjects(t *testing.T) {
	kept := func(n int) int64 {
		objs := make([]restoretest.Stored, n)
		for i := range objs {
			objs[i] = restoretest.Stored{Key: fmt.Sprintf("configmaps ns-%d/settings-%06d", i*10/n, i)}
		}
		s, _ := restoretest.StoredSession(t, objs, velerov1.RestoreSpec{})
		var before, after runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&before)
		x := selectionOf(t, s)
		runtime.GC()
		runtime.GC() // the archive's pool of buffers survives one
		runtime.ReadMemStats(&after)
		if len(x.namespaces) != 10 {
			t.Errorf("namespaces %v", x.namespaces)
		}
		runtime.KeepAlive(s)
		return int64(after.HeapAlloc) - int64(before.HeapAlloc)
	}
	if few, many := kept(2_000), kept(20_000); many > max(few, 0)+256<<10 {
		t.Errorf("%d bytes for 2,000 objects, %d for 20,000", few, many)
	}
}

// TestDefinitionsOfSelectedObjects: a definition comes along where the cluster serves no such
// type, and the spec does not forbid it.
func TestDefinitionsOfSelectedObjects(t *testing.T) {
	const definitions = resource.CustomResourceDefinitions
	stored := append(slices.Clone(shop), restoretest.Stored{Key: "brokers.x.example.com shop/main", Labels: `{"app":"web"}`},
		restoretest.Stored{Key: definitions + " brokers.x.example.com"}, restoretest.Stored{Key: definitions + " jobs.batch"},
		restoretest.Stored{Key: "queues.x.example.com elsewhere/q"}, restoretest.Stored{Key: definitions + " queues.x.example.com"})
	type spec = velerov1.RestoreSpec
	no, inShop := false, []string{"shop"}
	want := []string{definitions + " brokers.x.example.com"}
	for name, tc := range map[string]struct {
		spec spec
		want []string
	}{
		"everything":            {spec{}, nil}, // they are selected themselves
		"namespace":             {spec{IncludedNamespaces: inShop}, want},
		"namespace and type":    {spec{IncludedNamespaces: inShop, IncludedResources: []string{"brokers.x.example.com"}}, want},
		"type":                  {spec{IncludedResources: []string{"brokers.x.example.com"}}, want},
		"label":                 {spec{LabelSelector: byLabel("web")}, want},
		"another label":         {spec{LabelSelector: byLabel("none")}, nil},
		"another type":          {spec{IncludedNamespaces: inShop, IncludedResources: []string{"configmaps"}}, nil},
		"no cluster-scoped":     {spec{IncludedNamespaces: inShop, IncludeClusterResources: &no}, nil},
		"excluded":              {spec{IncludedNamespaces: inShop, ExcludedResources: []string{definitions}}, nil},
		"a type that is served": {spec{IncludedNamespaces: []string{"elsewhere"}}, nil},
	} {
		s, _ := restoretest.StoredSession(t, stored, tc.spec)
		x, err := newSelection(t.Context(), s, resource.NewRegistry(), restoretest.KnownType, map[string]bool{"brokers.x.example.com": true})
		if err != nil {
			t.Fatal(err)
		}
		if err := x.addDependencies(t.Context(), "brokers.x.example.com"); err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, ref := range s.Plan.Related {
			got = append(got, archive.Key{Resource: ref.Resource, Namespace: ref.Namespace, Name: ref.Name}.String())
			if !s.Includes(ref.Resource, ref.Namespace, ref.Name) {
				t.Errorf("%s: %v is brought and not restored", name, ref)
			}
		}
		if !slices.Equal(got, tc.want) {
			t.Errorf("%s: got %q, want %q", name, got, tc.want)
		}
		checkPlanned(t, x, tc.want)
	}
}

// TestDefinitionsOfManyTypes: a member of the archive holds objects of many types. It is read
// once, however many of them the cluster lacks: by the plan, which looks for their definitions,
// and by a dry run, which asks what these will serve.
func TestDefinitionsOfManyTypes(t *testing.T) {
	const types = 2_000
	var definitions, objects []restoretest.Stored
	missing := map[string]bool{}
	for i := range types {
		gr := fmt.Sprintf("t%04d.x.example.com", i)
		missing[gr] = true
		definitions = append(definitions, restoretest.Stored{Key: resource.CustomResourceDefinitions + " " + gr, Rest: `,"spec":{"versions":[{"name":"v1","served":true}]}`})
		objects = append(objects, restoretest.Stored{Key: gr + " shop/main"})
	}
	s, src := restoretest.StoredSession(t, append(definitions, objects...), velerov1.RestoreSpec{IncludedNamespaces: []string{"shop"}})
	x, err := newSelection(t.Context(), s, resource.NewRegistry(), restoretest.KnownType, missing)
	if err != nil {
		t.Fatal(err)
	}
	most := 3 * len(s.Arc.Members()) // an index block and the objects, and some to spare
	before := src.Requests
	if err := x.addDependencies(t.Context(), slices.Sorted(maps.Keys(missing))...); err != nil || len(s.Plan.Related) != types {
		t.Fatalf("%d definitions of %d; %v", len(s.Plan.Related), types, err)
	}
	if n := src.Requests - before; n > most {
		t.Errorf("the plan has read the archive %d times, of %d members", n, len(s.Arc.Members()))
	}
	before = src.Requests
	look := restore.NewLookup(t.Context(), s)
	for gr := range missing {
		if !look.WillServe(gr, "v1") || look.WillServe(gr, "v2") || look.Failed() != nil {
			t.Fatalf("%s: %v", gr, look.Failed())
		}
	}
	if n := src.Requests - before; n > most {
		t.Errorf("the definitions have been read %d times, of %d members", n, len(s.Arc.Members()))
	}
}

// TestUnservedTypes compares the types of an archive with those of a cluster.
func TestUnservedTypes(t *testing.T) {
	stored := append(slices.Clone(shop), restoretest.Stored{Key: resource.CustomResourceDefinitions + " brokers.x.example.com"}, restoretest.Stored{Key: "brokers.x.example.com shop/main"})
	s, _ := restoretest.StoredSession(t, stored, velerov1.RestoreSpec{})
	client := kubetest.Start(t, kubetest.WithStaleGroup("batch/v1")).Client()
	cat, err := client.Discover(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	got := slices.Sorted(maps.Keys(unservedTypes(s, cat)))
	if want := []string{"brokers.x.example.com", classes}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q: a group that does not answer may serve the type", got, want)
	}
	s, _ = restoretest.StoredSession(t, shop, velerov1.RestoreSpec{})
	if got := unservedTypes(s, cat); len(got) > 0 {
		t.Errorf("got %v of an archive without definitions", got)
	}
}

// TestClusterScopedObjectsLeftOut counts what a restore without some namespaces leaves out.
func TestClusterScopedObjectsLeftOut(t *testing.T) {
	yes := true
	for name, tc := range map[string]struct {
		spec velerov1.RestoreSpec
		want int
	}{
		"everything":                   {velerov1.RestoreSpec{}, 0},
		"a namespace is excluded":      {velerov1.RestoreSpec{ExcludedNamespaces: []string{"elsewhere"}}, 1}, // roles; classes come with their pods
		"and cluster-scoped asked for": {velerov1.RestoreSpec{ExcludedNamespaces: []string{"elsewhere"}, IncludeClusterResources: &yes}, 0},
		"of some types":                {velerov1.RestoreSpec{ExcludedNamespaces: []string{"elsewhere"}, IncludedResources: []string{"configmaps"}}, 0},
		"a namespace is named":         {velerov1.RestoreSpec{IncludedNamespaces: []string{"shop"}}, 0},
	} {
		s, _ := restoretest.StoredSession(t, append(slices.Clone(shop), restoretest.Stored{Key: "clusterroles.rbac.authorization.k8s.io reader"}), tc.spec)
		x := selectionOf(t, s)
		if err := x.addDependencies(t.Context(), resource.Pods); err != nil || x.leftOut != tc.want {
			t.Errorf("%s: %d are left out, want %d; %v", name, x.leftOut, tc.want, err)
		}
	}
}
