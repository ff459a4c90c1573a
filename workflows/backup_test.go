package workflows_test

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"go.temporal.io/sdk/temporal"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	velerov1 "github.com/vmware-tanzu/velero/pkg/apis/velero/v1"

	"github.com/lifeboat-backup/lifeboat/internal/contract"
)

func backupInput() contract.BackupInput {
	return contract.BackupInput{Name: "nightly", Spec: velerov1.BackupSpec{TTL: metav1.Duration{Duration: time.Hour}}}
}

// backupRef is what every activity after the first works on: its location is the one
// that the plan has found, as the input names none.
func backupRef() contract.BackupRef {
	return contract.BackupRef{Name: "nightly", UID: runUID, Location: "west"}
}

// backupPlan plans one of everything, so that the steps of a run have one order.
func backupPlan() contract.BackupPlan {
	return contract.BackupPlan{
		Name: "nightly", UID: runUID, Location: "west", Shards: 1, Objects: 40, Related: true,
		Expires: startTime().Add(time.Hour), Schedule: "daily",
		Units: 1, Volumes: 3, UnitTime: 10 * time.Minute, Warnings: 1, Errors: 2,
	}
}

func newBackup(t *testing.T, plan contract.BackupPlan) *stage {
	t.Helper()
	s := newStage(t, contract.BackupID(cluster, "nightly"))
	s.start = func() { s.env.ExecuteWorkflow(contract.BackupWorkflow, backupInput()) }
	answer(s, contract.PrepareBackup, always[contract.PrepareBackupInput](plan))
	answer(s, contract.SnapshotVolumes, always[contract.SnapshotVolumesInput](contract.SnapshotResult{Taken: 2, Failed: 1, Errors: 1}))
	answer(s, contract.ExportShard, func(in contract.ExportShardInput) contract.ShardResult {
		return contract.ShardResult{Shard: in.Shard, Chunks: in.Shard + 3, Objects: 30, Bytes: 1000, Warnings: 1}
	})
	answer(s, contract.ExportRelated, always[contract.ExportRelatedInput](contract.ShardResult{Chunks: 1, Objects: 5, Bytes: 200}))
	answer(s, contract.CheckVolumes, after[contract.CheckVolumesInput](
		contract.VolumeStatus{Completed: 1, Pending: 2, Percent: 70}, contract.VolumeStatus{Completed: 2, Failed: 1, Percent: 100}))
	answer(s, contract.FinishVolumes, always[contract.FinishVolumesInput](contract.ShardResult{Chunks: 2, Objects: 4, Bytes: 50, Errors: 1}))
	answer(s, contract.SealBackup, always[contract.SealBackupInput](sealed()))
	answer(s, contract.VerifyBackup, always[contract.VerifyBackupInput](contract.VerifyResult{Bytes: 1250}))
	answer(s, contract.CommitBackup, func(in contract.CommitBackupInput) contract.BackupResult {
		return contract.BackupResult{Name: in.Ref.Name, UID: in.Ref.UID, Phase: "PartiallyFailed", Completed: in.Completed, Objects: in.Seal.Objects}
	})
	answer(s, contract.AbandonVolumes, always[contract.AbandonVolumesInput](contract.Nothing{}))
	answer(s, contract.AbandonBackup, always[contract.AbandonBackupInput](contract.Nothing{}))
	return s
}

func sealed() contract.SealResult {
	return contract.SealResult{Objects: 39, Bytes: 1250, Members: 45, Manifest: "5e41"}
}

func abandonBackup() step {
	return step{contract.AbandonBackup.Name, contract.AbandonBackupInput{Ref: backupRef()}}
}

// abandonAll resumes pods and deletes snapshots first: AbandonBackup clears the staging
// that lists them.
func abandonAll() []step {
	return []step{{contract.AbandonVolumes.Name, contract.AbandonVolumesInput{Ref: backupRef()}}, abandonBackup()}
}

