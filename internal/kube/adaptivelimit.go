package kube

import (
	"math"
	"time"
)

const (
	// latencyTolerance is the latency, in multiples of an idle server's, up to which
	// the limit grows without a further question. 2 is where a server that
	// handles k requests at once has as many again waiting.
	latencyTolerance = 2.0
	// throughputGain is the growth in throughput that justifies a latency above the
	// tolerance: etcd and the API server batch, so that more requests in flight may
	// still pay.
	throughputGain = 1.05
	// rateDecay lets the best throughput fade with every decision, because what other
	// clients ask of the server changes.
	rateDecay = 0.98
	// windowSamples and windowTime are the least that a decision is based on, so that
	// a single slow request decides nothing.
	windowSamples = 16
	windowTime    = 100 * time.Millisecond
	// baseLatencyAge is how long the idle latency is believed before it is measured
	// again at the lowest limit, because objects differ in size. TCP BBR measures its
	// shortest round trip again every 10 s in the same way.
	baseLatencyAge = 10 * time.Second
	// refusalGap keeps one burst of refusals from counting as many.
	refusalGap = 100 * time.Millisecond
)

// adaptiveLimit decides how many requests a Limiter allows in flight. It reads no
// clock: every call says what time it is, so that tests need not wait.
type adaptiveLimit struct {
	min, max, limit float64
	slowStart       bool
	saturated       bool // somebody had to wait in this window
	probing         bool // the limit is held at min to measure base
	probeFrom       time.Time
	lastRefusal     time.Time
	bestRate        float64 // requests/s of the best window, and its limit
	bestLimit       float64
	windows         [classes]sampleWindow
}

// sampleWindow is what one class of requests showed since its last decision.
type sampleWindow struct {
	began  time.Time
	n      int
	sum    time.Duration
	base   time.Duration // latency of an idle server
	baseAt time.Time
}

func newAdaptiveLimit(lowest, highest float64) adaptiveLimit {
	return adaptiveLimit{min: lowest, max: highest, limit: math.Min(highest, 2*lowest), slowStart: true}
}

// currentLimit is the number of requests that may be in flight now.
func (g *adaptiveLimit) currentLimit() int {
	if g.probing {
		return int(g.min)
	}
	return int(g.limit)
}

// recordRefusal halves the limit.
func (g *adaptiveLimit) recordRefusal(now time.Time) {
	if now.Sub(g.lastRefusal) < refusalGap {
		return
	}
	g.lastRefusal = now
	g.slowStart = false
	g.bestRate, g.bestLimit = 0, 0
	g.limit = math.Max(g.min, g.limit/2)
}

// recordLatency takes one answered request into account. What began before a probe
// ran beside too many others to tell the latency of an idle server.
func (g *adaptiveLimit) recordLatency(c class, began time.Time, latency time.Duration, now time.Time) {
	if g.probing && began.Before(g.probeFrom) {
		return
	}
	w := &g.windows[c]
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
	g.closeWindow(w, mean, rate, now)
}

// closeWindow decides about the limit once a window of one class is full.
func (g *adaptiveLimit) closeWindow(w *sampleWindow, mean time.Duration, rate float64, now time.Time) {
	saturated := g.saturated
	g.saturated = false
	switch {
	case w.base == 0 || g.probing:
		w.base, w.baseAt = mean, now
	case mean < w.base: // half way only, because one lucky window does not show an idle server
		w.base, w.baseAt = (w.base+mean)/2, now
	}
	switch {
	case g.probing:
		g.probing = false
		return
	case now.Sub(w.baseAt) > baseLatencyAge && saturated:
		g.probing, g.probeFrom = true, now
		g.windows = resetCounts(g.windows)
		g.bestRate, g.bestLimit = 0, 0
		return
	case !saturated:
		return // the limit did not bind: nothing was learnt about it
	}
	g.adjustLimit(float64(mean)/float64(w.base), rate)
}

// adjustLimit moves the limit by the latency ratio and by what the last moves did
// to the throughput: it shrinks only where that costs nothing.
func (g *adaptiveLimit) adjustLimit(ratio, rate float64) {
	g.bestRate *= rateDecay
	paid := rate > g.bestRate*throughputGain
	missed := g.limit < g.bestLimit && rate < g.bestRate/throughputGain
	if paid {
		g.bestRate, g.bestLimit = rate, g.limit
	}
	switch {
	case ratio <= latencyTolerance && g.slowStart:
		g.limit *= 2
	case ratio <= latencyTolerance || paid || missed:
		g.slowStart = g.slowStart && paid
		g.limit += math.Max(1, g.limit/10)
	default:
		g.slowStart = false
		g.limit *= 0.95
	}
	g.limit = math.Min(g.max, math.Max(g.min, g.limit))
}

// resetCounts begins the windows of all classes anew.
func resetCounts(ws [classes]sampleWindow) [classes]sampleWindow {
	for i := range ws {
		ws[i].n, ws[i].sum = 0, 0
	}
	return ws
}
