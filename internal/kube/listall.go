package kube

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"net/http"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// ListAllRequest says what to list and how to follow the list.
type ListAllRequest struct {
	ListRequest
	// AfterPage is called after pages behind which a list that is broken off can be
	// resumed, from page.Continue, with their items all delivered. Once a token has
	// expired there are none: what the list has passed by would be forgotten.
	AfterPage func(page Page) error
	// Known reports, when a list is resumed from a token, whether an object was
	// delivered before. Without it a resumed list whose token has expired ends
	// in ErrExpired, as nothing could tell what is missing.
	Known func(namespace, name string) bool
	// TooLarge is called for an object that is not delivered because it is too large; nil
	// ends the list with ErrTooLarge.
	TooLarge func(namespace, name string, err error)
}

// ListResult says how a whole list went.
type ListResult struct {
	Items, Pages int
	// ResourceVersion is the state that the last page showed.
	ResourceVersion string
	// Inconsistent says that a token had expired on the way.
	Inconsistent bool
	// Recovered is how many of Items were found by the list of names that
	// follows an expired token.
	Recovered int
}

// ListAll streams every object to fn, page by page. The number of objects is
// held against the number that the server announced (ErrShortList). After an
// expired token a second list, of names only, finds objects that the resumed
// list has passed by. An error leaves objects delivered; listing again delivers
// them again.
func (c *Client) ListAll(ctx context.Context, r ListAllRequest, fn func(Item) error) (ListResult, error) {
	w := &listRun{c: c, req: r, fn: fn, seed: maphash.MakeSeed(), seen: map[uint64]struct{}{}, expect: -1}
	err := w.listPages(ctx)
	if err == nil && w.res.Inconsistent {
		err = w.fetchMissed(ctx)
	}
	if err == nil {
		err = w.checkCount()
	}
	return w.res, err
}

// listRun is one run of ListAll.
type listRun struct {
	c   *Client
	req ListAllRequest
	fn  func(Item) error
	res ListResult
	// seen holds a hash of every delivered name: 8 bytes an object, so that
	// memory stays flat. Two names share a hash once in 10^9 lists of 100,000.
	seed   maphash.Seed
	seen   map[uint64]struct{}
	expect int // objects announced by the first page; -1 when it cannot be told
	rv     string
}

func (w *listRun) listPages(ctx context.Context) error {
	next := w.req.ListRequest
	for {
		page, err := w.c.ListPage(ctx, next, w.deliverItem)
		if errors.Is(err, ErrTooLarge) && w.req.TooLarge != nil {
			page, err = w.listSingly(ctx, next)
		}
		w.res.Items += page.Items
		w.res.Inconsistent = w.res.Inconsistent || page.Inconsistent
		if err != nil {
			return err
		}
		if page.Inconsistent && w.req.Continue != "" && w.req.Known == nil {
			return fmt.Errorf("list %s: %w", next.Resource.objectRef(next.Namespace, ""), ErrExpired)
		}
		w.noteAnnounced(page)
		if w.req.AfterPage != nil && !w.res.Inconsistent && len(page.ahead) == 0 {
			if err := w.req.AfterPage(page); err != nil {
				return fmt.Errorf("after a page of %s: %w", next.Resource.GroupResource(), err)
			}
		}
		if page.Continue == "" {
			return nil
		}
		next.Continue, next.shown = page.Continue, page.ahead
		next.Limit = w.nextLimit(page)
	}
}

// pageBytes is the size that pages are aimed at. The API server ends a response after a
// minute, and those of Secrets of a megabyte would be 500 times as large.
const pageBytes = 32 << 20

// nextLimit is how many objects the page after this one is to have.
func (w *listRun) nextLimit(page Page) int64 {
	most := cmp.Or(w.req.Limit, w.c.opts.PageSize)
	if page.limit < most {
		most = min(most, 2*page.limit) // pages were lost: more objects again bit by bit
	}
	if page.Bytes == 0 {
		return most
	}
	return max(1, min(most, pageBytes*int64(page.Items)/page.Bytes))
}

// listSingly lists the names of a page and reads the objects that were not delivered one by
// one, so that one that is too large costs no other.
func (w *listRun) listSingly(ctx context.Context, r ListRequest) (Page, error) {
	r.MetadataOnly = true
	var names []objectKey
	page, err := w.c.ListPage(ctx, r, func(it Item) error {
		if _, seen := w.seen[w.hashName(it.Namespace, it.Name)]; !seen {
			names = append(names, objectKey{it.Namespace, it.Name})
		}
		return nil
	})
	if err != nil {
		return page, err
	}
	for _, key := range names {
		if _, err := w.fetchItem(ctx, key); err != nil {
			return page, err
		}
	}
	return page, nil
}

// fetchItem reads one object and delivers it. It reports false for one that is gone or too
// large.
func (w *listRun) fetchItem(ctx context.Context, key objectKey) (bool, error) {
	it, err := w.c.GetItem(ctx, w.req.Resource, key.namespace, key.name)
	switch {
	case IsNotFound(err):
		return false, nil
	case errors.Is(err, ErrTooLarge) && w.req.TooLarge != nil:
		w.req.TooLarge(key.namespace, key.name, err)
		return false, nil
	case err != nil:
		return false, err
	}
	return true, w.deliverItem(it)
}

