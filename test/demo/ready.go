package main

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/lifeboat-backup/lifeboat/internal/kube"
)

// readyWithin is how long Pods may take: a real cluster pulls an image first.
const readyWithin = 5 * time.Minute

// workload is what tells whether a controller's Pods run.
type workload struct {
	Metadata struct {
		Name       string
		Generation int64
	}
	Spec struct {
		Replicas *int64
		Suspend  bool
	}
	Status struct {
		ObservedGeneration     int64
		ReadyReplicas          int64
		DesiredNumberScheduled int64
		NumberReady            int64
		CompletionTime         string
	}
}

// ready is true once the controller has seen the object and its Pods are Ready,
// or, of a Job, complete.
func (w workload) ready(resource string) bool {
	seen := w.Status.ObservedGeneration >= w.Metadata.Generation
	switch {
	case resource == "jobs.batch":
		return w.Spec.Suspend || w.Status.CompletionTime != ""
	case w.Spec.Replicas != nil:
		return seen && w.Status.ReadyReplicas == *w.Spec.Replicas
	}
	return seen && w.Status.NumberReady == w.Status.DesiredNumberScheduled
}

// awaitReady waits until every workload of the bookstore runs, and counts its
// Pods that are Ready.
func (b *bookstore) awaitReady(ctx context.Context) (pods int, err error) {
	ctx, cancel := context.WithTimeout(ctx, readyWithin)
	defer cancel()
	var waiting []string
	for {
		waiting, pods, err = b.unready(ctx)
		if err == nil && len(waiting) == 0 {
			return pods, nil
		}
		select {
		case <-ctx.Done():
			return 0, fmt.Errorf("wait until the bookstore is ready: %w; not ready: %v %w", context.Cause(ctx), waiting, err)
		case <-time.After(200 * time.Millisecond):
		}
	}
}

func (b *bookstore) unready(ctx context.Context) (waiting []string, pods int, err error) {
	for _, name := range []string{"deployments.apps", "statefulsets.apps", "daemonsets.apps", "jobs.batch"} {
		err := b.each(ctx, name, func(raw []byte) error {
			var w workload
			if err := json.Unmarshal(raw, &w); err != nil {
				return err
			}
			if !w.ready(name) {
				waiting = append(waiting, name+" "+w.Metadata.Name)
			}
			pods += int(w.Status.ReadyReplicas + w.Status.NumberReady)
			return nil
		})
		if err != nil {
			return waiting, 0, err
		}
	}
	return waiting, pods, nil
}

// each visits the objects of a type in the bookstore's namespaces.
func (b *bookstore) each(ctx context.Context, resource string, visit func(raw []byte) error) error {
	r, known := b.cat.Find(resource)
	if !known {
		return fmt.Errorf("the cluster does not serve %s", resource)
	}
	for _, ns := range []string{b.Shop(), b.Data()} {
		req := kube.ListAllRequest{ListRequest: kube.ListRequest{Resource: r, Namespace: ns}}
		if _, err := b.kube.ListAll(ctx, req, func(it kube.Item) error { return visit(it.Raw) }); err != nil {
			return err
		}
	}
	return nil
}
