//go:build stack

package e2e

import (
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	velerov1 "github.com/vmware-tanzu/velero/pkg/apis/velero/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/test/harness"
)

// TestRestore restores one backup in every way and looks at the objects.
func TestRestore(t *testing.T) {
	c := newCareLab(t)
	t.Run("namespace mapping", c.mapping)
	t.Run("whole namespace", c.whole)
	t.Run("existing objects", c.existing)
	t.Run("service account is merged", c.account)
	t.Run("status", c.status)
	t.Run("node ports", c.nodePorts)
	t.Run("selector", c.selector)
	t.Run("cluster-scoped objects", c.clusterScoped)
}

func newCareLab(t *testing.T) *careLab {
	l := shared
	names := l.namespaces(t, "src", "dst")
	fill := func(manifest string) string {
		return strings.ReplaceAll(names.Replace(manifest), "<port>", "123")
	}
	c := &careLab{lab: l, src: names.Replace("<src>"), dst: names.Replace("<dst>"), bindings: fill(carefulBindings), before: map[string]map[string]any{}}
	t.Cleanup(func() { c.letGo(t) })
	l.applyClusterScoped(t, fill(carefulAround))
	l.applyClusterScoped(t, c.bindings)
	l.apply(t, fill(careful))
	if _, err := l.Kubectl(t.Context(), fill(assigned), "create", "-f", "-"); err != nil {
		t.Fatal(err)
	}
	l.apply(t, fill(appliedByTool), "--server-side", "--field-manager=gitops")
	l.apply(t, fill(appliedByOther), "--server-side", "--field-manager=other")
	l.kubectl(t, "patch", "parcels", "st", "-n", c.src, "--subresource=status", "--type=merge", "-p", `{"status":{"seen":true}}`)
	c.family(t)
	eventually(t, "job done", func() error {
		if harness.At(l.Object(t, "jobs.batch", c.src, "done"), "status", "completionTime") == nil {
			return fmt.Errorf("is running")
		}
		return nil
	})
	for key, gr := range map[string]string{"assigned": "services", "stated": "services", "synced": "deployments.apps", "parent": "parcels"} {
		c.before[key] = l.Object(t, gr, c.src, key)
	}
	completed(t, backup(t, l.Harness, "careful", velerov1.BackupSpec{
		IncludedNamespaces: []string{c.src},
		IncludedClusterScopedResources: []string{
			"customresourcedefinitions", "clusterroles", "clusterrolebindings", "validatingwebhookconfigurations",
		},
	}))
	return c
}

// letGo takes the finalizer off, so that the namespaces can go.
func (c *careLab) letGo(t *testing.T) {
	for _, ns := range []string{c.src, c.dst} {
		c.kubectlLater(t, "patch", "configmap", "held", "-n", ns, "--type=merge", "-p", `{"metadata":{"finalizers":null}}`)
	}
}

// family makes owners: of a ConfigMap by a parcel, of another by an object that is
// not backed up, of a third by both.
func (c *careLab) family(t *testing.T) {
	t.Helper()
	c.apply(t, fmt.Sprintf("{apiVersion: restore.example.com/v1, kind: Parcel, metadata: {name: parent, namespace: %s}}", c.src))
	parent := map[string]any{
		"apiVersion": "restore.example.com/v1", "kind": "Parcel", "name": "parent", "controller": true, "blockOwnerDeletion": true,
		"uid": harness.At(c.Object(t, "parcels", c.src, "parent"), "metadata", "uid"),
	}
	ghost := map[string]any{"apiVersion": "v1", "kind": "Secret", "name": "ghost", "uid": harness.At(c.Object(t, "secrets", c.src, "ghost"), "metadata", "uid")}
	c.configMap(t, "child", parent)
	c.configMap(t, "orphan", ghost)
	c.configMap(t, "half", parent, ghost)
}

func (c *careLab) configMap(t *testing.T, name string, owners ...map[string]any) {
	t.Helper()
	data, err := json.Marshal(map[string]any{"apiVersion": "v1", "kind": "ConfigMap", "metadata": map[string]any{
		"name": name, "namespace": c.src, "ownerReferences": owners,
	}})
	if err != nil {
		t.Fatal(err)
	}
	c.apply(t, string(data))
}

