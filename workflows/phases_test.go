package workflows_test

import (
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"go.temporal.io/sdk/temporal"

	"github.com/lifeboat-backup/lifeboat/internal/contract"
)

// phase is one row of a workflow's table: an activity, and what a run does that loses it.
type phase struct {
	activity string
	// behind is the activity whose failure leads to this one, for those of a clean-up.
	behind string
	// cleanUp are the steps after it once it has failed for good or is cancelled.
	cleanUp []step
	// tooLate says that a cancel does not stop the run any more.
	tooLate bool
}

// testPhases runs a workflow once for each activity and each way to lose it.
func testPhases(t *testing.T, phases []phase, newRun func(t *testing.T) *stage) {
	for _, p := range phases {
		for _, f := range []fault{retried, lostWorker, final, givenUp, cancelled} {
			t.Run(strings.TrimSuffix(p.activity+" behind "+p.behind, " behind ")+"/"+string(f), func(t *testing.T) {
				t.Parallel()
				p.test(t, f, phases, newRun)
			})
		}
	}
}

func (p phase) test(t *testing.T, f fault, phases []phase, newRun func(t *testing.T) *stage) {
	undisturbed, s := newRun(t), newRun(t)
	if p.behind != "" {
		undisturbed.faults[p.behind], s.faults[p.behind] = final, final
	}
	wantErr := undisturbed.run()
	s.faults[p.activity] = f
	err := s.run()
	if len(s.callsOf(p.activity)) == 0 {
		t.Fatalf("the run does not reach %s: %q", p.activity, names(s.steps()))
	}
	p.checkPlanned(t, s, phases)
	if f == retried || f == lostWorker || f == cancelled && p.tooLate {
		p.checkRetried(t, f, s, undisturbed)
		checkSame(t, s, undisturbed, err, wantErr)
		return
	}
	p.checkSteps(t, s, undisturbed)
	p.checkEnd(t, f, s, err, wantErr)
}

// checkPlanned finds activities that have no row.
func (p phase) checkPlanned(t *testing.T, s *stage, phases []phase) {
	for _, step := range s.steps() {
		if !slices.ContainsFunc(phases, func(p phase) bool { return p.activity == step.Name }) {
			t.Errorf("%s has no row in the table", step.Name)
		}
	}
}

// checkRetried finds a retry that did not take place, and one that did without need.
func (p phase) checkRetried(t *testing.T, f fault, s, undisturbed *stage) {
	t.Helper()
	want := undisturbed.attemptsOf(p.activity)
	if f != cancelled {
		want++
	}
	if got := s.attemptsOf(p.activity); got != want {
		t.Errorf("%s was attempted %d times, want %d", p.activity, got, want)
	}
}

// checkSame compares a run that got over a fault with one that had none.
func checkSame(t *testing.T, s, undisturbed *stage, err, wantErr error) {
	t.Helper()
	if got, want := errorType(err), errorType(wantErr); got != want {
		t.Errorf("ends with %q (%v), want %q", got, err, want)
	}
	if got, want := withoutTimes(s.steps()), withoutTimes(undisturbed.steps()); !reflect.DeepEqual(got, want) {
		t.Errorf("steps %+v, want %+v", got, want)
	}
	if !slices.Equal(s.phases, undisturbed.phases) {
		t.Errorf("phases %q, want %q", s.phases, undisturbed.phases)
	}
	if got, want := s.progress(), undisturbed.progress(); got != want {
		t.Errorf("progress %+v, want %+v", got, want)
	}
	if err != nil {
		return
	}
	got, want := resultOf[map[string]any](s), resultOf[map[string]any](undisturbed)
	for _, clock := range []string{"completionTimestamp", "ended"} {
		delete(got, clock)
		delete(want, clock)
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("result %v, want %v", got, want)
	}
}

// checkSteps expects what the undisturbed run does up to the activity, then the clean-up.
func (p phase) checkSteps(t *testing.T, s, undisturbed *stage) {
	t.Helper()
	want := withoutTimes(undisturbed.steps())
	i := slices.Index(names(want), p.activity)
	want = slices.Concat(want[:i+1], p.cleanUp)
	if got := withoutTimes(s.steps()); !reflect.DeepEqual(got, want) {
		t.Errorf("steps\n%+v, want\n%+v", got, want)
	}
}

