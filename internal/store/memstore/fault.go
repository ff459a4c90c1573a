package memstore

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/lifeboat-backup/lifeboat/internal/aws/awserr"
	"github.com/lifeboat-backup/lifeboat/internal/store"
)

// Op is what a request asks for.
type Op string

// The operations. A listing is a request for each page of 1000 names, Compose one
// OpCompose and an OpCopy for each stored part, a deletion an OpDelete for each key.
const (
	OpPut          Op = "put"
	OpGet          Op = "get"
	OpGetRange     Op = "get range"
	OpHead         Op = "head"
	OpList         Op = "list"
	OpDirs         Op = "dirs"
	OpDelete       Op = "delete"
	OpCompose      Op = "compose"
	OpCopy         Op = "copy"
	OpAbortUploads Op = "abort uploads"
	OpUploads      Op = "list uploads"
	OpPresign      Op = "presign"
	OpConditional  Op = "probe conditional writes"

	OpCheckUnlocked Op = "look for a lock of"
)

// Request is one request that the store was sent. Key is the prefix where a
// request has one instead of a key.
type Request struct {
	Op  Op
	Key string
}

// Match chooses requests.
type Match func(Request) bool

// Any chooses every request.
func Any(Request) bool { return true }

// On chooses the requests of some operations.
func On(ops ...Op) Match {
	return func(r Request) bool { return slices.Contains(ops, r.Op) }
}

// Key narrows a choice to keys that contain a text.
func (m Match) Key(text string) Match {
	return func(r Request) bool { return m(r) && strings.Contains(r.Key, text) }
}

// Times narrows a choice to its first n requests.
func (m Match) Times(n int) Match {
	return m.countBetween(0, n)
}

// After narrows a choice to what follows its first n requests.
func (m Match) After(n int) Match {
	return m.countBetween(n, int(^uint(0)>>1))
}

// countBetween counts under the store's lock, which is held where a Match is asked.
func (m Match) countBetween(from, to int) Match {
	asked := 0
	return func(r Request) bool {
		if !m(r) {
			return false
		}
		asked++
		return asked > from && asked <= to
	}
}

// rule is what befalls the requests it matches.
type rule struct {
	match Match
	fault error         // answers instead of the store
	lost  error         // answers after the store has done what was asked
	delay time.Duration // before anything else
}

// WithFault makes the requests that match fail with err.
func WithFault(match Match, err error) Option { return func(s *Store) { s.Fail(match, err) } }

// WithLostReply makes the writes and deletions that match fail with err although
// the store has done them.
func WithLostReply(match Match, err error) Option {
	return func(s *Store) { s.addRule(&rule{match: match, lost: err}) }
}

// WithDelay makes the requests that match wait, until their context ends.
func WithDelay(match Match, d time.Duration) Option {
	return func(s *Store) { s.addRule(&rule{match: match, delay: d}) }
}

// Fail makes the requests that match fail from now on.
func (s *Store) Fail(match Match, err error) { s.addRule(&rule{match: match, fault: err}) }

// Heal ends all faults, lost replies and delays.
func (s *Store) Heal() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.rules = nil
}

// Intercept has fn called with each request from now on, before anything befalls it. It may
// take its time, as the network or a process that stands still does; its error answers.
func (s *Store) Intercept(fn func(context.Context, Request) error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.observe = fn
}

func (s *Store) addRule(r *rule) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.rules = append(s.rules, r)
}

// Requests returns what the store was sent, in order, including what failed.
func (s *Store) Requests() []Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.requests)
}

// Count says how many of the requests so far match.
func (s *Store) Count(match Match) int {
	n := 0
	for _, r := range s.Requests() {
		if match(r) {
			n++
		}
	}
	return n
}

// beginRequest records a request and lets befall it what the test wants. The context's
// end is an error of its own, never store.ErrUnavailable.
func (s *Store) beginRequest(ctx context.Context, op Op, key string) error {
	if err := s.intercept(ctx, Request{op, key}); err != nil {
		return err
	}
	delay, fault := s.recordRequest(Request{op, key})
	if delay > 0 {
		timer := time.NewTimer(delay)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-ctx.Done():
		}
	}
	if err := ctx.Err(); err != nil {
		return awserr.Fail(string(op), key, nil, "%w", err)
	}
	return fault
}

func (s *Store) intercept(ctx context.Context, r Request) error {
	s.mu.Lock()
	observe := s.observe
	s.mu.Unlock()
	if observe == nil {
		return nil
	}
	return observe(ctx, r)
}

func (s *Store) recordRequest(r Request) (delay time.Duration, fault error) {
	s.sent.Add(1)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.requests = append(s.requests, r)
	for _, rule := range s.rules {
		if rule.lost != nil || !rule.match(r) {
			continue
		}
		delay = max(delay, rule.delay)
		if fault == nil {
			fault = rule.fault
		}
	}
	return delay, fault
}

// lostReply is the error in place of a lost reply. The caller holds the lock.
func (s *Store) lostReply(op Op, key string) error {
	for _, rule := range s.rules {
		if rule.lost != nil && rule.match(Request{op, key}) {
			return rule.lost
		}
	}
	return nil
}

func checkReadable(op Op, key string) error {
	if err := store.CheckKey(key); err != nil {
		return &awserr.Error{Op: string(op), Name: key, Kind: store.ErrInvalid, Cause: err}
	}
	return nil
}

// checkWritable refuses what a location that is only read refuses, and bad keys.
func (s *Store) checkWritable(op Op, key string) error {
	if s.readOnly {
		return &awserr.Error{Op: string(op), Name: key, Kind: store.ErrReadOnly}
	}
	return checkReadable(op, key)
}