// restored is a restore of the careful backup that has to be Completed.
func (c *careLab) restored(t *testing.T, name string, spec velerov1.RestoreSpec) contract.RestoreResult {
	t.Helper()
	spec.BackupName = "careful"
	if spec.IncludedNamespaces == nil {
		spec.IncludedNamespaces = []string{c.src}
	}
	res := restore(t, c.Harness, contract.RestoreInput{Name: name, Spec: spec})
	if res.Phase != "Completed" || res.Counts.Failed > 0 {
		t.Fatalf("%+v\n%s", res, strings.Join(restoreOutcomes(t, c.Harness, name), "\n"))
	}
	return res
}

// gone deletes objects and waits until they are no more.
func (c *careLab) gone(t *testing.T, args ...string) {
	t.Helper()
	c.kubectl(t, append([]string{"delete", "-n", c.src, "--timeout=" + patience.String()}, args...)...)
}

func (c *careLab) mapping(t *testing.T) {
	c.deleteManifest(c.bindings)
	res := restore(t, c.Harness, contract.RestoreInput{Name: "mapped", Spec: velerov1.RestoreSpec{
		BackupName: "careful", IncludedNamespaces: []string{c.src},
		NamespaceMapping: map[string]string{c.src: c.dst}, IncludeClusterResources: &[]bool{true}[0],
	}})
	lines := restoreOutcomes(t, c.Harness, "mapped")
	// Both namespaces cannot have the node port that the manifest states.
	if res.Counts.Failed != 1 || !has(lines, "errors: [OBJECT_REJECTED]", "stated", "provided port is already allocated") {
		t.Fatalf("%+v\n%s", res, strings.Join(lines, "\n"))
	}
	want := []any{
		map[string]any{"kind": "ServiceAccount", "name": "web", "namespace": c.dst},
		map[string]any{"kind": "ServiceAccount", "name": "other", "namespace": "elsewhere"},
		map[string]any{"apiGroup": "rbac.authorization.k8s.io", "kind": "Group", "name": "system:serviceaccounts:" + c.dst},
	}
	if got := c.Object(t, "rolebindings", c.dst, "web")["subjects"]; !reflect.DeepEqual(got, want) {
		t.Errorf("role binding of %v", got)
	}
	if got := c.Object(t, "clusterrolebindings", "", "careful-"+c.ID)["subjects"]; !reflect.DeepEqual(got, want[:1]) {
		t.Errorf("cluster role binding of %v", got)
	}
	hooks, _ := c.Object(t, "validatingwebhookconfigurations", "", "careful-"+c.ID)["webhooks"].([]any)
	if len(hooks) != 1 || harness.At(hooks[0], "clientConfig", "service", "namespace") != c.dst {
		t.Errorf("webhooks %v", hooks)
	}
	if got := harness.At(c.Object(t, "configmaps", c.dst, "refers"), "data", "url"); got != "http://db."+c.src+".svc.cluster.local/" {
		t.Errorf("free text was rewritten to %v", got)
	}
	if !has(lines, "[RESIDUAL_REFERENCE]", "refers", "data.url") {
		t.Errorf("no residual reference of refers: %q", lines)
	}
	if has(lines, "[EXISTS_DIFFERS]") {
		t.Errorf("objects of the cluster differ from themselves: %q", lines)
	}
	if got := harness.At(c.Object(t, "namespaces", "", c.dst), "metadata", "labels", "kubernetes.io/metadata.name"); got != c.dst {
		t.Errorf("namespace labelled %v", got)
	}
	if got := harness.At(c.Object(t, "configmaps", c.dst, "child"), "metadata", "ownerReferences"); !c.ownedBy(t, got, c.dst) {
		t.Errorf("child owned by %v", got)
	}
	c.letGo(t)
}

