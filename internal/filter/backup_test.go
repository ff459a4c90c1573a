package filter

import (
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"

	velerov1 "github.com/vmware-tanzu/velero/pkg/apis/velero/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/lifeboat-backup/lifeboat/internal/report"
)

func TestBackupNamespaces(t *testing.T) {
	excluded := ExcludeLabel + "=true"
	for _, c := range []struct {
		name             string
		include, exclude []string
		cluster          []Namespace
		want             string // selected existing namespaces
		all              bool   // one cluster-wide list
		inNew            bool   // a namespace "prod-new" that appears later
		reasons          string
	}{
		{name: "nothing said", want: "dev prod-a prod-b", all: true, inNew: true},
		{name: "star", include: []string{"*"}, want: "dev prod-a prod-b", all: true, inNew: true},
		{name: "names", include: []string{"dev", "prod-b"}, want: "dev prod-b"},
		{name: "glob", include: []string{"prod-*"}, want: "prod-a prod-b"},
		{name: "glob and name", include: []string{"prod-[a]", "dev"}, want: "dev prod-a"},
		{name: "glob minus name", include: []string{"prod-*"}, exclude: []string{"prod-a"}, want: "prod-b"},
		{name: "glob minus glob", include: []string{"*-*"}, exclude: []string{"*-a"}, want: "prod-b"},
		{name: "exclude only", exclude: []string{"dev"}, want: "prod-a prod-b", all: true, inNew: true},
		{name: "exclude glob", exclude: []string{"prod-*"}, want: "dev", all: true},
		{name: "exclude glob of nothing", exclude: []string{"x-*"}, want: "dev prod-a prod-b", all: true, inNew: true},
		{name: "glob of nothing selects nothing", include: []string{"x-*"}, reasons: "GLOB_EMPTY "},
		{name: "glob of nothing beside a name", include: []string{"x-*", "dev"}, want: "dev", reasons: "GLOB_EMPTY "},
		{name: "missing name", include: []string{"dev", "gone"}, want: "dev", reasons: "NAMESPACE_MISSING gone"},
		{name: "missing exclude is silent", exclude: []string{"gone"}, want: "dev prod-a prod-b", all: true, inNew: true},
		{name: "empty name means none", include: []string{""}, want: ""},
		{name: "labelled namespace", cluster: []Namespace{ns("a"), ns("b", excluded)}, want: "a", all: true, inNew: true},
		{name: "labelled otherwise", cluster: []Namespace{ns("a"), ns("b", ExcludeLabel+"=false")}, want: "a b", all: true, inNew: true},
		{name: "labelled, reached by glob", include: []string{"?"}, cluster: []Namespace{ns("a"), ns("b", excluded)}, want: "a"},
		{name: "terminating, by glob", include: []string{"?"}, cluster: []Namespace{ns("a"), terminating("b")}, want: "a"},
		{name: "terminating, by name", include: []string{"b"}, cluster: []Namespace{ns("a"), terminating("b")}, want: "b", reasons: "NAMESPACE_TERMINATING b"},
		{name: "terminating, by star", cluster: []Namespace{ns("a"), terminating("b")}, want: "a b", all: true, inNew: true},
	} {
		t.Run(c.name, func(t *testing.T) {
			b, reasons := backup(t, velerov1.BackupSpec{IncludedNamespaces: c.include, ExcludedNamespaces: c.exclude}, c.cluster...)
			got := b.Namespaces()
			if strings.Join(got, " ") != c.want || b.AllNamespaces() != c.all || b.IncludeNamespace("prod-new") != c.inNew {
				t.Errorf("got %v, all %v, new %v", got, b.AllNamespaces(), b.IncludeNamespace("prod-new"))
			}
			if codes(reasons) != c.reasons {
				t.Errorf("reasons %s", codes(reasons))
			}
			for _, n := range threeNamespaces {
				if want := strings.Contains(" "+c.want+" ", " "+n.Name+" "); c.cluster == nil && b.IncludeNamespace(n.Name) != want {
					t.Errorf("IncludeNamespace(%s) != %v", n.Name, want)
				}
			}
		})
	}
}

