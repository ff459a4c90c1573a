package kube

import (
	"context"
	"net/http"
	"sync"
	"time"
)

// class separates requests whose latencies cannot be compared.
type class uint8

const (
	classRead class = iota // one object, or a few fields
	classList              // a page of objects
	classWrite
	classes
)

// Outcome is what became of a request, as far as the Limiter cares.
type Outcome uint8

// The outcomes of a request.
const (
	OutcomeOK        Outcome = iota // served, be it with a 4xx
	OutcomeThrottled                // 429, 503 or 504: the server wants less
	OutcomeLost                     // no answer
	OutcomeError                    // a fault that says nothing about load
)

func outcomeOf(status int) Outcome {
	switch {
	case status == http.StatusTooManyRequests, status == http.StatusServiceUnavailable, status == http.StatusGatewayTimeout:
		return OutcomeThrottled
	case status >= http.StatusInternalServerError:
		return OutcomeError
	}
	return OutcomeOK
}

// Limiter bounds the requests in flight by what the server shows: it allows
// more while throughput grows or latency stays near that of an idle server,
// and fewer after 429, lost requests, or latency that buys nothing. Waiting
// requests are served in the order of their arrival.
type Limiter struct {
	now func() time.Time

	mu       sync.Mutex
	limit    adaptiveLimit
	inFlight int
	waiting  []*waiter
	stats    LimiterStats
}

// LimiterStats are the figures of a Limiter at one moment.
type LimiterStats struct {
	Limit    int // requests allowed in flight
	InFlight int
	Waiting  int

	Completed, Throttled, Lost int64 // since the start
}

// waiter is one blocked Acquire; grant is closed when it has its slot.
type waiter struct {
	grant   chan struct{}
	granted bool
}

// NewLimiter makes a Limiter whose limit stays within the bounds.
func NewLimiter(minInFlight, maxInFlight int) *Limiter {
	minInFlight = max(1, minInFlight)
	l := &Limiter{now: time.Now}
	l.limit = newAdaptiveLimit(float64(minInFlight), float64(max(minInFlight, maxInFlight)))
	return l
}

// Slot is the right to have one request in flight.
type Slot struct {
	l        *Limiter
	class    class
	start    time.Time
	latency  time.Duration
	released bool
}

// Acquire waits for a slot. The caller must Release it.
func (l *Limiter) Acquire(ctx context.Context, c class) (*Slot, error) {
	l.mu.Lock()
	if slot := l.tryLocked(c); slot != nil {
		l.mu.Unlock()
		return slot, nil
	}
	w := &waiter{grant: make(chan struct{})}
	l.waiting = append(l.waiting, w)
	l.mu.Unlock()
	select {
	case <-w.grant:
		return &Slot{l: l, class: c, start: l.now()}, nil
	case <-ctx.Done():
		l.abandonWait(w)
		return nil, context.Cause(ctx)
	}
}

// tryLocked gives a slot if one is free and nobody waits for it.
func (l *Limiter) tryLocked(c class) *Slot {
	if len(l.waiting) > 0 || l.inFlight >= l.limit.currentLimit() {
		l.limit.saturated = true
		return nil
	}
	l.inFlight++
	return &Slot{l: l, class: c, start: l.now()}
}

// abandonWait takes a waiter out of the queue, or gives back what it was granted
// at the same moment.
func (l *Limiter) abandonWait(w *waiter) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if w.granted {
		l.inFlight--
		l.grantLocked()
		return
	}
	for i := range l.waiting {
		if l.waiting[i] == w {
			l.waiting = append(l.waiting[:i], l.waiting[i+1:]...)
			return
		}
	}
}

func (l *Limiter) grantLocked() {
	for len(l.waiting) > 0 && l.inFlight < l.limit.currentLimit() {
		w := l.waiting[0]
		l.waiting[0] = nil
		l.waiting = l.waiting[1:]
		w.granted = true
		l.inFlight++
		close(w.grant)
	}
}

// noteResponse notes that the answer has begun: what follows is the transfer, and
// the time that the reader of the body takes.
func (s *Slot) noteResponse() { s.latency = s.l.now().Sub(s.start) }

// Release gives the slot back; further calls do nothing.
func (s *Slot) Release(o Outcome) {
	if s.released {
		return
	}
	s.released = true
	if s.latency == 0 {
		s.noteResponse()
	}
	l := s.l
	l.mu.Lock()
	defer l.mu.Unlock()
	l.inFlight--
	l.stats.Completed++
	switch o {
	case OutcomeOK:
		l.limit.recordLatency(s.class, s.start, s.latency, l.now())
	case OutcomeThrottled:
		l.stats.Throttled++
		l.limit.recordRefusal(l.now())
	case OutcomeLost:
		l.stats.Lost++
		l.limit.recordRefusal(l.now())
	case OutcomeError:
	}
	l.grantLocked()
}

// Stats returns the figures of this moment.
func (l *Limiter) Stats() LimiterStats {
	l.mu.Lock()
	defer l.mu.Unlock()
	s := l.stats
	s.Limit, s.InFlight, s.Waiting = l.limit.currentLimit(), l.inFlight, len(l.waiting)
	return s
}