// ownedBy tells whether references are one to the parent of a namespace, by its uid.
func (c *careLab) ownedBy(t *testing.T, refs any, ns string) bool {
	t.Helper()
	list, _ := refs.([]any)
	uid := harness.At(c.Object(t, "parcels", ns, "parent"), "metadata", "uid")
	return len(list) == 1 && uid != nil && reflect.DeepEqual(list[0], map[string]any{
		"apiVersion": "restore.example.com/v1", "kind": "Parcel", "name": "parent", "uid": uid, "controller": true, "blockOwnerDeletion": true,
	})
}

func (c *careLab) whole(t *testing.T) {
	c.letGo(t)
	c.deleteNamespaces(t, c.src)
	c.restored(t, "whole", velerov1.RestoreSpec{})
	lines := restoreOutcomes(t, c.Harness, "whole")
	t.Run("owners", func(t *testing.T) { c.owners(t, lines) })
	t.Run("field ownership", c.fieldOwnership)
	t.Run("finalizers", func(t *testing.T) {
		if got := harness.At(c.Object(t, "configmaps", c.src, "held"), "metadata", "finalizers"); !reflect.DeepEqual(got, []any{"example.com/hold"}) {
			t.Errorf("finalizers %v", got)
		}
		if !has(lines, "[FINALIZER_KEPT]", "held", "example.com/hold") {
			t.Errorf("outcomes %q", lines)
		}
	})
	t.Run("ended job", func(t *testing.T) {
		if c.Object(t, "jobs.batch", c.src, "done") != nil {
			t.Error("runs again")
		}
		if out := c.kubectl(t, "get", "pods", "-n", c.src, "-o", "name"); out != "" {
			t.Errorf("pods: %s", out)
		}
	})
	t.Run("left out", func(t *testing.T) {
		if c.Object(t, "secrets", c.src, "ghost") != nil {
			t.Error("an opted-out object came back")
		}
		if c.Object(t, "parcels", c.src, "st")["status"] != nil {
			t.Error("a status came back unasked")
		}
	})
	t.Run("labels", func(t *testing.T) {
		labels := harness.At(c.Object(t, "configmaps", c.src, "settings"), "metadata", "labels")
		want := map[string]any{"part": "settings", "velero.io/backup-name": "careful", "velero.io/restore-name": "whole"}
		if !reflect.DeepEqual(labels, want) {
			t.Errorf("labels %v", labels)
		}
	})
}

// owners looks again after the garbage collector had its chance: it has collected
// an object that was made later, with an owner that never was.
func (c *careLab) owners(t *testing.T, lines []string) {
	c.configMap(t, "canary", map[string]any{"apiVersion": "v1", "kind": "Secret", "name": "never", "uid": "11111111-2222-3333-4444-555555555555"})
	eventually(t, "the garbage collector works", func() error {
		if c.Object(t, "configmaps", c.src, "canary") != nil {
			return fmt.Errorf("the canary is there")
		}
		return nil
	})
	for _, name := range []string{"child", "half"} {
		if got := harness.At(c.Object(t, "configmaps", c.src, name), "metadata", "ownerReferences"); !c.ownedBy(t, got, c.src) {
			t.Errorf("%s is owned by %v", name, got)
		}
	}
	if uid := harness.At(c.Object(t, "parcels", c.src, "parent"), "metadata", "uid"); uid == harness.At(c.before["parent"], "metadata", "uid") {
		t.Error("the parent has its old uid")
	}
	orphan := c.Object(t, "configmaps", c.src, "orphan")
	if orphan == nil || harness.At(orphan, "metadata", "ownerReferences") != nil {
		t.Errorf("orphan: %v", orphan)
	}
	if !has(lines, "[OWNER_MISSING]", "orphan", "Secret ghost") {
		t.Errorf("outcomes %q", lines)
	}
}

