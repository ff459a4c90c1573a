package kube

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"strconv"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/lifeboat-backup/lifeboat/internal/kube/jsonlist"
)

// Item is one object of a list.
type Item struct {
	// Raw is the complete object, apiVersion and kind included. It holds only
	// until the callback that received it returns.
	Raw []byte
	// Namespace, Name, UID and ResourceVersion may be kept.
	Namespace, Name, UID, ResourceVersion string
	// Labels is nil when there are none; it may be kept.
	Labels map[string]string
	// OwnerRefs is the raw metadata.ownerReferences, nil when there are none. It
	// lies in the same memory as Raw.
	OwnerRefs []byte
	// Deleting says that the object only waits for its finalizers.
	Deleting bool
}

// Exact as ResourceVersionMatch asks for the state at the ResourceVersion, and no other.
const Exact = string(metav1.ResourceVersionMatchExact)

// ListRequest says what to list.
type ListRequest struct {
	Resource Resource
	// Namespace is empty for all namespaces and for cluster-scoped types.
	Namespace                    string
	LabelSelector, FieldSelector string
	// Limit is the page size; 0 means Options.PageSize.
	Limit int64
	// Continue is the token of the page before; empty for the first.
	Continue string
	// ResourceVersion and ResourceVersionMatch pass through to the server, on a
	// first page only.
	ResourceVersion, ResourceVersionMatch string
	// MetadataOnly asks for PartialObjectMetadata: no spec, no data.
	MetadataOnly bool

	shown map[objectKey]bool // Page.ahead of the page before
}

// Page is what a list response says beside its items.
type Page struct {
	// Continue is the token of the next page; empty after the last.
	Continue string
	// ResourceVersion is the state of the cluster that the page shows.
	ResourceVersion string
	// Remaining is how many objects follow this page; nil when the server does
	// not say, as with selectors.
	Remaining *int64
	// Items is how many objects the page has; after an error, how many fn was called with.
	Items int
	// Bytes is the size of these objects.
	Bytes int64
	// Inconsistent says that the token had expired and the list was resumed in a
	// newer state: objects created meanwhile before this page's first are missed.
	Inconsistent bool

	limit int64              // how many objects the page may have had
	ahead map[objectKey]bool // objects behind the page that fn was called with: a larger page was lost
}

// ListPage streams one page to fn. An expired token is replaced by the one
// that the server offers (Inconsistent), else the error is ErrExpired. When the
// connection breaks after fn has been called the page is asked for again with half as
// many objects, down to one, and objects that fn has seen are not shown to it twice. An error of fn ends the list and is wrapped.
func (c *Client) ListPage(ctx context.Context, r ListRequest, fn func(Item) error) (Page, error) {
	if r.Limit == 0 {
		r.Limit = c.opts.PageSize
	}
	p := &pager{c: c, req: r, fn: fn}
	page, err := p.fetchPage(ctx)
	if !isExpired(err) {
		return page, err
	}
	token := continueOf(err)
	if r.Continue == "" || token == "" {
		return page, fmt.Errorf("%w: %w", ErrExpired, err)
	}
	p.req.Continue = token
	page, err = p.fetchPage(ctx)
	page.Inconsistent = true
	if isExpired(err) {
		err = fmt.Errorf("%w: %w", ErrExpired, err)
	}
	return page, err
}

// continueOf is the token that a 410 carries.
func continueOf(err error) string {
	var status apierrors.APIStatus
	if !errors.As(err, &status) {
		return ""
	}
	return status.Status().Continue
}

// pager reads one page, over several tries if need be.
type pager struct {
	c     *Client
	req   ListRequest
	fn    func(Item) error
	maker itemMaker
	// shown are the objects that fn has seen, in the order of the list.
	shown []objectKey
	skip  map[objectKey]bool
	// current are the objects of the try that runs, and bytes their size.
	current []objectKey
	bytes   int64
}

type objectKey struct{ namespace, name string }

// stopError is an error of the callback: not a reason for another try.
type stopError struct{ err error }

func (e *stopError) Error() string { return e.err.Error() }

func (p *pager) fetchPage(ctx context.Context) (Page, error) {
	var head jsonlist.Head
	k := p.req.listCall()
	read := func(body io.Reader) error {
		p.skipShown()
		var err error
		head, err = p.c.splitter.Split(body, p.deliverItem)
		if err = p.responseError(err); isLost(err) && len(p.current) > 0 {
			p.req.Limit = max(1, p.req.Limit/2)
			k.query.Set("limit", strconv.FormatInt(p.req.Limit, 10))
		}
		return err
	}
	limit := p.req.Limit
	err := p.c.callUntilDone(ctx, k, read)
	// The API server ends a response after a minute, which is longer than a call is tried.
	for isLost(err) && p.req.Limit < limit && ctx.Err() == nil {
		limit = p.req.Limit
		err = p.c.callUntilDone(ctx, k, read)
	}
	page := Page{
		Continue: head.Metadata.Continue, ResourceVersion: head.Metadata.ResourceVersion,
		Remaining: head.Metadata.RemainingItemCount, Items: len(p.shown), Bytes: p.bytes, limit: p.req.Limit,
	}
	if err == nil {
		page.Items, page.ahead = len(p.current), p.shownAhead()
	}
	var stop *stopError
	if errors.As(err, &stop) {
		err = fmt.Errorf("%s: %w", k.what, stop.err)
	}
	return page, err
}