func TestMissingNamespaceIsAnErrorWithARemedy(t *testing.T) {
	_, reasons := backup(t, velerov1.BackupSpec{IncludedNamespaces: []string{"bookstre"}})
	if len(reasons) != 1 || !reasons[0].IsError() || report.PhaseOf(reasons) != report.PartiallyFailed {
		t.Fatalf("reasons %v", reasons)
	}
	want := "[NAMESPACE_MISSING] namespace bookstre: spec.includedNamespaces names bookstre, which does not exist in the cluster. Next: correct the name"
	if got := reasons[0].String(); !strings.HasPrefix(got, want) {
		t.Error(got)
	}
}

func TestNamespaceNamedAndOptedOutIsRefused(t *testing.T) {
	spec := &velerov1.BackupSpec{IncludedNamespaces: []string{"a", "b"}}
	_, _, err := NewBackup(spec, resolve, []Namespace{ns("a"), ns("b", ExcludeLabel+"=true")})
	var fields FieldErrors
	if !errors.As(err, &fields) || len(fields) != 1 || fields[0].Path != "spec.includedNamespaces[1]" {
		t.Errorf("got %v", err)
	}
}

func TestInvalidSpecIsRefused(t *testing.T) {
	_, _, err := NewBackup(&velerov1.BackupSpec{IncludedNamespaces: []string{"*", "a"}}, resolve, nil)
	if err == nil || !strings.HasPrefix(err.Error(), "invalid spec: spec.includedNamespaces[0]: '*' must be the only entry") {
		t.Errorf("got %v", err)
	}
}

func TestUnknownAndMisplacedTypesSelectNothing(t *testing.T) {
	for _, c := range []struct {
		name    string
		spec    velerov1.BackupSpec
		reasons string
		all     string // types listed
	}{
		{
			"unknown include",
			velerov1.BackupSpec{IncludedResources: []string{"bogus"}},
			"TYPE_UNKNOWN bogus", "",
		},
		{
			"unknown include beside a known one",
			velerov1.BackupSpec{IncludedResources: []string{"bogus", "po"}},
			"TYPE_UNKNOWN bogus", "pods",
		},
		{
			"cluster-scoped type in the namespaced include",
			velerov1.BackupSpec{IncludedNamespaceScopedResources: []string{"nodes"}},
			"TYPE_WRONG_SCOPE nodes", "namespaces",
		},
		{
			"cluster-scoped type in the namespaced exclude",
			velerov1.BackupSpec{
				IncludedClusterScopedResources: []string{"nodes"}, IncludedNamespaceScopedResources: []string{"pods"},
				ExcludedNamespaceScopedResources: []string{"pv"},
			},
			"TYPE_WRONG_SCOPE persistentvolumes", "pods namespaces nodes",
		},
		{
			"snapshots are not listed",
			velerov1.BackupSpec{IncludedResources: []string{snapshotsType}},
			"TYPE_NOT_LISTED " + snapshotsType, "",
		},
		{
			"snapshots by short name",
			velerov1.BackupSpec{IncludedNamespaceScopedResources: []string{"volumesnapshots", "secrets"}},
			"TYPE_NOT_LISTED " + snapshotsType, "secrets namespaces",
		},
		{
			"unknown order",
			velerov1.BackupSpec{IncludedResources: []string{"pods"}, OrderedResources: map[string]string{"bogus": "a/b"}},
			"TYPE_UNKNOWN bogus", "pods",
		},
	} {
		b, reasons := backup(t, c.spec)
		var all []string
		for _, typ := range everyType {
			if b.IncludeType(typ) == All {
				all = append(all, typ.GroupResource)
			}
		}
		if got := strings.Join(all, " "); codes(reasons) != c.reasons || got != c.all {
			t.Errorf("%s: reasons %s, listed %s", c.name, codes(reasons), got)
		}
	}
}

func TestCheckTypesFindsGlobsOfNothing(t *testing.T) {
	b, _ := backup(t, velerov1.BackupSpec{IncludedResources: []string{"*.example.com", "x*.y"}, ExcludedResources: []string{"z*"}})
	if got := codes(b.CheckTypes(everyType)); got != "GLOB_EMPTY ,GLOB_EMPTY " {
		t.Errorf("got %s", got)
	}
	b, _ = backup(t, velerov1.BackupSpec{IncludedNamespaceScopedResources: []string{"gadgets*"}, ExcludedClusterScopedResources: []string{"*"}})
	if got := codes(b.CheckTypes(everyType)); got != "GLOB_EMPTY " {
		t.Errorf("a glob that only matches the other scope: got %s", got)
	}
	if b, _ = backup(t, velerov1.BackupSpec{}); b.CheckTypes(everyType) != nil {
		t.Error("no glob, no reason")
	}
}

