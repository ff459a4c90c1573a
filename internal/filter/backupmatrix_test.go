package filter

import (
	"strings"
	"testing"

	velerov1 "github.com/vmware-tanzu/velero/pkg/apis/velero/v1"
)

// matrixRow is a spec and what it does with each type: 'A' listed, 'r' only as
// a related object, '-' never.
type matrixRow struct {
	name string
	spec velerov1.BackupSpec
	want string
}

// The columns: namespaced types, then cluster-scoped ones.
var matrixTypes = []Type{pods, secrets, deploys, widgets, snapshots, contents, nsType, volumes, roles, crds, gadgets}

// Every row of the table of resource filter semantics.
func matrix() []matrixRow {
	some := []string{"dev"}
	type spec = velerov1.BackupSpec
	return []matrixRow{
		//                                                                      namespaced | cluster-scoped
		//                                                                po se de wi sn | co ns pv ro crd ga
		{"unfiltered takes everything", spec{}, "AAAAr rAAAAA"},
		{"star is unfiltered", spec{IncludedNamespaces: []string{"*"}}, "AAAAr rAAAAA"},
		{"naming every namespace is unfiltered", spec{IncludedNamespaces: []string{"dev", "prod-a", "prod-b"}}, "AAAAr rAAAAA"},
		{"a glob of every namespace is unfiltered", spec{IncludedNamespaces: []string{"[a-z]*"}}, "AAAAr rAAAAA"},
		{"some namespaces", spec{IncludedNamespaces: some}, "AAAAr rArrrr"},
		{"namespaces excluded", spec{ExcludedNamespaces: some}, "AAAAr rArrrr"},
		{"globs of nothing", spec{IncludedNamespaces: []string{"x*"}}, "AAAAr rArrrr"},

		{"old false", spec{IncludeClusterResources: ptr(false)}, "AAAAr ------"},
		{"old true", spec{IncludeClusterResources: ptr(true)}, "AAAAr rAAAAA"},
		{"old true, some namespaces", spec{IncludeClusterResources: ptr(true), IncludedNamespaces: some}, "AAAAr rAAAAA"},
		{"old true, types included", spec{IncludeClusterResources: ptr(true), IncludedResources: []string{"po", "pv"}}, "A---r rrArrr"},
		{"old true, types excluded", spec{IncludeClusterResources: ptr(true), ExcludedResources: []string{"po", "pv"}}, "-AAAr rA-AAA"},
		{"old nil, star", spec{IncludedResources: []string{"*"}}, "AAAAr rAAAAA"},
		{"old nil, star, some namespaces", spec{IncludedResources: []string{"*"}, IncludedNamespaces: some}, "AAAAr rArrrr"},
		{"old nil, included", spec{IncludedResources: []string{"po", "pv"}}, "A---r rrA---"},
		{"old nil, included, some namespaces", spec{IncludedResources: []string{"po", "pv"}, IncludedNamespaces: some}, "A---r rrr---"},
		{"old nil, namespaces included", spec{IncludedResources: []string{"po", "ns"}, IncludedNamespaces: some}, "A---r rA----"},
		{"old nil, excluded", spec{ExcludedResources: []string{"secrets", "crd"}}, "A-AAr rAAA-A"},
		{"old nil, excluded, some namespaces", spec{ExcludedResources: []string{"secrets", "crd"}, IncludedNamespaces: some}, "A-AAr rArr-r"},
		{"old nil, glob of a group", spec{IncludedResources: []string{"*.example.com"}}, "---Ar rr---A"},
		{"old, snapshots excluded by the user", spec{ExcludedResources: []string{snapshotsType, contentsType}}, "AAAA- -AAAAA"},
		{"old, namespaces excluded", spec{ExcludedResources: []string{"ns"}}, "AAAAr r-AAAA"},

		{"new cluster star", spec{IncludedClusterScopedResources: []string{"*"}}, "AAAAr rAAAAA"},
		{"new cluster star, some namespaces", spec{IncludedClusterScopedResources: []string{"*"}, IncludedNamespaces: some}, "AAAAr rAAAAA"},
		{"new cluster types", spec{IncludedClusterScopedResources: []string{"pv", "clusterroles"}}, "AAAAr rAAArr"},
		{"new cluster types, some namespaces", spec{IncludedClusterScopedResources: []string{"pv"}, IncludedNamespaces: some}, "AAAAr rAArrr"},
		{"new cluster excludes", spec{ExcludedClusterScopedResources: []string{"pv"}}, "AAAAr rA-rrr"},
		{"new cluster excludes all", spec{ExcludedClusterScopedResources: []string{"*"}}, "AAAAr ------"},
		{"new cluster include and exclude", spec{IncludedClusterScopedResources: []string{"pv", "crd"}, ExcludedClusterScopedResources: []string{"clusterroles"}}, "AAAAr rAA-Ar"},
		{"new namespaced star", spec{IncludedNamespaceScopedResources: []string{"*"}}, "AAAAr rAAAAA"},
		{"new namespaced types", spec{IncludedNamespaceScopedResources: []string{"po", "deploy"}}, "A-A-r rArrrr"},
		{"new namespaced excludes", spec{ExcludedNamespaceScopedResources: []string{"secrets"}}, "A-AAr rArrrr"},
		{"new namespaced excludes all", spec{ExcludedNamespaceScopedResources: []string{"*"}}, "----- rArrrr"},
		{"new only cluster types", spec{ExcludedNamespaceScopedResources: []string{"*"}, IncludedClusterScopedResources: []string{"crd"}}, "----- rArrAr"},
		{"new glob of a group", spec{IncludedClusterScopedResources: []string{"*.example.com"}, IncludedNamespaceScopedResources: []string{"*.example.com"}}, "---Ar rArrrA"},
	}
}

