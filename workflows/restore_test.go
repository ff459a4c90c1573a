package workflows_test

import (
	"fmt"
	"reflect"
	"slices"
	"testing"
	"time"

	"go.temporal.io/sdk/temporal"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	velerov1 "github.com/vmware-tanzu/velero/pkg/apis/velero/v1"

	"github.com/lifeboat-backup/lifeboat/internal/contract"
)

func restoreInput() contract.RestoreInput {
	return contract.RestoreInput{Name: "back", Location: "west", Spec: velerov1.RestoreSpec{BackupName: "nightly"}}
}

// openedArchive has its staging in another location than the backup, which is read-only.
func openedArchive() contract.OpenedArchive {
	return contract.OpenedArchive{
		Ref: contract.RestoreRef{Name: "back", UID: runUID, Location: "east"}, Backup: "nightly", Objects: 30,
	}
}

func restoreRef() contract.RestoreRef { return openedArchive().Ref }

// restorePlan plans one of everything, so that the steps of a run have one order.
func restorePlan() contract.RestorePlan {
	return contract.RestorePlan{
		Ref: restoreRef(), Objects: 21, Volumes: 5, Disks: 2, Claims: 3, Warnings: 1, Errors: 2,
		Levels: []contract.LevelPlan{{Name: "definitions", Tasks: 1, Objects: 1, CRDs: true}, {Name: "workloads", Tasks: 1, Objects: 20}},
	}
}

func newRestore(t *testing.T, in contract.RestoreInput, plan contract.RestorePlan) *stage {
	t.Helper()
	s := newStage(t, contract.RestoreID(cluster, in.Name))
	s.start = func() { s.env.ExecuteWorkflow(contract.RestoreWorkflow, in) }
	answer(s, contract.OpenArchive, always[contract.OpenArchiveInput](openedArchive()))
	answer(s, contract.PlanRestore, always[contract.PlanRestoreInput](plan))
	answer(s, contract.RestoreVolumes, after[contract.RestoreVolumesInput](
		contract.DiskStatus{Ready: 1, Pending: 1}, contract.DiskStatus{Ready: 2}))
	answer(s, contract.ApplyTask, func(in contract.ApplyTaskInput) contract.ApplyResult {
		return contract.ApplyResult{
			Counts: contract.Counts{Created: int64(4 + in.Level), Skipped: 1}, Owners: 2, Hooks: 1, Warnings: 1,
		}
	})
	answer(s, contract.AwaitCRDs, always[contract.AwaitCRDsInput](contract.Nothing{}))
	answer(s, contract.RelinkOwners, always[contract.RelinkOwnersInput](contract.ApplyResult{Warnings: 1, Errors: 1}))
	answer(s, contract.RunRestoreHooks, always[contract.RunRestoreHooksInput](contract.HookResult{Warnings: 2, Errors: 3}))
	answer(s, contract.PatchVolumes, after[contract.PatchVolumesInput](
		contract.PatchResult{Bound: 1, Pending: 2, Warnings: 8}, contract.PatchResult{Bound: 3, Warnings: 1, Errors: 4}))
	answer(s, contract.FinishRestore, func(in contract.FinishRestoreInput) contract.RestoreResult {
		return contract.RestoreResult{
			Name: in.Restore.Name, Backup: in.Archive.Backup, Phase: "PartiallyFailed",
			Completed: in.Completed, Counts: in.Counts, Volumes: in.Volumes,
		}
	})
	answer(s, contract.AbandonRestore, always[contract.AbandonRestoreInput](contract.Nothing{}))
	return s
}

func newFullRestore(t *testing.T) *stage {
	t.Helper()
	return newRestore(t, restoreInput(), restorePlan())
}

func abandonRestore() []step {
	return []step{{contract.AbandonRestore.Name, contract.AbandonRestoreInput{Ref: restoreRef()}}}
}

