package workflows_test

import (
	"math"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/lifeboat-backup/lifeboat/internal/contract"
)

func withStep(p contract.Progress, step string) contract.Progress {
	p.Step = step
	return p
}

func checkProgress(t *testing.T, s *stage, want []contract.Progress) {
	t.Helper()
	if len(s.calls) != len(want) {
		t.Fatalf("%d activities, want %d", len(s.calls), len(want))
	}
	for i, c := range s.calls {
		if c.Progress != want[i] {
			t.Errorf("at %s: %+v, want %+v", c.Name, c.Progress, want[i])
		}
	}
}

func checkSearch(t *testing.T, s *stage, want map[string]any) {
	t.Helper()
	got := map[string]any{}
	for key, value := range s.search.GetUntypedValues() {
		got[key.GetName()] = value
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("search attributes %v, want %v", got, want)
	}
}

// checkOptions wants the options by which activities survive an outage, and by which a
// cancel waits until they have stopped. extra is the time that some work without any.
func checkOptions(t *testing.T, s *stage, extra map[string]time.Duration) {
	t.Helper()
	for _, c := range s.calls {
		o := c.Options
		if want := 4*time.Hour + extra[c.Name]; o.ScheduleToCloseTimeout != want || o.StartToCloseTimeout != 0 {
			t.Errorf("%s is given up on after %s, an attempt after %s; want %s and 0s",
				c.Name, o.ScheduleToCloseTimeout, o.StartToCloseTimeout, want)
		}
		if o.HeartbeatTimeout != 10*time.Second || !o.WaitForCancellation || o.Summary == "" {
			t.Errorf("%s: %+v", c.Name, o)
		}
		r := o.RetryPolicy
		if r == nil || r.InitialInterval != time.Second || r.BackoffCoefficient != 2 || r.MaximumInterval != 30*time.Second ||
			r.MaximumAttempts != 0 || len(r.NonRetryableErrorTypes) != 0 {
			t.Errorf("%s is retried by %+v", c.Name, r)
		}
	}
}

// checkWaits wants waits that begin at half a second and grow as grow says, from seconds to
// seconds, and end at longest.
func checkWaits(t *testing.T, waits []time.Duration, grow func(float64) float64, longest time.Duration) {
	t.Helper()
	want := 0.5
	for i, wait := range waits {
		if got := wait.Seconds(); math.Abs(got-want) > 1e-3 {
			t.Errorf("wait %d is %.4f s, want %.4f s", i, got, want)
		}
		want = grow(want)
	}
	if got := waits[len(waits)-1]; got != longest {
		t.Errorf("the waits end at %s, want %s: the test looks too few times", got, longest)
	}
}

// checkCancelled wants a run that was cancelled in an activity, or while it waited after
// it, to go on with nothing but the clean-up.
func checkCancelled(t *testing.T, s *stage, err error, activity string, cleanUp []step) {
	t.Helper()
	if got := errorType(err); got != "Canceled" {
		t.Errorf("ends with %q (%v)", got, err)
	}
	i := slices.Index(names(s.steps()), activity)
	if i < 0 || !reflect.DeepEqual(s.steps()[i+1:], cleanUp) {
		t.Errorf("steps %+v, want %+v after %s", s.steps(), cleanUp, activity)
	}
	if got := s.phases[len(s.phases)-1]; got != "Canceled" {
		t.Errorf("phase %q", got)
	}
}

// testWindow checks an activity that a workflow runs many of: at most window at a time,
// as many as that, and a failure or a cancel stops all of them before the clean-up begins.
func testWindow(t *testing.T, name string, window int, newRun func(t *testing.T) *stage, cleanUp []step) {
	t.Run("slides", func(t *testing.T) {
		s := newRun(t)
		s.lasts[name] = func(n int) time.Duration { return time.Duration(1+n%3) * time.Minute }
		if err := s.run(); err != nil {
			t.Fatal(err)
		}
		checkSlides(t, s.callsOf(name), window)
	})
	for _, f := range []fault{final, cancelled} {
		t.Run(string(f), func(t *testing.T) {
			s := newRun(t)
			s.lasts[name] = func(n int) time.Duration { return time.Duration(1+n) * time.Minute } // the first call ends first
			s.faults[name] = f
			if err := s.run(); err == nil {
				t.Fatal("the run completes")
			}
			checkStopped(t, s, name, window, cleanUp)
		})
	}
}

// checkSlides wants window calls at the start, and the next one as soon as one has ended.
func checkSlides(t *testing.T, calls []*call, window int) {
	t.Helper()
	var ended []time.Time
	for _, c := range calls {
		ended = append(ended, c.Ended)
	}
	slices.SortFunc(ended, time.Time.Compare)
	if len(calls) <= window {
		t.Fatalf("%d calls do not fill a window of %d", len(calls), window)
	}
	for i, c := range calls {
		want := calls[0].Began
		if i >= window {
			want = ended[i-window]
		}
		if !c.Began.Equal(want) {
			t.Errorf("call %d begins at %s, want %s", i, c.Began.Format(time.TimeOnly), want.Format(time.TimeOnly))
		}
	}
}

// checkStopped wants no further calls after the first failure, and a clean-up that begins
// when the last call has stopped.
func checkStopped(t *testing.T, s *stage, name string, window int, cleanUp []step) {
	t.Helper()
	calls := s.callsOf(name)
	if len(calls) != window {
		t.Errorf("%d calls, want %d", len(calls), window)
	}
	steps := s.steps()
	if i := len(steps) - len(cleanUp); steps[i-1].Name != name || !reflect.DeepEqual(steps[i:], cleanUp) {
		t.Fatalf("steps %+v, want to end with %+v", steps, cleanUp)
	}
	began := s.calls[len(s.calls)-len(cleanUp)].Began
	for i, c := range calls {
		if c.Ended.After(calls[0].Ended.Add(stopTime)) {
			t.Errorf("call %d ends at %s: it was not told to stop when the first one failed", i, c.Ended.Format(time.TimeOnly))
		}
		if c.Ended.IsZero() || c.Ended.After(began) {
			t.Errorf("call %d ends at %s, the clean-up begins at %s", i, c.Ended.Format(time.TimeOnly), began.Format(time.TimeOnly))
		}
	}
}
