// Package estimate predicts how long a restore takes, from how long restores and drills before
// it took. It is pure.
//
// The time is taken to be a sum: something that any restore needs, and so much an object, a
// volume and a GiB. The four weights are those that fit the history best, measured by how far
// off a prediction is in proportion, beside what a restore is believed to need before there is
// a history (prior), which counts less with every restore. Where the runs of the past were slow or
// quick several in a row, as beside other work, the last ones shift the prediction. How far off
// it would have been in the past says how wide the range is; few runs and sizes far beyond the known
// ones make it wider.
//
// The range is meant to hold the truth nine times of ten. The tests check that on histories of
// several kinds.
package estimate

import (
	"math"
	"time"
)

// Size is how much is restored.
type Size struct {
	Objects int64 `json:"objects"`
	Volumes int64 `json:"volumes"`
	Bytes   int64 `json:"bytes"` // of the volumes
}

// Run is a restore or drill that succeeded.
type Run struct {
	Size
	Took time.Duration `json:"took"`
}

// Quota bounds a restore from outside. What is 0 is not known.
type Quota struct {
	// VolumesPerMinute is how many volumes the provider makes.
	VolumesPerMinute float64
}

// Estimate is how long a restore is expected to take.
type Estimate struct {
	// Expected is the middle: it takes longer as often as not.
	Expected time.Duration `json:"expected"`
	// Low and High hold the truth nine times of ten.
	Low  time.Duration `json:"low"`
	High time.Duration `json:"high"`
	// Runs is how many runs of the past it rests on.
	Runs int `json:"runs"`
	// Beyond says that nothing of this size was restored before.
	Beyond bool `json:"beyond,omitempty"`
}

// MostRuns is how many of the last runs count: older ones tell of another cluster.
const MostRuns = 100

// terms is how many weights there are.
const terms = 4

type vector [terms]float64

// termsOf are what the weights are of.
func (s Size) termsOf() vector {
	const gib = 1 << 30
	return vector{1, float64(s.Objects), float64(s.Volumes), float64(s.Bytes) / gib}
}

// prior is what a restore needs before there is a history, in seconds: as measured on the
// project's own stack (docs/BENCHMARKS.md) for objects, and as EBS and a pod's start need for
// a volume. priorSpread is how far off it may be, in proportion.
func prior() vector { return vector{10, 0.005, 20, 0.5} }

const (
	priorSpread = 1.5
	// noise is how far a run is off the best weights, in proportion, before there is a history,
	// and noiseRuns how many runs that belief is worth.
	noise     = 0.4
	noiseRuns = 2
	// recent is what the last run counts among the last ones, and followRuns how many runs it takes
	// to believe that the next one is as they were.
	recent     = 0.4
	followRuns = 3
)

// Predict predicts a run of a size out of those before it, the last one last.
func Predict(history []Run, size Size, quota Quota) Estimate {
	history = history[max(0, len(history)-MostRuns):]
	m := fit(history)
	x := size.termsOf()
	expected := dot(m.weights, x)
	// A run of the past is off by noise, a prediction by that and by what the weights may be off.
	spread := m.noise * math.Sqrt(1+m.leverage(x, expected))
	expected *= math.Exp(m.lately)
	reach := studentQuantile(noiseRuns+float64(len(history))) * spread
	e := Estimate{
		Expected: seconds(expected), Low: seconds(expected * math.Exp(-reach)), High: seconds(expected * math.Exp(reach)),
		Runs: len(history), Beyond: isBeyond(history, size),
	}
	if quota.VolumesPerMinute > 0 {
		e.raise(time.Duration(float64(size.Volumes) / quota.VolumesPerMinute * float64(time.Minute)))
	}
	return e
}

// raise lets no bound be below what the provider needs alone.
func (e *Estimate) raise(least time.Duration) {
	e.Low, e.Expected, e.High = max(e.Low, least), max(e.Expected, least), max(e.High, least)
}

// isBeyond reports whether nothing as large was restored before.
func isBeyond(history []Run, s Size) bool {
	var most Size
	for _, r := range history {
		most = Size{max(most.Objects, r.Objects), max(most.Volumes, r.Volumes), max(most.Bytes, r.Bytes)}
	}
	return s.Objects > 2*most.Objects || s.Volumes > 2*most.Volumes || s.Bytes > 2*most.Bytes
}