func restorePhases() []phase {
	// Nobody knows yet where the staging is: it is looked for where the backup was said to be.
	unopened := contract.AbandonRestoreInput{Ref: contract.RestoreRef{Name: "back", UID: runUID, Location: "west"}}
	return []phase{
		{activity: contract.OpenArchive.Name, cleanUp: []step{{contract.AbandonRestore.Name, unopened}}},
		{activity: contract.PlanRestore.Name, cleanUp: abandonRestore()},
		{activity: contract.RestoreVolumes.Name, cleanUp: abandonRestore()},
		{activity: contract.ApplyTask.Name, cleanUp: abandonRestore()},
		{activity: contract.AwaitCRDs.Name, cleanUp: abandonRestore()},
		{activity: contract.RelinkOwners.Name, cleanUp: abandonRestore()},
		{activity: contract.RunRestoreHooks.Name, cleanUp: abandonRestore()},
		{activity: contract.PatchVolumes.Name, cleanUp: abandonRestore()},
		{activity: contract.FinishRestore.Name, cleanUp: abandonRestore(), tooLate: true},
		// As the last phase it is tried once more; as the clean-up it is not.
		{activity: contract.AbandonRestore.Name, cleanUp: abandonRestore(), tooLate: true},
		{activity: contract.AbandonRestore.Name, behind: contract.PlanRestore.Name, tooLate: true},
	}
}

// TestRestoreLinksOwnersBeforeAdmission: a link is an update, which webhooks refuse until
// what serves them is up. Objects of the last level that have owners are linked after it,
// and what is told of links is told once.
func TestRestoreLinksOwnersBeforeAdmission(t *testing.T) {
	for name, tt := range map[string]struct {
		lateOwners int64
		want       []string
	}{
		"none are owned": {0, []string{"0", "link", "1"}},
		"some are owned": {1, []string{"0", "link", "1", "link"}},
	} {
		t.Run(name, func(t *testing.T) {
			plan := restorePlan()
			plan.Levels = []contract.LevelPlan{{Name: "pods", Tasks: 1, Objects: 1}, {Name: "admission", Tasks: 1, Objects: 1, LinkOwners: true}}
			s := newRestore(t, restoreInput(), plan)
			answer(s, contract.ApplyTask, func(in contract.ApplyTaskInput) contract.ApplyResult {
				return contract.ApplyResult{Owners: []int64{2, tt.lateOwners}[in.Level]}
			})
			if err := s.run(); err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, step := range s.steps() {
				switch in := step.In.(type) {
				case contract.ApplyTaskInput:
					got = append(got, fmt.Sprint(in.Level))
				case contract.RelinkOwnersInput:
					got = append(got, "link")
				}
			}
			if !slices.Equal(got, tt.want) {
				t.Errorf("%v, want %v", got, tt.want)
			}
		})
	}
}

func TestRestorePhases(t *testing.T) {
	testPhases(t, restorePhases(), newFullRestore)
}

func TestRestore(t *testing.T) {
	s := newFullRestore(t)
	if err := s.run(); err != nil {
		t.Fatal(err)
	}
	ref, in, archive := restoreRef(), restoreInput(), openedArchive()
	hooks, ended := startTime().Add(500*time.Millisecond), startTime().Add(time.Second)
	run := contract.Run{WorkflowID: "restore:prod:back", RunID: runUID, Cluster: cluster, Started: startTime()}
	counts := contract.Counts{Created: 9, Skipped: 2}
	want := []step{
		{contract.OpenArchive.Name, contract.OpenArchiveInput{Restore: in, UID: runUID, Run: run}},
		{contract.PlanRestore.Name, contract.PlanRestoreInput{Restore: in, Archive: archive}},
		{contract.RestoreVolumes.Name, contract.RestoreVolumesInput{Ref: ref}},
		{contract.RestoreVolumes.Name, contract.RestoreVolumesInput{Ref: ref}},
		{contract.ApplyTask.Name, contract.ApplyTaskInput{Ref: ref, Defer: true}},
		{contract.AwaitCRDs.Name, contract.AwaitCRDsInput{Ref: ref}},
		{contract.ApplyTask.Name, contract.ApplyTaskInput{Ref: ref, Level: 1, Defer: true}},
		{contract.RelinkOwners.Name, contract.RelinkOwnersInput{Ref: ref}},
		{contract.RunRestoreHooks.Name, contract.RunRestoreHooksInput{Ref: ref, Began: hooks, Wait: 4 * time.Hour}},
		{contract.PatchVolumes.Name, contract.PatchVolumesInput{Ref: ref}},
		{contract.PatchVolumes.Name, contract.PatchVolumesInput{Ref: ref}},
		{contract.FinishRestore.Name, contract.FinishRestoreInput{
			Restore: in, Archive: archive, Run: run, Counts: counts, Volumes: 5, Completed: ended,
		}},
		{contract.AbandonRestore.Name, contract.AbandonRestoreInput{Ref: ref}},
	}
	if !reflect.DeepEqual(s.steps(), want) {
		t.Errorf("steps\n%+v, want\n%+v", s.steps(), want)
	}
	res := resultOf[contract.RestoreResult](s)
	if want := (contract.RestoreResult{
		Name: "back", Backup: "nightly", Phase: "PartiallyFailed", Completed: ended, Counts: counts, Volumes: 5,
	}); !reflect.DeepEqual(res, want) {
		t.Errorf("result %+v, want %+v", res, want)
	}
	if want := []string{"InProgress", "Finalizing", "PartiallyFailed"}; !slices.Equal(s.phases, want) {
		t.Errorf("phases %q, want %q", s.phases, want)
	}
	checkSearch(t, s, map[string]any{
		contract.SearchCluster: cluster, contract.SearchName: "back", contract.SearchPhase: "PartiallyFailed",
	})
}

