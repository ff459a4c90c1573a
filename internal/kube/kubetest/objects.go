package kubetest

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/lifeboat-backup/lifeboat/internal/kube"
)

// Put stores objects without a request: status, deletionTimestamp and uid are kept
// as they are given, what is missing of uid, resourceVersion and creationTimestamp
// is added, and a namespace that is not there is made. Objects need no apiVersion
// and kind where their Go type tells them.
func (s *Server) Put(objects ...runtime.Object) {
	s.tb.Helper()
	for _, o := range objects {
		raw, err := json.Marshal(o)
		if err != nil {
			s.tb.Fatal(err)
		}
		m := decodeObject(s.tb.Fatal, raw)
		if kinds, _, err := s.scheme.ObjectKinds(o); err == nil && m["kind"] == nil {
			m["apiVersion"], m["kind"] = kinds[0].GroupVersion().String(), kinds[0].Kind
		}
		s.putObject(m)
	}
}

// PutJSON stores objects as Put does.
func (s *Server) PutJSON(objects ...string) {
	s.tb.Helper()
	for _, text := range objects {
		s.putObject(decodeObject(s.tb.Fatal, []byte(text)))
	}
}

// PutNamespaces stores active namespaces.
func (s *Server) PutNamespaces(names ...string) {
	s.tb.Helper()
	for _, name := range names {
		s.PutJSON(fmt.Sprintf(`{"apiVersion":"v1","kind":"Namespace","metadata":{"name":%q},"status":{"phase":"Active"}}`, name))
	}
}

func decodeObject(fail func(...any), raw []byte) object {
	var o object
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber() // a number is stored as it was written
	if err := d.Decode(&o); err != nil {
		fail(fmt.Errorf("%w in %s", err, raw))
	}
	return o
}

func (s *Server) putObject(o object) {
	s.tb.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	apiVersion, _ := o["apiVersion"].(string)
	kind, _ := o["kind"].(string)
	t, ok := s.typeOfKind(apiVersion, kind)
	if !ok {
		s.tb.Fatalf("kubetest serves no %s of %s: see WithTypes", kind, apiVersion)
	}
	ns := metaText(o, "namespace")
	if (ns != "") != t.Namespaced || metaText(o, "name") == "" {
		s.tb.Fatalf("kubetest: %s %s/%s has the wrong scope, or no name", t.GroupResource(), ns, metaText(o, "name"))
	}
	raw, err := json.Marshal(o)
	if err == nil {
		err = s.checkFields(t, raw, o)
	}
	if err != nil {
		s.tb.Fatal(err)
	}
	if ns != "" && s.objects[namespaceKey(ns)] == nil {
		s.saveObject(namespaceKey(ns), object{"apiVersion": "v1", "kind": "Namespace", "metadata": object{"name": ns}, "status": object{"phase": "Active"}})
	}
	s.saveObject(objectKey{t.GroupResource(), ns, metaText(o, "name")}, o)
}

// saveObject stores an object under a new resourceVersion, and gives it what the server
// gives. The caller holds the lock.
func (s *Server) saveObject(key objectKey, o object) {
	meta := metaOf(o)
	if isEmpty(meta["uid"]) {
		s.made++
		meta["uid"] = fmt.Sprintf("00000000-0000-4000-8000-%012d", s.made)
	}
	if isEmpty(meta["creationTimestamp"]) {
		meta["creationTimestamp"] = currentTime()
	}
	s.changes++
	meta["resourceVersion"] = strconv.Itoa(s.changes)
	s.objects[key] = o
	s.recordChange(key, o)
}

func currentTime() string { return time.Now().UTC().Format(time.RFC3339) }

// Remove removes an object without a request, whatever its finalizers say.
func (s *Server) Remove(r kube.Resource, namespace, name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.dropObject(objectKey{r.GroupResource(), namespace, name})
}

// Get returns a stored object without a request.
func Get[T any](s *Server, r kube.Resource, namespace, name string) (T, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	o, ok := s.objects[objectKey{r.GroupResource(), namespace, name}]
	if !ok {
		var none T
		return none, false
	}
	return convertObject[T](s, o), true
}

// All returns the stored objects of a type, by namespace and name, without a
// request.
func All[T any](s *Server, r kube.Resource) []T {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []T
	for _, o := range s.sortedObjects(r.GroupResource(), "") {
		out = append(out, convertObject[T](s, o))
	}
	return out
}

// Modify changes a stored object without a request, as a controller does. It
// reports whether the object is there.
func Modify[T any](s *Server, r kube.Resource, namespace, name string, change func(*T)) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	key := objectKey{r.GroupResource(), namespace, name}
	o, ok := s.objects[key]
	if !ok {
		return false
	}
	typed := convertObject[T](s, o)
	change(&typed)
	raw, err := json.Marshal(typed)
	if err != nil {
		s.tb.Fatal(err)
	}
	changed := decodeObject(s.tb.Fatal, raw)
	changed["apiVersion"], changed["kind"] = o["apiVersion"], o["kind"]
	s.saveOrRemove(key, changed)
	return true
}

