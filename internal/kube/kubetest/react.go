package kubetest

import (
	"net/http"
	"slices"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/lifeboat-backup/lifeboat/internal/kube"
)

// Match chooses requests.
type Match func(Request) bool

// On chooses requests of one verb for one type; an empty verb is any.
func On(verb string, r kube.Resource) Match {
	return func(q Request) bool { return (verb == "" || q.Verb == verb) && q.Resource == r.GroupResource() }
}

// Any chooses every request.
func Any(Request) bool { return true }

// In narrows a choice to a namespace.
func (m Match) In(namespace string) Match {
	return func(q Request) bool { return m(q) && q.Namespace == namespace }
}

// Named narrows a choice to objects of a name.
func (m Match) Named(name string) Match {
	return func(q Request) bool { return m(q) && q.Name == name }
}

// Sub narrows a choice to a sub-resource.
func (m Match) Sub(subresource string) Match {
	return func(q Request) bool { return m(q) && q.Subresource == subresource }
}

// By narrows a choice to a method of HTTP.
func (m Match) By(method string) Match {
	return func(q Request) bool { return m(q) && q.Method == method }
}

// Times narrows a choice to its first n requests.
func (m Match) Times(n int) Match {
	asked := 0
	return func(q Request) bool { // is asked under the server's lock
		if !m(q) {
			return false
		}
		asked++
		return asked <= n
	}
}

// reaction is what happens to the requests it matches.
type reaction struct {
	match  Match
	before func(Request) error
	handle http.HandlerFunc
	after  func(Request, object)
	lose   bool
}

// React calls do before the server performs a request. An error is the answer;
// one that is no status of an API server becomes a 500. It may wait, and may
// change the server.
func (s *Server) React(match Match, do func(Request) error) {
	s.addReaction(&reaction{match: match, before: do})
}

// Refuse answers requests with a status.
func (s *Server) Refuse(match Match, code int, reason metav1.StatusReason, message string) {
	s.React(match, func(Request) error {
		return &apierrors.StatusError{ErrStatus: metav1.Status{Status: metav1.StatusFailure, Code: int32(code), Reason: reason, Message: message}}
	})
}

// Handle lets h answer requests in place of the server.
func (s *Server) Handle(match Match, h http.HandlerFunc) {
	s.addReaction(&reaction{match: match, handle: h})
}

// After calls do once a request has succeeded, before it is answered, with the
// answer. It is where a test plays a controller; it may call Modify.
func (s *Server) After(match Match, do func(q Request, answer map[string]any)) {
	s.addReaction(&reaction{match: match, after: do})
}

// LoseReply performs requests and breaks the connection instead of answering.
func (s *Server) LoseReply(match Match) { s.addReaction(&reaction{match: match, lose: true}) }

// Calm ends all reactions.
func (s *Server) Calm() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.reactions = nil
}

func (s *Server) addReaction(r *reaction) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.reactions = append(s.reactions, r)
}

// recordRequest records a request and finds the reactions to it.
func (s *Server) recordRequest(q Request) []*reaction {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.requests = append(s.requests, q)
	var found []*reaction
	for _, r := range s.reactions {
		if r.match(q) {
			found = append(found, r)
		}
	}
	return found
}

// Requests returns what the server was asked for, in order, refused requests
// included. Discovery and health are not among them.
func (s *Server) Requests() []Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.requests)
}

// Count says how many of the requests so far match.
func (s *Server) Count(match Match) int {
	n := 0
	for _, q := range s.Requests() {
		if match(q) {
			n++
		}
	}
	return n
}
