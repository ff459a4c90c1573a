//go:build stack

package kube

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"
)

// listedObjects is how many objects BenchmarkRealLists lists.
const listedObjects = 10_000

// BenchmarkRealLists compares whole lists of a type on an API server, by turns: plain ones, ones
// at a revision of just now, as an export behind snapshots asks for, and the same once the cache
// of the type has reached it. Before each list another type is written to, as the objects of
// snapshots are. It reports medians, and their ratios to plain lists.
func BenchmarkRealLists(b *testing.B) {
	ctx, c := context.Background(), realClient(b, Options{})
	ns := newNamespace(b, c)
	createListed(b, c, ns)
	kinds := map[string]func() (revision string){
		"plain":   func() string { return "" },
		"exact":   func() string { return revisionNow(b, c) },
		"reached": func() string { return reachedRevision(b, c) },
	}
	took := map[string][]time.Duration{}
	for n := 0; b.Loop(); n++ {
		for kind, revision := range kinds {
			body := fmt.Appendf(nil, `{"metadata":{"labels":{"written":"w%d-%s"}}}`, n, kind)
			if _, err := c.Patch(ctx, Namespaces(), "", ns, PatchMerge, body, PatchOptions{}); err != nil {
				b.Fatal(err)
			}
			began, found := time.Now(), 0
			req := ListAllRequest{ListRequest: ListRequest{Resource: configMaps(), Namespace: ns}}
			if at := revision(); at != "" {
				req.ResourceVersion, req.ResourceVersionMatch = at, Exact
			}
			if _, err := c.ListAll(ctx, req, func(Item) error { found++; return nil }); err != nil || found < listedObjects {
				b.Fatal(found, err)
			}
			took[kind] = append(took[kind], time.Since(began))
		}
	}
	plain := median(took["plain"])
	for kind, all := range took {
		b.ReportMetric(float64(median(all).Milliseconds()), kind+"-ms")
		b.ReportMetric(float64(median(all))/float64(plain), kind+"/plain")
	}
}

func median(all []time.Duration) time.Duration {
	slices.Sort(all)
	return all[len(all)/2]
}

func revisionNow(b *testing.B, c *Client) string {
	b.Helper()
	at, err := c.Revision(context.Background())
	if err != nil {
		b.Fatal(err)
	}
	return at
}

// reachedRevision is one that the cache of the listed type has reached: a count makes it do so.
func reachedRevision(b *testing.B, c *Client) string {
	b.Helper()
	at := revisionNow(b, c)
	if _, err := c.RevisionOf(context.Background(), configMaps()); err != nil {
		b.Fatal(err)
	}
	return at
}

func createListed(b *testing.B, c *Client, ns string) {
	b.Helper()
	var wg sync.WaitGroup
	for part := range 16 {
		wg.Go(func() {
			for i := part; i < listedObjects; i += 16 {
				body := fmt.Appendf(nil, `{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"listed-%d"},"data":{"k":%q}}`, i, fmt.Sprintf("%0600d", i))
				if _, err := c.Create(context.Background(), configMaps(), ns, body, CreateOptions{}); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
}
