package kubetest_test

import (
	"errors"
	"slices"
	"testing"

	"github.com/lifeboat-backup/lifeboat/internal/kube"
	"github.com/lifeboat-backup/lifeboat/internal/kube/kubetest"
)

// TestExactLists: a list at a revision shows the objects of then, in all its pages.
func TestExactLists(t *testing.T) {
	t.Parallel()
	s := kubetest.Start(t, kubetest.WithTypesApart(1000, "secrets"))
	s.PutNamespaces("n")
	put := func(name, value string) {
		s.PutJSON(`{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"` + name + `","namespace":"n"},"data":{"x":"` + value + `"}}`)
	}
	for _, name := range []string{"a", "b", "c"} {
		put(name, "old")
	}
	c := s.Client()
	at, err := c.Revision(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	put("b", "new")
	put("d", "new")
	s.Remove(kube.ConfigMaps(), "n", "a")
	var names []string
	req := kube.ListAllRequest{ListRequest: kube.ListRequest{Resource: kube.ConfigMaps(), Limit: 2, ResourceVersion: at, ResourceVersionMatch: kube.Exact}}
	res, err := c.ListAll(t.Context(), req, func(it kube.Item) error {
		names = append(names, it.Name)
		return nil
	})
	if err != nil || !slices.Equal(names, []string{"a", "b", "c"}) || res.ResourceVersion != at {
		t.Errorf("%q, %+v, %v", names, res, err)
	}
	if it, err := c.GetAt(t.Context(), kube.ConfigMaps(), "n", "a", at); err != nil || it.Name != "a" || it.Namespace != "n" {
		t.Errorf("%+v, %v", it, err)
	}
	if _, err := c.GetAt(t.Context(), kube.ConfigMaps(), "n", "d", at); !kube.IsNotFound(err) {
		t.Errorf("an object of later: %v", err)
	}
	apart, err := c.RevisionOf(t.Context(), kube.Resource{Version: "v1", Name: "secrets", Kind: "Secret", Namespaced: true})
	if err != nil || len(apart) != 4 {
		t.Errorf("a type of another etcd is at %s, %v", apart, err)
	}
	s.Compact()
	for _, rv := range []string{at, apart, "no"} {
		req.ResourceVersion = rv
		if _, err := c.ListAll(t.Context(), req, func(kube.Item) error { return errors.New("shown") }); !kube.IsNotAtRevision(err) {
			t.Errorf("at %s: %v", rv, err)
		}
	}
}