// TestRestoreProgress follows the answer of the query from activity to activity.
func TestRestoreProgress(t *testing.T) {
	s := newFullRestore(t)
	if err := s.run(); err != nil {
		t.Fatal(err)
	}
	planned := contract.Progress{Phase: "InProgress", TotalObjects: 21, TotalVolumes: 5, Warnings: 1, Errors: 2}
	making, made := planned, planned
	making.Volumes, made.Volumes = 1, 2
	defined := made
	defined.Objects, defined.Warnings = 5, 2
	applied := made
	applied.Objects, applied.Warnings = 11, 3
	linked := applied
	linked.Warnings, linked.Errors = 4, 3
	hooked := linked
	hooked.Warnings, hooked.Errors = 6, 6
	waiting := hooked
	waiting.Volumes = 3
	patched := hooked
	patched.Phase, patched.Volumes, patched.Warnings, patched.Errors = "Finalizing", 5, 7, 10
	checkProgress(t, s, []contract.Progress{
		{Phase: "InProgress", Step: "opening the backup"},
		{Phase: "InProgress", Step: "selecting objects and ordering them into levels"},
		withStep(planned, "making 2 volumes of snapshots"),
		withStep(making, "making 2 volumes of snapshots"),
		withStep(made, "level 1 of 2: definitions, 1 objects"),
		withStep(defined, "level 1 of 2: definitions, 1 objects"),
		withStep(defined, "level 2 of 2: workloads, 20 objects"),
		withStep(applied, "linking 4 objects to their owners"),
		withStep(linked, "waiting for pods, to run 2 hooks in them"),
		withStep(hooked, "waiting for the volumes of 3 claims"),
		withStep(waiting, "waiting for the volumes of 3 claims"),
		withStep(patched, "writing results"),
		withStep(patched, "writing results"),
	})
}

// TestRestoreRunsWhatIsPlanned leaves out the phases that there is no work for, and in a
// dry run those that would write.
func TestRestoreRunsWhatIsPlanned(t *testing.T) {
	dry := restoreInput()
	dry.DryRun = true
	level := contract.LevelPlan{Name: "workloads", Tasks: 1}
	open, apply, finish := []string{contract.OpenArchive.Name, contract.PlanRestore.Name}, contract.ApplyTask.Name,
		[]string{contract.FinishRestore.Name, contract.AbandonRestore.Name}
	for name, test := range map[string]struct {
		in   contract.RestoreInput
		plan contract.RestorePlan
		want []string
	}{
		"nothing": {restoreInput(), contract.RestorePlan{Ref: restoreRef()}, nil},
		"objects": {restoreInput(), contract.RestorePlan{Ref: restoreRef(), Levels: []contract.LevelPlan{level, level}}, []string{apply, apply}},
		"dry run": {dry, restorePlan(), []string{apply, apply}},
	} {
		s := newRestore(t, test.in, test.plan)
		if name == "objects" {
			answer(s, contract.ApplyTask, always[contract.ApplyTaskInput](contract.ApplyResult{}))
		}
		if err := s.run(); err != nil {
			t.Fatal(err)
		}
		if want := slices.Concat(open, test.want, finish); !slices.Equal(names(s.steps()), want) {
			t.Errorf("%s: steps %q, want %q", name, names(s.steps()), want)
		}
	}
}

func TestRestoreRefused(t *testing.T) {
	s := newFullRestore(t)
	s.faults[contract.OpenArchive.Name] = refused
	if got := errorType(s.run()); got != contract.ErrTypeInvalid {
		t.Errorf("ends with %q", got)
	}
	if want := []string{"InProgress", "FailedValidation"}; !slices.Equal(s.phases, want) {
		t.Errorf("phases %q, want %q", s.phases, want)
	}
}

