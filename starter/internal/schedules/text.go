package schedules

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	velerov1 "github.com/vmware-tanzu/velero/pkg/apis/velero/v1"
	"k8s.io/apimachinery/pkg/util/duration"
	"sigs.k8s.io/yaml"

	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/filter"
	"github.com/lifeboat-backup/lifeboat/starter/internal/show"
)

// header has Velero's columns first: scripts count them.
func header() []string {
	return []string{"NAME", "STATUS", "CREATED", "SCHEDULE", "BACKUP TTL", "LAST BACKUP", "SELECTOR", "PAUSED", "TIME ZONE", "LAST RESULT", "NEXT RUN", "RPO", "SOURCE"}
}

func cells(s contract.ScheduleStatus, now time.Time) []string {
	spec := &s.Schedule.Spec
	last, result := "n/a", "n/a"
	if s.LastSuccess != nil {
		last = show.FromNow(s.LastSuccess.Started, now)
	}
	if s.LastResult != nil {
		result = outcomeText(*s.LastResult)
	}
	return []string{
		s.Schedule.Name, s.Phase, show.Time(s.Created), spec.Schedule, show.Or(s.TTL, "n/a"), last,
		show.Or(filter.FormatSelector(spec.Template.LabelSelector, spec.Template.OrLabelSelectors), "<none>"),
		strconv.FormatBool(spec.Paused), show.Or(s.Zone, "UTC"), result, nextText(s.Next, now), rpoText(s), s.Source,
	}
}

func nextText(next *time.Time, now time.Time) string {
	if next == nil {
		return "n/a"
	}
	return show.FromNow(*next, now)
}

// rpoText is the age of the data of the last good backup, in words and seconds.
func rpoText(s contract.ScheduleStatus) string {
	if s.RPOSeconds == nil {
		return "never"
	}
	return fmt.Sprintf("%s (%ds)", duration.ShortHumanDuration(time.Duration(*s.RPOSeconds)*time.Second), *s.RPOSeconds)
}

func outcomeText(s contract.ScheduleSlot) string {
	if s.Outcome == contract.SlotRan && s.Phase != string(velerov1.BackupPhaseCompleted) {
		return s.Outcome + ": " + s.Phase
	}
	return s.Outcome
}

// changeText tells what became of a schedule, and when it is due next.
func changeText(k Kind, c contract.ScheduleChange, now time.Time) string {
	text := fmt.Sprintf("schedule %q %s", c.Name, c.Outcome)
	switch c.Outcome {
	case contract.ScheduleNotApplied:
		return text + ": it was applied from there before and goes on; --prune deletes it where applies name a --source"
	case contract.SchedulePruned, contract.ScheduleDeleted:
		return text + "; its " + k.its + " stay"
	}
	if c.Next != nil {
		text += fmt.Sprintf("; next run %s (in %s)", show.Time(*c.Next), show.FromNow(*c.Next, now))
	}
	return text
}

// describe prints a schedule and its last due times.
func describe(io Console, s contract.ScheduleStatus) error {
	describeDefinition(io, s)
	describeTimes(io, s)
	if err := describeTemplate(io, io.Kind().template(s)); err != nil {
		return err
	}
	return describeSlots(io, s.Slots)
}

func describeLine(io Console, label, text string) {
	io.Say("%-18s %s\n", label+":", show.Or(show.Clean(text), "<none>"))
}

// describeDefinition prints what the schedule says of itself.
func describeDefinition(io Console, s contract.ScheduleStatus) {
	line := func(label, text string) { describeLine(io, label, text) }
	line("Name", s.Schedule.Name)
	line("Labels", strings.Join(show.LabelPairs(s.Schedule.Labels), ", "))
	line("Annotations", strings.Join(show.LabelPairs(s.Schedule.Annotations), ", "))
	line("Phase", s.Phase)
	if s.Message != "" {
		line("Validation error", s.Message)
	}
	for _, w := range s.Warnings {
		line("Warning", w)
	}
	line("Source", sourceText(s))
	line("Schedule", strings.TrimSpace(s.Schedule.Spec.Schedule+" "+s.Zone))
	line("Overlap", s.Overlap)
	line("Catch-up window", s.CatchUp)
	line("Jitter", show.Or(s.Jitter, "0s"))
	if k := io.Kind(); !k.drills {
		line("Backup TTL", s.TTL)
		line("Rehearse", s.Rehearse)
	}
}

// describeTimes prints how the schedule goes.
func describeTimes(io Console, s contract.ScheduleStatus) {
	line := func(label, text string) { describeLine(io, label, text) }
	if s.PausedSince != nil {
		line("Paused since", show.Time(*s.PausedSince))
	}
	line("Next run", nextTime(s.Next, io.Clock()))
	line("Last success", successText(s))
	if !io.Kind().drills {
		line("RPO", rpoText(s))
	}
	line("Due times", countsText(s.Counts))
}

func describeSlots(io Console, slots []contract.ScheduleSlot) error {
	if len(slots) == 0 {
		return nil
	}
	io.Say("\n")
	var rows [][]string
	for _, slot := range slots {
		rows = append(rows, slotCells(slot))
	}
	return show.Table(io.Stdout(), []string{"DUE", "OUTCOME", "BACKUP", "BEGAN", "TOOK", "REASON"}, rows)
}

func describeTemplate(io Console, template any) error {
	text, err := yaml.Marshal(template)
	if err != nil {
		return fmt.Errorf("print the template: %w", err)
	}
	io.Say("%s:\n", io.Kind().templateName)
	for l := range strings.Lines(string(text)) {
		if l = strings.TrimRight(l, "\n"); !strings.HasSuffix(l, ": {}") && !strings.HasSuffix(l, ": 0s") {
			io.Say("  %s\n", show.Clean(l))
		}
	}
	return nil
}

func sourceText(s contract.ScheduleStatus) string {
	switch {
	case s.Source == "config":
		return "the worker's configuration; it can be changed there only, and paused here"
	case s.Schedule.From != "":
		return "applied from " + s.Schedule.From
	default:
		return "made by hand"
	}
}

func nextTime(next *time.Time, now time.Time) string {
	if next == nil {
		return ""
	}
	return fmt.Sprintf("%s (in %s)", show.Time(*next), show.FromNow(*next, now))
}

func successText(s contract.ScheduleStatus) string {
	if s.LastSuccess == nil {
		return ""
	}
	return fmt.Sprintf("%s, %s", s.LastSuccess.Backup, show.Time(s.LastSuccess.Started))
}

func countsText(counts map[string]int64) string {
	var parts []string
	for _, outcome := range slices.Sorted(maps.Keys(counts)) {
		parts = append(parts, fmt.Sprintf("%s %s", show.Count(counts[outcome]), outcome))
	}
	return strings.Join(parts, ", ")
}

func slotCells(s contract.ScheduleSlot) []string {
	began, took := "", ""
	if !s.Started.IsZero() {
		began = s.Started.UTC().Format("2006-01-02 15:04:05")
	}
	if !s.Ended.IsZero() && !s.Started.IsZero() {
		took = s.Ended.Sub(s.Started).Round(time.Second).String()
	}
	outcome := outcomeText(s)
	if s.Triggered {
		outcome += " (triggered)"
	}
	return []string{s.Due.UTC().Format("2006-01-02 15:04:05"), outcome, s.Backup, began, took, s.Reason}
}