func TestSelectors(t *testing.T) {
	one := &metav1.LabelSelector{MatchLabels: map[string]string{"app": "web"}}
	two := &metav1.LabelSelector{MatchExpressions: []metav1.LabelSelectorRequirement{{Key: "tier", Operator: metav1.LabelSelectorOpIn, Values: []string{"a", "b"}}}}
	web, tier, both := map[string]string{"app": "web"}, map[string]string{"tier": "b"}, map[string]string{"app": "web", "tier": "a"}
	for _, c := range []struct {
		name  string
		spec  velerov1.BackupSpec
		lists []string
		match [4]bool // web, tier, both, none
	}{
		{"none", velerov1.BackupSpec{}, []string{""}, [4]bool{true, true, true, true}},
		{"one", velerov1.BackupSpec{LabelSelector: one}, []string{"app=web"}, [4]bool{true, false, true, false}},
		{"empty", velerov1.BackupSpec{LabelSelector: &metav1.LabelSelector{}}, []string{""}, [4]bool{true, true, true, true}},
		{"or", velerov1.BackupSpec{OrLabelSelectors: []*metav1.LabelSelector{one, two}}, []string{"app=web", "tier in (a,b)"}, [4]bool{true, true, true, false}},
		{"or with an empty one", velerov1.BackupSpec{OrLabelSelectors: []*metav1.LabelSelector{one, {}}}, []string{""}, [4]bool{true, true, true, true}},
	} {
		b, _ := backup(t, c.spec)
		got := [4]bool{b.MatchLabels(web), b.MatchLabels(tier), b.MatchLabels(both), b.MatchLabels(nil)}
		if !reflect.DeepEqual(b.Selectors(), c.lists) || got != c.match {
			t.Errorf("%s: lists %q, matches %v", c.name, b.Selectors(), got)
		}
		for _, l := range []map[string]string{web, tier, both} {
			stored := 0
			for i := range b.Selectors() {
				if b.FirstMatch(i, l) {
					stored++
				}
			}
			if b.MatchLabels(l) && stored != 1 {
				t.Errorf("%s: an object of labels %v is stored %d times", c.name, l, stored)
			}
		}
	}
}

func TestOrdered(t *testing.T) {
	b, _ := backup(t, velerov1.BackupSpec{OrderedResources: map[string]string{
		"pods": "a/x, a/y,,a/x", "pv": "vol-1", "secrets": "", "widgets": "a/w",
	}})
	for _, c := range []struct {
		typ  Type
		want []string
	}{
		{pods, []string{"a/x", "a/y"}},
		{volumes, []string{"vol-1"}},
		{secrets, nil},
		{widgets, []string{"a/w"}}, // the bare plural, as in Velero
		{deploys, nil},
	} {
		if got := b.Ordered(c.typ); !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s: %q", c.typ.GroupResource, got)
		}
	}
}

func TestKeepNamespace(t *testing.T) {
	gold := &metav1.LabelSelector{MatchLabels: map[string]string{"tier": "gold"}}
	for _, c := range []struct {
		name string
		spec velerov1.BackupSpec
		want string
	}{
		{"everything", velerov1.BackupSpec{}, "prod-a prod-b dev"},
		{"everything, by selector", velerov1.BackupSpec{LabelSelector: gold}, "prod-b"},
		{"everything, by or-selector", velerov1.BackupSpec{OrLabelSelectors: []*metav1.LabelSelector{gold}}, "prod-b"},
		{"named", velerov1.BackupSpec{IncludedNamespaces: []string{"dev"}}, "dev"},
		{"named, with selector", velerov1.BackupSpec{IncludedNamespaces: []string{"dev"}, LabelSelector: gold}, ""},
		{"an excluded one does not leak", velerov1.BackupSpec{ExcludedNamespaces: []string{"prod-b"}, IncludedClusterScopedResources: []string{"*"}}, "prod-a dev"},
		{"nor when its label matches", velerov1.BackupSpec{ExcludedNamespaces: []string{"prod-b"}, LabelSelector: gold}, ""},
	} {
		b, _ := backup(t, c.spec)
		var kept []string
		for _, n := range threeNamespaces {
			if b.KeepNamespace(n.Name, n.Labels) {
				kept = append(kept, n.Name)
			}
		}
		if got := strings.Join(kept, " "); got != c.want {
			t.Errorf("%s: %s", c.name, got)
		}
	}
	b, _ := backup(t, velerov1.BackupSpec{})
	if b.KeepNamespace("late", map[string]string{ExcludeLabel: "true"}) {
		t.Error("a namespace labelled after the start is kept")
	}
}