func (w *listRun) deliverItem(it Item) error {
	if err := w.fn(it); err != nil {
		return err
	}
	w.seen[w.hashName(it.Namespace, it.Name)] = struct{}{}
	return nil
}

func (w *listRun) hashName(ns, name string) uint64 {
	var h maphash.Hash
	h.SetSeed(w.seed)
	_, _ = h.WriteString(ns) // never fails
	_ = h.WriteByte('/')
	_, _ = h.WriteString(name)
	return h.Sum64()
}

// noteAnnounced notes what the first page says about the whole, and gives it up
// when a later page shows another state.
func (w *listRun) noteAnnounced(page Page) {
	w.res.Pages++
	w.res.ResourceVersion = page.ResourceVersion
	switch {
	case w.res.Pages == 1:
		w.rv = page.ResourceVersion
		if page.Remaining != nil && w.req.LabelSelector == "" && w.req.FieldSelector == "" {
			w.expect = page.Items + int(*page.Remaining)
		}
	case page.ResourceVersion != w.rv:
		w.expect = -1
	}
}

func (w *listRun) checkCount() error {
	if w.expect >= 0 && w.res.Items < w.expect {
		return fmt.Errorf("list %s: got %d of %d objects: %w", w.req.Resource.objectRef(w.req.Namespace, ""), w.res.Items, w.expect, ErrShortList)
	}
	return nil
}

// fetchMissed lists names only and fetches the objects that were not delivered.
// An object that is gone by then did not live through the list.
func (w *listRun) fetchMissed(ctx context.Context) error {
	missed, err := w.listMissed(ctx)
	if err != nil {
		return err
	}
	for _, key := range missed {
		found, err := w.fetchItem(ctx, key)
		if err != nil {
			return err
		}
		if found {
			w.res.Items++
			w.res.Recovered++
		}
	}
	return nil
}

// listMissed lists the names that neither this run nor the one it resumes has
// delivered. A token that expires here makes the list of names begin anew.
func (w *listRun) listMissed(ctx context.Context) ([]objectKey, error) {
	look := w.req.ListRequest
	look.Continue, look.ResourceVersion, look.ResourceVersionMatch = "", "", ""
	look.MetadataOnly = true
	look.Limit = 0
	var missed []objectKey
	for {
		page, err := w.c.ListPage(ctx, look, func(it Item) error {
			_, seen := w.seen[w.hashName(it.Namespace, it.Name)]
			if !seen && (w.req.Known == nil || !w.req.Known(it.Namespace, it.Name)) {
				missed = append(missed, objectKey{it.Namespace, it.Name})
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
		if page.Continue == "" {
			return missed, nil
		}
		look.Continue = page.Continue
	}
}

// Revision is the state of the cluster that lists show now.
func (c *Client) Revision(ctx context.Context) (string, error) {
	return c.RevisionOf(ctx, Namespaces())
}

// RevisionOf is the state that a list of a type shows now. It is of the cluster's sequence
// unless the type is that of an aggregated API or in an etcd of its own.
func (c *Client) RevisionOf(ctx context.Context, r Resource) (string, error) {
	page, err := c.ListPage(ctx, ListRequest{Resource: r, Limit: 1, MetadataOnly: true}, func(Item) error { return nil })
	return page.ResourceVersion, err
}

// IsNotAtRevision reports whether a list failed for the revision that it was to show: the
// server has forgotten it, has not reached it, or does not know how to show one.
func IsNotAtRevision(err error) bool {
	return errors.Is(err, ErrExpired) || IsInvalid(err) || apierrors.HasStatusCause(err, metav1.CauseTypeResourceVersionTooLarge)
}

// GetAt is GetItem of the object as it was at a revision.
func (c *Client) GetAt(ctx context.Context, r Resource, ns, name, revision string) (Item, error) {
	req := ListRequest{Resource: r, Namespace: ns, FieldSelector: "metadata.name=" + name, ResourceVersion: revision, ResourceVersionMatch: Exact}
	var found Item
	_, err := c.ListPage(ctx, req, func(it Item) error {
		found = it
		found.Raw = bytes.Clone(it.Raw)
		return nil
	})
	if err == nil && found.Name == "" {
		err = fmt.Errorf("get %s: %w", r.objectRef(ns, name), apierrors.NewNotFound(schema.GroupResource{Group: r.Group, Resource: r.Name}, name))
	}
	return found, err
}

// Count asks for the number of objects of a type, in one namespace or in all, and the
// revision at which there were as many. It costs one request with one object's metadata, where the server tells what
// remains, and else a list of names.
func (c *Client) Count(ctx context.Context, r Resource, ns string) (n int64, revision string, err error) {
	req := ListRequest{Resource: r, Namespace: ns, Limit: 1, MetadataOnly: true}
	for {
		page, err := c.ListPage(ctx, req, func(Item) error { return nil })
		if err != nil {
			return 0, "", err
		}
		n += int64(page.Items)
		if page.Remaining != nil {
			return n + *page.Remaining, page.ResourceVersion, nil
		}
		if page.Continue == "" {
			return n, page.ResourceVersion, nil
		}
		req.Continue, req.Limit = page.Continue, c.opts.PageSize
	}
}

// Get fetches one object as the server sends it.
func (c *Client) Get(ctx context.Context, r Resource, ns, name string) ([]byte, error) {
	return c.callBytes(ctx, call{method: http.MethodGet, path: r.urlPath(ns, name, ""), class: classRead, what: "get " + r.objectRef(ns, name)})
}
