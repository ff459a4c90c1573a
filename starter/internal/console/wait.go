package console

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/lifeboat-backup/lifeboat/internal/temporal"
	"github.com/lifeboat-backup/lifeboat/starter/internal/show"
)

// WatchInterval is how often a wait looks; each look costs the worker one query.
const WatchInterval = time.Second

// FollowRun waits for a run with progress on stderr and decodes its result. When the
// user stops waiting it says how the story can be followed or ended.
func (con *Console) FollowRun(ctx context.Context, be Backend, run temporal.Run, result any) error {
	progress := show.NewProgress(con.Stderr, con.Width, con.Now)
	err := be.Follow(ctx, run, result, WatchInterval, func(s temporal.Sample) {
		progress.Show(ProgressState(s))
	})
	progress.Done()
	if err != nil && ctx.Err() != nil {
		con.sayGoesOn(run)
		return Outcome{Code: CodeInterrupted}
	}
	return err
}

// ProgressState is what a line of progress shows of a run.
func ProgressState(s temporal.Sample) show.State {
	return show.State{
		Phase: s.Phase, Step: s.Step, Waits: s.Waits,
		Objects: s.Objects, Total: s.TotalObjects, Bytes: s.Bytes,
		Volumes: s.Volumes, TotalVolumes: s.TotalVolumes, VolumesPercent: s.VolumesPercent,
		Warnings: s.Warnings, Errors: s.Errors, Trouble: s.Trouble,
	}
}

func (con *Console) sayGoesOn(run temporal.Run) {
	if run.Name == "" || run.Kind == temporal.KindSchedules {
		con.Note("stopped waiting; the %s goes on as workflow %s.\n", jobWord(run.Kind), run.WorkflowID)
	} else {
		con.Note("stopped waiting; the %s of %q goes on.\n", jobWord(run.Kind), run.Name)
	}
	for _, line := range advice(run) {
		con.Note("  %s\n", line)
	}
}

// advice are commands for a run that goes on.
func advice(run temporal.Run) []string {
	switch run.Kind {
	case temporal.KindDelete:
		where := ""
		if run.Location != "" {
			where = " --storage-location " + run.Location
		}
		return []string{"follow it: lifeboat backup delete " + run.Name + where + " --confirm"}
	case temporal.KindRehearsal:
		return []string{"follow it: lifeboat backup rehearse " + run.Name + " --wait"}
	case temporal.KindDrill:
		return []string{"follow it: lifeboat drill wait", "end it: lifeboat drill stop"}
	case temporal.KindRetain:
		return []string{"look at it: lifeboat backup describe " + run.Name}
	case temporal.KindSchedules:
		return []string{"look at it: lifeboat schedule get", "or, of drills: lifeboat drill schedule get"}
	case temporal.KindGarbage:
		return []string{"look at it: lifeboat gc plan"}
	case temporal.KindVerify:
		return []string{"look at it: lifeboat backup get"}
	}
	noun := run.Kind.Noun()
	return []string{
		"follow it: lifeboat " + noun + " wait " + run.Name,
		"look at it: lifeboat " + noun + " describe " + run.Name,
		"cancel it: lifeboat " + noun + " cancel " + run.Name,
	}
}

// jobWord is how a run is called before the name of its backup.
func jobWord(k temporal.Kind) string {
	switch k {
	case temporal.KindDelete:
		return "deletion"
	case temporal.KindRetain:
		return "retention"
	case temporal.KindRehearsal:
		return "rehearsal"
	}
	return k.Noun()
}

// GlanceAt is what a start without --wait does: it waits just long enough to hear
// that a run refused its input at once, or has ended already, and otherwise says
// how to go on.
func (con *Console) GlanceAt(ctx context.Context, be Backend, run temporal.Run, report func(context.Context, Backend, temporal.Run) error) error {
	short, cancel := context.WithTimeout(ctx, con.Patience)
	defer cancel()
	err := be.Follow(short, run, nil, con.Patience, nil)
	if ctx.Err() != nil {
		con.sayGoesOn(run)
		return Outcome{Code: CodeInterrupted}
	}
	var failed *temporal.RunError
	if err == nil || errors.As(err, &failed) {
		return report(ctx, be, run)
	}
	noun := run.Kind.Noun()
	if s, err := be.Sample(ctx, run); err == nil && s.Trouble != "" {
		con.Note("  %s\n", show.Clean(s.Trouble))
	}
	if run.Kind == temporal.KindRehearsal {
		con.Say("Backup %q is being rehearsed by workflow %s.\n", run.Name, run.WorkflowID)
		con.Say("Next: lifeboat backup rehearse %s --wait, or lifeboat backup describe %s\n", run.Name, run.Name)
		return nil
	}
	if run.Kind == temporal.KindDrill {
		con.Say("Drill %q is running as workflow %s.\nNext: lifeboat drill wait, or lifeboat drill stop\n", run.Name, run.WorkflowID)
		return nil
	}
	con.Say("%s %q is running as workflow %s.\n", Title(noun), run.Name, run.WorkflowID)
	con.Say("Next: lifeboat %s wait %s, or lifeboat %s describe %s\n", noun, run.Name, noun, run.Name)
	return nil
}

// Title is the noun as a sentence begins with it, and as Velero calls the kind.
func Title(noun string) string {
	if noun == "restore" {
		return "Restore"
	}
	return "Backup"
}

// FailedRun adds what to do next to the failure of a run.
func (con *Console) FailedRun(run temporal.Run, err error) error {
	var failed *temporal.RunError
	if errors.As(err, &failed) {
		failed.Message = nameFlags(failed.Message)
	}
	if failed == nil || errors.Is(err, temporal.ErrExists) || errors.Is(err, temporal.ErrNotFound) {
		return err
	}
	if failed.Phase == failedValidation && run.Kind != temporal.KindBackup && run.Kind != temporal.KindRestore {
		return err // there is nothing to create again
	}
	if failed.Phase == failedValidation {
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

// SayReasons prints the first problems of a run, which carry their next step.
func (con *Console) SayReasons(reasons []string, all int) {
	const most = 5
	shown := reasons[:min(len(reasons), most)]
	for _, reason := range shown {
		con.Say("  %s\n", show.Clean(reason))
	}
	if rest := all - len(shown); len(shown) > 0 && rest > 0 {
		con.Say("  and %d more\n", rest)
	}
}
