package apply

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"k8s.io/apimachinery/pkg/util/json"

	"github.com/lifeboat-backup/lifeboat/internal/archive"
	"github.com/lifeboat-backup/lifeboat/internal/kube"
	"github.com/lifeboat-backup/lifeboat/internal/report"
	"github.com/lifeboat-backup/lifeboat/internal/resource"
	"github.com/lifeboat-backup/lifeboat/internal/restore"
)

// namespaces makes missing namespaces, each once a task.
type namespaces struct {
	kube     *kube.Client
	archive  *archive.Archive
	registry *resource.Registry
	rules    resource.Context
	isolator *isolator

	mu   sync.Mutex
	made map[string]*making // by target

	records []restore.Record // what resource modifiers did to namespaces that were made
}

// making is one attempt at a namespace, which those who need it share.
type making struct {
	once sync.Once
	err  error
}

// terminatingError is that of a namespace which is being deleted.
type terminatingError struct{ namespace, blockers string }

func (e *terminatingError) Error() string {
	return fmt.Sprintf("namespace %s is being deleted: %s", e.namespace, e.blockers)
}

func newNamespaces(client *kube.Client, t *transformer) *namespaces {
	n := &namespaces{kube: client, archive: t.run.Arc, registry: t.registry, rules: *t.rules, isolator: t.isolator, made: map[string]*making{}}
	return n
}

// ensureExists makes the target namespace out of the stored Namespace object, or a bare
// one. Callers of one namespace share one attempt. One that is on its way out is not made,
// but may be tried again.
func (n *namespaces) ensureExists(ctx context.Context, source, target string) error {
	n.mu.Lock()
	m, known := n.made[target]
	if !known {
		m = &making{}
		n.made[target] = m
	}
	n.mu.Unlock()
	m.once.Do(func() { m.err = n.createNamespace(ctx, source, target) })
	if obstacleOf(m.err) != "" {
		n.mu.Lock()
		defer n.mu.Unlock()
		if n.made[target] == m {
			delete(n.made, target)
		}
	}
	return m.err
}

func (n *namespaces) createNamespace(ctx context.Context, source, target string) error {
	if err := n.checkStays(ctx, target); err != nil {
		return err
	}
	body, rules, err := n.namespaceBody(ctx, source, target)
	if err != nil {
		return err
	}
	_, err = n.kube.Create(ctx, kube.Namespaces(), "", body, kube.CreateOptions{FieldManager: resource.FieldManager})
	if err != nil && !kube.IsAlreadyExists(err) {
		return fmt.Errorf("create namespace %s: %w", target, err)
	}
	if err == nil {
		n.keepModifiers(target, rules)
	}
	return nil
}

// keepModifiers keeps what the resource modifiers did to a namespace, which has no record of
// its own.
func (n *namespaces) keepModifiers(target string, rules resource.Outcome) {
	rec := restore.Record{Modifiers: rules.Modifiers}
	for _, e := range rules.Errors {
		rec.Reasons = append(rec.Reasons, report.New(e.Code, e.Text).At("namespaces", "", target))
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if len(rec.Modifiers)+len(rec.Reasons) > 0 {
		n.records = append(n.records, rec)
	}
}

// takeRecords gives each record once.
func (n *namespaces) takeRecords() []restore.Record {
	n.mu.Lock()
	defer n.mu.Unlock()
	out := n.records
	n.records = nil
	return out
}

// namespaceBody is the stored Namespace as the rules change it; one that was not stored
// has nothing but its name.
func (n *namespaces) namespaceBody(ctx context.Context, source, target string) ([]byte, resource.Outcome, error) {
	raw, _, err := n.archive.Read(ctx, archive.Key{Resource: "namespaces", Name: source})
	obj := map[string]any{"apiVersion": "v1", "kind": "Namespace", "metadata": map[string]any{"name": source}}
	if err == nil {
		err = json.Unmarshal(raw, &obj)
	} else if errors.Is(err, archive.ErrNotFound) {
		err = nil
	}
	if err != nil {
		return nil, resource.Outcome{}, fmt.Errorf("read namespace %s: %w", source, err)
	}
	rules, err := n.registry.Restore(&n.rules, "namespaces", obj)
	if err != nil {
		return nil, rules, err
	}
	meta, _ := obj["metadata"].(map[string]any)
	if meta["name"] != target {
		return nil, rules, fmt.Errorf("namespace %s: %w", target, resource.ErrInvalid)
	}
	n.isolator.apply("namespaces", obj)
	body, err := json.Marshal(obj)
	return body, rules, err
}

// checkStays gives a terminatingError for a namespace that is being deleted. One that is
// there to stay, or not there, is fine.
func (n *namespaces) checkStays(ctx context.Context, name string) error {
	raw, err := n.kube.Get(ctx, kube.Namespaces(), "", name)
	if kube.IsNotFound(err) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("look at namespace %s: %w", name, err)
	}
	var obj map[string]any
	if err := json.Unmarshal(raw, &obj); err != nil {
		return fmt.Errorf("read namespace %s: %w", name, err)
	}
	if resource.IsDeleting(obj) {
		return &terminatingError{name, describeBlockers(obj)}
	}
	return nil
}

// describeBlockers says what keeps a namespace from going: its finalizers and the API
// server's own conditions.
func describeBlockers(ns map[string]any) string {
	var finalizers []any
	for _, part := range []string{"metadata", "spec"} {
		of, _ := ns[part].(map[string]any)
		all, _ := of["finalizers"].([]any)
		finalizers = append(finalizers, all...)
	}
	status, _ := ns["status"].(map[string]any)
	out := fmt.Sprintf("finalizers %v", finalizers)
	conditions, _ := status["conditions"].([]any)
	for _, c := range conditions {
		if m, _ := c.(map[string]any); m["status"] == "True" {
			out += "; " + resource.StringOf(m["message"])
		}
	}
	return out
}
