package filter

import (
	"encoding/json"
	"errors"
	"reflect"
	"slices"
	"strings"
	"testing"

	velerov1 "github.com/vmware-tanzu/velero/pkg/apis/velero/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/lifeboat-backup/lifeboat/internal/report"
)

var archived = Contents{Resources: []string{"pods", "secrets", "gone.example.com", "persistentvolumes"}}

func restore(t *testing.T, spec velerov1.RestoreSpec, names ...string) (*Restore, []report.Reason) {
	t.Helper()
	spec.BackupName = "b"
	r, reasons, err := NewRestore(&spec, names, resolve, archived)
	if err != nil {
		t.Fatal(err)
	}
	return r, reasons
}

// Every row: which of these objects of the archive are restored.
func TestIncludeObjectMatrix(t *testing.T) {
	objects := []struct {
		gr, ns, name string
	}{
		{"pods", "dev", "x"},
		{"pods", "prod-a", "x"},
		{"secrets", "prod-a", "db"},
		{"persistentvolumes", "", "v"},
		{"namespaces", "", "dev"},
		{contentsType, "", "c"},
		{dataUploadsType, "velero", "d"},
		{"nodes", "", "n"},
		{"events", "dev", "e"},
	}
	type spec = velerov1.RestoreSpec
	for _, c := range []struct {
		name  string
		spec  spec
		names []string
		want  string // po-dev po-prod se-prod | pv ns vsc | du | no ev
	}{
		{"everything", spec{}, nil, "+++ +++ + --"},
		{"star", spec{IncludedNamespaces: []string{"*"}, IncludedResources: []string{"*"}}, nil, "+++ +++ + --"},
		{"one namespace", spec{IncludedNamespaces: []string{"dev"}}, nil, "+-- -+- + --"},
		{"one namespace and cluster", spec{IncludedNamespaces: []string{"dev"}, IncludeClusterResources: ptr(true)}, nil, "+-- +++ + --"},
		{"one excluded", spec{ExcludedNamespaces: []string{"dev"}}, nil, "-++ --- + --"},
		{"one excluded, and cluster", spec{ExcludedNamespaces: []string{"dev"}, IncludeClusterResources: ptr(true)}, nil, "-++ +-+ + --"},
		{"only namespaces", spec{IncludedNamespaces: []string{"dev"}, IncludedResources: []string{"ns"}}, nil, "--- -+- + --"},
		{"no cluster", spec{IncludeClusterResources: ptr(false)}, nil, "+++ -+- + --"},
		{"glob", spec{IncludedNamespaces: []string{"prod-*"}}, nil, "-++ --- + --"},
		{"glob minus glob", spec{IncludedNamespaces: []string{"*-*"}, ExcludedNamespaces: []string{"*-[a]"}}, nil, "--- --- + --"},
		{"glob of nothing selects nothing", spec{IncludedNamespaces: []string{"x-*"}}, nil, "--- --- + --"},
		{"types", spec{IncludedResources: []string{"po", "pv"}}, nil, "++- +-+ + --"},
		{"types excluded", spec{ExcludedResources: []string{"po", contentsType}}, nil, "--+ +++ + --"},
		{"unknown type", spec{IncludedResources: []string{"bogus"}}, nil, "--- --+ + --"},
		{"type glob", spec{IncludedResources: []string{"p*"}}, nil, "++- +-+ + --"},
		{"one object", spec{IncludedResources: []string{"secrets"}}, []string{"prod-a/db"}, "--+ --- - --"},
		{"by bare name", spec{}, []string{"x"}, "++- --- - --"},
		{"by cluster-scoped name", spec{}, []string{"v"}, "--- +-- - --"},
		{"name and filter disagree", spec{IncludedNamespaces: []string{"dev"}}, []string{"prod-a/db"}, "--- --- - --"},
	} {
		r, _ := restore(t, c.spec, c.names...)
		var got strings.Builder
		for i, o := range objects {
			if i == 3 || i == 6 || i == 7 {
				got.WriteByte(' ')
			}
			got.WriteByte(map[bool]byte{true: '+', false: '-'}[r.IncludeObject(o.gr, o.ns, o.name)])
		}
		if got.String() != c.want {
			t.Errorf("%s: got %s, want %s", c.name, got.String(), c.want)
		}
	}
}

