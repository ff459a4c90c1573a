package main

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/lifeboat-backup/lifeboat/internal/kube"
	"github.com/lifeboat-backup/lifeboat/test/compare"
)

// loadWindow is how many objects are created at a time.
const loadWindow = 8

// bookstore is the sample in a cluster.
type bookstore struct {
	sample
	kube  *kube.Client
	waves [][]object
	cat   kube.Catalog

	mu   sync.Mutex
	uids map[string]string // of what was created, by object.key
}

func newBookstore(c *kube.Client, s sample) (*bookstore, error) {
	waves, err := s.waves()
	return &bookstore{sample: s, kube: c, waves: waves, uids: map[string]string{}}, err
}

// load creates everything. It only creates: what exists already is an error, so
// that nothing of somebody else's is ever taken over.
func (b *bookstore) load(ctx context.Context) error {
	for _, wave := range b.waves {
		if err := b.serve(ctx, wave); err != nil {
			return err
		}
		group, gctx := errgroup.WithContext(ctx)
		group.SetLimit(loadWindow)
		for _, o := range wave {
			group.Go(func() error { return b.create(gctx, o) })
		}
		if err := group.Wait(); err != nil {
			return fmt.Errorf("load the bookstore: %w", err)
		}
		if err := b.established(ctx, wave); err != nil {
			return fmt.Errorf("load the bookstore: %w", err)
		}
	}
	return nil
}

// serve reads the types again if the wave has one that is not known yet: its
// definition came with the wave before.
func (b *bookstore) serve(ctx context.Context, wave []object) error {
	for _, o := range wave {
		if _, known := b.find(o); known {
			continue
		}
		var err error
		b.cat, err = b.kube.Discover(ctx)
		return err
	}
	return nil
}

func (b *bookstore) established(ctx context.Context, wave []object) error {
	var names []string
	for _, o := range wave {
		if o.text("kind") == "CustomResourceDefinition" {
			names = append(names, o.name())
		}
	}
	if len(names) == 0 {
		return nil
	}
	return b.kube.WaitEstablished(ctx, names)
}

func (b *bookstore) find(o object) (kube.Resource, bool) {
	for _, r := range b.cat.Resources {
		if r.Kind == o.text("kind") && r.APIVersion() == o.text("apiVersion") {
			return r, true
		}
	}
	return kube.Resource{}, false
}

func (b *bookstore) create(ctx context.Context, o object) error {
	r, known := b.find(o)
	if !known {
		return fmt.Errorf("create %s: the cluster does not serve %s %s", o.key(), o.text("apiVersion"), o.text("kind"))
	}
	if err := b.adopt(o); err != nil {
		return err
	}
	body, err := json.Marshal(o)
	if err != nil {
		return err
	}
	made, err := b.kube.Create(ctx, r, o.namespace(), body, kube.CreateOptions{FieldManager: "bookstore", FieldValidation: "Strict"})
	if err != nil {
		return err
	}
	return b.remember(made)
}

// adopt fills in the uids of the owners, which are of an earlier wave.
func (b *bookstore) adopt(o object) error {
	meta, _ := o["metadata"].(map[string]any)
	owners, _ := meta["ownerReferences"].([]any)
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, v := range owners {
		ref, _ := v.(map[string]any)
		key := fmt.Sprintf("%s %s/%s", ref["kind"], o.namespace(), ref["name"])
		uid, made := b.uids[key]
		if !made {
			return fmt.Errorf("create %s: its owner %s does not exist", o.key(), key)
		}
		ref["uid"] = uid
	}
	return nil
}

func (b *bookstore) remember(body []byte) error {
	var made object
	if err := json.Unmarshal(body, &made); err != nil {
		return err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.uids[made.key()] = made.text("metadata", "uid")
	return nil
}

// take is the bookstore as it stands in the cluster: everything in its namespaces,
// and the cluster-scoped objects of its names.
func (b *bookstore) take(ctx context.Context) (compare.State, error) {
	own := map[string]bool{}
	for _, wave := range b.waves {
		for _, o := range wave {
			if r, known := b.find(o); known && !r.Namespaced {
				own[r.GroupResource()+" "+o.name()] = true
			}
		}
	}
	state, err := compare.Take(ctx, b.kube, func(resource, namespace, name string) bool {
		if namespace == "" {
			return own[resource+" "+name]
		}
		return namespace == b.Shop() || namespace == b.Data()
	})
	if err != nil || !b.Foreign {
		return state, err
	}
	forgetNetwork(state)
	return state, nil
}

// forgetNetwork drops the annotations of Pods: on a cluster that exists they are
// where its network plug-in notes each Pod's address, and the sample sets none.
func forgetNetwork(state compare.State) {
	for key, o := range state {
		meta, _ := o["metadata"].(map[string]any)
		if strings.HasPrefix(key, "pods ") {
			delete(meta, "annotations")
		}
	}
}

// clusterTypes are the types of its cluster-scoped objects, namespaces left out, as
// a person types them.
func (b *bookstore) clusterTypes() []string {
	seen := map[string]bool{"namespaces": true}
	var types []string
	for _, wave := range b.waves {
		for _, o := range wave {
			r, known := b.find(o)
			if known && !r.Namespaced && !seen[r.GroupResource()] {
				seen[r.GroupResource()] = true
				types = append(types, shortest(r))
			}
		}
	}
	return types
}

func shortest(r kube.Resource) string {
	best := r.Name
	for _, name := range append(r.ShortNames, r.Singular) {
		if name != "" && len(name) < len(best) {
			best = name
		}
	}
	return best
}
