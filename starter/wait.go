package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/temporal"
	"github.com/lifeboat-backup/lifeboat/starter/internal/show"
)

// watchInterval is how often a wait looks; each look costs the worker one query.
const watchInterval = time.Second

// followRun waits for a run with progress on stderr and decodes its result. When the
// user stops waiting it says how the story can be followed or ended.
func (a *app) followRun(ctx context.Context, be backend, run temporal.Run, result any) error {
	progress := show.NewProgress(a.stderr, a.width, a.now)
	err := be.Follow(ctx, run, result, watchInterval, func(s temporal.Sample) {
		progress.Show(progressState(s))
	})
	progress.Done()
	if err != nil && ctx.Err() != nil {
		a.sayGoesOn(run)
		return outcome{codeInterrupted}
	}
	return err
}

func progressState(s temporal.Sample) show.State {
	return show.State{
		Phase: s.Phase, Step: s.Step, Waits: s.Waits,
		Objects: s.Objects, Total: s.TotalObjects, Bytes: s.Bytes,
		Volumes: s.Volumes, TotalVolumes: s.TotalVolumes, VolumesPercent: s.VolumesPercent,
		Warnings: s.Warnings, Errors: s.Errors, Trouble: s.Trouble,
	}
}

func (a *app) sayGoesOn(run temporal.Run) {
	if run.Name == "" {
		a.note("stopped waiting; the %s goes on as workflow %s.\n", jobWord(run.Kind), run.WorkflowID)
		return
	}
	a.note("stopped waiting; the %s of %q goes on.\n", jobWord(run.Kind), run.Name)
	if run.Kind == temporal.KindDelete {
		where := ""
		if run.Location != "" {
			where = " --storage-location " + run.Location
		}
		a.note("  follow it: lifeboat backup delete %s%s --confirm\n", run.Name, where)
		return
	}
	if run.Kind == temporal.KindRehearsal {
		a.note("  follow it: lifeboat backup rehearse %s --wait\n", run.Name)
		return
	}
	noun := run.Kind.Noun()
	a.note("  follow it: lifeboat %s wait %s\n  look at it: lifeboat %s describe %s\n  cancel it: lifeboat %s cancel %s\n",
		noun, run.Name, noun, run.Name, noun, run.Name)
}

func jobWord(k temporal.Kind) string {
	if k == temporal.KindDelete {
		return "deletion"
	}
	return k.Noun()
}

// glanceAt is what a start without --wait does: it waits just long enough to hear
// that a run refused its input at once, or has ended already, and otherwise says
// how to go on.
func (a *app) glanceAt(ctx context.Context, be backend, run temporal.Run, report func(context.Context, backend, temporal.Run) error) error {
	short, cancel := context.WithTimeout(ctx, a.patience)
	defer cancel()
	err := be.Follow(short, run, nil, a.patience, nil)
	if ctx.Err() != nil {
		a.sayGoesOn(run)
		return outcome{codeInterrupted}
	}
	var failed *temporal.RunError
	if err == nil || errors.As(err, &failed) {
		return report(ctx, be, run)
	}
	noun := run.Kind.Noun()
	if s, err := be.Sample(ctx, run); err == nil && s.Trouble != "" {
		a.note("  %s\n", show.Clean(s.Trouble))
	}
	if run.Kind == temporal.KindRehearsal {
		a.say("Backup %q is being rehearsed by workflow %s.\n", run.Name, run.WorkflowID)
		a.say("Next: lifeboat backup rehearse %s --wait, or lifeboat backup describe %s\n", run.Name, run.Name)
		return nil
	}
	a.say("%s %q is running as workflow %s.\n", title(noun), run.Name, run.WorkflowID)
	a.say("Next: lifeboat %s wait %s, or lifeboat %s describe %s\n", noun, run.Name, noun, run.Name)
	return nil
}

func title(noun string) string {
	if noun == "restore" {
		return "Restore"
	}
	return "Backup"
}