func (p phase) checkEnd(t *testing.T, f fault, s *stage, err, cause error) {
	t.Helper()
	want, phase := contract.ErrTypeDenied, "Failed"
	switch {
	case p.behind != "":
		want = "CleanupFailed"
		p.checkBoth(t, err, cause)
	case f == givenUp:
		want = "ScheduleToClose"
	case f == cancelled:
		want, phase = "Canceled", "Canceled"
	}
	if got := errorType(err); got != want {
		t.Errorf("ends with %q (%v), want %q", got, err, want)
	}
	if got := s.phases[len(s.phases)-1]; got != phase || s.progress().Phase != phase {
		t.Errorf("phase %q, and %q in the query, want %q", got, s.progress().Phase, phase)
	}
	if got := s.progress().Step; !strings.HasPrefix(got, "stopped: ") {
		t.Errorf("step %q", got)
	}
}

// checkBoth expects an error that tells why the run failed and what the clean-up left.
func (p phase) checkBoth(t *testing.T, err, cause error) {
	t.Helper()
	var app *temporal.ApplicationError
	if !errors.As(cause, &app) || !strings.Contains(err.Error(), app.Message()) || !strings.Contains(err.Error(), p.activity+": ") {
		t.Errorf("%v does not tell of %v and of %s", err, cause, p.activity)
	}
}

// withoutTimes takes the clock out of steps: a run that retries takes longer.
func withoutTimes(steps []step) []step {
	out := slices.Clone(steps)
	for i, s := range out {
		switch in := s.In.(type) {
		case contract.CommitBackupInput:
			in.Completed = time.Time{}
			out[i].In = in
		case contract.FinishRestoreInput:
			in.Completed = time.Time{}
			out[i].In = in
		case contract.RunRestoreHooksInput:
			in.Began = time.Time{}
			out[i].In = in
		case contract.EndSlotInput:
			in.Slot.Ended = time.Time{}
			if in.Slot.Outcome == contract.SlotFailed { // the reason is that of the fault
				in.Slot.Reason, in.Slot.Phase = "", ""
			}
			out[i].In = in
		case contract.SignDrillInput:
			out[i].In = contract.SignDrillInput{Plan: in.Plan} // what else it says is for tests of drills
		case contract.PatchVolumesInput:
			in.Seconds = 0
			out[i].In = in
		}
	}
	return out
}

// TestEveryActivityIsCovered compares the tables of the workflows with the activities
// that package contract declares: a new one needs a row.
func TestEveryActivityIsCovered(t *testing.T) {
	var covered []string
	for _, table := range [][]phase{backupPhases(), restorePhases(), deletePhases(), expiredPhases(), garbagePhases(), retentionPhases(), schedulesPhases(), scheduledPhases(), scheduledDrillPhases(), rehearsalPhases(), rehearsalsPhases(), drillPhases(), notifyPhases(), verificationPhases(), catalogPhases()} {
		for _, p := range table {
			covered = append(covered, p.activity)
		}
	}
	slices.Sort(covered)
	covered = slices.Compact(covered)
	declared := declaredActivities(t)
	slices.Sort(declared)
	if len(declared) == 0 || !slices.Equal(covered, declared) {
		t.Errorf("the tables cover %q, package contract declares %q", covered, declared)
	}
}

// declaredActivities reads them from the source: a package cannot be asked for its
// variables.
func declaredActivities(t *testing.T) []string {
	t.Helper()
	paths, err := filepath.Glob("../internal/contract/*.go")
	if err != nil || len(paths) == 0 {
		t.Fatalf("no source of package contract: %v", err)
	}
	var all []string
	for _, path := range paths {
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(file, func(n ast.Node) bool {
			if name := activityName(n); name != "" {
				all = append(all, name)
			}
			return true
		})
	}
	return all
}

// activityName is the name in an Activity[In, Out]{name}, "" for other nodes.
func activityName(n ast.Node) string {
	lit, ok := n.(*ast.CompositeLit)
	if !ok || len(lit.Elts) == 0 {
		return ""
	}
	generic, ok := lit.Type.(*ast.IndexListExpr)
	if !ok {
		return ""
	}
	if kind, ok := generic.X.(*ast.Ident); !ok || kind.Name != "Activity" {
		return ""
	}
	value := lit.Elts[0]
	if field, ok := value.(*ast.KeyValueExpr); ok {
		value = field.Value
	}
	text, ok := value.(*ast.BasicLit)
	if !ok {
		return ""
	}
	name, err := strconv.Unquote(text.Value)
	if err != nil {
		return ""
	}
	return name
}
