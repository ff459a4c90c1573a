package activities

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	velerov1 "github.com/vmware-tanzu/velero/pkg/apis/velero/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/lifeboat-backup/lifeboat/internal/archive"
	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/filter"
	"github.com/lifeboat-backup/lifeboat/internal/kube"
	"github.com/lifeboat-backup/lifeboat/internal/plan"
	"github.com/lifeboat-backup/lifeboat/internal/resource"
)

// memory is an archive's source; it counts the bytes that are read of bodies.
type memory struct {
	files map[string][]byte
	read  int64
}

func (s *memory) ReadRange(_ context.Context, file string, off, n int64) (io.ReadCloser, error) {
	b := s.files[file]
	b = b[min(off, int64(len(b))):]
	if n >= 0 {
		b = b[:min(n, int64(len(b)))]
	}
	s.read += int64(len(b))
	return io.NopCloser(bytes.NewReader(b)), nil
}

// stored is one object of a test's archive: its key as "resource namespace/name", its
// labels as JSON and the rest of its body, with a comma in front.
type stored struct{ key, labels, rest string }

func (o stored) split() (archive.Key, []byte) {
	gr, object, _ := strings.Cut(o.key, " ")
	k := archive.Key{Resource: gr, Version: "v1"}
	k.Namespace, k.Name = kube.SplitName(object)
	if o.labels == "" {
		o.labels = "{}"
	}
	return k, fmt.Appendf(nil, `{"metadata":{"name":%q,"namespace":%q,"labels":%s}%s}`, k.Name, k.Namespace, o.labels, o.rest)
}

// storedSession is a restore of an archive of some objects, with the filter of its spec.
func storedSession(t testing.TB, objs []stored, spec velerov1.RestoreSpec, names ...string) (*session, *memory) {
	t.Helper()
	src := &memory{files: map[string][]byte{}}
	var refs []archive.ChunkRef
	w := archive.NewWriter(archive.DefaultLimits(), time.Unix(0, 0), func(c archive.Chunk) error {
		key := fmt.Sprint("chunk-", len(refs))
		src.files[key] = bytes.Clone(c.Staged)
		refs = append(refs, c.Ref(key))
		return nil
	})
	for _, o := range objs {
		if k, body := o.split(); w.Add(k, body) != nil {
			t.Fatalf("cannot store %s", o.key)
		}
	}
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	arc, err := archive.OpenStaged(src, refs)
	if err != nil {
		t.Fatal(err)
	}
	spec.BackupName = "b"
	f, _, err := filter.NewRestore(&spec, names, knownType, filter.Contents{Resources: arc.Resources()})
	if err != nil {
		t.Fatal(err)
	}
	s := &session{arc: arc, index: new(restoreVolumes).index(), plan: restorePlan{Filter: f}}
	s.Restore = contract.RestoreInput{Name: "r", Spec: spec, Names: names}
	return s, src
}

func knownType(name string) (filter.Type, bool) {
	return filter.Type{GroupResource: name, Version: "v1"}, true
}

const classes = "priorityclasses.scheduling.k8s.io"

// shop is a namespace of an application whose pod needs what carries no label.
var shop = []stored{
	{"pods shop/web", `{"app":"web"}`, `,"spec":{"priorityClassName":"urgent","volumes":[{"name":"d","persistentVolumeClaim":{"claimName":"data"}}]}`},
	{"pods shop/ended", `{"app":"web"}`, `,"status":{"phase":"Succeeded"},"spec":{"volumes":[{"name":"d","persistentVolumeClaim":{"claimName":"old"}}]}`},
	{"pods shop/other", "", `,"spec":{"priorityClassName":"lazy"}`},
	{"pods elsewhere/web", `{"app":"web"}`, `,"spec":{"priorityClassName":"missing"}`},
	{"persistentvolumeclaims shop/data", "", ""},
	{"persistentvolumeclaims shop/old", "", ""},
	{"configmaps shop/settings", `{"app":"web"}`, ""},
	{"jobs.batch shop/sum", `{"app":"web"}`, ""},
	{"jobs.batch shop/count", "", ""},
	{classes + " urgent", "", ""},
	{classes + " lazy", "", ""},
	{"volumesnapshots.snapshot.storage.k8s.io shop/mine", "", `,"status":{"boundVolumeSnapshotContentName":"mine"}`},
	{"volumesnapshots.snapshot.storage.k8s.io shop/taken", "", `,"status":{"boundVolumeSnapshotContentName":"taken"}`},
	{"volumesnapshotcontents.snapshot.storage.k8s.io mine", "", ""},
	{"volumesnapshotcontents.snapshot.storage.k8s.io taken", "", ""},
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
			s, _ := storedSession(t, shop, tc.spec, tc.names...)
			x := selectionOf(t, s)
			s.index.taken["shop/taken"] = true
			for _, gr := range []string{resource.Pods, resource.VolumeSnapshots} {
				if err := x.bring(t.Context(), gr); err != nil {
					t.Fatal(err)
				}
			}
			var got []string
			for _, ref := range s.plan.Related {
				got = append(got, archive.Key{Resource: ref.Resource, Namespace: ref.Namespace, Name: ref.Name}.String())
				if !s.includes(ref.Resource, ref.Namespace, ref.Name) {
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

func selectionOf(t testing.TB, s *session) *selection {
	t.Helper()
	x, err := s.selection(t.Context(), resource.NewRegistry(), knownType)
	if err != nil {
		t.Fatal(err)
	}
	return x
}

// checkPlanned looks for the levels of what was brought, in their order.
func checkPlanned(t *testing.T, x *selection, brought []string) {
	t.Helper()
	p := x.census.Plan(plan.RestoreOptions{})
	levels := map[plan.Level]bool{}
	for i, l := range p.Levels {
		levels[l.Level] = true
		if i > 0 && l.Level <= p.Levels[i-1].Level {
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
		s, src := storedSession(t, shop, tc.spec, tc.names...)
		x := selectionOf(t, s)
		before := src.read
		if err := x.bring(t.Context(), resource.Pods); err != nil || src.read != before || len(x.holders) > 0 {
			t.Errorf("%s: read %d bytes, %v", name, src.read-before, err)
		}
	}
}

// An object is part of a restore if its labels are selected, too.
func TestHasMindsLabels(t *testing.T) {
	s, _ := storedSession(t, shop, velerov1.RestoreSpec{LabelSelector: byLabel("web")})
	if err := selectionOf(t, s).bring(t.Context(), resource.Pods); err != nil {
		t.Fatal(err)
	}
	look := &lookup{ctx: t.Context(), s: s, keys: map[string]map[string]bool{}}
	for key, want := range map[string]bool{
		"jobs.batch shop/sum": true, "jobs.batch shop/count": false, "jobs.batch shop/none": false,
		"persistentvolumeclaims shop/data": true, "persistentvolumeclaims shop/old": false,
		classes + " urgent": true, classes + " lazy": false,
	} {
		k, _ := stored{key: key}.split()
		if got := look.has(k.Resource, k.Namespace, k.Name); got != want || look.failed() != nil {
			t.Errorf("%s: %v, %v", key, got, look.failed())
		}
	}
}

// The index of ten times the objects leaves no more in memory.
func TestSelectionForgetsObjects(t *testing.T) {
	kept := func(n int) int64 {
		objs := make([]stored, n)
		for i := range objs {
			objs[i] = stored{key: fmt.Sprintf("configmaps ns-%d/settings-%06d", i*10/n, i)}
		}
		s, _ := storedSession(t, objs, velerov1.RestoreSpec{})
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
