//go:build stack

package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"testing"

	velerov1 "github.com/vmware-tanzu/velero/pkg/apis/velero/v1"

	"github.com/lifeboat-backup/lifeboat/internal/archive/layout"
	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/kube"
	"github.com/lifeboat-backup/lifeboat/internal/resource/compare"
)

// planned are the objects of a dry run.
const planned = `
{apiVersion: v1, kind: Namespace, metadata: {name: <plan>}}
---
{apiVersion: v1, kind: ConfigMap, metadata: {name: edited, namespace: <plan>}, data: {a: "1", gone: "x"}}
---
{apiVersion: v1, kind: ConfigMap, metadata: {name: equal, namespace: <plan>}, data: {a: "1"}}
---
{apiVersion: v1, kind: ConfigMap, metadata: {name: lost, namespace: <plan>}, data: {a: "1"}}
---
{apiVersion: v1, kind: Secret, metadata: {name: password, namespace: <plan>}, stringData: {p: old-and-secret, same: stays-secret}}
---
{apiVersion: v1, kind: Service, metadata: {name: web, namespace: <plan>}, spec: {ports: [{port: 80}]}}
`

// planLine is a line of a plan.
type planLine struct {
	Resource, Namespace, Name, Action, Reason string
	Diff                                      []compare.FieldDiff
}

// TestDryRun sees what a restore would do, without a write to the cluster; the real
// run then does that, or says what has changed since.
func TestDryRun(t *testing.T) {
	l := shared
	ns := "plan-" + l.ID
	names := l.namespaces(t, "plan")
	l.apply(t, names.Replace(planned))
	completed(t, backup(t, l.Harness, "planned", velerov1.BackupSpec{IncludedNamespaces: []string{ns}}))
	l.kubectl(t, "patch", "configmap", "edited", "-n", ns, "--type=merge", "-p", `{"data":{"a":"changed","gone":null,"new":"y"}}`)
	l.kubectl(t, "patch", "secret", "password", "-n", ns, "--type=merge", "-p", `{"stringData":{"p":"new-and-secret"}}`)
	l.kubectl(t, "delete", "configmap", "lost", "-n", ns)

	before := l.versions(t, ns)
	out, err := l.Run(t.Context(), "restore", "create", "look", "--from-backup", "planned", "--existing-resource-policy", "update", "--dry-run")
	if err != nil {
		t.Fatal(err)
	}
	if after := l.versions(t, ns); !reflect.DeepEqual(before, after) {
		t.Errorf("a dry run wrote: %v became %v", before, after)
	}
	for _, words := range []string{
		"Nothing was written", "~ configmaps " + ns + "/edited", "+ configmaps " + ns + "/lost", "~ secrets " + ns + "/password",
		`data.a: "changed" becomes "1"`, "--plan look",
	} {
		if !strings.Contains(out, words) {
			t.Errorf("no %q in:\n%s", words, out)
		}
	}
	t.Run("three-way diff", func(t *testing.T) { l.checkPlan(t, ns) })
	t.Run("policy none", func(t *testing.T) { l.planOfNone(t, ns) })
	t.Run("agrees", func(t *testing.T) { l.planAgrees(t, ns) })
	t.Run("changed in between", func(t *testing.T) { l.planChanged(t, ns) })
	t.Run("no such plan", l.planMissing)
}

// plannedType comes back in the same restore as its object.
const plannedType = `
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: drafts.plan-<id>.example.com}
spec:
  group: plan-<id>.example.com
  scope: Namespaced
  names: {plural: drafts, singular: draft, kind: Draft}
  versions: [{name: v1, served: true, storage: true, schema: {openAPIV3Schema: {type: object, x-kubernetes-preserve-unknown-fields: true}}}]
`