func backupPhases() []phase {
	unplanned := contract.BackupRef{Name: "nightly", UID: runUID} // no location is known yet
	return []phase{
		{activity: contract.PrepareBackup.Name, cleanUp: []step{{contract.AbandonBackup.Name, contract.AbandonBackupInput{Ref: unplanned}}}},
		{activity: contract.SnapshotVolumes.Name, cleanUp: abandonAll()},
		{activity: contract.ExportShard.Name, cleanUp: abandonAll()},
		{activity: contract.ExportRelated.Name, cleanUp: abandonAll()},
		{activity: contract.CheckVolumes.Name, cleanUp: abandonAll()},
		{activity: contract.FinishVolumes.Name, cleanUp: abandonAll()},
		{activity: contract.SealBackup.Name, cleanUp: abandonAll()},
		{activity: contract.VerifyBackup.Name, cleanUp: abandonAll()},
		{activity: contract.CommitBackup.Name, cleanUp: abandonAll(), tooLate: true},
		{activity: contract.AbandonVolumes.Name, behind: contract.SealBackup.Name, cleanUp: []step{abandonBackup()}, tooLate: true},
		{activity: contract.AbandonBackup.Name, behind: contract.SealBackup.Name, tooLate: true},
	}
}

func TestBackupPhases(t *testing.T) {
	testPhases(t, backupPhases(), func(t *testing.T) *stage { return newBackup(t, backupPlan()) })
}

func TestBackup(t *testing.T) {
	s := newBackup(t, backupPlan())
	if err := s.run(); err != nil {
		t.Fatal(err)
	}
	ref := backupRef()
	ended := startTime().Add(500 * time.Millisecond)
	run := contract.Run{WorkflowID: "backup:prod:nightly", RunID: runUID, Cluster: cluster, Started: startTime()}
	want := []step{
		{contract.PrepareBackup.Name, contract.PrepareBackupInput{Backup: backupInput(), UID: runUID, Run: run}},
		{contract.SnapshotVolumes.Name, contract.SnapshotVolumesInput{Ref: ref}},
		{contract.ExportShard.Name, contract.ExportShardInput{Ref: ref}},
		{contract.ExportRelated.Name, contract.ExportRelatedInput{Ref: ref, Shards: []int{3}}},
		{contract.CheckVolumes.Name, contract.CheckVolumesInput{Ref: ref}},
		{contract.CheckVolumes.Name, contract.CheckVolumesInput{Ref: ref}},
		{contract.FinishVolumes.Name, contract.FinishVolumesInput{Ref: ref, Shard: 2}},
		{contract.SealBackup.Name, contract.SealBackupInput{Ref: ref, Chunks: []int{3, 1, 2}}},
		{contract.VerifyBackup.Name, contract.VerifyBackupInput{Ref: ref}},
		{contract.CommitBackup.Name, contract.CommitBackupInput{Ref: ref, Completed: ended, Seal: sealed()}},
	}
	if !reflect.DeepEqual(s.steps(), want) {
		t.Errorf("steps\n%+v, want\n%+v", s.steps(), want)
	}
	res := resultOf[contract.BackupResult](s)
	if want := (contract.BackupResult{
		Name: "nightly", UID: runUID, Phase: "PartiallyFailed", Completed: ended, Objects: 39, Activities: len(s.calls),
	}); !reflect.DeepEqual(res, want) {
		t.Errorf("result %+v, want %+v", res, want)
	}
	if want := []string{"InProgress", "PartiallyFailed"}; !slices.Equal(s.phases, want) {
		t.Errorf("phases %q, want %q", s.phases, want)
	}
	checkSearch(t, s, map[string]any{
		contract.SearchCluster: cluster, contract.SearchName: "nightly", contract.SearchPhase: "PartiallyFailed",
		contract.SearchSchedule: "daily", contract.SearchExpires: startTime().Add(time.Hour),
	})
}