func TestBackupSurvivesJSON(t *testing.T) {
	for _, spec := range matrixSpecs() {
		spec.LabelSelector = &metav1.LabelSelector{MatchLabels: map[string]string{"a": "b"}}
		spec.OrderedResources = map[string]string{"pods": "a/b"}
		before, _ := backup(t, spec)
		data, err := json.Marshal(before)
		if err != nil {
			t.Fatal(err)
		}
		var after Backup
		if err := json.Unmarshal(data, &after); err != nil {
			t.Fatal(err)
		}
		again, _ := json.Marshal(&after)
		if string(again) != string(data) || !reflect.DeepEqual(after.state, before.state) {
			t.Errorf("%s\nbecame %s", data, again)
		}
		if after.MatchLabels(nil) || !after.MatchLabels(map[string]string{"a": "b"}) {
			t.Error("selectors were lost")
		}
	}
	for _, bad := range []string{`[]`, `{"selectors":["=="]}`} {
		if err := json.Unmarshal([]byte(bad), &Backup{}); err == nil {
			t.Errorf("%s was read", bad)
		}
	}
}

func FuzzBackupFilterJSON(f *testing.F) {
	f.Add([]byte(`{"namespaces":{"include":{"given":true,"names":["b","a"],"globs":["["]}},"selectors":["a=b"]}`))
	f.Fuzz(func(_ *testing.T, data []byte) {
		var b Backup
		if json.Unmarshal(data, &b) == nil {
			for _, typ := range everyType {
				b.IncludeType(typ)
				b.IncludeRelated(typ, "a")
			}
			b.MatchLabels(map[string]string{"a": "b"})
			b.KeepNamespace("a", nil)
		}
	})
}

// TestIncludesOfUnknownTypes: types that do not exist are an error where nothing else was
// asked for.
func TestIncludesOfUnknownTypes(t *testing.T) {
	for spec, want := range map[*velerov1.BackupSpec]report.Phase{
		{IncludedResources: []string{"bogus"}}:                                                              report.PartiallyFailed,
		{IncludedResources: []string{"bogus", "other"}}:                                                     report.PartiallyFailed,
		{IncludedNamespaceScopedResources: []string{"nodes"}}:                                               report.PartiallyFailed,
		{IncludedResources: []string{"bogus", "po"}}:                                                        report.Completed,
		{IncludedResources: []string{"bogus", "*.example.com"}}:                                             report.Completed,
		{ExcludedResources: []string{"bogus"}}:                                                              report.Completed,
		{IncludedNamespaceScopedResources: []string{"po"}, ExcludedNamespaceScopedResources: []string{"x"}}: report.Completed,
	} {
		if _, reasons := backup(t, *spec); report.PhaseOf(reasons) != want {
			t.Errorf("%+v: %s", spec, reasons)
		}
	}
}

// TestAmbiguousTypes: a name that several groups have is told wherever it stands.
func TestAmbiguousTypes(t *testing.T) {
	ambiguous := func(name string) (Type, bool) {
		found, ok := resolve(name)
		if name == "secrets" {
			found.Also = "secrets.vault.example.com"
		}
		return found, ok
	}
	for _, spec := range []velerov1.BackupSpec{
		{IncludedResources: []string{"po", "secrets"}},
		{ExcludedResources: []string{"secrets"}},
		{IncludedNamespaceScopedResources: []string{"secrets"}},
		{ExcludedNamespaceScopedResources: []string{"secrets"}},
	} {
		_, reasons, err := NewBackup(&spec, ambiguous, threeNamespaces)
		if err != nil || codes(reasons) != "TYPE_AMBIGUOUS secrets" || !strings.Contains(reasons[0].String(), "secrets.vault.example.com") {
			t.Errorf("%+v: %v, %v", spec, reasons, err)
		}
		if report.PhaseOf(reasons) != report.Completed {
			t.Error("a type that is taken is no error")
		}
	}
}