// TestDryRunOnFreshCluster plans custom resources whose definition comes with them; the
// real run does what the plan said.
func TestDryRunOnFreshCluster(t *testing.T) {
	t.Parallel()
	l := shared
	names := l.namespaces(t, "fresh")
	ns, typ := names.Replace("<fresh>"), names.Replace("drafts.plan-<id>.example.com")
	l.applyClusterScoped(t, names.Replace(plannedType))
	l.apply(t, names.Replace(`{apiVersion: v1, kind: Namespace, metadata: {name: <fresh>}}`))
	l.apply(t, names.Replace(`{apiVersion: plan-<id>.example.com/v1, kind: Draft, metadata: {name: one, namespace: <fresh>}, spec: {n: 1}}`))
	completed(t, backup(t, l.Harness, "fresh", velerov1.BackupSpec{IncludedNamespaces: []string{ns}}))
	l.kubectl(t, "delete", "crd", typ, "--timeout="+patience.String())

	spec := velerov1.RestoreSpec{BackupName: "fresh"}
	look := restore(t, l.Harness, contract.RestoreInput{Name: "fresh-look", DryRun: true, Spec: spec})
	got := l.plan(t, "fresh-look")
	if one, crd := got[typ+" one"], got["customresourcedefinitions.apiextensions.k8s.io "+typ]; one.Action != "create" || crd.Action != "create" || look.Warnings > 0 {
		t.Errorf("%+v\n%+v\n%+v", look, one, crd)
	}
	res := restore(t, l.Harness, contract.RestoreInput{Name: "fresh", Plan: "fresh-look", Spec: spec})
	if lines := restoreOutcomes(t, l.Harness, "fresh"); res.Phase != "Completed" || has(lines, "[PLAN_CHANGED]") {
		t.Errorf("%+v %q", res, lines)
	}
	if l.Object(t, typ, ns, "one") == nil {
		t.Error("the custom resource is missing")
	}
}

// plan reads the plan of a dry run.
func (l *lab) plan(t *testing.T, name string) map[string]planLine {
	t.Helper()
	data := read(t, l.Store, layout.PlanKey(name))
	if bytes.Contains(data, []byte("secret\"")) || bytes.Contains(data, []byte("b2xkLWFuZC1zZWNyZXQ")) {
		t.Errorf("a Secret's value stands in the plan: %s", data)
	}
	out := map[string]planLine{}
	for dec := json.NewDecoder(bytes.NewReader(data)); dec.More(); {
		var line planLine
		if err := dec.Decode(&line); err != nil {
			t.Fatal(err)
		}
		out[line.Resource+" "+line.Name] = line
	}
	return out
}

func (l *lab) checkPlan(t *testing.T, ns string) {
	got := l.plan(t, "look")
	for key, action := range map[string]string{
		"configmaps edited": "update", "configmaps equal": "none", "configmaps lost": "create",
		"secrets password": "update", "services web": "none", "namespaces " + ns: "none",
	} {
		if got[key].Action != action {
			t.Errorf("%s: %+v, want %s", key, got[key], action)
		}
	}
	want := []compare.FieldDiff{
		{Path: "data.a", Backup: "1", Live: "changed", Result: "1"},
		{Path: "data.gone", Backup: "x", Result: "x"},
		{Path: "data.new", Live: "y"},
	}
	if got := dataOf(got["configmaps edited"]); !reflect.DeepEqual(got, want) {
		t.Errorf("edited: %+v", got)
	}
	secret := []compare.FieldDiff{{Path: "data.p", Backup: "<masked A>", Live: "<masked B>", Result: "<masked A>"}}
	if got := dataOf(got["secrets password"]); !reflect.DeepEqual(got, secret) {
		t.Errorf("password: %+v", got)
	}
}

func dataOf(l planLine) (out []compare.FieldDiff) {
	for _, d := range l.Diff {
		if strings.HasPrefix(d.Path, "data.") {
			out = append(out, d)
		}
	}
	return out
}

func (l *lab) planOfNone(t *testing.T, ns string) {
	res := restore(t, l.Harness, contract.RestoreInput{Name: "look-none", DryRun: true, Spec: velerov1.RestoreSpec{BackupName: "planned", IncludedNamespaces: []string{ns}}})
	if !res.DryRun || res.Counts.Created != 1 || res.Counts.Updated != 0 {
		t.Errorf("%+v", res)
	}
	line := l.plan(t, "look-none")["configmaps edited"]
	want := []compare.FieldDiff{
		{Path: "data.a", Backup: "1", Live: "changed", Result: "changed"},
		{Path: "data.gone", Backup: "x"},
		{Path: "data.new", Live: "y", Result: "y"},
	}
	if line.Action != "skip" || line.Reason != "EXISTS_DIFFERS" || !reflect.DeepEqual(dataOf(line), want) {
		t.Errorf("%+v", line)
	}
}

