package apply

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/util/json"

	"github.com/lifeboat-backup/lifeboat/internal/archive"
	"github.com/lifeboat-backup/lifeboat/internal/kube"
	"github.com/lifeboat-backup/lifeboat/internal/poll"
	"github.com/lifeboat-backup/lifeboat/internal/resource"
)

// terminatingTimeout is how long a namespace that is being deleted is waited for:
// Velero's --terminating-resource-timeout.
const terminatingTimeout = 10 * time.Minute

// namespaces makes missing namespaces, each once a task.
type namespaces struct {
	kube     *kube.Client
	archive  *archive.Archive
	registry *resource.Registry
	rules    resource.Context

	mu   sync.Mutex
	made map[string]func() error // by target; makes the namespace when first called
}

func newNamespaces(client *kube.Client, t *transformer) *namespaces {
	n := &namespaces{kube: client, archive: t.run.Arc, registry: t.registry, rules: *t.rules, made: map[string]func() error{}}
	n.rules.Modify = nil // only what is restored itself is modified, and can say that it failed
	return n
}

// ensureExists makes the target namespace out of the stored Namespace object, or a bare
// one. Callers of one namespace share one attempt.
func (n *namespaces) ensureExists(ctx context.Context, source, target string) error {
	n.mu.Lock()
	once, known := n.made[target]
	if !known {
		once = sync.OnceValue(func() error { return n.createNamespace(ctx, source, target) })
		n.made[target] = once
	}
	n.mu.Unlock()
	return once()
}

func (n *namespaces) createNamespace(ctx context.Context, source, target string) error {
	if err := n.awaitDeleted(ctx, target); err != nil {
		return err
	}
	body, err := n.namespaceBody(ctx, source, target)
	if err != nil {
		return err
	}
	_, err = n.kube.Create(ctx, kube.Namespaces(), "", body, kube.CreateOptions{FieldManager: resource.FieldManager})
	if err != nil && !kube.IsAlreadyExists(err) {
		return fmt.Errorf("create namespace %s: %w", target, err)
	}
	return nil
}

// namespaceBody is the stored Namespace as the rules change it; one that was not stored
// has nothing but its name.
func (n *namespaces) namespaceBody(ctx context.Context, source, target string) ([]byte, error) {
	raw, _, err := n.archive.Read(ctx, archive.Key{Resource: "namespaces", Name: source})
	obj := map[string]any{"apiVersion": "v1", "kind": "Namespace", "metadata": map[string]any{"name": source}}
	if err == nil {
		err = json.Unmarshal(raw, &obj)
	} else if errors.Is(err, archive.ErrNotFound) {
		err = nil
	}
	if err != nil {
		return nil, fmt.Errorf("read namespace %s: %w", source, err)
	}
	if _, err := n.registry.Restore(&n.rules, "namespaces", obj); err != nil {
		return nil, err
	}
	meta, _ := obj["metadata"].(map[string]any)
	if meta["name"] != target {
		return nil, fmt.Errorf("namespace %s: %w", target, resource.ErrInvalid)
	}
	return json.Marshal(obj)
}

// awaitDeleted waits until a namespace that is being deleted is no more. One that is
// there to stay, or not there, is fine at once.
func (n *namespaces) awaitDeleted(ctx context.Context, name string) error {
	ctx, cancel := context.WithTimeout(ctx, terminatingTimeout)
	defer cancel()
	for {
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
		if !resource.IsDeleting(obj) {
			return nil
		}
		if poll.Wait(ctx, time.Second) != nil {
			return fmt.Errorf("namespace %s is still being deleted after %s: %s", name, terminatingTimeout, describeBlockers(obj))
		}
	}
}

// describeBlockers says what keeps a namespace from going: its finalizers and the API
// server's own conditions.
func describeBlockers(ns map[string]any) string {
	spec, _ := ns["spec"].(map[string]any)
	status, _ := ns["status"].(map[string]any)
	out := fmt.Sprintf("finalizers %v", spec["finalizers"])
	conditions, _ := status["conditions"].([]any)
	for _, c := range conditions {
		if m, _ := c.(map[string]any); m["status"] == "True" {
			out += "; " + resource.StringOf(m["message"])
		}
	}
	return out
}
