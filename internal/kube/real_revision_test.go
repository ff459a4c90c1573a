//go:build stack

package kube

import (
	"context"
	"fmt"
	"strconv"
	"sync"
	"testing"
	"time"
)

// TestRealExactLists: on an API server, lists at one revision are of one moment, whatever
// writers do meanwhile; types of the cluster's etcd are of one sequence; a single object can
// be read at the revision; a revision of the future is told from one that can be shown.
func TestRealExactLists(t *testing.T) {
	ctx, c := context.Background(), realClient(t, Options{RetryFor: 3 * time.Second, PageSize: 3})
	ns := newNamespace(t, c)
	types := []Resource{
		configMaps(),
		{Version: "v1", Name: "secrets", Kind: "Secret", Namespaced: true},
		{Version: "v1", Name: "serviceaccounts", Kind: "ServiceAccount", Namespaced: true},
		{Group: "coordination.k8s.io", Version: "v1", Name: "leases", Kind: "Lease", Namespaced: true},
	}
	const objects = 7
	body := func(r Resource, i, step int) []byte {
		return fmt.Appendf(nil, `{"apiVersion":%q,"kind":%q,"metadata":{"name":"part-%d","labels":{"step":"s%d"}}}`, r.APIVersion(), r.Kind, i, step)
	}
	for _, r := range types {
		for i := range objects {
			if _, err := c.Create(ctx, r, ns, body(r, i, 0), CreateOptions{}); err != nil {
				t.Fatal(err)
			}
		}
	}
	writing, stop := context.WithCancel(ctx)
	var writer sync.WaitGroup
	writer.Go(func() {
		for step := 1; writing.Err() == nil; step++ {
			for _, r := range types {
				for i := range objects {
					if _, err := c.Patch(ctx, r, ns, fmt.Sprint("part-", i), PatchMerge, body(r, i, step), PatchOptions{}); err != nil {
						t.Error(err)
						return
					}
				}
			}
		}
	})
	defer writer.Wait()
	defer stop()
	torn := map[bool]int{}
	for n := range 100 {
		exact := n%2 == 0
		at, err := c.Revision(ctx)
		if err != nil {
			t.Fatal(err)
		}
		var steps []int
		for _, r := range types {
			req := ListAllRequest{ListRequest: ListRequest{Resource: r, Namespace: ns, LabelSelector: "step"}}
			if exact {
				req.ResourceVersion, req.ResourceVersionMatch = at, Exact
			}
			res, err := c.ListAll(ctx, req, func(it Item) error {
				step, err := strconv.Atoi(it.Labels["step"][1:])
				steps = append(steps, step)
				return err
			})
			if err != nil || exact && res.ResourceVersion != at {
				t.Fatalf("%s at %s: %+v, %v", r.GroupResource(), at, res, err)
			}
		}
		for i := range steps {
			if steps[i] > steps[max(0, i-1)] || steps[i] < steps[0]-1 {
				torn[exact]++
				break
			}
		}
	}
	if torn[true] > 0 {
		t.Errorf("%d of 50 are torn", torn[true])
	}
	t.Logf("plain lists: %d of 50 are torn", torn[false])
	before, err := c.Revision(ctx)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range types {
		at, err := c.RevisionOf(ctx, r)
		after, err2 := c.Revision(ctx)
		from, _ := strconv.Atoi(before)
		is, _ := strconv.Atoi(at)
		to, _ := strconv.Atoi(after)
		if err != nil || err2 != nil || is < from || is > to {
			t.Errorf("%s is at %s, between %s and %s; %v, %v", r.GroupResource(), at, before, after, err, err2)
		}
	}
	if it, err := c.GetAt(ctx, types[1], ns, "part-3", before); err != nil || it.Name != "part-3" || it.Namespace != ns {
		t.Errorf("%+v, %v", it, err)
	}
	if _, err := c.GetAt(ctx, types[1], ns, "nothing", before); !IsNotFound(err) {
		t.Error(err)
	}
	for _, at := range []string{"1", "99999999999"} {
		_, err := c.ListPage(ctx, ListRequest{Resource: types[0], ResourceVersion: at, ResourceVersionMatch: Exact}, func(Item) error { return nil })
		t.Logf("at %s: %v", at, err)
		if at != "1" && !IsNotAtRevision(err) {
			t.Errorf("a revision of the future: %v", err)
		}
	}
}
