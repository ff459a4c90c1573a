package workflows_test

import (
	"errors"
	"fmt"
	"reflect"
	"testing"
	"time"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/lifeboat-backup/lifeboat/internal/contract"
)

// read is one Update of the Catalog workflow and what became of it.
type read struct {
	accepted, completed bool
	rejection, err      error
	result              any
}

func (r *read) Accept()                 { r.accepted = true }
func (r *read) Reject(err error)        { r.rejection = err }
func (r *read) Complete(v any, e error) { r.completed, r.result, r.err = true, v, e }

// newCatalog runs the entity; it is cancelled after an hour, unless it ends by itself.
func newCatalog(t *testing.T) *stage {
	t.Helper()
	s := newStage(t, contract.CatalogID(cluster))
	s.start = func() {
		s.env.RegisterDelayedCallback(s.env.CancelWorkflow, time.Hour)
		s.env.ExecuteWorkflow(contract.CatalogWorkflow)
	}
	answer(s, contract.ReadCatalog, func(in contract.ReadInput) contract.ReadResult {
		return contract.ReadResult{URL: "https://store/" + in.Name}
	})
	return s
}

// read asks for something after the run has begun.
func (s *stage) read(after time.Duration, in contract.ReadInput) *read {
	r := &read{}
	s.env.RegisterDelayedCallback(func() { s.env.UpdateWorkflow(contract.ReadUpdate, "", r, in) }, after)
	return r
}

func urlOf(name string) contract.ReadInput {
	return contract.ReadInput{Verb: contract.ReadBackupURL, Name: name, File: contract.FileLogs}
}

func (r *read) checkAnswered(t *testing.T, name string) {
	t.Helper()
	want := contract.ReadResult{URL: "https://store/" + name}
	if !r.accepted || !r.completed || r.err != nil || !reflect.DeepEqual(r.result, want) {
		t.Errorf("read of %s: %+v, want %+v", name, r, want)
	}
}

func catalogPhases() []phase { return []phase{{activity: contract.ReadCatalog.Name}} }

// TestCatalogPhases loses reads in every way: the reader is told, and the next one is
// answered.
func TestCatalogPhases(t *testing.T) {
	for f, want := range map[fault]struct {
		attempts int
		err      string
	}{
		retried:    {attempts: 2},
		lostWorker: {attempts: 2},
		final:      {attempts: 1, err: contract.ErrTypeDenied},
		refused:    {attempts: 1, err: contract.ErrTypeInvalid},
		givenUp:    {attempts: 1, err: "ScheduleToClose"},
		unmended:   {attempts: 3, err: "Unavailable"}, // a person waits for it
	} {
		t.Run(string(f), func(t *testing.T) {
			s := newCatalog(t)
			s.faults[contract.ReadCatalog.Name] = f
			first := s.read(time.Second, urlOf("nightly"))
			var second *read
			s.env.RegisterDelayedCallback(func() {
				if got := s.attemptsOf(contract.ReadCatalog.Name); got != want.attempts {
					t.Errorf("%d attempts, want %d", got, want.attempts)
				}
				s.faults[contract.ReadCatalog.Name] = noFault
				second = s.read(time.Second, urlOf("weekly"))
			}, time.Minute)
			if got := errorType(s.run()); got != "Canceled" {
				t.Errorf("the run ends with %q, want it to go on until it is cancelled", got)
			}
			second.checkAnswered(t, "weekly")
			if want.err == "" {
				first.checkAnswered(t, "nightly")
			} else if got := errorType(first.err); !first.completed || got != want.err {
				t.Errorf("the reader is told %q (%v), want %q", got, first.err, want.err)
			}
		})
	}
}

func TestCatalogCancelledAtRead(t *testing.T) {
	s := newCatalog(t)
	s.faults[contract.ReadCatalog.Name] = cancelled
	r := s.read(time.Second, urlOf("nightly"))
	err := s.run()
	if got := errorType(err); got != "Canceled" || s.env.Now().Sub(startTime()) > time.Minute {
		t.Errorf("the run ends with %q after %s", got, s.env.Now().Sub(startTime()))
	}
	if !r.accepted || r.completed && !temporal.IsCanceledError(r.err) {
		t.Errorf("%+v", r)
	}
}

func TestCatalogRead(t *testing.T) {
	s := newCatalog(t)
	reads := map[string]*read{}
	for i, verb := range contract.ReadVerbs() {
		reads[verb] = s.read(time.Duration(1+i)*time.Second, contract.ReadInput{Verb: verb, Name: verb, Location: "west", Continue: "page 2"})
	}
	unknown := s.read(time.Minute, contract.ReadInput{Verb: "secrets", Name: "nightly"})
	if got := errorType(s.run()); got != "Canceled" {
		t.Errorf("ends with %q", got)
	}
	if unknown.accepted || unknown.rejection == nil {
		t.Errorf("an unknown verb: %+v", unknown)
	}
	if len(s.calls) != len(reads) {
		t.Fatalf("%d activities, want %d", len(s.calls), len(reads))
	}
	for i, verb := range contract.ReadVerbs() {
		reads[verb].checkAnswered(t, verb)
		want := step{contract.ReadCatalog.Name, contract.ReadInput{Verb: verb, Name: verb, Location: "west", Continue: "page 2"}}
		if got := s.calls[i].step; got != want {
			t.Errorf("%+v, want %+v", got, want)
		}
		o := s.calls[i].Options
		if o.ScheduleToCloseTimeout != time.Minute || o.HeartbeatTimeout != 10*time.Second || o.Summary != verb+" "+verb ||
			o.RetryPolicy == nil || o.RetryPolicy.MaximumAttempts != 3 || o.RetryPolicy.InitialInterval != time.Second {
			t.Errorf("%s: %+v, retried by %+v", verb, o, o.RetryPolicy)
		}
	}
}

// TestCatalogContinuesAsNew keeps the history short, and answers before it ends whatever
// it has taken on.
func TestCatalogContinuesAsNew(t *testing.T) {
	for n, want := range map[int]string{299: "Canceled", 300: "ContinueAsNew"} {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			s := newCatalog(t)
			slow := func(i int) time.Duration { return time.Duration(max(0, i-290)) * time.Minute } // the last of them overlap
			s.lasts[contract.ReadCatalog.Name] = slow
			var reads []*read
			for i := range n {
				reads = append(reads, s.read(time.Duration(1+i)*time.Second, urlOf(fmt.Sprint(i))))
			}
			err := s.run()
			if got := errorType(err); got != want {
				t.Fatalf("ends with %q (%v), want %q", got, err, want)
			}
			var next *workflow.ContinueAsNewError
			if errors.As(err, &next) && next.WorkflowType.Name != contract.CatalogWorkflow {
				t.Errorf("continues as %s", next.WorkflowType.Name)
			}
			for i, r := range reads {
				r.checkAnswered(t, fmt.Sprint(i))
			}
		})
	}
}

// TestCatalogFollowsSuggestion ends a run whose history Temporal finds long.
func TestCatalogFollowsSuggestion(t *testing.T) {
	s := newCatalog(t)
	s.env.SetContinueAsNewSuggested(true)
	if got := errorType(s.run()); got != "ContinueAsNew" {
		t.Errorf("ends with %q", got)
	}
}