// TestBackupProgress follows the answer of the query from activity to activity.
func TestBackupProgress(t *testing.T) {
	s := newBackup(t, backupPlan())
	if err := s.run(); err != nil {
		t.Fatal(err)
	}
	planned := contract.Progress{Phase: "InProgress", TotalObjects: 40, TotalVolumes: 3, Warnings: 1, Errors: 2}
	taken := planned
	taken.Errors = 3
	exported := taken
	exported.Objects, exported.Bytes, exported.Warnings = 30, 1000, 2
	related := exported
	related.Objects, related.Bytes = 35, 1200
	pending := related
	pending.Volumes, pending.VolumesPercent = 1, 70
	complete := related
	complete.Volumes, complete.VolumesPercent = 2, 100
	recorded := complete
	recorded.Objects, recorded.Bytes, recorded.Errors = 39, 1250, 4
	checkProgress(t, s, []contract.Progress{
		{Phase: "InProgress", Step: "validating, claiming the name, planning shards"},
		withStep(planned, "taking snapshots of 3 volumes"),
		withStep(taken, "exporting 1 shards"),
		withStep(exported, "exporting related objects"),
		withStep(related, "waiting for snapshots to complete"),
		withStep(pending, "waiting for snapshots to complete"),
		withStep(complete, "recording snapshots"),
		withStep(recorded, "composing the archive"),
		withStep(recorded, "reading back and verifying"),
		withStep(recorded, "committing"),
	})
	recorded.Phase = "PartiallyFailed"
	if got, want := s.progress(), withStep(recorded, "done: PartiallyFailed"); got != want {
		t.Errorf("at the end %+v, want %+v", got, want)
	}
}

// TestBackupRunsWhatIsPlanned leaves out the phases that the plan has no work for, in the
// clean-up too.
func TestBackupRunsWhatIsPlanned(t *testing.T) {
	plan := contract.BackupPlan{Location: "west", Shards: 2}
	s := newBackup(t, plan)
	if err := s.run(); err != nil {
		t.Fatal(err)
	}
	want := []string{
		contract.PrepareBackup.Name, contract.ExportShard.Name, contract.ExportShard.Name,
		contract.SealBackup.Name, contract.VerifyBackup.Name, contract.CommitBackup.Name,
	}
	if !slices.Equal(names(s.steps()), want) {
		t.Errorf("steps %q, want %q", names(s.steps()), want)
	}
	s = newBackup(t, plan)
	s.faults[contract.SealBackup.Name] = final
	if err := s.run(); err == nil {
		t.Fatal("a backup without an archive completes")
	}
	if want := slices.Concat(want[:4], []string{contract.AbandonBackup.Name}); !slices.Equal(names(s.steps()), want) {
		t.Errorf("steps %q, want %q", names(s.steps()), want)
	}
}

func TestBackupRefused(t *testing.T) {
	s := newBackup(t, backupPlan())
	s.faults[contract.PrepareBackup.Name] = refused
	if got := errorType(s.run()); got != contract.ErrTypeInvalid {
		t.Errorf("ends with %q", got)
	}
	if want := []string{"InProgress", "FailedValidation"}; !slices.Equal(s.phases, want) {
		t.Errorf("phases %q, want %q", s.phases, want)
	}
}

// TestBackupKeepsOrderOfShards exports shards that finish in another order than they began.
func TestBackupKeepsOrderOfShards(t *testing.T) {
	plan := backupPlan()
	plan.Shards = 4
	s := newBackup(t, plan)
	s.lasts[contract.ExportShard.Name] = func(n int) time.Duration { return time.Duration(4-n) * time.Minute }
	if err := s.run(); err != nil {
		t.Fatal(err)
	}
	want := []any{
		contract.ExportRelatedInput{Ref: backupRef(), Shards: []int{3, 4, 5, 6}},
		contract.FinishVolumesInput{Ref: backupRef(), Shard: 5},
		contract.SealBackupInput{Ref: backupRef(), Chunks: []int{3, 4, 5, 6, 1, 2}},
	}
	for i, name := range []string{contract.ExportRelated.Name, contract.FinishVolumes.Name, contract.SealBackup.Name} {
		if got := s.callsOf(name)[0].In; !reflect.DeepEqual(got, want[i]) {
			t.Errorf("%+v, want %+v", got, want[i])
		}
	}
}

func TestBackupWindows(t *testing.T) {
	plan := backupPlan()
	plan.Units, plan.Shards = 40, 20
	newRun := func(t *testing.T) *stage { return newBackup(t, plan) }
	for name, window := range map[string]int{contract.SnapshotVolumes.Name: 16, contract.ExportShard.Name: 8} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			testWindow(t, name, window, newRun, abandonAll())
		})
	}
}

