package kube

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// listNames lists everything and returns the names in the order of delivery.
func listNames(t *testing.T, c *Client, r ListAllRequest) ([]string, ListResult, error) {
	t.Helper()
	r.Resource = configMaps()
	if r.Limit == 0 {
		r.Limit = 10
	}
	var names []string
	res, err := c.ListAll(context.Background(), r, func(it Item) error {
		names = append(names, it.Name)
		return nil
	})
	return names, res, err
}

func TestListAllPages(t *testing.T) {
	s := &pagedServer{names: manyNames(35), rv: 5}
	c := serve(t, s.ServeHTTP)
	var tokens []string
	names, res, err := listNames(t, c, ListAllRequest{AfterPage: func(p Page) error {
		tokens = append(tokens, p.Continue)
		return nil
	}})
	if err != nil || !slices.Equal(names, s.names) {
		t.Fatalf("%d names, %v", len(names), err)
	}
	if res.Items != 35 || res.Pages != 4 || res.Inconsistent || res.ResourceVersion != "5" {
		t.Errorf("result %+v", res)
	}
	if want := []string{"5/10", "5/20", "5/30", ""}; !slices.Equal(tokens, want) {
		t.Errorf("tokens %q, want %q", tokens, want)
	}
	resumed, _, err := listNames(t, c, ListAllRequest{ListRequest: ListRequest{Continue: tokens[1]}})
	if err != nil || !slices.Equal(resumed, s.names[20:]) {
		t.Errorf("resumed from a token: %q, %v", resumed, err)
	}
}

func TestListPageCompletesItems(t *testing.T) {
	items := map[string]string{
		`{"metadata":{"name":"a"}}`:            `{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"a"}}`,
		`{ }`:                                  `{"apiVersion":"v1","kind":"ConfigMap" }`,
		`{"kind":"X","metadata":{"name":"a"}}`: `{"apiVersion":"v1","kind":"X","metadata":{"name":"a"}}`,
		`{"apiVersion":"y/v2","metadata":{"name":"a"}}`:                  `{"kind":"ConfigMap","apiVersion":"y/v2","metadata":{"name":"a"}}`,
		`{"apiVersion":"y/v2","kind":"X","metadata":{"name":"a"},"d":1}`: `{"apiVersion":"y/v2","kind":"X","metadata":{"name":"a"},"d":1}`,
	}
	for in, want := range items {
		c := serve(t, func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintf(w, `{"items":[%s,%s]}`, in, in) })
		calls := 0
		_, err := c.ListPage(context.Background(), ListRequest{Resource: configMaps()}, func(it Item) error {
			calls++
			if string(it.Raw) != want || !json.Valid(it.Raw) {
				t.Errorf("%s became %s", in, it.Raw)
			}
			return nil
		})
		if err != nil && in != `{ }` || calls == 0 {
			t.Errorf("%s: %d calls, %v", in, calls, err)
		}
	}
}

