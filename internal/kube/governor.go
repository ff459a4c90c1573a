package kube

import (
	"math"
	"time"
)

const (
	// tolerance is the latency, in multiples of an idle server's, up to which
	// the limit grows without a further question. 2 is where a server that
	// handles k requests at once has as many again waiting.
	tolerance = 2.0
	// gain is the growth in throughput that justifies latency above tolerance:
	// etcd and the API server batch, so more in flight may still pay.
	gain = 1.05
	// forget lets the best throughput fade with every decision: what others ask
	// of the server changes.
	forget = 0.98
	// windowSamples and windowTime are the least that a decision is based on.
	windowSamples = 16
	windowTime    = 100 * time.Millisecond
	// baseAge is how long the idle latency is believed before it is measured
	// again at the lowest limit (as TCP BBR does every 10 s): objects differ.
	baseAge = 10 * time.Second
	// refusalGap keeps one burst of refusals from counting as many.
	refusalGap = 100 * time.Millisecond
)

// governor decides the limit of a Limiter. It is a pure state machine: all
// time comes with the calls.
type governor struct {
	min, max, limit float64
	slowStart       bool
	saturated       bool // somebody had to wait in this window
	probing         bool // the limit is held at min to measure base
	probeFrom       time.Time
	lastRefusal     time.Time
	bestRate        float64 // requests/s of the best window, and its limit
	bestLimit       float64
	class           [classes]window
}

// window is what one class of requests showed since its last decision.
type window struct {
	began  time.Time
	n      int
	sum    time.Duration
	base   time.Duration // latency of an idle server
	baseAt time.Time
}

func newGovernor(lowest, highest float64) governor {
	return governor{min: lowest, max: highest, limit: math.Min(highest, 2*lowest), slowStart: true}
}

// allowed is the number of requests that may be in flight now.
func (g *governor) allowed() int {
	if g.probing {
		return int(g.min)
	}
	return int(g.limit)
}

// refused halves the limit.
func (g *governor) refused(now time.Time) {
	if now.Sub(g.lastRefusal) < refusalGap {
		return
	}
	g.lastRefusal = now
	g.slowStart = false
	g.bestRate, g.bestLimit = 0, 0
	g.limit = math.Max(g.min, g.limit/2)
}

// served takes one answered request into account. What began before a probe
// ran beside too many others to tell the latency of an idle server.
func (g *governor) served(c class, began time.Time, latency time.Duration, now time.Time) {
	if g.probing && began.Before(g.probeFrom) {
		return
	}
	w := &g.class[c]
	if w.n == 0 {
		w.began = now
	}
	w.n++
	w.sum += latency
	span := now.Sub(w.began)
	if w.n < windowSamples || span < windowTime && !g.probing {
		return
	}
	mean := w.sum / time.Duration(w.n)
	rate := float64(w.n-1) / math.Max(span.Seconds(), 1e-6)
	w.n, w.sum = 0, 0
	g.decide(w, mean, rate, now)
}

// decide moves the limit after a window of one class.
func (g *governor) decide(w *window, mean time.Duration, rate float64, now time.Time) {
	saturated := g.saturated
	g.saturated = false
	switch {
	case w.base == 0 || g.probing:
		w.base, w.baseAt = mean, now
	case mean < w.base: // half way only: one lucky window is no idle server
		w.base, w.baseAt = (w.base+mean)/2, now
	}
	switch {
	case g.probing:
		g.probing = false
		return
	case now.Sub(w.baseAt) > baseAge && saturated:
		g.probing, g.probeFrom = true, now
		g.class = resetCounts(g.class)
		g.bestRate, g.bestLimit = 0, 0
		return
	case !saturated:
		return // the limit did not bind: nothing was learnt about it
	}
	g.adjust(float64(mean)/float64(w.base), rate)
}

// adjust moves the limit by the latency ratio and by what the last moves did
// to the throughput: it shrinks only where that costs nothing.
func (g *governor) adjust(ratio, rate float64) {
	g.bestRate *= forget
	paid := rate > g.bestRate*gain
	missed := g.limit < g.bestLimit && rate < g.bestRate/gain
	if paid {
		g.bestRate, g.bestLimit = rate, g.limit
	}
	switch {
	case ratio <= tolerance && g.slowStart:
		g.limit *= 2
	case ratio <= tolerance || paid || missed:
		g.slowStart = g.slowStart && paid
		g.limit += math.Max(1, g.limit/10)
	default:
		g.slowStart = false
		g.limit *= 0.95
	}
	g.limit = math.Min(g.max, math.Max(g.min, g.limit))
}

// resetCounts begins the windows of all classes anew.
func resetCounts(ws [classes]window) [classes]window {
	for i := range ws {
		ws[i].n, ws[i].sum = 0, 0
	}
	return ws
}