func seconds(s float64) time.Duration {
	const longest = 365 * 24 * 3600
	return time.Duration(min(s, longest) * float64(time.Second))
}

// model is the weights, how certain they are, and how far runs are off them.
type model struct {
	weights vector
	inverse [terms]vector // of the matrix of the normal equations
	noise   float64
	lately  float64 // by how much the next run is expected to be off the weights, as the last ones were
}

// fit finds the weights. A run that took long may be off by more seconds than one that was
// short: each counts in proportion to what the weights so far predict of it, which takes a
// few rounds to settle.
func fit(history []Run) model {
	const rounds = 6
	m := model{weights: prior()}
	for range rounds {
		m.solve(history)
	}
	m.follow(history)
	return m
}

// follow finds how far runs are off the weights, in proportion, and how much of that the runs before
// them tell: what else the cluster does makes several in a row slow, or none.
func (m *model) follow(history []Run) {
	off, lately := make([]float64, len(history)), make([]float64, len(history)+1)
	told, of := 0.0, followRuns*noise*noise
	for i, r := range history {
		off[i] = math.Log(max(r.Took.Seconds(), 0.001) / dot(m.weights, r.termsOf()))
		lately[i+1] = lately[i] + recent*(off[i]-lately[i])
		told += off[i] * lately[i]
		of += lately[i] * lately[i]
	}
	share := min(max(told/of, 0), 1)
	squares := noiseRuns * noise * noise
	for i := range history {
		e := off[i] - share*lately[i]
		squares += e * e
	}
	m.lately = share * lately[len(history)]
	m.noise = math.Sqrt(squares / (noiseRuns + float64(len(history))))
}

// solve finds the weights that fit best, with the runs counted in proportion to the weights
// that are there.
func (m *model) solve(history []Run) {
	var matrix [terms]vector
	var right vector
	believed := prior()
	for j := range terms {
		sure := 1 / (priorSpread * believed[j]) * noise
		matrix[j][j] = sure * sure
		right[j] = sure * sure * believed[j]
	}
	for _, r := range history {
		x, took := r.termsOf(), r.Took.Seconds()
		each := 1 / dot(m.weights, x)
		for i := range terms {
			for j := range terms {
				matrix[i][j] += x[i] * x[j] * each * each
			}
			right[i] += x[i] * took * each * each
		}
	}
	m.inverse = invert(matrix)
	for i := range terms {
		// Nothing takes less than no time: a weight that would is nearly nothing.
		m.weights[i] = max(dot(m.inverse[i], right), believed[i]/1000)
	}
}

// leverage is how uncertain the weights make a prediction, in units of the noise.
func (m *model) leverage(x vector, expected float64) float64 {
	var sum float64
	for i := range terms {
		sum += x[i] * dot(m.inverse[i], x)
	}
	return sum / (expected * expected)
}

func dot(a, b vector) (sum float64) {
	for i := range terms {
		sum += a[i] * b[i]
	}
	return sum
}

// invert inverts a matrix that the prior makes positive definite, by Gauss and Jordan.
func invert(a [terms]vector) (out [terms]vector) {
	for i := range terms {
		out[i][i] = 1
	}
	for i := range terms {
		pivot := a[i][i]
		for j := range terms {
			a[i][j] /= pivot
			out[i][j] /= pivot
		}
		for k := range terms {
			if k == i {
				continue
			}
			factor := a[k][i]
			for j := range terms {
				a[k][j] -= factor * a[i][j]
				out[k][j] -= factor * out[i][j]
			}
		}
	}
	return out
}

// studentQuantile is the 95 % quantile of Student's t distribution, by the first terms of its
// expansion around the normal distribution: exact to a percent from 3 degrees of freedom on.
func studentQuantile(freedom float64) float64 {
	const z = 1.6448536
	return z + (z*z*z+z)/(4*freedom) + (5*math.Pow(z, 5)+16*z*z*z+3*z)/(96*freedom*freedom)
}