func TestRestoreIncludeRelated(t *testing.T) {
	for _, c := range []struct {
		name string
		spec velerov1.RestoreSpec
		want [5]bool // pv, secrets dev, secrets prod-a, namespaces, nodes
	}{
		{"everything", velerov1.RestoreSpec{}, [5]bool{true, true, true, true, false}},
		{"one namespace", velerov1.RestoreSpec{IncludedNamespaces: []string{"dev"}}, [5]bool{true, true, false, true, false}},
		{"no cluster", velerov1.RestoreSpec{IncludeClusterResources: ptr(false)}, [5]bool{false, true, true, true, false}},
		{"types", velerov1.RestoreSpec{IncludedResources: []string{"secrets"}}, [5]bool{false, true, true, true, false}},
	} {
		r, _ := restore(t, c.spec)
		got := [5]bool{
			r.IncludeRelated("persistentvolumes", ""), r.IncludeRelated("secrets", "dev"), r.IncludeRelated("secrets", "prod-a"),
			r.IncludeRelated("namespaces", ""), r.IncludeRelated("nodes", ""),
		}
		if got != c.want {
			t.Errorf("%s: %v", c.name, got)
		}
	}
}

// TestRestoreLeavesOut: whether it is worth while to look for what selected objects need.
func TestRestoreLeavesOut(t *testing.T) {
	app := &metav1.LabelSelector{MatchLabels: map[string]string{"app": "web"}}
	for _, c := range []struct {
		name  string
		spec  velerov1.RestoreSpec
		names []string
		want  [2]bool // secrets, pv
	}{
		{"everything", velerov1.RestoreSpec{}, nil, [2]bool{false, false}},
		{"one namespace", velerov1.RestoreSpec{IncludedNamespaces: []string{"dev"}}, nil, [2]bool{false, true}},
		{"one namespace and cluster", velerov1.RestoreSpec{IncludedNamespaces: []string{"dev"}, IncludeClusterResources: ptr(true)}, nil, [2]bool{false, false}},
		{"one namespace, no cluster", velerov1.RestoreSpec{IncludedNamespaces: []string{"dev"}, IncludeClusterResources: ptr(false)}, nil, [2]bool{false, false}},
		{"label", velerov1.RestoreSpec{LabelSelector: app}, nil, [2]bool{true, true}},
		{"label, no cluster", velerov1.RestoreSpec{LabelSelector: app, IncludeClusterResources: ptr(false)}, nil, [2]bool{true, false}},
		{"label, types", velerov1.RestoreSpec{LabelSelector: app, IncludedResources: []string{"po", "secrets"}}, nil, [2]bool{true, false}},
		{"label, excluded", velerov1.RestoreSpec{LabelSelector: app, ExcludedResources: []string{"secrets"}}, nil, [2]bool{false, true}},
		{"one object", velerov1.RestoreSpec{}, []string{"dev/x"}, [2]bool{true, true}},
		{"one object of a type", velerov1.RestoreSpec{IncludedResources: []string{"secrets"}}, []string{"dev/x"}, [2]bool{true, false}},
	} {
		r, _ := restore(t, c.spec, c.names...)
		if got := [2]bool{r.LeavesOut("secrets", true), r.LeavesOut("persistentvolumes", false)}; got != c.want {
			t.Errorf("%s: %v", c.name, got)
		}
	}
}

func TestRestoreReasons(t *testing.T) {
	r, reasons := restore(t, velerov1.RestoreSpec{
		IncludedNamespaces: []string{"x-*", "gone", "dev"}, ExcludedNamespaces: []string{"y-*"},
		NamespaceMapping:  map[string]string{"dev": "dev2", "typo": "t"},
		IncludedResources: []string{"bogus", "gone"},
	})
	reasons = append(reasons, r.UnmatchedNamespaces([]string{"dev", "prod-a", "prod-b"})...)
	want := "GLOB_EMPTY ,NAMESPACE_MISSING gone,NAMESPACE_MISSING typo,TYPE_UNKNOWN bogus"
	if codes(reasons) != want || report.PhaseOf(reasons) != report.Completed {
		t.Errorf("got %s", codes(reasons))
	}
}

// A type that the target does not serve can be named as it is in the archive,
// so that its objects are reported and not passed over.
func TestRestoreNamesTypesOfTheArchive(t *testing.T) {
	r, _ := restore(t, velerov1.RestoreSpec{IncludedResources: []string{"gone"}})
	if !r.IncludeType("gone.example.com") || r.IncludeType("pods") {
		t.Error("the archive's type was not found")
	}
}

func TestRestoreRefusesAliasesOfNonRestorableTypes(t *testing.T) {
	_, _, err := NewRestore(&velerov1.RestoreSpec{BackupName: "b", IncludedResources: []string{"no"}}, nil, resolve, archived)
	var fields FieldErrors
	if !errors.As(err, &fields) || fields[0].Message[:5] != "nodes" {
		t.Errorf("got %v", err)
	}
}