// TestBackupWaitsForSnapshots wants waits that grow by an eighth up to a quarter of an hour:
// a complete snapshot is never seen much later than its time, and the history of a run that
// waits for three days stays below the 4,096 events at which Temporal suggests a new run.
func TestBackupWaitsForSnapshots(t *testing.T) {
	s := newBackup(t, backupPlan())
	looks := slices.Repeat([]contract.VolumeStatus{{Pending: 3}}, 350)
	answer(s, contract.CheckVolumes, after[contract.CheckVolumesInput](append(looks, contract.VolumeStatus{Completed: 3})...))
	if err := s.run(); err != nil {
		t.Fatal(err)
	}
	if got := len(s.callsOf(contract.CheckVolumes.Name)); got != len(looks)+1 {
		t.Errorf("%d looks, want %d", got, len(looks)+1)
	}
	checkWaits(t, s.waits, func(wait float64) float64 { return min(wait*9/8, 15*60) }, 15*time.Minute)
	var waited time.Duration
	for _, wait := range s.waits {
		waited += wait
	}
	const eventsPerLook = 11 // an activity, a timer, and a workflow task after each
	if waited < 72*time.Hour || len(s.waits)*eventsPerLook > 4096 {
		t.Errorf("%s in %d looks", waited, len(s.waits))
	}
}

func TestBackupCancelledWhileItWaits(t *testing.T) {
	s := newBackup(t, backupPlan())
	s.cancelAtWait = true
	checkCancelled(t, s, s.run(), contract.CheckVolumes.Name, abandonAll())
}

// TestBackupCancelledAtVerify cancels a run whose activity ends in other ways than by the
// cancel.
func TestBackupCancelledAtVerify(t *testing.T) {
	for name, stops := range map[string]func(*call) (any, error){
		"the heartbeat fails": func(*call) (any, error) { return nil, temporal.NewApplicationError("heartbeat: away", "Unavailable") },
		"it completes":        func(*call) (any, error) { return contract.VerifyResult{Bytes: 1250}, nil },
	} {
		t.Run(name, func(t *testing.T) {
			s := newBackup(t, backupPlan())
			s.faults[contract.VerifyBackup.Name] = cancelled
			s.lasts[contract.VerifyBackup.Name] = func(int) time.Duration { return time.Minute }
			s.stops = stops
			checkCancelled(t, s, s.run(), contract.VerifyBackup.Name, abandonAll())
		})
	}
}

// TestBackupCleanUpFailsTwice wants both errors: each tells what is left.
func TestBackupCleanUpFailsTwice(t *testing.T) {
	s := newBackup(t, backupPlan())
	for _, a := range []string{contract.SealBackup.Name, contract.AbandonVolumes.Name, contract.AbandonBackup.Name} {
		s.faults[a] = final
	}
	err := s.run()
	if got := errorType(err); got != "CleanupFailed" {
		t.Errorf("ends with %q", got)
	}
	for _, want := range []string{"SealBackup: forbidden", "AbandonVolumes: forbidden", "AbandonBackup: forbidden"} {
		if !strings.Contains(fmt.Sprint(err), want) {
			t.Errorf("%v does not tell %q", err, want)
		}
	}
}

func TestBackupOptions(t *testing.T) {
	s := newBackup(t, backupPlan())
	s.faults[contract.CommitBackup.Name] = final
	if err := s.run(); err == nil {
		t.Fatal("a backup completes that was not committed")
	}
	checkOptions(t, s, map[string]time.Duration{contract.SnapshotVolumes.Name: 10 * time.Minute})
}

func TestBackupWithoutName(t *testing.T) {
	for id, want := range map[string]string{"backup:prod:weekly": "weekly", "by-hand": "backup-20260301020000-6f96"} {
		s := newStage(t, id)
		answer(s, contract.PrepareBackup, always[contract.PrepareBackupInput](contract.BackupPlan{}))
		answer(s, contract.AbandonBackup, always[contract.AbandonBackupInput](contract.Nothing{}))
		s.faults[contract.PrepareBackup.Name] = final
		s.start = func() { s.env.ExecuteWorkflow(contract.BackupWorkflow, contract.BackupInput{}) }
		if err := s.run(); err == nil {
			t.Fatal("a backup without a plan completes")
		}
		in, ok := s.callsOf(contract.PrepareBackup.Name)[0].In.(contract.PrepareBackupInput)
		if !ok || in.Backup.Name != want {
			t.Errorf("%s: name %q, want %q", id, in.Backup.Name, want)
		}
		checkSearch(t, s, map[string]any{contract.SearchCluster: cluster, contract.SearchName: want, contract.SearchPhase: "Failed"})
	}
}