func TestListPageReadsMetadata(t *testing.T) {
	c := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, `{"items":[{"metadata":{"name":"a","namespace":"n","uid":"u","resourceVersion":"3","labels":{"k":"v"},"ownerReferences":[{"uid":"x"}],"deletionTimestamp":"2026-01-01T00:00:00Z"}},{"metadata":{"name":"b","labels":{}}}]}`)
	})
	var got []Item
	if _, err := c.ListPage(context.Background(), ListRequest{Resource: configMaps()}, func(it Item) error {
		it.OwnerRefs = slices.Clone(it.OwnerRefs)
		got = append(got, it)
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	a, b := got[0], got[1]
	if a.Name != "a" || a.Namespace != "n" || a.UID != "u" || a.ResourceVersion != "3" || a.Labels["k"] != "v" || string(a.OwnerRefs) != `[{"uid":"x"}]` || !a.Deleting {
		t.Errorf("first item %+v", a)
	}
	if b.Name != "b" || b.Namespace != "" || b.UID != "" || b.Labels != nil || b.OwnerRefs != nil || b.Deleting {
		t.Errorf("second item %+v", b)
	}
}

func TestListQuery(t *testing.T) {
	s := &pagedServer{names: manyNames(1), rv: 1}
	c := serve(t, s.ServeHTTP)
	req := ListRequest{Resource: Resource{Group: "apps", Version: "v1", Name: "deployments"}, Namespace: "a", LabelSelector: "x in (1,2)", FieldSelector: "metadata.name=z", ResourceVersion: "0", ResourceVersionMatch: "NotOlderThan"}
	_, _ = c.ListPage(context.Background(), req, func(Item) error { return nil })
	req.Continue = "1/0"
	_, _ = c.ListPage(context.Background(), req, func(Item) error { return nil })
	want := []string{
		"/apis/apps/v1/namespaces/a/deployments?fieldSelector=metadata.name%3Dz&labelSelector=x+in+%281%2C2%29&limit=500&resourceVersion=0&resourceVersionMatch=NotOlderThan",
		"/apis/apps/v1/namespaces/a/deployments?continue=1%2F0&fieldSelector=metadata.name%3Dz&labelSelector=x+in+%281%2C2%29&limit=500",
	}
	if !slices.Equal(s.requests, want) {
		t.Errorf("requests\n%q, want\n%q", s.requests, want)
	}
}

// expire answers the nth request with 410 and the extra metadata.
func expire(n int, extra string) func(http.ResponseWriter, *http.Request, int) bool {
	return func(w http.ResponseWriter, _ *http.Request, at int) bool {
		if at != n {
			return false
		}
		writeStatus(w, http.StatusGone, "Expired", "too old", extra)
		return true
	}
}

func TestListAllResumesExpired(t *testing.T) {
	s := &pagedServer{names: manyNames(30), rv: 5}
	expired := expire(3, `"continue":"9/21"`)
	s.intercept = func(w http.ResponseWriter, r *http.Request, n int) bool {
		if n == 3 { // one object was created in the part that was read already
			s.names = slices.Insert(s.names, 5, "c0004b")
			s.rv = 9
		}
		return expired(w, r, n)
	}
	names, res, err := listNames(t, serve(t, s.ServeHTTP), ListAllRequest{})
	if err != nil || !res.Inconsistent || res.Recovered != 1 || res.Items != 31 {
		t.Fatalf("result %+v, %v", res, err)
	}
	if names[30] != "c0004b" {
		t.Errorf("the missed object was not found: last is %s", names[30])
	}
	slices.Sort(names)
	if !slices.Equal(names, s.names) {
		t.Errorf("names %q", names)
	}
}

func TestListAllResumedFromOutsideAndExpired(t *testing.T) {
	resumed := func(known func(ns, name string) bool) ([]string, ListResult, error) {
		s := &pagedServer{names: manyNames(30), rv: 5, intercept: expire(1, `"continue":"9/20"`)}
		return listNames(t, serve(t, s.ServeHTTP), ListAllRequest{ListRequest: ListRequest{Continue: "5/20"}, Known: known})
	}
	if _, _, err := resumed(nil); !errors.Is(err, ErrExpired) {
		t.Errorf("without knowledge of what was delivered: %v, want ErrExpired", err)
	}
	names, res, err := resumed(func(_, name string) bool { return name < "c0020" && name != "c0007" })
	if err != nil || res.Recovered != 1 || names[len(names)-1] != "c0007" || len(names) != 11 {
		t.Errorf("with knowledge: %q %+v, %v", names, res, err)
	}
}

func TestListExpiredForGood(t *testing.T) {
	s := &pagedServer{names: manyNames(30), rv: 5, intercept: expire(2, "")}
	if _, _, err := listNames(t, serve(t, s.ServeHTTP), ListAllRequest{}); !errors.Is(err, ErrExpired) {
		t.Errorf("error %v, want ErrExpired", err)
	}
}

func TestListAllShort(t *testing.T) {
	s := &pagedServer{names: manyNames(30), rv: 5, lie: 2}
	_, _, err := listNames(t, serve(t, s.ServeHTTP), ListAllRequest{})
	if !errors.Is(err, ErrShortList) || !strings.Contains(err.Error(), "30 of 32") {
		t.Errorf("error %v, want ErrShortList", err)
	}
	if _, _, err = listNames(t, serve(t, s.ServeHTTP), ListAllRequest{ListRequest: ListRequest{LabelSelector: "a=b"}}); err != nil {
		t.Errorf("a selector makes the count meaningless: %v", err)
	}
	// Pages of different states cannot be added up.
	s.intercept = func(_ http.ResponseWriter, r *http.Request, _ int) bool {
		r.URL.RawQuery = strings.Replace(r.URL.RawQuery, "continue=5", "continue=6", 1)
		return false
	}
	if _, _, err = listNames(t, serve(t, s.ServeHTTP), ListAllRequest{}); err != nil {
		t.Errorf("pages of two states were counted: %v", err)
	}
}

func TestListPageBrokenOff(t *testing.T) {
	// The first answers break off after some items; no item may come twice.
	s := &pagedServer{names: manyNames(30), rv: 5}
	s.intercept = func(w http.ResponseWriter, _ *http.Request, n int) bool {
		if n > 2 {
			return false
		}
		fmt.Fprintf(w, `{"items":[{"metadata":{"name":"c0000","namespace":"n"}},{"metadata":{"name":"c000%d","namespace":"n"}},{"meta`, n)
		return true
	}
	names, res, err := listNames(t, serve(t, s.ServeHTTP), ListAllRequest{})
	if err != nil || !slices.Equal(names, s.names) || res.Items != 30 {
		t.Errorf("names %q, %+v, %v", names, res, err)
	}
}

func TestListStopsAtCallbackError(t *testing.T) {
	stop := errors.New("disk full")
	s := &pagedServer{names: manyNames(30), rv: 5}
	c := serve(t, s.ServeHTTP)
	_, err := c.ListPage(context.Background(), ListRequest{Resource: configMaps()}, func(Item) error { return stop })
	if !errors.Is(err, stop) || len(s.requests) != 1 {
		t.Errorf("%v after %d requests", err, len(s.requests))
	}
	_, _, err = listNames(t, c, ListAllRequest{AfterPage: func(Page) error { return stop }})
	if !errors.Is(err, stop) {
		t.Errorf("AfterPage's error came back as %v", err)
	}
}

func TestCount(t *testing.T) {
	s := &pagedServer{names: manyNames(37), rv: 5}
	c := serve(t, s.ServeHTTP)
	n, _, err := c.Count(context.Background(), configMaps(), "")
	if err != nil || n != 37 || len(s.requests) != 1 {
		t.Errorf("%d objects, %d requests, %v", n, len(s.requests), err)
	}
	s.lie = 1000 // a server that announces nothing is counted page by page
	c2 := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Query().Get("continue") != "" {
			fmt.Fprint(w, `{"items":[{},{}]}`)
			return
		}
		fmt.Fprint(w, `{"metadata":{"continue":"x"},"items":[{"metadata":{"name":"a"}}]}`)
	})
	if n, _, err = c2.Count(context.Background(), configMaps(), "n"); err != nil || n != 3 {
		t.Errorf("%d objects without remainingItemCount, %v", n, err)
	}
}