func TestRestoreLabels(t *testing.T) {
	web := map[string]string{"app": "web"}
	or := []*metav1.LabelSelector{{MatchLabels: web}, {MatchLabels: map[string]string{"app": "db"}}}
	r, _ := restore(t, velerov1.RestoreSpec{OrLabelSelectors: or})
	if !r.HasSelectors() || !r.MatchLabels("pods", web) || r.MatchLabels("pods", nil) {
		t.Error("or-selectors do not select")
	}
	if !r.MatchLabels(contentsType, nil) || !r.MatchLabels(dataUploadsType, nil) {
		t.Error("volume data must pass selectors")
	}
	all, _ := restore(t, velerov1.RestoreSpec{})
	if all.HasSelectors() || !all.MatchLabels("pods", nil) {
		t.Error("no selector selects everything")
	}
}

func TestRestoreStatus(t *testing.T) {
	status := func(in, ex []string) *velerov1.RestoreStatusSpec {
		return &velerov1.RestoreStatusSpec{IncludedResources: in, ExcludedResources: ex}
	}
	yes, no := map[string]string{StatusAnnotation: " True "}, map[string]string{StatusAnnotation: "false"}
	odd := map[string]string{StatusAnnotation: "maybe"}
	for _, c := range []struct {
		spec        *velerov1.RestoreStatusSpec
		gr          string
		annotations map[string]string
		want        bool
	}{
		{nil, "pods", nil, false},
		{nil, "pods", yes, true},
		{nil, "pods", odd, false},
		{status(nil, nil), "pods", nil, true},
		{status([]string{"*"}, nil), "pods", no, false},
		{status([]string{"po"}, nil), "pods", odd, true},
		{status([]string{"po"}, nil), "secrets", nil, false},
		{status(nil, []string{"po"}), "pods", nil, false},
	} {
		r, _ := restore(t, velerov1.RestoreSpec{RestoreStatus: c.spec})
		if got := r.RestoreStatus(c.gr, c.annotations); got != c.want {
			t.Errorf("%+v %s %v: %v", c.spec, c.gr, c.annotations, got)
		}
	}
}

func TestRestoreNamesAndMapping(t *testing.T) {
	r, _ := restore(t, velerov1.RestoreSpec{NamespaceMapping: map[string]string{"dev": "test"}, IncludedResources: []string{"po"}}, "b/c", "a/b", "a/b")
	if r.TargetNamespace("dev") != "test" || r.TargetNamespace("prod-a") != "prod-a" {
		t.Error("mapping")
	}
	if got := r.state.Names; !slices.Equal(got, []string{"a/b", "b/c"}) {
		t.Errorf("names %v", got)
	}
}

func TestRestoreSurvivesJSON(t *testing.T) {
	before, _ := restore(t, velerov1.RestoreSpec{
		IncludedNamespaces: []string{"prod-*", "dev"}, ExcludedResources: []string{"pv"}, IncludeClusterResources: ptr(true),
		RestoreStatus: &velerov1.RestoreStatusSpec{}, LabelSelector: &metav1.LabelSelector{MatchLabels: map[string]string{"a": "b"}},
		NamespaceMapping: map[string]string{"dev": "x"},
	}, "z", "a/b")
	data, err := json.Marshal(before)
	if err != nil {
		t.Fatal(err)
	}
	var after Restore
	if err := json.Unmarshal(data, &after); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(after.state, before.state) || after.MatchLabels("pods", nil) || !after.RestoreStatus("pods", nil) {
		t.Errorf("%s was read as %+v", data, after.state)
	}
}

func FuzzRestoreFilterJSON(f *testing.F) {
	f.Add([]byte(`{"names":["b","a"],"types":{"exclude":{"given":true,"globs":["*"]}},"status":{}}`))
	f.Fuzz(func(_ *testing.T, data []byte) {
		var r Restore
		if json.Unmarshal(data, &r) == nil {
			r.IncludeObject("pods", "a", "b")
			r.IncludeRelated("persistentvolumes", "")
			r.RestoreStatus("pods", nil)
			r.TargetNamespace("a")
		}
	})
}

// TestExcludesOfVelerosServer: a Restore that Velero's server has seen excludes types that
// few clusters have.
func TestExcludesOfVelerosServer(t *testing.T) {
	_, reasons := restore(t, velerov1.RestoreSpec{ExcludedResources: []string{
		"nodes", "events", "events.events.k8s.io", "backups.velero.io", "restores.velero.io", "resticrepositories.velero.io",
		"csinodes.storage.k8s.io", "volumeattachments.storage.k8s.io", "backuprepositories.velero.io", "typo",
	}})
	if got := codes(reasons); got != "TYPE_UNKNOWN typo" {
		t.Errorf("got %s", got)
	}
}
