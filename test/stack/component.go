package stack

import (
	"fmt"
	"slices"
	"strings"
)

// component is one pinned thing that the stack needs: how it is named and how it is built.
type component struct {
	name    string
	module  string // folder under tools/ that pins it; empty: tools/ itself
	pkg     string // main package; or, with files set, the Go module that holds them
	files   []string
	sources []string // folders of our own code that it is built of; their content decides the cache's key
	tags    string   // build tags; they say which files are compiled, not how
	version string   // what the binary says of itself, where a peer looks at it
	flags   func(version string) string
	release bool // for the checks before a release only: it is built where it is named
}

// mainModule is Lifeboat's own module, seen from tools/.
const mainModule = "../../.."

// components lists everything Build knows, in the order in which a cold build is
// shortest: what Start always needs comes first.
func components() []component {
	return []component{
		{name: "etcd", pkg: "go.etcd.io/etcd/server/v3"},
		kubernetes("kube-apiserver"),
		kubernetes("kube-controller-manager"),
		{name: "versitygw", pkg: "./versitygw", sources: []string{"versitygw"}},
		// The tag leaves out how the archive on Google's storage, which nothing here uses, finds its endpoints.
		{name: "temporal", pkg: "github.com/temporalio/cli/cmd/temporal", tags: "disable_grpc_modules"},
		{
			name: "snapshot-crds", pkg: "github.com/kubernetes-csi/external-snapshotter/client/v8",
			files: []string{"config/crd/*storage.k8s.io_*.yaml"},
		},
		kubernetes("kubectl"),
		kubernetes("kube-scheduler"),
		{name: "kwok", pkg: "sigs.k8s.io/kwok/cmd/kwok"},
		{name: "kwok-stages", pkg: "sigs.k8s.io/kwok", files: []string{
			"kustomize/stage/node/fast/node-*.yaml", "kustomize/stage/node/heartbeat-with-lease/node-*.yaml",
			"kustomize/stage/pod/fast/pod-*.yaml", "kustomize/stage/volume/fast/pv*.yaml",
		}},
		snapshotter("snapshot-controller"),
		snapshotter("csi-snapshotter"),
		{name: "ebssim", module: mainModule, pkg: "./test/stack/cmd/ebssim", sources: []string{"test/stack/cmd/ebssim", "test/stack/ebssim"}},
		{name: "ebscsi", pkg: "./ebscsi", sources: []string{"ebscsi"}},
		{name: "duetimes", pkg: "./duetimes", sources: []string{"duetimes"}},
		{name: "velero", module: "velero", pkg: "github.com/vmware-tanzu/velero/cmd/velero", version: "v1.18.3", flags: veleroVersion},
		{name: "velero-plugin-for-aws", module: "velero", pkg: "github.com/vmware-tanzu/velero-plugin-for-aws/velero-plugin-for-aws"},
		kubernetes("kubelet"),
		{name: "kube-router", pkg: "github.com/cloudnativelabs/kube-router/v2/cmd/kube-router"},
		// The server that users run, on PostgreSQL, at the version that the dev server above
		// has: of what it compiles all but a few packages are then in the build cache.
		postgresTemporal("temporal-server", "go.temporal.io/server/cmd/server"),
		postgresTemporal("temporal-sql-tool", "go.temporal.io/server/cmd/tools/sql"),
		postgresTemporal("temporal-ui", "github.com/temporalio/ui-server/v2/cmd/server"),
		// The tag "release" leaves out how the server starts workers in Kubernetes.
		{name: "temporal-chasm", module: "chasm", pkg: "go.temporal.io/server/cmd/server", tags: "disable_grpc_modules,release"},
		{name: "temporal-ui-config", module: "temporal", pkg: "github.com/temporalio/ui-server/v2", files: []string{"config/docker.yaml"}},
		{name: "docker-compose", module: "compose", pkg: "github.com/docker/compose/v5/cmd"},
		{name: "helm", module: "helm", pkg: "helm.sh/helm/v3/cmd/helm", version: "v1.37.2", flags: helmKubernetes},
		{name: "kubeconform", module: "helm", pkg: "github.com/yannh/kubeconform/cmd/kubeconform"},
		{name: "tofu", module: "tofu", pkg: "github.com/opentofu/opentofu/cmd/tofu", release: true},
	}
}

func kubernetes(name string) component {
	return component{name: name, pkg: "k8s.io/kubernetes/cmd/" + name, version: "v1.37.2", flags: kubernetesVersion}
}

func postgresTemporal(name, pkg string) component {
	return component{name: name, module: "temporal", pkg: pkg, tags: "disable_grpc_modules"}
}

func snapshotter(name string) component {
	return component{name: name, pkg: "github.com/kubernetes-csi/external-snapshotter/v8/cmd/" + name}
}

// kubernetesVersion makes the binaries say their version: a module build leaves
// v0.0.0, and clients that check for server features refuse that.
func kubernetesVersion(version string) string {
	parts := strings.Split(strings.TrimPrefix(version, "v"), ".")
	set := " -X k8s.io/component-base/version."
	return set + "gitVersion=" + version + set + "gitMajor=" + parts[0] + set + "gitMinor=" + parts[1]
}

// helmKubernetes is the Kubernetes that Helm renders for where it is not told: a module build
// would say 1.20, which charts refuse.
func helmKubernetes(version string) string {
	parts := strings.Split(strings.TrimPrefix(version, "v"), ".")
	set := " -X helm.sh/helm/v3/pkg/chartutil.k8sVersion"
	lint := " -X helm.sh/helm/v3/pkg/lint/rules.k8sVersion"
	return set + "Major=" + parts[0] + set + "Minor=" + parts[1] + lint + "Major=" + parts[0] + lint + "Minor=" + parts[1]
}

// veleroVersion also moves a metrics listener that Velero leaves at its library's
// default, port 8080 on every address: two servers could not run on one machine.
func veleroVersion(version string) string {
	return " -X github.com/vmware-tanzu/velero/pkg/buildinfo.Version=" + version +
		" -X sigs.k8s.io/controller-runtime/pkg/metrics/server.DefaultBindAddress=127.0.0.1:0"
}

func findComponent(name string) (component, error) {
	all := components()
	i := slices.IndexFunc(all, func(c component) bool { return c.name == name })
	if i < 0 {
		return component{}, fmt.Errorf("find component: no component %q; known are %s", name, strings.Join(Components(), ", "))
	}
	return all[i], nil
}

// Components names what Build builds when it is not told what.
func Components() []string {
	var names []string
	for _, c := range components() {
		if !c.release {
			names = append(names, c.name)
		}
	}
	return names
}