func TestNamespaces(t *testing.T) {
	c := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, `{"items":[{"metadata":{"name":"a","labels":{"x":"y"}},"status":{"phase":"Active"}},{"metadata":{"name":"b","deletionTimestamp":"2026-01-01T00:00:00Z"},"status":{"phase":"Terminating"}}]}`)
	})
	ns, err := c.Namespaces(context.Background())
	if err != nil || len(ns) != 2 || ns[0].Name != "a" || ns[0].Labels["x"] != "y" || ns[0].Phase != "Active" || ns[0].Deleting || !ns[1].Deleting {
		t.Errorf("%+v, %v", ns, err)
	}
}

// TestPagesThatAreCutOff: an API server ends a response after a minute. A page that is too
// large for that is asked for with fewer objects, each of which is shown once.
func TestPagesThatAreCutOff(t *testing.T) {
	s := &pagedServer{names: manyNames(95), rv: 5}
	const room = 7 // objects that a response has time for
	s.intercept = func(w http.ResponseWriter, r *http.Request, _ int) bool {
		limit, _ := strconv.Atoi(r.URL.Query().Get("limit"))
		if limit <= room {
			return false
		}
		rec := httptest.NewRecorder()
		s.page(rec, r)
		body := rec.Body.Bytes()
		cut := len(body) * room / limit
		_, _ = w.Write(body[:cut])
		w.(http.Flusher).Flush()
		panic(http.ErrAbortHandler)
	}
	c := serve(t, s.ServeHTTP)
	c.opts.RetryFor = 20 * time.Millisecond // far less than the pages take
	var marks []string
	var delivered []int
	seen := 0
	req := ListAllRequest{AfterPage: func(p Page) error {
		marks, delivered = append(marks, p.Continue), append(delivered, seen)
		return nil
	}}
	req.Resource, req.Limit = configMaps(), 40
	var names []string
	res, err := c.ListAll(context.Background(), req, func(it Item) error {
		names = append(names, it.Name)
		seen++
		return nil
	})
	if err != nil || !slices.Equal(names, s.names) || res.Items != len(s.names) {
		t.Fatalf("%d of %d objects, %+v, %v", len(names), len(s.names), res, err)
	}
	for i, mark := range marks {
		if want := fmt.Sprintf("5/%d", delivered[i]); mark != want && mark != "" {
			t.Errorf("the list can be resumed at %s, where %s is shown", mark, want)
		}
	}
	if marks[len(marks)-1] != "" {
		t.Errorf("marks %q", marks)
	}
}