// fieldOwnership compares what server-side appliers own, and lets one of them apply
// again: there must be no conflict and no change.
func (c *careLab) fieldOwnership(t *testing.T) {
	after := c.Object(t, "deployments.apps", c.src, "synced")
	if got, want := appliers(after), appliers(c.before["synced"]); !reflect.DeepEqual(got, want) || len(want) != 2 {
		t.Errorf("owners of fields: %v\nwant %v", got, want)
	}
	manifest := strings.ReplaceAll(appliedByTool, "<src>", c.src)
	c.apply(t, manifest, "--server-side", "--field-manager=gitops")
	again := c.Object(t, "deployments.apps", c.src, "synced")
	if harness.At(again, "metadata", "generation") != harness.At(after, "metadata", "generation") {
		t.Error("the tool's next sync changed the object")
	}
	if harness.At(again, "metadata", "annotations", "other") != "tool" {
		t.Error("the other tool's field is lost")
	}
}

// appliers are the fields by manager, of Apply entries.
func appliers(obj map[string]any) map[string]any {
	out := map[string]any{}
	entries, _ := harness.At(obj, "metadata", "managedFields").([]any)
	for _, e := range entries {
		if harness.At(e, "operation") == "Apply" && harness.At(e, "subresource") == nil {
			out[fmt.Sprint(harness.At(e, "manager"))] = harness.At(e, "fieldsV1")
		}
	}
	return out
}

func (c *careLab) existing(t *testing.T) {
	c.kubectl(t, "patch", "configmap", "settings", "-n", c.src, "--type=merge", "-p", `{"data":{"a":"changed","b":null,"c":"new"}}`)
	c.restored(t, "none", velerov1.RestoreSpec{IncludedResources: []string{"configmaps"}})
	if got := c.Object(t, "configmaps", c.src, "settings")["data"]; !reflect.DeepEqual(got, map[string]any{"a": "changed", "c": "new"}) {
		t.Errorf("none: %v", got)
	}
	lines := restoreOutcomes(t, c.Harness, "none")
	if !has(lines, "[EXISTS_DIFFERS]", "settings") || has(lines, "[EXISTS_DIFFERS]", "refers") {
		t.Errorf("outcomes %q", lines)
	}
	res := c.restored(t, "update", velerov1.RestoreSpec{IncludedResources: []string{"configmaps"}, ExistingResourcePolicy: velerov1.PolicyTypeUpdate})
	if got := c.Object(t, "configmaps", c.src, "settings")["data"]; !reflect.DeepEqual(got, map[string]any{"a": "1", "b": "2"}) {
		t.Errorf("update: %v", got)
	}
	if res.Counts.Updated != 1 {
		t.Errorf("one object differed: %+v", res.Counts)
	}
	again := c.restored(t, "update-again", velerov1.RestoreSpec{IncludedResources: []string{"configmaps"}, ExistingResourcePolicy: velerov1.PolicyTypeUpdate})
	if again.Counts.Updated != 0 || again.Counts.Created != 0 {
		t.Errorf("nothing differs: %+v", again.Counts)
	}
	if got := c.restoredBy(t, "refers"); got != "update-again" {
		t.Errorf("an equal object says it is of restore %v", got)
	}
	c.unwilling(t)
}

func (c *careLab) restoredBy(t *testing.T, configMap string) any {
	return harness.At(c.Object(t, "configmaps", c.src, configMap), "metadata", "labels", "velero.io/restore-name")
}

// unwilling is an object that cannot be updated: it keeps its content, with a warning,
// and is labelled.
func (c *careLab) unwilling(t *testing.T) {
	c.kubectl(t, "patch", "configmap", "settings", "-n", c.src, "--type=merge", "-p", `{"immutable":true,"data":{"a":"fixed"}}`)
	res := c.restored(t, "update-refused", velerov1.RestoreSpec{IncludedResources: []string{"configmaps"}, ExistingResourcePolicy: velerov1.PolicyTypeUpdate})
	if lines := restoreOutcomes(t, c.Harness, "update-refused"); !has(lines, "warnings: [UPDATE_FAILED]", "settings", "immutable") || res.Counts.Updated != 0 {
		t.Errorf("%+v %q", res.Counts, lines)
	}
	if got := harness.At(c.Object(t, "configmaps", c.src, "settings"), "data", "a"); got != "fixed" {
		t.Errorf("data %v", got)
	}
	if got := c.restoredBy(t, "settings"); got != "update-refused" {
		t.Errorf("says it is of restore %v", got)
	}
}

