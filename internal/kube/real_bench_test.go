//go:build stack

package kube

import (
	"context"
	"encoding/json"
	"fmt"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/rest"
)

// peer is the bare dynamic client, without a throttle: what a tool gets that
// decodes objects.
func peer(b *testing.B) dynamic.ResourceInterface {
	b.Helper()
	cfg := rest.CopyConfig(realConfig(b))
	cfg.QPS = -1
	d, err := dynamic.NewForConfig(cfg)
	if err != nil {
		b.Fatal(err)
	}
	return d.Resource(schema.GroupVersionResource{Version: "v1", Resource: "configmaps"})
}

// reportPerObject replaces ns/op, which has no meaning for a run of n objects.
func reportPerObject(b *testing.B, objects int) {
	b.ReportMetric(float64(objects)*float64(b.N)/b.Elapsed().Seconds(), "objects/s")
	b.ReportMetric(0, "ns/op")
}

// BenchmarkRealList lists 10,000 ConfigMaps of 600 bytes.
func BenchmarkRealList(b *testing.B) {
	const n = 10000
	ctx, c := context.Background(), realClient(b, Options{})
	ns := newNamespace(b, c)
	if err := inParallel(64, n, func(i int) error {
		_, err := c.Create(ctx, configMaps(), ns, configMapBody(i, 400), CreateOptions{FieldValidation: "Ignore"})
		return err
	}); err != nil {
		b.Fatal(err)
	}
	b.Run("dynamic", func(b *testing.B) {
		d := peer(b).(dynamic.NamespaceableResourceInterface).Namespace(ns)
		b.ReportAllocs()
		for b.Loop() {
			o, count := metav1.ListOptions{Limit: 500}, 0
			for {
				l, err := d.List(ctx, o)
				if err != nil {
					b.Fatal(err)
				}
				count += len(l.Items)
				if o.Continue = l.GetContinue(); o.Continue == "" {
					break
				}
			}
			if count < n {
				b.Fatal(count)
			}
		}
		reportPerObject(b, n)
	})
	for _, o := range []Options{{Connections: 1}, {Connections: 2}, {Compression: true}} {
		c := realClient(b, o)
		b.Run(fmt.Sprintf("stream/connections=%d/gzip=%v", c.opts.Connections, o.Compression), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				res, err := c.ListAll(ctx, ListAllRequest{ListRequest: ListRequest{Resource: configMaps(), Namespace: ns}}, func(Item) error { return nil })
				if err != nil || res.Items < n {
					b.Fatal(res, err)
				}
			}
			reportPerObject(b, n)
		})
	}
	b.Run("stream/exact", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			at, err := c.Revision(ctx)
			if err != nil {
				b.Fatal(err)
			}
			if _, err := c.RevisionOf(ctx, configMaps()); err != nil { // as counting does
				b.Fatal(err)
			}
			req := ListRequest{Resource: configMaps(), Namespace: ns, ResourceVersion: at, ResourceVersionMatch: Exact}
			if res, err := c.ListAll(ctx, ListAllRequest{ListRequest: req}, func(Item) error { return nil }); err != nil || res.Items < n {
				b.Fatal(res, err)
			}
		}
		reportPerObject(b, n)
	})
}

// BenchmarkRealCreate creates 3,000 ConfigMaps of 600 bytes in each run.
func BenchmarkRealCreate(b *testing.B) {
	const n = 3000
	ctx := context.Background()
	run := func(name string, workers int, prepare func(b *testing.B, ns string) func(i int) error) {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				b.StopTimer()
				ns := newNamespace(b, realClient(b, Options{}))
				create := prepare(b, ns)
				b.StartTimer()
				if err := inParallel(workers, n, create); err != nil {
					b.Fatal(err)
				}
			}
			reportPerObject(b, n)
		})
	}
	dynamicCreate := func(b *testing.B, ns string) func(i int) error {
		d := peer(b).(dynamic.NamespaceableResourceInterface).Namespace(ns)
		return func(i int) error {
			var o unstructured.Unstructured
			if err := json.Unmarshal(configMapBody(i, 400), &o.Object); err != nil {
				return err
			}
			_, err := d.Create(ctx, &o, metav1.CreateOptions{})
			return err
		}
	}
	raw := func(o Options, w CreateOptions) func(b *testing.B, ns string) func(i int) error {
		return func(b *testing.B, ns string) func(i int) error {
			c := realClient(b, o)
			b.Cleanup(func() { b.Logf("limiter %+v", c.Limiter().Stats()) })
			return func(i int) error {
				_, err := c.Create(ctx, configMaps(), ns, configMapBody(i, 400), w)
				return err
			}
		}
	}
	lean := CreateOptions{FieldValidation: "Ignore"}
	run("dynamic/workers=32", 32, dynamicCreate)
	for _, conns := range []int{1, 2, 4} {
		run(fmt.Sprintf("raw/fixed=32/connections=%d", conns), 64, raw(Options{MinInFlight: 32, MaxInFlight: 32, Connections: conns}, CreateOptions{}))
	}
	run("raw/fixed=32/lean", 64, raw(Options{MinInFlight: 32, MaxInFlight: 32}, lean))
	for _, fixed := range []int{4, 8, 16, 64} {
		run(fmt.Sprintf("raw/fixed=%d/lean", fixed), 64, raw(Options{MinInFlight: fixed, MaxInFlight: fixed}, lean))
	}
	run("raw/adaptive/lean", 64, raw(Options{}, lean))
	run("dynamic/workers=32/again", 32, dynamicCreate)
}
