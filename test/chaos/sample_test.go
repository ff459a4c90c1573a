//go:build stack

package chaos

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"time"

	velerov1 "github.com/vmware-tanzu/velero/pkg/apis/velero/v1"
	"golang.org/x/sync/errgroup"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/lifeboat-backup/lifeboat/internal/kube"
	"github.com/lifeboat-backup/lifeboat/test/compare"
)

type m = map[string]any

// typed is a kind that the samples use.
func typed(group, version, name, kind string) kube.Resource {
	return kube.Resource{Group: group, Version: version, Name: name, Kind: kind}
}

var (
	namespaceKind = typed("", "v1", "namespaces", "Namespace")
	configKind    = typed("", "v1", "configmaps", "ConfigMap")
	secretKind    = typed("", "v1", "secrets", "Secret")
	crdKind       = typed("apiextensions.k8s.io", "v1", "customresourcedefinitions", "CustomResourceDefinition")
	roleKind      = typed("rbac.authorization.k8s.io", "v1", "clusterroles", "ClusterRole")
	bindingKind   = typed("rbac.authorization.k8s.io", "v1", "clusterrolebindings", "ClusterRoleBinding")
)

// Bulk is a namespace that no scenario changes: enough objects for several shards,
// enough bytes for a multipart upload.
var bulk = "bulk-" + tag

const (
	bulkObjects = 2600
	bigSecrets  = 16      // of bigBytes random bytes each
	bigBytes    = 400_000 // not to be compressed
)

func makeBulk(ctx context.Context) error {
	c, err := administrator()
	if err != nil {
		return err
	}
	defer c.Close()
	if err := create(ctx, c, namespaceKind, "", m{"metadata": m{"name": bulk}}); err != nil {
		return err
	}
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(16)
	for i := range bulkObjects {
		group.Go(func() error {
			kind, data := configKind, "data"
			if i%2 == 1 {
				kind, data = secretKind, "stringData"
			}
			return create(ctx, c, kind, bulk, m{"metadata": m{"name": fmt.Sprintf("small-%04d", i)}, data: m{"n": fmt.Sprint(i)}})
		})
	}
	for i := range bigSecrets {
		group.Go(func() error {
			raw := make([]byte, bigBytes)
			_, _ = rand.Read(raw) // never fails
			return create(ctx, c, secretKind, bulk, m{"metadata": m{"name": fmt.Sprintf("big-%02d", i)}, "data": m{"blob": raw}})
		})
	}
	return group.Wait()
}

func administrator() (*kube.Client, error) {
	rc, err := kube.Config(shared.Kubeconfig, "")
	if err != nil {
		return nil, err
	}
	return kube.New(rc, kube.Options{})
}

// create makes an object; one that is there already is no error.
func create(ctx context.Context, c *kube.Client, r kube.Resource, ns string, obj m) error {
	obj["apiVersion"], obj["kind"] = r.APIVersion(), r.Kind
	body, err := json.Marshal(obj)
	if err != nil {
		return err
	}
	_, err = c.Create(ctx, r, ns, body, kube.CreateOptions{FieldManager: "chaos"})
	if apierrors.IsAlreadyExists(err) {
		return nil
	}
	return err
}

// apply is create by a server-side applier, whose field ownership has to survive.
func apply(ctx context.Context, c *kube.Client, r kube.Resource, ns, name string, obj m) error {
	obj["apiVersion"], obj["kind"] = r.APIVersion(), r.Kind
	body, err := json.Marshal(obj)
	if err != nil {
		return err
	}
	_, err = c.Patch(ctx, r, ns, name, kube.PatchApply, body, kube.PatchOptions{FieldManager: "gitops", Force: true})
	return err
}

// source is the lane's own namespace, which restores bring back under other names.
func (l *lane) source() string { return "src-" + l.name }

func (l *lane) group() string { return l.name + ".chaos.example.com" }

// clusterObjects are what the lane has outside of its namespace.
func (l *lane) clusterObjects() []compare.Object {
	return []compare.Object{
		{Resource: crdKind.GroupResource(), Name: "widgets." + l.group()},
		{Resource: roleKind.GroupResource(), Name: "reader-" + l.name},
		{Resource: bindingKind.GroupResource(), Name: "reader-" + l.name},
	}
}

// makeSample fills the source namespace, remembers its state and backs it up as "base".
func (l *lane) makeSample(ctx context.Context) error {
	if err := l.makeObjects(ctx); err != nil {
		return fmt.Errorf("make sample: %w", err)
	}
	var err error
	if l.state, err = compare.TakePart(ctx, l.Kube, l.source(), l.clusterObjects()...); err != nil {
		return err
	}
	return l.backup(ctx, "base", velerov1.BackupSpec{IncludedNamespaces: []string{l.source()}})
}