func (c *careLab) account(t *testing.T) {
	c.kubectl(t, "patch", "serviceaccount", "web", "-n", c.src, "--type=merge", "-p", `{"metadata":{"labels":{"mine":"yes"}},"imagePullSecrets":[{"name":"mine"}]}`)
	c.restored(t, "account", velerov1.RestoreSpec{IncludedResources: []string{"serviceaccounts"}})
	sa := c.Object(t, "serviceaccounts", c.src, "web")
	if got := sa["imagePullSecrets"]; !reflect.DeepEqual(got, []any{map[string]any{"name": "mine"}, map[string]any{"name": "registry"}}) {
		t.Errorf("pull secrets %v", got)
	}
	if harness.At(sa, "metadata", "labels", "mine") != "yes" || harness.At(sa, "metadata", "labels", "part") != "account" {
		t.Errorf("labels %v", harness.At(sa, "metadata", "labels"))
	}
}

func (c *careLab) status(t *testing.T) {
	types := []string{"parcels", "tickets"} // the status of tickets is no sub-resource
	c.gone(t, "parcel/st", "ticket/st")
	c.restored(t, "status", velerov1.RestoreSpec{IncludedResources: types, RestoreStatus: &velerov1.RestoreStatusSpec{IncludedResources: types}})
	for _, gr := range types {
		if got := c.Object(t, gr, c.src, "st")["status"]; !reflect.DeepEqual(got, map[string]any{"seen": true}) {
			t.Errorf("status of %s: %v", gr, got)
		}
	}
	if lines := restoreOutcomes(t, c.Harness, "status"); has(lines, "[STATUS_FAILED]") {
		t.Errorf("outcomes %q", lines)
	}
}

// nodePort is the port that a Service has on every node.
func nodePort(svc map[string]any) any {
	ports, _ := harness.At(svc, "spec", "ports").([]any)
	if len(ports) == 0 {
		return nil
	}
	return harness.At(ports[0], "nodePort")
}

func (c *careLab) nodePorts(t *testing.T) {
	if got := nodePort(c.Object(t, "services", c.src, "stated")); got != float64(30123) {
		t.Errorf("a stated port became %v", got)
	}
	// Something else holds the assigned port: a restore that insists on it is refused.
	was := nodePort(c.before["assigned"])
	c.gone(t, "service", "assigned")
	c.apply(t, fmt.Sprintf("{apiVersion: v1, kind: Service, metadata: {name: thief, namespace: %s}, spec: {type: NodePort, ports: [{port: 80, nodePort: %v}]}}", c.src, was))
	c.restored(t, "ports-free", velerov1.RestoreSpec{IncludedResources: []string{"services"}})
	if got := nodePort(c.Object(t, "services", c.src, "assigned")); got == nil || got == was {
		t.Errorf("port %v, which is taken", got)
	}
	c.gone(t, "service", "assigned", "thief")
	c.restored(t, "ports-kept", velerov1.RestoreSpec{IncludedResources: []string{"services"}, PreserveNodePorts: &[]bool{true}[0]})
	if got := nodePort(c.Object(t, "services", c.src, "assigned")); got != was {
		t.Errorf("port %v, was %v", got, was)
	}
}

func (c *careLab) selector(t *testing.T) {
	c.gone(t, "configmap/settings", "configmap/refers", "secret/token")
	part := func(v string) *metav1.LabelSelector {
		return &metav1.LabelSelector{MatchLabels: map[string]string{"part": v}}
	}
	res := c.restored(t, "one-selector", velerov1.RestoreSpec{LabelSelector: part("settings")})
	if res.Counts.Created != 1 || c.Object(t, "configmaps", c.src, "settings") == nil {
		t.Errorf("%+v", res.Counts)
	}
	c.gone(t, "configmap", "settings")
	res = c.restored(t, "or-selectors", velerov1.RestoreSpec{OrLabelSelectors: []*metav1.LabelSelector{part("settings"), part("secret")}})
	if res.Counts.Created != 2 || c.Object(t, "secrets", c.src, "token") == nil || c.Object(t, "configmaps", c.src, "refers") != nil {
		t.Errorf("%+v", res.Counts)
	}
	res = c.restored(t, "types", velerov1.RestoreSpec{ExcludedResources: []string{"services", "deployments"}})
	if res.Counts.Created != 1 || c.Object(t, "configmaps", c.src, "refers") == nil {
		t.Errorf("%+v", res.Counts)
	}
}