// awaitBackup waits for a backup and tells how it ended.
func (a *app) awaitBackup(ctx context.Context, be backend, run temporal.Run) error {
	var res contract.BackupResult
	if err := a.followRun(ctx, be, run, &res); err != nil {
		return a.failedRun(run, err)
	}
	a.say("Backup %q %s: %s%s, %s in %s; %s.\n", res.Name, res.Phase,
		show.Plural(res.Objects, "object"), volumesText(res.Volumes), show.Bytes(res.Bytes), durationText(res.Started, res.Completed),
		problemCounts(res.Warnings, res.Errors))
	a.sayReasons(res.Reasons, res.Warnings+res.Errors)
	a.say("Next: lifeboat backup describe %s, or lifeboat restore create --from-backup %s\n", res.Name, res.Name)
	return phaseOutcome(res.Phase)
}

// awaitRestore waits for a restore and tells how it ended.
func (a *app) awaitRestore(ctx context.Context, be backend, run temporal.Run) (contract.RestoreResult, error) {
	var res contract.RestoreResult
	if err := a.followRun(ctx, be, run, &res); err != nil {
		return res, a.failedRun(run, err)
	}
	a.say("%s %s.\n", restoreOutcome(res), problemCounts(res.Warnings, res.Errors))
	if n := int64(res.Volumes); n > 0 && !res.DryRun {
		a.say("%s with the data of the backup.\n", show.Plural(n, "volume"))
	}
	if n := int64(res.Hooks.Attempted); n > 0 && res.DryRun {
		a.say("It would run %s in restored pods.\n", show.Plural(n, "hook"))
	} else if n > 0 {
		a.say("%s in restored pods, %s failed.\n", show.Plural(n, "hook"), show.Count(int64(res.Hooks.Failed)))
	}
	a.sayReasons(res.Reasons, res.Warnings+res.Errors)
	return res, nil
}

// restoreOutcome is the first part of what is said of a restore. A dry run's counts
// follow with its plan.
func restoreOutcome(res contract.RestoreResult) string {
	if res.DryRun {
		return fmt.Sprintf("Dry run %q of backup %q %s in %s;", res.Name, res.Backup, res.Phase, durationText(res.Started, res.Completed))
	}
	return fmt.Sprintf("Restore %q from backup %q %s in %s: %s;", res.Name, res.Backup, res.Phase, durationText(res.Started, res.Completed), show.Counts(res.Counts))
}

// volumesText tells of the volumes whose data is safe; none is not worth a word.
func volumesText(n int) string {
	if n == 0 {
		return ""
	}
	return " and " + show.Plural(int64(n), "volume")
}

func problemCounts(warnings, errs int) string {
	return show.Plural(int64(warnings), "warning") + ", " + show.Plural(int64(errs), "error")
}

// failedRun adds what to do next to the failure of a run.
func (a *app) failedRun(run temporal.Run, err error) error {
	var failed *temporal.RunError
	if errors.As(err, &failed) {
		failed.Message = nameFlags(failed.Message)
	}
	if failed == nil || errors.Is(err, temporal.ErrExists) || errors.Is(err, temporal.ErrNotFound) {
		return err
	}
	if failed.Phase == "FailedValidation" && run.Kind != temporal.KindBackup && run.Kind != temporal.KindRestore {
		return err // there is nothing to create again
	}
	if failed.Phase == "FailedValidation" {
		return fmt.Errorf("%w; correct the %s and create it again", err, run.Kind.Noun())
	}
	return fmt.Errorf("%w; its history is in the Temporal UI under workflow id %s", err, run.WorkflowID)
}

// nameFlags names the flags of what to restore in place of the fields that they set.
func nameFlags(message string) string {
	return strings.NewReplacer("spec.backupName: ", "--from-backup: ", "spec.scheduleName: ", "--from-schedule: ",
		"name one with backupName, or allow PartiallyFailed ones", "name one with --from-backup, or allow PartiallyFailed ones with --allow-partially-failed",
		"or allow a corrupt one with allowCorrupt", "or allow a corrupt one with --allow-corrupt").Replace(message)
}

// sayReasons prints the first problems of a run, which carry their next step.
func (a *app) sayReasons(reasons []string, all int) {
	const most = 5
	shown := reasons[:min(len(reasons), most)]
	for _, reason := range shown {
		a.say("  %s\n", show.Clean(reason))
	}
	if rest := all - len(shown); len(shown) > 0 && rest > 0 {
		a.say("  and %d more\n", rest)
	}
}

func durationText(from, to time.Time) string {
	// Velero's documents, where these times come from, know whole seconds only.
	if d := to.Sub(from).Round(time.Second); !from.IsZero() && d >= time.Second {
		return d.String()
	}
	return "under 1s"
}
