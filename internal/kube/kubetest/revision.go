package kubetest

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// change is what became of an object at a resourceVersion: its JSON, or nil if it was removed.
type change struct {
	revision int
	key      objectKey
	raw      []byte
}

// recordChange keeps the state of an object. The caller holds the lock.
func (s *Server) recordChange(key objectKey, o object) {
	c := change{revision: s.changes, key: key}
	if o != nil {
		raw, err := json.Marshal(o)
		if err != nil {
			s.tb.Error(err)
		}
		c.raw = raw
	}
	s.history = append(s.history, c)
}

// WithTypesApart keeps types in an etcd of their own, whose revisions are so far ahead.
func WithTypesApart(ahead int, groupResources ...string) Option {
	return func(s *Server) {
		for _, gr := range groupResources {
			s.apart[gr] = ahead
		}
	}
}

// Revision is the resourceVersion that was given last.
func (s *Server) Revision() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.changes
}

// Compact forgets all states before the present one, as etcd does every few minutes.
func (s *Server) Compact() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.compacted = s.changes - 1
}

// stateOf is the resourceVersion of a list of a type in a state. The caller holds the lock.
func (s *Server) stateOf(t Type, revision int) string {
	return strconv.Itoa(revision + s.apart[t.GroupResource()])
}

// objectsFor are the objects of a first page, in the order of a list, and the
// resourceVersion that they show. The caller holds the lock.
func (s *Server) objectsFor(t Type, q Request) ([]object, string, error) {
	text, match := q.Query.Get("resourceVersion"), q.Query.Get("resourceVersionMatch")
	if match == "" {
		return s.sortedObjects(t.GroupResource(), q.Namespace), s.stateOf(t, s.changes), nil
	}
	revision, err := strconv.Atoi(text)
	if match != "Exact" || err != nil || revision <= 0 {
		return nil, "", apierrors.NewBadRequest(fmt.Sprintf("resourceVersionMatch %q is not served for resourceVersion %q", match, text))
	}
	switch own := revision - s.apart[t.GroupResource()]; {
	case own > s.changes:
		return nil, "", tooLargeError(revision)
	case own <= s.compacted:
		return nil, "", expiredError("")
	default:
		name, isName := strings.CutPrefix(q.Query.Get("fieldSelector"), "metadata.name=")
		if !isName || strings.Contains(name, ",") {
			name = ""
		}
		objects, err := s.objectsAt(own, t.GroupResource(), name)
		return sortObjects(objects, t.GroupResource(), q.Namespace), text, err
	}
}

// objectsAt are the objects of a type as they were at a revision, all or those of a name. The
// caller holds the lock.
func (s *Server) objectsAt(revision int, resource, name string) (map[objectKey]object, error) {
	raws := map[objectKey][]byte{}
	for _, c := range s.history {
		if c.revision <= revision && c.key.resource == resource && (name == "" || c.key.name == name) {
			raws[c.key] = c.raw
		}
	}
	out := map[objectKey]object{}
	for key, raw := range raws {
		if raw == nil {
			continue
		}
		var o object
		if err := json.Unmarshal(raw, &o); err != nil {
			return nil, err
		}
		out[key] = o
	}
	return out, nil
}

func tooLargeError(revision int) error {
	return &apierrors.StatusError{ErrStatus: metav1.Status{
		Status: metav1.StatusFailure, Code: http.StatusGatewayTimeout, Reason: metav1.StatusReasonTimeout,
		Message: fmt.Sprintf("Too large resource version: %d", revision),
		Details: &metav1.StatusDetails{RetryAfterSeconds: 1, Causes: []metav1.StatusCause{{Type: metav1.CauseTypeResourceVersionTooLarge, Message: "Too large resource version"}}},
	}}
}