func (c *careLab) clusterScoped(t *testing.T) {
	binding := func() any { return c.Object(t, "clusterrolebindings", "", "careful-"+c.ID)["subjects"] }
	only := []string{"clusterrolebindings"}
	c.deleteManifest(c.bindings)
	for name, include := range map[string]*bool{"cluster-auto": nil, "cluster-no": new(bool)} {
		c.restored(t, name, velerov1.RestoreSpec{IncludedResources: only, IncludeClusterResources: include})
		if got := binding(); got != nil {
			t.Errorf("%s: restored %v", name, got)
		}
	}
	yes := true
	c.restored(t, "cluster-yes", velerov1.RestoreSpec{IncludedResources: only, IncludeClusterResources: &yes})
	if got := binding(); !reflect.DeepEqual(got, []any{map[string]any{"kind": "ServiceAccount", "name": "web", "namespace": c.src}}) {
		t.Errorf("restored %v", got)
	}
	c.deleteManifest(c.bindings)
	c.restored(t, "cluster-open", velerov1.RestoreSpec{IncludedResources: only, IncludedNamespaces: []string{"*"}})
	if binding() == nil {
		t.Error("a restore of every namespace left cluster-scoped objects out")
	}
}

// TestRestoreOfSchedule takes the latest backup of a schedule that may be taken.
func TestRestoreOfSchedule(t *testing.T) {
	t.Parallel()
	l := shared
	names := l.namespaces(t, "sched")
	ns := names.Replace("<sched>")
	settings := func(v string) string {
		return fmt.Sprintf("{apiVersion: v1, kind: Namespace, metadata: {name: %s}}\n---\n{apiVersion: v1, kind: ConfigMap, metadata: {name: c, namespace: %s}, data: {v: %q}}", ns, ns, v)
	}
	for i, namespaces := range []string{ns, ns, ns + ",gone"} {
		version := fmt.Sprint(i + 1)
		l.apply(t, settings(version))
		res, err := l.CLI(t.Context(), "backup", "create", "nightly-"+version, "--include-namespaces", namespaces,
			"--labels", velerov1.ScheduleNameLabel+"=nightly", "--wait")
		if err != nil || res.Code != []int{0, 0, 3}[i] {
			t.Fatalf("exit %d, %v: %s%s", res.Code, err, res.Out, res.Err)
		}
	}
	for _, c := range []struct {
		want string
		more []string
	}{{"2", nil}, {"3", []string{"--allow-partially-failed"}}} {
		l.kubectl(t, "delete", "configmap", "c", "-n", ns)
		args := append([]string{"restore", "create", "of-schedule-" + c.want, "--from-schedule", "nightly", "--include-resources", "configmaps", "--wait"}, c.more...)
		if _, err := l.Run(t.Context(), args...); err != nil {
			t.Fatal(err)
		}
		if got := harness.At(l.Object(t, "configmaps", ns, "c"), "data", "v"); got != c.want {
			t.Errorf("%v: restored version %v, want %s", c.more, got, c.want)
		}
	}
	res, err := l.CLI(t.Context(), "restore", "create", "of-none", "--from-schedule", "weekly", "--wait")
	if err != nil || res.Code != 4 || !strings.Contains(res.Err, `schedule "weekly" has no Completed backup`) {
		t.Errorf("exit %d, %v: %s%s", res.Code, err, res.Out, res.Err)
	}
	if slices.Contains(keysIn(t, l.Store, "restores/of-none"), "restores/of-none") {
		t.Error("a restore of nothing left files")
	}
}