func convertObject[T any](s *Server, o object) T {
	var out T
	raw, err := json.Marshal(o)
	if err == nil {
		err = json.Unmarshal(raw, &out)
	}
	if err != nil {
		s.tb.Error(err)
	}
	return out
}

// sortedObjects are the objects of a type in the order of lists. The caller holds the lock.
func (s *Server) sortedObjects(resource, namespace string) []object {
	return sortObjects(s.objects, resource, namespace)
}

func sortObjects(objects map[objectKey]object, resource, namespace string) []object {
	var keys []objectKey
	for key := range objects {
		if key.resource == resource && (namespace == "" || key.namespace == namespace) {
			keys = append(keys, key)
		}
	}
	slices.SortFunc(keys, func(a, b objectKey) int {
		return cmp.Or(cmp.Compare(a.namespace, b.namespace), cmp.Compare(a.name, b.name))
	})
	out := make([]object, len(keys))
	for i, key := range keys {
		out[i] = objects[key]
	}
	return out
}

// saveOrRemove stores a changed object, or removes it when it only waited for its last
// finalizer. The caller holds the lock.
func (s *Server) saveOrRemove(key objectKey, o object) {
	finalizers, _ := metaOf(o)["finalizers"].([]any)
	before := s.objects[key]
	waited := before != nil && len(finalizersOf(before)) > 0
	if !isEmpty(metaOf(o)["deletionTimestamp"]) && len(finalizers) == 0 && waited {
		s.dropObject(key)
		return
	}
	s.saveObject(key, o)
}

// dropObject removes an object, and with the last object of it a namespace that is on
// its way out. The caller holds the lock.
func (s *Server) dropObject(key objectKey) {
	delete(s.objects, key)
	s.changes++
	s.recordChange(key, nil)
	ns := namespaceKey(key.namespace)
	if space, ok := s.objects[ns]; ok && !isEmpty(metaOf(space)["deletionTimestamp"]) && !s.holdsAny(key.namespace) {
		delete(s.objects, ns)
		s.recordChange(ns, nil)
	}
}

func (s *Server) holdsAny(namespace string) bool {
	for key := range s.objects {
		if key.namespace == namespace {
			return true
		}
	}
	return false
}

func namespaceKey(name string) objectKey { return objectKey{resource: "namespaces", name: name} }

// metaOf is an object's metadata, made where there is none.
func metaOf(o object) object {
	meta, ok := o["metadata"].(object)
	if !ok {
		meta = object{}
		o["metadata"] = meta
	}
	return meta
}

func finalizersOf(o object) []any {
	list, _ := metaOf(o)["finalizers"].([]any)
	return list
}

func metaText(o object, field string) string {
	value, _ := metaOf(o)[field].(string)
	return value
}

func isEmpty(value any) bool { return value == nil || value == "" }

func (t Type) groupResource() schema.GroupResource {
	return schema.GroupResource{Group: t.Group, Resource: t.Name}
}

func (t Type) groupKind() schema.GroupKind { return schema.GroupKind{Group: t.Group, Kind: t.Kind} }

// storedObject finds the object of a request. The caller holds the lock.
func (s *Server) storedObject(t Type, q Request) (object, error) {
	o, ok := s.objects[objectKey{t.GroupResource(), q.Namespace, q.Name}]
	if !ok {
		return nil, apierrors.NewNotFound(t.groupResource(), q.Name)
	}
	return t.inVersion(o), nil
}

// inVersion shows an object as the requested version of its type. Versions differ
// in nothing else here.
func (t Type) inVersion(o object) object {
	out := copyObject(o)
	out["apiVersion"], out["kind"] = t.APIVersion(), t.Kind
	return out
}

// copyObject copies what JSON decodes; json.Number and the like need no copy.
func copyObject(o object) object {
	copied, _ := copyValue(o).(object)
	return copied
}

func copyValue(value any) any {
	switch v := value.(type) {
	case object:
		out := make(object, len(v))
		for key, inner := range v {
			out[key] = copyValue(inner)
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i, inner := range v {
			out[i] = copyValue(inner)
		}
		return out
	}
	return value
}

// metadataView is an answer as the Accept header wants it.
func metadataView(accept string, answer object) object {
	list := strings.Contains(accept, "as=PartialObjectMetadataList;")
	if !list && !strings.Contains(accept, "as=PartialObjectMetadata;") || answer["kind"] == "Status" {
		return answer
	}
	if !list {
		return metadataOnly(answer)
	}
	items, _ := answer["items"].([]any)
	out := make([]any, len(items))
	for i, raw := range items {
		var o object
		if data, ok := raw.(json.RawMessage); ok && json.Unmarshal(data, &o) == nil {
			out[i] = metadataOnly(o)
		}
	}
	return object{"apiVersion": metav1.SchemeGroupVersion.String(), "kind": "PartialObjectMetadataList", "metadata": answer["metadata"], "items": out}
}

func metadataOnly(o object) object {
	return object{"apiVersion": metav1.SchemeGroupVersion.String(), "kind": "PartialObjectMetadata", "metadata": o["metadata"]}
}
