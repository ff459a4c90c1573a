package schedules

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"
	velerov1 "github.com/vmware-tanzu/velero/pkg/apis/velero/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/starter/internal/manifest"
	"github.com/lifeboat-backup/lifeboat/starter/internal/show"
)

// Get is `schedule get`.
func Get(io Console) *cobra.Command {
	chosen, format, k := &selection{}, "", io.Kind()
	c := &cobra.Command{
		Use:   "get [NAME...]",
		Short: "List schedules",
		Long: `List schedules, with what became of the last due time` + k.measured + `. A schedule that this worker cannot run is Invalid, and the field is named on stderr.

json and yaml give the documents: applied again, they change nothing.`,
		Example:           k.example("get", "get "+k.name+" -o yaml", "get -l team=shop -o name"),
		ValidArgsFunction: completeNames(io),
	}
	c.Flags().StringVarP(&chosen.selector, "selector", "l", "", "only those with these labels")
	BindOutput(c, &format, show.FormatTable, show.FormatTable, show.FormatJSON, show.FormatYAML, show.FormatName)
	c.RunE = func(c *cobra.Command, names []string) error {
		return io.Connect(c.Context(), func(be Backend) error {
			all, err := chosen.pick(c.Context(), io.Kind(), be, names)
			if err != nil {
				return err
			}
			return printSchedules(io, format, all, len(names) == 1)
		})
	}
	return c
}

func printSchedules(io Console, format string, all []contract.ScheduleStatus, one bool) error {
	switch {
	case format == show.FormatName:
		for _, name := range namesOf(all) {
			io.Say("%s\n", name)
		}
		return nil
	case isDocument(format):
		documents := make([]any, 0, len(all))
		for _, s := range all {
			documents = append(documents, io.Kind().document(s))
		}
		return io.Kind().print(io.Stdout(), format, documents, one)
	case len(all) == 0:
		io.Say("No schedules found. Make one with: lifeboat %s\n", io.Kind().makeOne)
		return nil
	}
	var rows [][]string
	for _, s := range all {
		rows = append(rows, io.Kind().cells(s, io.Clock()))
	}
	if err := show.Table(io.Stdout(), io.Kind().header, rows); err != nil {
		return err
	}
	for _, s := range all {
		noteProblems(io, s)
	}
	return nil
}

// noteProblems names what a row has no room for.
func noteProblems(io Console, s contract.ScheduleStatus) {
	if s.Message != "" {
		io.Note("schedule %q is invalid: %s\n", s.Schedule.Name, show.Clean(s.Message))
	}
	for _, w := range s.Warnings {
		io.Note("warning: schedule %q: %s\n", s.Schedule.Name, show.Clean(w))
	}
}

// documentOf is Velero's document, with its status.
func documentOf(s contract.ScheduleStatus) any {
	doc := manifest.ScheduleDocument(s.Schedule)
	if s.Created.IsZero() { // of flags: it is not there yet
		return doc
	}
	doc.CreationTimestamp = metav1.NewTime(s.Created)
	switch s.Phase {
	case contract.ScheduleInvalid:
		doc.Status.Phase, doc.Status.ValidationErrors = velerov1.SchedulePhaseFailedValidation, []string{s.Message}
	default:
		doc.Status.Phase = velerov1.SchedulePhaseEnabled
	}
	if s.LastSuccess != nil {
		last := metav1.NewTime(s.LastSuccess.Started)
		doc.Status.LastBackup = &last
	}
	return doc
}

// Describe is `schedule describe`.
func Describe(io Console) *cobra.Command {
	format, k := "", io.Kind()
	c := &cobra.Command{
		Use:   "describe [NAME...]",
		Short: "Show schedules and what became of their due times",
		Long: `Show schedules and what became of their last due times: each one ran, failed, was skipped
because ` + k.skips + ` went on, was missed because nobody was there to start it in time,
or was paused. Without names all are shown.`,
		Example:           k.example("describe "+k.name, "describe "+k.name+" -o json"),
		ValidArgsFunction: completeNames(io),
	}
	BindOutput(c, &format, show.FormatTable, show.FormatTable, show.FormatJSON, show.FormatYAML)
	c.RunE = func(c *cobra.Command, names []string) error {
		return io.Connect(c.Context(), func(be Backend) error {
			all, err := readWhole(c.Context(), be, names)
			if err != nil {
				return err
			}
			if isDocument(format) && len(names) == 1 {
				return show.Document(io.Stdout(), format, all[0])
			}
			if isDocument(format) {
				return show.Document(io.Stdout(), format, map[string]any{"items": all})
			}
			for i, s := range all {
				if i > 0 {
					io.Say("\n\n")
				}
				if err := describe(io, s); err != nil {
					return err
				}
			}
			return nil
		})
	}
	return c
}

// readWhole reads schedules with their due times.
func readWhole(ctx context.Context, be Backend, names []string) ([]contract.ScheduleStatus, error) {
	if len(names) == 0 {
		all, err := be.Schedules(ctx, "")
		if err != nil {
			return nil, err
		}
		names = namesOf(all)
	}
	whole := make([]contract.ScheduleStatus, 0, len(names))
	for _, name := range names {
		rows, err := be.Schedules(ctx, name)
		if err != nil {
			return nil, err
		}
		if len(rows) != 1 {
			return nil, fmt.Errorf("read schedule %q: the worker answered without it: are worker and CLI of one version?", name)
		}
		whole = append(whole, rows[0])
	}
	return whole, nil
}