// skipShown prepares for a try of the page.
func (p *pager) skipShown() {
	p.current, p.bytes = p.current[:0], 0
	if len(p.shown)+len(p.req.shown) == 0 {
		return
	}
	p.skip = make(map[objectKey]bool, len(p.shown)+len(p.req.shown))
	maps.Copy(p.skip, p.req.shown)
	for _, key := range p.shown {
		p.skip[key] = true
	}
}

// shownAhead are the objects that fn has seen and that are behind the page.
func (p *pager) shownAhead() map[objectKey]bool {
	for _, key := range p.current {
		delete(p.skip, key)
	}
	return p.skip
}

// responseError tells a broken connection from a response that would be as bad the
// next time.
func (p *pager) responseError(err error) error {
	var stop *stopError
	if err == nil || errors.As(err, &stop) || errors.Is(err, jsonlist.ErrTooLarge) {
		return err
	}
	return markLost(err)
}

func (p *pager) deliverItem(raw jsonlist.Item) error {
	it, err := p.maker.makeItem(p.req, raw)
	if err != nil {
		return &stopError{err}
	}
	key := objectKey{it.Namespace, it.Name}
	p.current, p.bytes = append(p.current, key), p.bytes+int64(len(raw.Raw))
	if p.skip[key] {
		return nil
	}
	if err := p.fn(it); err != nil {
		return &stopError{err}
	}
	p.shown = append(p.shown, key)
	return nil
}

func (r ListRequest) listCall() call {
	k := call{method: http.MethodGet, path: r.Resource.urlPath(r.Namespace, "", ""), query: r.queryValues(), class: classList}
	k.what = "list " + r.Resource.objectRef(r.Namespace, "")
	if r.MetadataOnly {
		k.accept = acceptMetaList
	}
	return k
}

func (r ListRequest) queryValues() url.Values {
	q := url.Values{}
	set := func(key, value string) {
		if value != "" {
			q.Set(key, value)
		}
	}
	set("labelSelector", r.LabelSelector)
	set("fieldSelector", r.FieldSelector)
	set("continue", r.Continue)
	if r.Limit > 0 {
		q.Set("limit", strconv.FormatInt(r.Limit, 10))
	}
	if r.Continue == "" { // the server refuses them together with a token
		set("resourceVersion", r.ResourceVersion)
		set("resourceVersionMatch", r.ResourceVersionMatch)
	}
	return q
}

// itemMaker turns raw items into Items; it reuses its memory between them.
type itemMaker struct {
	scratch   []byte
	namespace string // of the item before: most lists are sorted by it
}

func (m *itemMaker) makeItem(r ListRequest, raw jsonlist.Item) (Item, error) {
	if string(raw.Namespace) != m.namespace {
		m.namespace = string(raw.Namespace)
	}
	ids := string(raw.Name) + string(raw.UID) + string(raw.ResourceVersion)
	nameEnd, uidEnd := len(raw.Name), len(raw.Name)+len(raw.UID)
	it := Item{
		Raw: m.completeType(r, raw), Namespace: m.namespace,
		Name: ids[:nameEnd], UID: ids[nameEnd:uidEnd], ResourceVersion: ids[uidEnd:],
		OwnerRefs: raw.OwnerReferences, Deleting: raw.Deleting,
	}
	if len(raw.Labels) > len("{}") {
		if err := json.Unmarshal(raw.Labels, &it.Labels); err != nil {
			return it, fmt.Errorf("labels of %s: %w", r.Resource.objectRef(it.Namespace, it.Name), err)
		}
	}
	return it, nil
}

// completeType puts apiVersion and kind in front of an object that lacks them: the
// items of a built-in list do, since the list itself names their type.
func (m *itemMaker) completeType(r ListRequest, raw jsonlist.Item) []byte {
	if raw.APIVersion != nil && raw.Kind != nil {
		return raw.Raw
	}
	b := append(m.scratch[:0], '{')
	if raw.APIVersion == nil {
		b = append(strconv.AppendQuote(append(b, `"apiVersion":`...), r.Resource.APIVersion()), ',')
	}
	if raw.Kind == nil {
		b = append(strconv.AppendQuote(append(b, `"kind":`...), r.Resource.Kind), ',')
	}
	if bytes.TrimLeft(raw.Raw[1:], " \t\r\n")[0] == '}' {
		b = b[:len(b)-1] // nothing follows the last comma
	}
	m.scratch = append(b, raw.Raw[1:]...)
	return m.scratch
}

// itemOf makes an Item of one object that was fetched by itself.
func itemOf(r ListRequest, raw []byte) (Item, error) {
	cut, err := jsonlist.Scan(raw)
	if err != nil {
		return Item{}, fmt.Errorf("read %s: %w", r.Resource.GroupResource(), err)
	}
	var m itemMaker
	return m.makeItem(r, cut)
}