func matrixSpecs() []velerov1.BackupSpec {
	var specs []velerov1.BackupSpec
	for _, row := range matrix() {
		specs = append(specs, row.spec)
	}
	return specs
}

func decisions(b *Backup) string {
	var s strings.Builder
	for i, typ := range matrixTypes {
		if i > 0 && !typ.Namespaced && matrixTypes[i-1].Namespaced {
			s.WriteByte(' ')
		}
		s.WriteByte(map[Decision]byte{All: 'A', RelatedOnly: 'r', None: '-'}[b.IncludeType(typ)])
	}
	return s.String()
}

func TestIncludeTypeMatrix(t *testing.T) {
	for _, row := range matrix() {
		t.Run(row.name, func(t *testing.T) {
			b, _ := backup(t, row.spec)
			if got := decisions(b); got != row.want {
				t.Errorf("got  %s\nwant %s", got, row.want)
			}
		})
	}
}

// A namespace labelled to stay out does not cost the cluster-scoped objects.
func TestOptedOutNamespaceKeepsTheBackupUnfiltered(t *testing.T) {
	b, _ := backup(t, velerov1.BackupSpec{}, ns("a"), ns("b", ExcludeLabel+"=true"))
	if got := decisions(b); got != "AAAAr rAAAAA" {
		t.Error(got)
	}
}

// Related objects obey the namespace filter; the rest is the matrix.
func TestIncludeRelated(t *testing.T) {
	for _, row := range matrix() {
		b, _ := backup(t, row.spec)
		for _, typ := range matrixTypes {
			possible := b.IncludeType(typ) != None
			for _, n := range append(threeNamespaces, ns("")) {
				if typ.Namespaced == (n.Name == "") {
					continue
				}
				want := possible && (!typ.Namespaced || b.IncludeNamespace(n.Name))
				if got := b.IncludeRelated(typ, n.Name); got != want {
					t.Errorf("%s: IncludeRelated(%s, %q) = %v", row.name, typ.GroupResource, n.Name, got)
				}
			}
		}
	}
}