func (l *lane) makeObjects(ctx context.Context) error {
	widgets := typed(l.group(), "v1", "widgets", "Widget")
	for _, step := range []func() error{
		func() error { return create(ctx, l.Kube, namespaceKind, "", m{"metadata": m{"name": l.source()}}) },
		func() error { return create(ctx, l.Kube, crdKind, "", definition(l.group())) },
		func() error { return l.Kube.WaitEstablished(ctx, []string{"widgets." + l.group()}) },
		func() error { return l.makeBuiltins(ctx) },
		func() error { return l.makeOwned(ctx, widgets) },
	} {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

func definition(group string) m {
	open := m{"type": "object", "x-kubernetes-preserve-unknown-fields": true}
	return m{"metadata": m{"name": "widgets." + group}, "spec": m{
		"group": group, "scope": "Namespaced",
		"names":    m{"plural": "widgets", "singular": "widget", "kind": "Widget", "listKind": "WidgetList"},
		"versions": []any{m{"name": "v1", "served": true, "storage": true, "schema": m{"openAPIV3Schema": open}}},
	}}
}

func (l *lane) makeBuiltins(ctx context.Context) error {
	const rbac = "rbac.authorization.k8s.io"
	ns, reader := l.source(), "reader-"+l.name
	account := m{"kind": "ServiceAccount", "name": "app", "namespace": ns}
	rules := []any{m{"apiGroups": []string{""}, "resources": []string{"configmaps"}, "verbs": []string{"get"}}}
	objects := []struct {
		kind kube.Resource
		ns   string
		obj  m
	}{
		{typed("", "v1", "serviceaccounts", "ServiceAccount"), ns, m{"metadata": m{"name": "app"}}},
		{roleKind, "", m{"metadata": m{"name": reader}, "rules": rules}},
		{bindingKind, "", m{
			"metadata": m{"name": reader}, "subjects": []any{account},
			"roleRef": m{"apiGroup": rbac, "kind": "ClusterRole", "name": reader},
		}},
		{typed(rbac, "v1", "roles", "Role"), ns, m{"metadata": m{"name": "app"}, "rules": rules}},
		{typed(rbac, "v1", "rolebindings", "RoleBinding"), ns, m{
			"metadata": m{"name": "app"}, "subjects": []any{account}, "roleRef": m{"apiGroup": rbac, "kind": "Role", "name": "app"},
		}},
		{typed("", "v1", "services", "Service"), ns, m{"metadata": m{"name": "web"}, "spec": m{"selector": m{"app": "web"}, "ports": []any{m{"port": 80}}}}},
		{typed("policy", "v1", "poddisruptionbudgets", "PodDisruptionBudget"), ns, m{
			"metadata": m{"name": "web"}, "spec": m{"minAvailable": 1, "selector": m{"matchLabels": m{"app": "web"}}},
		}},
		{typed("", "v1", "resourcequotas", "ResourceQuota"), ns, m{"metadata": m{"name": "tight"}, "spec": m{"hard": m{"configmaps": "20", "secrets": "20"}}}},
		{typed("networking.k8s.io", "v1", "networkpolicies", "NetworkPolicy"), ns, m{"metadata": m{"name": "deny"}, "spec": m{"podSelector": m{}}}},
	}
	for _, o := range objects {
		if err := create(ctx, l.Kube, o.kind, o.ns, o.obj); err != nil {
			return err
		}
	}
	return nil
}

// makeOwned makes what needs a second call at restore: owned and applied objects.
func (l *lane) makeOwned(ctx context.Context, widgets kube.Resource) error {
	ns := l.source()
	for i := range 3 {
		if err := create(ctx, l.Kube, widgets, ns, m{"metadata": m{"name": fmt.Sprintf("widget-%d", i)}, "spec": m{"size": i}}); err != nil {
			return err
		}
	}
	raw, err := l.Kube.Get(ctx, widgets, ns, "widget-0")
	if err != nil {
		return err
	}
	var owner struct{ Metadata struct{ UID string } }
	if err := json.Unmarshal(raw, &owner); err != nil {
		return err
	}
	refs := []any{m{"apiVersion": widgets.APIVersion(), "kind": "Widget", "name": "widget-0", "uid": owner.Metadata.UID}}
	for i := range 4 {
		name := fmt.Sprintf("plain-%d", i)
		if err := create(ctx, l.Kube, configKind, ns, m{"metadata": m{"name": name}, "data": m{"n": name}}); err != nil {
			return err
		}
		if err := create(ctx, l.Kube, secretKind, ns, m{"metadata": m{"name": name}, "stringData": m{"n": name}}); err != nil {
			return err
		}
		name = fmt.Sprintf("owned-%d", i)
		if err := create(ctx, l.Kube, configKind, ns, m{"metadata": m{"name": name, "ownerReferences": refs}, "data": m{"n": name}}); err != nil {
			return err
		}
	}
	return apply(ctx, l.Kube, configKind, ns, "applied", m{"metadata": m{"name": "applied"}, "data": m{"by": "gitops"}})
}

// clearCluster removes what restores make outside of namespaces.
func (l *lane) clearCluster(ctx context.Context) error {
	for _, d := range []struct {
		kind kube.Resource
		name string
	}{{crdKind, "widgets." + l.group()}, {roleKind, "reader-" + l.name}, {bindingKind, "reader-" + l.name}} {
		if err := l.Kube.Delete(ctx, d.kind, "", d.name, kube.DeleteOptions{}); err != nil && !apierrors.IsNotFound(err) {
			return err
		}
	}
	return until(ctx, "the definition is gone", func() (bool, error) {
		_, err := l.Kube.Get(ctx, crdKind, "", "widgets."+l.group())
		if apierrors.IsNotFound(err) {
			return true, nil
		}
		return false, err
	})
}

// until asks again and again until ok.
func until(ctx context.Context, what string, ok func() (bool, error)) error {
	t := time.NewTicker(50 * time.Millisecond)
	defer t.Stop()
	for {
		done, err := ok()
		if done || err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("wait until %s: %w", what, ctx.Err())
		case <-t.C:
		}
	}
}