// TestRestoreWindow has one level that is wider than the window; the level after it does
// not begin before all of it is applied.
func TestRestoreWindow(t *testing.T) {
	plan := restorePlan()
	plan.Levels = []contract.LevelPlan{{Name: "workloads", Tasks: 11}}
	testWindow(t, contract.ApplyTask.Name, 4, func(t *testing.T) *stage { return newRestore(t, restoreInput(), plan) }, abandonRestore())
}

func TestRestoreLevelsFollowEachOther(t *testing.T) {
	plan := restorePlan()
	plan.Levels = []contract.LevelPlan{{Name: "first", Tasks: 3}, {Name: "second", Tasks: 3}}
	s := newRestore(t, restoreInput(), plan)
	s.lasts[contract.ApplyTask.Name] = func(n int) time.Duration { return time.Duration(1+n) * time.Minute }
	if err := s.run(); err != nil {
		t.Fatal(err)
	}
	calls := s.callsOf(contract.ApplyTask.Name)
	if len(calls) != 6 {
		t.Fatalf("%d tasks, want 6", len(calls))
	}
	for _, c := range calls[3:] {
		if !c.Began.Equal(calls[2].Ended) {
			t.Errorf("%+v begins at %s, the level before ends at %s", c.In, c.Began, calls[2].Ended)
		}
	}
}

// TestRestoreWaits wants waits that grow by half up to half a minute and by an eighth from
// there on, and PatchVolumes to
// be told how long it has been waited for.
func TestRestoreWaits(t *testing.T) {
	s := newFullRestore(t)
	answer(s, contract.RestoreVolumes, after[contract.RestoreVolumesInput](
		append(slices.Repeat([]contract.DiskStatus{{Pending: 2}}, 15), contract.DiskStatus{Ready: 2})...))
	answer(s, contract.PatchVolumes, after[contract.PatchVolumesInput](
		append(slices.Repeat([]contract.PatchResult{{Pending: 3, Waits: "a volume (claim shop/data and 2 others)"}}, 15), contract.PatchResult{Bound: 3})...))
	if err := s.run(); err != nil {
		t.Fatal(err)
	}
	if len(s.waits) != 30 {
		t.Fatalf("%d waits, want 30", len(s.waits))
	}
	brisk := func(wait float64) float64 {
		if wait < 30 {
			return min(wait*3/2, 30)
		}
		return wait * 9 / 8
	}
	checkWaits(t, s.waits[:12], brisk, 30*time.Second)
	checkWaits(t, s.waits[15:27], brisk, 30*time.Second)
	checkWaits(t, s.waits[:15], brisk, 42714843750)
	waited := time.Duration(0)
	if told := s.progress().Waits; told != "" {
		t.Errorf("it has ended and waits for %s", told)
	}
	for i, c := range s.callsOf(contract.PatchVolumes.Name) {
		if told := c.Progress.Waits; (i > 0) != (told == "a volume (claim shop/data and 2 others)") {
			t.Errorf("look %d: it waits for %q", i, told)
		}
		if want := (contract.PatchVolumesInput{Ref: restoreRef(), Seconds: int(waited / time.Second)}); c.In != any(want) {
			t.Errorf("look %d: %+v, want %+v", i, c.In, want)
		}
		if i < 15 {
			waited += s.waits[15+i]
		}
	}
}

func TestRestoreCancelledWhileItWaits(t *testing.T) {
	s := newFullRestore(t)
	s.cancelAtWait = true
	checkCancelled(t, s, s.run(), contract.RestoreVolumes.Name, abandonRestore())
	s = newFullRestore(t)
	answer(s, contract.RestoreVolumes, always[contract.RestoreVolumesInput](contract.DiskStatus{Ready: 2}))
	s.cancelAtWait = true
	checkCancelled(t, s, s.run(), contract.PatchVolumes.Name, abandonRestore())
}

// TestRestoreCancelledAtLastPhase cancels a run whose activity ends in other ways than by
// the cancel, before it comes too late.
func TestRestoreCancelledAtLastPhase(t *testing.T) {
	for name, stops := range map[string]func(*call) (any, error){
		"the heartbeat fails": func(*call) (any, error) { return nil, temporal.NewApplicationError("heartbeat: away", "Unavailable") },
		"it completes":        func(*call) (any, error) { return contract.PatchResult{Bound: 3}, nil },
	} {
		t.Run(name, func(t *testing.T) {
			s := newFullRestore(t)
			s.faults[contract.PatchVolumes.Name] = cancelled
			s.lasts[contract.PatchVolumes.Name] = func(int) time.Duration { return time.Minute }
			s.stops = stops
			checkCancelled(t, s, s.run(), contract.PatchVolumes.Name, abandonRestore())
		})
	}
}