// TestNextLimit: pages are aimed at a size in bytes.
func TestNextLimit(t *testing.T) {
	w := &listRun{c: &Client{opts: Options{PageSize: 500}}}
	for _, tt := range []struct {
		page Page
		want int64
	}{
		{Page{Items: 500, Bytes: 500 << 10, limit: 500}, 500},
		{Page{Items: 500, Bytes: 500 << 20, limit: 500}, 32},
		{Page{Items: 32, Bytes: 32 << 20, limit: 32}, 32},
		{Page{Items: 32, Bytes: 1 << 20, limit: 32}, 64},
		{Page{Items: 1, Bytes: 60 << 20, limit: 1}, 1},
		{Page{limit: 500}, 500},
	} {
		if got := w.nextLimit(tt.page); got != tt.want {
			t.Errorf("%+v: %d, want %d", tt.page, got, tt.want)
		}
	}
}

// TestListThatBecameInconsistentCannotBeResumed: nothing tells later that it went on in a
// newer state, and what it passed by.
func TestListThatBecameInconsistentCannotBeResumed(t *testing.T) {
	s := &pagedServer{names: manyNames(35), rv: 5}
	s.intercept = func(w http.ResponseWriter, r *http.Request, _ int) bool {
		expired := r.URL.Query().Get("continue") == "5/10"
		if expired {
			s.rv = 9
			writeStatus(w, 410, "Expired", "expired", `"continue":"9/10"`)
		}
		return expired
	}
	c := serve(t, s.ServeHTTP)
	var marks []string
	_, res, err := listNames(t, c, ListAllRequest{AfterPage: func(p Page) error {
		marks = append(marks, p.Continue)
		return nil
	}})
	if err != nil || !res.Inconsistent || !slices.Equal(marks, []string{"5/10"}) {
		t.Errorf("%+v, marks %q, %v", res, marks, err)
	}
}
