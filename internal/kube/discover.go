package kube

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/rest"

	"github.com/lifeboat-backup/lifeboat/internal/poll"
)

// Discover asks the server what it serves: two requests with aggregated
// discovery, one for each group version on servers without. A group that does
// not answer is a Failure in the Catalog; the error is for a server that
// does not answer at all. A server that is only starting is waited for: it would
// leave out types that it is about to serve, custom ones above all.
func (c *Client) Discover(ctx context.Context) (Catalog, error) {
	if err := c.Ping(ctx); err != nil {
		return Catalog{}, fmt.Errorf("discover: %w", err)
	}
	d, err := c.discoveryClient()
	if err != nil {
		return Catalog{}, fmt.Errorf("discover: %w", err)
	}
	var cat Catalog
	ask := func() (err error) {
		cat, err = c.askCatalog(ctx, d)
		return err
	}
	get := call{method: http.MethodGet}
	if err = ask(); isRefusal(get, err) {
		err = c.doubtRefusal(ctx, get, err, ask)
	}
	if err != nil {
		return Catalog{}, fmt.Errorf("discover: %w", err)
	}
	c.explainFailures(ctx, &cat)
	return cat, nil
}

// askCatalog asks once for the types of all groups and the version of the server.
func (c *Client) askCatalog(ctx context.Context, d *discovery.DiscoveryClient) (Catalog, error) {
	var cat Catalog
	err := c.retryCall(ctx, "list resource types", func() error {
		groups, lists, err := d.ServerGroupsAndResourcesWithContext(ctx)
		var partial *discovery.ErrGroupDiscoveryFailed
		if err != nil && !errors.As(err, &partial) {
			return unlessAnswered(err)
		}
		cat = newCatalog(groups, lists)
		if partial != nil {
			cat.Failures = groupFailures(partial.Groups)
		}
		return nil
	})
	if err != nil {
		return Catalog{}, err
	}
	v, err := d.ServerVersionWithContext(ctx)
	if err != nil {
		return Catalog{}, fmt.Errorf("read server version: %w", err)
	}
	cat.ServerVersion = ServerVersion{GitVersion: v.GitVersion, Major: v.Major, Minor: v.Minor}
	return cat, nil
}

func (c *Client) discoveryClient() (*discovery.DiscoveryClient, error) {
	cfg := rest.CopyConfig(c.cfg)
	cfg.Timeout = c.opts.Timeout
	return discovery.NewDiscoveryClientForConfigAndClient(cfg, c.nextConnection())
}

// retryCall is the retry loop of calls that client-go performs.
func (c *Client) retryCall(ctx context.Context, what string, try func() error) error {
	retry := newRetry(c.opts.RetryFor)
	for {
		err := try()
		if err == nil {
			return nil
		}
		wait, again := retry.nextWait(err)
		if !again || ctx.Err() != nil {
			return fmt.Errorf("%s: %w", what, err)
		}
		if err := poll.Wait(ctx, wait); err != nil {
			return fmt.Errorf("%s: %w", what, err)
		}
	}
}

// unlessAnswered marks an error as a lost connection unless it is the server's answer.
func unlessAnswered(err error) error {
	var status *StatusError
	if errors.As(err, &status) {
		return err
	}
	return markLost(err)
}

// newCatalog keeps, for each type of each group, the version that the server
// names first among those that have the type. Of sub-resources it notes the status.
func newCatalog(groups []*metav1.APIGroup, lists []*metav1.APIResourceList) Catalog {
	byVersion := map[string]*metav1.APIResourceList{}
	for _, l := range lists {
		byVersion[l.GroupVersion] = l
	}
	cat := Catalog{
		places: map[string]int{}, kinds: map[schema.GroupKind]int{},
		versions: map[string][]string{}, status: map[string]bool{},
	}
	for _, g := range groups {
		for _, v := range preferredFirst(g) {
			if l := byVersion[v.GroupVersion]; l != nil {
				cat.addTypes(g.Name, v.Version, l.APIResources)
			}
		}
	}
	return cat
}

func preferredFirst(g *metav1.APIGroup) []metav1.GroupVersionForDiscovery {
	vs := slices.Clone(g.Versions)
	slices.SortStableFunc(vs, func(a, b metav1.GroupVersionForDiscovery) int {
		switch g.PreferredVersion.Version {
		case a.Version:
			return -1
		case b.Version:
			return 1
		}
		return 0
	})
	return vs
}

func (cat *Catalog) addTypes(group, version string, list []metav1.APIResource) {
	for _, r := range list {
		if name, sub, ok := strings.Cut(r.Name, "/"); ok {
			if sub == "status" {
				cat.status[Resource{Group: group, Name: name}.GroupResource()+"/"+version] = true
			}
			continue
		}
		res := Resource{
			Group: group, Version: version, Name: r.Name, Singular: r.SingularName, Kind: r.Kind,
			ShortNames: r.ShortNames, Namespaced: r.Namespaced, Verbs: r.Verbs,
		}
		if res.Singular == "" {
			res.Singular = strings.ToLower(r.Kind)
		}
		key := res.GroupResource()
		if len(cat.versions[key]) == 0 {
			cat.addPreferred(key, res)
		}
		cat.versions[key] = append(cat.versions[key], version)
	}
}

// addPreferred adds a type in the version that the server prefers. Of types of the same kind
// the first is the one that is meant by it.
func (cat *Catalog) addPreferred(groupResource string, r Resource) {
	cat.places[groupResource] = len(cat.Resources)
	kind := schema.GroupKind{Group: r.Group, Kind: r.Kind}
	if _, known := cat.kinds[kind]; !known {
		cat.kinds[kind] = len(cat.Resources)
	}
	cat.Resources = append(cat.Resources, r)
}

// groupFailures names each group once, with the versions that do not answer.
func groupFailures(failed map[schema.GroupVersion]error) []GroupFailure {
	var out []GroupFailure
	for gv, err := range failed {
		out = append(out, GroupFailure{Group: gv.Group, Version: gv.Version, Reason: err.Error()})
	}
	slices.SortFunc(out, func(a, b GroupFailure) int {
		return strings.Compare(a.Group+"/"+a.Version, b.Group+"/"+b.Version)
	})
	return out
}