// TestRestoreOptions gives hooks the time that the restore allows for operations, besides
// that of an outage.
func TestRestoreOptions(t *testing.T) {
	for given, want := range map[time.Duration]time.Duration{0: 4 * time.Hour, 30 * time.Minute: 30 * time.Minute} {
		in := restoreInput()
		in.Spec.ItemOperationTimeout = metav1.Duration{Duration: given}
		s := newRestore(t, in, restorePlan())
		if err := s.run(); err != nil {
			t.Fatal(err)
		}
		checkOptions(t, s, map[string]time.Duration{contract.RunRestoreHooks.Name: want})
		hooks, ok := s.callsOf(contract.RunRestoreHooks.Name)[0].In.(contract.RunRestoreHooksInput)
		if !ok || hooks.Wait != want {
			t.Errorf("hooks wait for %s, want %s", hooks.Wait, want)
		}
	}
}

func TestRestoreWithoutName(t *testing.T) {
	for id, want := range map[string]string{"restore:prod:back": "back", "restore:prod:back-2026-03-01T02:00:00Z": "back-20260301020000", "by-hand": "restore-20260301020000-64ff"} {
		s := newStage(t, id)
		answer(s, contract.OpenArchive, always[contract.OpenArchiveInput](contract.OpenedArchive{}))
		answer(s, contract.AbandonRestore, always[contract.AbandonRestoreInput](contract.Nothing{}))
		s.faults[contract.OpenArchive.Name] = final
		s.start = func() { s.env.ExecuteWorkflow(contract.RestoreWorkflow, contract.RestoreInput{}) }
		if err := s.run(); err == nil {
			t.Fatal("a restore of no archive completes")
		}
		in, ok := s.callsOf(contract.OpenArchive.Name)[0].In.(contract.OpenArchiveInput)
		if !ok || in.Restore.Name != want {
			t.Errorf("%s: name %q, want %q", id, in.Restore.Name, want)
		}
		checkSearch(t, s, map[string]any{contract.SearchCluster: cluster, contract.SearchName: want, contract.SearchPhase: "Failed"})
	}
}

// TestRestoreDeferred: tasks that have left objects which a webhook kept out are done again for those, when
// all that may serve it has come and before more webhooks do.
func TestRestoreDeferred(t *testing.T) {
	for name, last := range map[string]contract.LevelPlan{
		"before admission": {Name: "admission", Tasks: 1, Objects: 1, LinkOwners: true},
		"at the end":       {Name: "last", Tasks: 1, Objects: 1},
	} {
		t.Run(name, func(t *testing.T) {
			plan := restorePlan()
			plan.Levels = []contract.LevelPlan{{Name: "config", Tasks: 2, Objects: 4}, {Name: "controllers", Tasks: 1, Objects: 1}, last}
			s := newRestore(t, restoreInput(), plan)
			answer(s, contract.ApplyTask, func(in contract.ApplyTaskInput) contract.ApplyResult {
				if in.Level == 0 && in.Task == 1 && !in.Deferred {
					return contract.ApplyResult{Counts: contract.Counts{Created: 1}, Deferred: 1}
				}
				return contract.ApplyResult{Counts: contract.Counts{Created: 1}}
			})
			if err := s.run(); err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, step := range s.steps() {
				switch in := step.In.(type) {
				case contract.ApplyTaskInput:
					if in.Deferred == in.Defer {
						t.Errorf("%+v", in)
					}
					text := fmt.Sprintf("%d.%d", in.Level, in.Task)
					if in.Deferred {
						text += " again"
					}
					got = append(got, text)
				case contract.FinishRestoreInput:
					if in.Counts.Created != 5 {
						t.Errorf("%+v", in.Counts)
					}
				}
			}
			slices.Sort(got[:2])
			want := []string{"0.0", "0.1", "1.0", "0.1 again", "2.0"}
			if !last.LinkOwners {
				want = []string{"0.0", "0.1", "1.0", "2.0", "0.1 again"}
			}
			if !slices.Equal(got, want) {
				t.Errorf("%q, want %q", got, want)
			}
		})
	}
}