func (l *lab) planAgrees(t *testing.T, ns string) {
	if _, err := l.Run(t.Context(), "restore", "create", "as-planned", "--from-backup", "planned", "--existing-resource-policy", "update", "--plan", "look", "--wait"); err != nil {
		t.Fatal(err)
	}
	if lines := restoreOutcomes(t, l.Harness, "as-planned"); has(lines, "[PLAN_CHANGED]") {
		t.Errorf("outcomes %q", lines)
	}
	if got := l.Object(t, "configmaps", ns, "edited")["data"]; !reflect.DeepEqual(got, map[string]any{"a": "1", "gone": "x"}) {
		t.Errorf("edited: %v", got)
	}
	if l.Object(t, "configmaps", ns, "lost") == nil {
		t.Error("what the plan would create is missing")
	}
}

// planChanged: one object was to be left as it is and has gone, one was to be
// updated from another state.
func (l *lab) planChanged(t *testing.T, ns string) {
	patch := func(v string) {
		l.kubectl(t, "patch", "configmap", "edited", "-n", ns, "--type=merge", "-p", fmt.Sprintf(`{"data":{"a":%q}}`, v))
	}
	patch("second")
	spec := velerov1.RestoreSpec{BackupName: "planned", ExistingResourcePolicy: velerov1.PolicyTypeUpdate}
	restore(t, l.Harness, contract.RestoreInput{Name: "look-2", DryRun: true, Spec: spec})
	patch("third")
	l.kubectl(t, "delete", "configmap", "equal", "-n", ns)
	res := restore(t, l.Harness, contract.RestoreInput{Name: "after-change", Plan: "look-2", Spec: spec})
	lines := restoreOutcomes(t, l.Harness, "after-change")
	if !has(lines, "[PLAN_CHANGED]", "equal", "the plan said none, the object was created") || !has(lines, "[PLAN_CHANGED]", "edited", "changed between the plan and the restore") {
		t.Errorf("outcomes %q", lines)
	}
	if has(lines, "[PLAN_CHANGED]", "password") || res.Counts.Created != 1 {
		t.Errorf("%+v %q", res, lines)
	}
}

// planMissing refuses before anything is written.
func (l *lab) planMissing(t *testing.T) {
	run := startRestore(t, l.Harness, contract.RestoreInput{Name: "no-plan", Plan: "never-made", Spec: velerov1.RestoreSpec{
		BackupName: "planned", NamespaceMapping: map[string]string{"plan-" + l.ID: "noplan-" + l.ID},
	}})
	kind, text := failure(t, l.Harness, run)
	if kind != contract.ErrTypeNotFound || !strings.Contains(text, `no dry run "never-made"`) {
		t.Errorf("%s: %s", kind, text)
	}
	if l.Object(t, "namespaces", "", "noplan-"+l.ID) != nil {
		t.Error("restored without the plan")
		l.deleteNamespaces(t, "noplan-"+l.ID)
	}
}

// versions are the resource versions of all objects of a namespace, and of those
// cluster-scoped ones that nothing but people change.
func (l *lab) versions(t *testing.T, ns string) map[string]string {
	t.Helper()
	cat, err := l.Kube.Discover(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]string{}
	quiet := "namespaces clusterroles.rbac.authorization.k8s.io clusterrolebindings.rbac.authorization.k8s.io storageclasses.storage.k8s.io"
	for _, r := range cat.Resources {
		gr := r.GroupResource()
		if !r.Can("list", "get") || strings.HasPrefix(gr, "events") || !r.Namespaced && !strings.Contains(quiet, gr) {
			continue
		}
		req := kube.ListRequest{Resource: r}
		if r.Namespaced {
			req.Namespace = ns
		}
		_, err := l.Kube.ListAll(t.Context(), kube.ListAllRequest{ListRequest: req}, func(it kube.Item) error {
			if !it.Deleting {
				out[gr+" "+it.Namespace+"/"+it.Name] = it.UID + "/" + it.ResourceVersion
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return out
}
