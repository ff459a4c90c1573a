package estimate_test

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/lifeboat-backup/lifeboat/internal/drill/estimate"
)

const gib = 1 << 30

// world is how long restores really take: weights in seconds, and how far a run is off.
type world struct {
	base, object, volume, byGiB float64
	noise                       float64
	// objects, volumes and size bound the sizes, which are spread evenly over their logarithm.
	objects, volumes, size float64
	// overlap says that objects and volumes are restored at the same time: no sum, then.
	overlap bool
	// slower is by how much each run takes longer than the one before, in proportion.
	slower float64
	// stall is how many of a hundred runs take three times as long.
	stall float64
	// busy is by how much longer the last 12 of each 60 runs take.
	busy float64
}

// worlds are clusters of several kinds, some of them other than the model believes.
func worlds() map[string]world {
	return map[string]world{
		"as believed":         {10, 0.005, 20, 0.5, 0.25, 1e4, 20, 500, false, 0, 0, 1},
		"a fast stack":        {2, 0.002, 3, 0.05, 0.15, 3e3, 5, 50, false, 0, 0, 1},
		"objects only":        {5, 0.02, 0, 0, 0.2, 5e4, 1, 1, false, 0, 0, 1},
		"cold, large volumes": {30, 0.005, 45, 4, 0.35, 2e3, 30, 4000, false, 0, 0, 1},
		"noisy":               {10, 0.01, 30, 1, 0.6, 1e4, 20, 500, false, 0, 0, 1},
		"side by side":        {10, 0.01, 30, 1, 0.2, 1e4, 20, 500, true, 0, 0, 1},
		"slower over time":    {10, 0.01, 30, 1, 0.2, 1e4, 20, 500, false, 0.003, 0, 1},
		"some runs stall":     {10, 0.01, 30, 1, 0.2, 1e4, 20, 500, false, 0, 3, 1},
		"busy at times":       {10, 0.01, 30, 1, 0.2, 1e4, 20, 500, false, 0, 0, 3},
	}
}

func (w world) run(r *rand.Rand, n int) estimate.Run {
	s := estimate.Size{
		Objects: int64(math.Exp(r.Float64() * math.Log(w.objects))), Volumes: int64(math.Exp(r.Float64()*math.Log(w.volumes+1))) - 1,
	}
	s.Bytes = s.Volumes * int64(math.Exp(r.Float64()*math.Log(w.size))*gib/math.Max(1, w.volumes/2))
	parts := []float64{w.object * float64(s.Objects), w.volume*float64(s.Volumes) + w.byGiB*float64(s.Bytes)/gib}
	took := w.base + parts[0] + parts[1]
	if w.overlap {
		took = w.base + math.Max(parts[0], parts[1])
	}
	took *= math.Exp(w.noise*r.NormFloat64()) * math.Pow(1+w.slower, float64(n))
	if r.Float64()*100 < w.stall {
		took *= 3
	}
	if n%60 >= 48 {
		took *= w.busy
	}
	return estimate.Run{Size: s, Took: time.Duration(took * float64(time.Second))}
}

// TestRanges predicts each of 200 runs of varied size out of those before it, in each world
// and for several seeds: 80 to 97 % of the ranges hold the truth.
func TestRanges(t *testing.T) {
	const runs = 200
	for name, w := range worlds() {
		for seed := range uint64(5) {
			r := rand.New(rand.NewPCG(seed, 7))
			var history []estimate.Run
			held, ratio := 0, 0.0
			for n := range runs {
				next := w.run(r, n)
				e := estimate.Predict(history, next.Size, estimate.Quota{})
				if e.Low > e.Expected || e.Expected > e.High || e.Low <= 0 {
					t.Fatalf("%s: no range: %+v", name, e)
				}
				if next.Took >= e.Low && next.Took <= e.High {
					held++
				}
				ratio += math.Log(float64(e.High)/float64(e.Low)) / runs
				history = append(history, next)
			}
			share := 100 * held / runs
			t.Logf("%s, seed %d: %d %%, mean width ×%.1f", name, seed, share, math.Exp(ratio))
			if share < 80 || share > 97 {
				t.Errorf("%s, seed %d: %d %% of the ranges hold the truth", name, seed, share)
			}
			// A range that is always wide holds everything and says nothing: that of noise alone is
			// exp(2·1.645·noise) wide.
			if widest := 2*1.645*w.noise + 0.9; ratio > widest {
				t.Errorf("%s, seed %d: the ranges are %.1f times as long as they are low, at most %.1f is wanted", name, seed, math.Exp(ratio), math.Exp(widest))
			}
		}
	}
}

// TestLearns: the middle comes near the truth, and the range of a first restore is wide.
func TestLearns(t *testing.T) {
	size := estimate.Size{Objects: 5000, Volumes: 3, Bytes: 100 * gib}
	first := estimate.Predict(nil, size, estimate.Quota{})
	if first.Runs != 0 || !first.Beyond || float64(first.High) < 4*float64(first.Low) {
		t.Errorf("without a history: %+v", first)
	}
	w, r := worlds()["a fast stack"], rand.New(rand.NewPCG(3, 3))
	var history []estimate.Run
	for n := range 150 {
		history = append(history, w.run(r, n))
	}
	size = estimate.Size{Objects: 2000, Volumes: 3, Bytes: 20 * gib}
	truth := time.Duration((2 + 0.002*2000 + 3*3 + 0.05*20) * float64(time.Second))
	e := estimate.Predict(history, size, estimate.Quota{})
	if off := math.Abs(math.Log(float64(e.Expected) / float64(truth))); off > 0.2 || e.Runs != estimate.MostRuns {
		t.Errorf("after 150 runs %+v, the truth is %s", e, truth)
	}
}

// TestFollows: where several restores in a row took longer than those before them, the next one is
// expected to, but not after a single one.
func TestFollows(t *testing.T) {
	size := estimate.Size{Objects: 1000}
	var history []estimate.Run
	expected := func(runs int, took time.Duration) float64 {
		for range runs {
			history = append(history, estimate.Run{Size: size, Took: took})
		}
		return estimate.Predict(history, size, estimate.Quota{}).Expected.Seconds()
	}
	if e := expected(40, 10*time.Second); e < 9 || e > 11 {
		t.Errorf("restores take 10 s, expected are %.1f s", e)
	}
	if e := expected(1, 30*time.Second); e > 14 {
		t.Errorf("after one of 30 s expected are %.1f s", e)
	}
	if e := expected(9, 30*time.Second); e < 24 {
		t.Errorf("after ten of 30 s expected are %.1f s", e)
	}
}

func TestQuota(t *testing.T) {
	size := estimate.Size{Objects: 10, Volumes: 600, Bytes: 10 * gib}
	e := estimate.Predict(nil, size, estimate.Quota{VolumesPerMinute: 1})
	if e.Low < 10*time.Hour {
		t.Errorf("600 volumes at one a minute: %+v", e)
	}
	if e := estimate.Predict(nil, estimate.Size{Objects: math.MaxInt64}, estimate.Quota{}); e.High <= 0 || e.Expected > 366*24*time.Hour {
		t.Errorf("a size that nothing has: %+v", e)
	}
}
