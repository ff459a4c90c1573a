package filter

import (
	"slices"
	"strings"
	"testing"

	velerov1 "github.com/vmware-tanzu/velero/pkg/apis/velero/v1"

	"github.com/lifeboat-backup/lifeboat/internal/report"
)

func ns(name string, labels ...string) Namespace {
	n := Namespace{Name: name, Active: true}
	for _, l := range labels {
		key, value, _ := strings.Cut(l, "=")
		if n.Labels == nil {
			n.Labels = map[string]string{}
		}
		n.Labels[key] = value
	}
	return n
}

func terminating(name string) Namespace { return Namespace{Name: name} }

func namespaced(gr string) Type { return typeOf(gr, true) }
func cluster(gr string) Type    { return typeOf(gr, false) }

func typeOf(gr string, namespaced bool) Type {
	_, group, _ := strings.Cut(gr, ".")
	return Type{GroupResource: gr, Group: group, Version: "v1", Namespaced: namespaced}
}

// The types of the tests' cluster.
var (
	pods       = namespaced("pods")
	claims     = namespaced("persistentvolumeclaims")
	secrets    = namespaced("secrets")
	deploys    = namespaced("deployments.apps")
	events     = namespaced("events")
	widgets    = namespaced("widgets.example.com")
	snapshots  = namespaced(snapshotsType)
	contents   = cluster(contentsType)
	nsType     = cluster("namespaces")
	volumes    = cluster("persistentvolumes")
	nodes      = cluster("nodes")
	classes    = cluster("storageclasses.storage.k8s.io")
	roles      = cluster("clusterroles.rbac.authorization.k8s.io")
	crds       = cluster("customresourcedefinitions.apiextensions.k8s.io")
	gadgets    = cluster("gadgets.example.com")
	everyType  = []Type{pods, claims, secrets, deploys, events, widgets, snapshots, contents, nsType, volumes, nodes, classes, roles, crds, gadgets}
	shortNames = map[string]Type{
		"po": pods, "pod": pods, "pvc": claims, "deploy": deploys, "deployments": deploys, "pv": volumes, "no": nodes,
		"sc": classes, "clusterroles": roles, "crd": crds, "ns": nsType, "volumesnapshots": snapshots,
	}
)

func resolve(name string) (Type, bool) {
	if t, ok := shortNames[name]; ok {
		return t, true
	}
	i := slices.IndexFunc(everyType, func(t Type) bool { return t.GroupResource == name })
	if i < 0 {
		return Type{}, false
	}
	return everyType[i], true
}

var threeNamespaces = []Namespace{ns("prod-a"), ns("prod-b", "tier=gold"), ns("dev")}

func backup(t *testing.T, spec velerov1.BackupSpec, namespaces ...Namespace) (*Backup, []report.Reason) {
	t.Helper()
	if namespaces == nil {
		namespaces = threeNamespaces
	}
	b, reasons, err := NewBackup(&spec, resolve, namespaces)
	if err != nil {
		t.Fatal(err)
	}
	return b, reasons
}

func codes(reasons []report.Reason) string {
	var out []string
	for _, r := range reasons {
		out = append(out, string(r.Code)+" "+r.Resource+r.Namespace)
	}
	slices.Sort(out)
	return strings.Join(out, ",")
}

func ptr[T any](v T) *T { return &v }
