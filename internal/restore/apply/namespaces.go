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
	"github.com/lifeboat-backup/lifeboat/internal/resource"
)

// terminatingTimeout is how long a namespace that is being deleted is waited for:
// Velero's --terminating-resource-timeout.
const terminatingTimeout = 10 * time.Minute

// namespaces makes missing namespaces, each once a task.
type namespaces struct {
	a      *applier
	mu     sync.Mutex
	ready  map[string]*sync.Once
	failed map[string]error
}

var namespaceType = kube.Resource{Version: "v1", Name: "namespaces", Kind: "Namespace"}

// ensure makes the target namespace out of the stored Namespace object, or a bare
// one. Callers of one namespace share one attempt.
func (n *namespaces) ensure(ctx context.Context, source, target string) error {
	n.mu.Lock()
	once, ok := n.ready[target]
	if !ok {
		once = &sync.Once{}
		n.ready[target] = once
	}
	n.mu.Unlock()
	once.Do(func() {
		err := n.make(ctx, source, target)
		n.mu.Lock()
		n.failed[target] = err
		n.mu.Unlock()
	})
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.failed[target]
}

func (n *namespaces) make(ctx context.Context, source, target string) error {
	if err := n.gone(ctx, target); err != nil {
		return err
	}
	body, err := n.body(ctx, source, target)
	if err != nil {
		return err
	}
	_, err = n.a.r.Kube.Create(ctx, namespaceType, "", body, kube.CreateOptions{FieldManager: resource.FieldManager})
	if err != nil && !kube.IsAlreadyExists(err) {
		return fmt.Errorf("create namespace %s: %w", target, err)
	}
	return nil
}

func (n *namespaces) body(ctx context.Context, source, target string) ([]byte, error) {
	raw, _, err := n.a.s.Arc.Read(ctx, archive.Key{Resource: "namespaces", Name: source})
	obj := map[string]any{"apiVersion": "v1", "kind": "Namespace", "metadata": map[string]any{"name": source}}
	if err == nil {
		err = json.Unmarshal(raw, &obj)
	} else if errors.Is(err, archive.ErrNotFound) {
		err = nil
	}
	if err != nil {
		return nil, fmt.Errorf("read namespace %s: %w", source, err)
	}
	rules := *n.a.rules
	rules.Modify = nil // only what is restored itself is modified, and can say that it failed
	if _, err := n.a.r.Rules.Restore(&rules, "namespaces", obj); err != nil {
		return nil, err
	}
	meta, _ := obj["metadata"].(map[string]any)
	if meta["name"] != target {
		return nil, fmt.Errorf("namespace %s: %w", target, resource.ErrInvalid)
	}
	return json.Marshal(obj)
}

// gone waits until a namespace that is being deleted is no more. One that is there
// to stay, or not there, is fine at once.
func (n *namespaces) gone(ctx context.Context, name string) error {
	ctx, cancel := context.WithTimeout(ctx, terminatingTimeout)
	defer cancel()
	for {
		raw, err := n.a.r.Kube.Get(ctx, namespaceType, "", name)
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
		select {
		case <-ctx.Done():
			return fmt.Errorf("namespace %s is still being deleted after %s: %s", name, terminatingTimeout, blockers(obj))
		case <-time.After(time.Second):
		}
	}
}

// blockers says what keeps a namespace from going: its finalizers and the API
// server's own conditions.
func blockers(ns map[string]any) string {
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
