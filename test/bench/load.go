package main

import (
	"context"
	"encoding/base64"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/tools/clientcmd"
)

const createWorkers = 32 // of the bare CREATE: more gain nothing on 2 cores

// loaded are the two types: half of the objects each.
func loaded() []schema.GroupVersionResource {
	return []schema.GroupVersionResource{
		{Version: "v1", Resource: "configmaps"}, {Version: "v1", Resource: "secrets"},
	}
}

func (b *bench) dynamic() (dynamic.Interface, error) {
	rc, err := clientcmd.BuildConfigFromFlags("", b.stack.Kubeconfig)
	if err != nil {
		return nil, err
	}
	rc.QPS = -1 // no client throttle
	return dynamic.NewForConfig(rc)
}

func namespace(s size, i int) string { return fmt.Sprintf("bench-%d-%03d", s.Objects, i%s.Namespaces) }

// load creates the objects: the bare CREATE limit.
func (b *bench) load(ctx context.Context, s size) (time.Duration, error) {
	d, err := b.dynamic()
	if err != nil {
		return 0, err
	}
	for i := range s.Namespaces {
		obj := &unstructured.Unstructured{Object: map[string]any{
			"apiVersion": "v1", "kind": "Namespace",
			"metadata": map[string]any{"name": namespace(s, i)},
		}}
		if _, err := d.Resource(schema.GroupVersionResource{Version: "v1", Resource: "namespaces"}).Create(ctx, obj, metav1.CreateOptions{}); err != nil {
			return 0, err
		}
	}
	start := time.Now()
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(createWorkers)
	for i := range s.Objects {
		group.Go(func() error {
			gvr := loaded()[i%2]
			_, err := d.Resource(gvr).Namespace(namespace(s, i/2)).Create(ctx, object(gvr, s, i), metav1.CreateOptions{})
			return err
		})
	}
	err = group.Wait()
	return time.Since(start), err
}

// object is a ConfigMap of readable lines or a Secret of random bytes.
func object(gvr schema.GroupVersionResource, s size, i int) *unstructured.Unstructured {
	r := rand.New(rand.NewPCG(uint64(i), 1))
	obj := map[string]any{"apiVersion": "v1", "metadata": map[string]any{
		"name": fmt.Sprintf("object-%06d", i), "labels": map[string]any{"app": "bench", "tier": fmt.Sprint(i % 7)},
	}}
	if gvr.Resource == "configmaps" {
		obj["kind"], obj["data"] = "ConfigMap", map[string]any{"app.properties": lines(r, s.Bytes)}
	} else {
		raw := make([]byte, s.Bytes*3/4)
		for j := range raw {
			raw[j] = byte(r.Uint32())
		}
		obj["kind"], obj["type"], obj["data"] = "Secret", "Opaque", map[string]any{"token": base64.StdEncoding.EncodeToString(raw)}
	}
	return &unstructured.Unstructured{Object: obj}
}

func lines(r *rand.Rand, n int) string {
	var b strings.Builder
	for b.Len() < n {
		fmt.Fprintf(&b, "feature.%04x.enabled=%v timeout=%d\n", r.Uint32()&0xffff, r.IntN(2) == 0, r.IntN(90000))
	}
	return b.String()[:n]
}

// list is the bare LIST limit: paged, decoded, both types.
func (b *bench) list(ctx context.Context, s size) (time.Duration, error) {
	d, err := b.dynamic()
	if err != nil {
		return 0, err
	}
	start, n := time.Now(), 0
	for _, gvr := range loaded() {
		for next := ""; ; {
			page, err := d.Resource(gvr).List(ctx, metav1.ListOptions{Limit: 500, Continue: next})
			if err != nil {
				return 0, err
			}
			n += len(page.Items)
			if next = page.GetContinue(); next == "" {
				break
			}
		}
	}
	if n < s.Objects {
		return 0, fmt.Errorf("listed %d of %d objects", n, s.Objects)
	}
	return time.Since(start), nil
}

// settle is how long API server and controllers are left alone after a deletion:
// they go on working through it for some seconds, which would count against
// whoever creates next.
const settle = 20 * time.Second

// unload deletes the namespaces and waits until they are gone.
func (b *bench) unload(ctx context.Context, s size) error {
	d, err := b.dynamic()
	if err != nil {
		return err
	}
	ns := d.Resource(schema.GroupVersionResource{Version: "v1", Resource: "namespaces"})
	for i := range s.Namespaces {
		if err := ns.Delete(ctx, namespace(s, i), metav1.DeleteOptions{}); err != nil {
			return err
		}
	}
	for {
		left, err := ns.List(ctx, metav1.ListOptions{})
		if err != nil {
			return err
		}
		n := 0
		for _, item := range left.Items {
			if strings.HasPrefix(item.GetName(), "bench-") {
				n++
			}
		}
		if n == 0 {
			time.Sleep(settle)
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(200 * time.Millisecond):
		}
	}
}
