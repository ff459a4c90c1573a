package kubetest

import (
	"cmp"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/labels"
)

// token is what a continue parameter says: the place in a list as it was when its
// first page was asked for.
type token struct {
	List   int    // of lists; 0 is a list in the present state
	Offset int    // of the next item
	After  string // "namespace/name" of the item before it
	State  string // resourceVersion of the list
}

func (t token) String() string {
	raw, _ := json.Marshal(t) // numbers and texts can be encoded
	return base64.RawURLEncoding.EncodeToString(raw)
}

func parseToken(text string) (token, error) {
	var t token
	raw, err := base64.RawURLEncoding.DecodeString(text)
	if err == nil {
		err = json.Unmarshal(raw, &t)
	}
	if err != nil {
		return t, apierrors.NewBadRequest("continue key is not valid: " + err.Error())
	}
	return t, nil
}

// ExpireLists makes all continue tokens too old, as the compaction of etcd does.
func (s *Server) ExpireLists() {
	s.mu.Lock()
	defer s.mu.Unlock()
	clear(s.lists)
}

// listPage answers one page. The caller holds the lock.
func (s *Server) listPage(t Type, q Request) (object, error) {
	limit, err := strconv.Atoi(cmp.Or(q.Query.Get("limit"), "0"))
	if err != nil || limit < 0 {
		return nil, apierrors.NewBadRequest("limit: " + q.Query.Get("limit"))
	}
	at, items, err := s.findPage(t, q)
	if err != nil {
		return nil, err
	}
	end := len(items)
	if limit > 0 {
		end = min(at.Offset+limit, end)
	}
	page := items[at.Offset:end]
	meta := object{"resourceVersion": at.State}
	if end < len(items) {
		if at.List == 0 {
			s.listsMade++
			at.List = s.listsMade
			s.lists[at.List] = items
		}
		meta["continue"] = token{at.List, end, keyOf(page[len(page)-1]), at.State}.String()
		if q.Query.Get("labelSelector") == "" && q.Query.Get("fieldSelector") == "" {
			meta["remainingItemCount"] = len(items) - end
		}
	}
	shown := make([]any, len(page)) // an empty list has items, too
	for i := range page {
		shown[i] = page[i]
	}
	return object{"apiVersion": t.APIVersion(), "kind": t.Kind + "List", "metadata": meta, "items": shown}, nil
}

// findPage finds the items of a list and where its page begins.
func (s *Server) findPage(t Type, q Request) (token, []json.RawMessage, error) {
	text := q.Query.Get("continue")
	if text == "" {
		objects, state, err := s.objectsFor(t, q)
		if err != nil {
			return token{}, nil, err
		}
		items, err := selectItems(t, q, objects, "")
		return token{State: state}, items, err
	}
	if q.Query.Get("resourceVersion") != "" {
		return token{}, nil, apierrors.NewBadRequest("specifying resource version is not allowed when using continue")
	}
	at, err := parseToken(text)
	if err != nil {
		return token{}, nil, err
	}
	if at.List == 0 {
		items, err := selectItems(t, q, s.sortedObjects(t.GroupResource(), q.Namespace), at.After)
		return token{State: s.stateOf(t, s.changes)}, items, err
	}
	items, ok := s.lists[at.List]
	if !ok {
		return token{}, nil, expiredError(token{After: at.After}.String())
	}
	return at, items, nil
}

// expiredError offers a token that goes on in the present state, as API servers do.
func expiredError(instead string) error {
	return &apierrors.StatusError{ErrStatus: metav1.Status{
		Status: metav1.StatusFailure, Code: http.StatusGone, Reason: metav1.StatusReasonExpired,
		Message:  "The provided continue parameter is too old to display a consistent list result.",
		ListMeta: metav1.ListMeta{Continue: instead},
	}}
}

// selectItems are the items of a list behind a key, in the order of its objects.
func selectItems(t Type, q Request, objects []object, after string) ([]json.RawMessage, error) {
	byLabel, err := labels.Parse(q.Query.Get("labelSelector"))
	if err != nil {
		return nil, apierrors.NewBadRequest("unable to parse labelSelector: " + err.Error())
	}
	byField, err := fields.ParseSelector(q.Query.Get("fieldSelector"))
	if err != nil {
		return nil, apierrors.NewBadRequest("unable to parse fieldSelector: " + err.Error())
	}
	var items []json.RawMessage
	for _, o := range objects {
		key := metaText(o, "namespace") + "/" + metaText(o, "name")
		values, err := fieldsOf(t, o, byField)
		if err != nil {
			return nil, err
		}
		if !byLabel.Matches(labelsOf(o)) || !byField.Matches(values) || !keyFollows(key, after) {
			continue
		}
		raw, err := json.Marshal(t.asItem(o))
		if err != nil {
			return nil, err
		}
		items = append(items, raw)
	}
	return items, nil
}

// keyFollows compares keys by namespace, then by name; all follow an empty one.
func keyFollows(key, after string) bool {
	ns, name, _ := strings.Cut(key, "/")
	afterNS, afterName, _ := strings.Cut(after, "/")
	return after == "" || ns > afterNS || ns == afterNS && name > afterName
}

func keyOf(raw json.RawMessage) string {
	var o struct {
		Metadata struct{ Namespace, Name string }
	}
	_ = json.Unmarshal(raw, &o) // it was encoded here
	return o.Metadata.Namespace + "/" + o.Metadata.Name
}

// asItem is an object in a list: those of built-in types do not name their type.
func (t Type) asItem(o object) object {
	out := t.inVersion(o)
	if !t.Custom {
		delete(out, "apiVersion")
		delete(out, "kind")
	}
	return out
}

func labelsOf(o object) labels.Set {
	set := labels.Set{}
	all, _ := metaOf(o)["labels"].(object)
	for key, value := range all {
		set[key] = fmt.Sprint(value)
	}
	return set
}

// fieldsOf are the fields that the type can be selected by. Others are refused.
func fieldsOf(t Type, o object, selector fields.Selector) (fields.Set, error) {
	set := fields.Set{"metadata.name": metaText(o, "name"), "metadata.namespace": metaText(o, "namespace")}
	if t.GroupResource() == "pods" {
		set["spec.nodeName"], set["status.phase"] = textAt(o, "spec", "nodeName"), textAt(o, "status", "phase")
	}
	for _, r := range selector.Requirements() {
		if _, ok := set[r.Field]; !ok {
			return nil, apierrors.NewBadRequest("field label not supported: " + r.Field)
		}
	}
	return set, nil
}

func textAt(o object, parent, name string) string {
	inner, _ := o[parent].(object)
	value, _ := inner[name].(string)
	return value
}
