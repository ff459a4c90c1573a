// Package doctor has the command `lifeboat doctor`.
package doctor

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/starter/internal/console"
	"github.com/lifeboat-backup/lifeboat/starter/internal/show"
)

// checklist is what is written with -o json.
type checklist struct {
	Cluster string           `json:"cluster"`
	Checks  []contract.Check `json:"checks"`
	Yes     int              `json:"yes"`
	No      int              `json:"no"`
	Unknown int              `json:"unknown"`
}

// Command is `lifeboat doctor`.
func Command(con *console.Console) *cobra.Command {
	out, strict := console.Output{}, false
	c := &cobra.Command{
		Use:   "doctor",
		Short: "Ask whether anything would be missing on the day of a restore",
		Long: `Answer the production checklist by measurement: storage locations, schedules, a recent good
backup and drill, how the bucket is set up, snapshots, rights. Each answer that is not yes
comes with what to do. What cannot be measured is unknown, with the reason. Nothing is
changed.

Exit codes:
  0    no answer is no; with --strict every answer is yes
  1    bad usage, or the worker does not answer
  2    an answer is no
  3    with --strict: none is no, and some are unknown`,
		Example: `  lifeboat doctor
  lifeboat doctor -o json
  lifeboat doctor --strict    # in CI, once everything can be measured`,
		Args: cobra.NoArgs,
	}
	out.BindFlag(c, show.FormatTable, show.FormatTable, show.FormatJSON, show.FormatYAML)
	c.Flags().BoolVar(&strict, "strict", false, "end with code 3 if something is unknown")
	c.RunE = func(c *cobra.Command, _ []string) error {
		return con.WithBackend(c.Context(), func(be console.Backend) error { return askChecklist(c.Context(), con, be, out, strict) })
	}
	return c
}

// askChecklist has the checklist answered, and prints it.
func askChecklist(ctx context.Context, con *console.Console, be console.Backend, out console.Output, strict bool) error {
	res, err := be.Read(ctx, contract.ReadInput{Verb: contract.ReadChecklist})
	if err != nil {
		return err
	}
	list := count(be.Cluster(), res.Checklist)
	if out.IsDocument() {
		err = show.Document(con.Stdout, out.Format, list)
	} else {
		err = list.print(con)
	}
	if err != nil {
		return err
	}
	return list.outcome(strict)
}

func count(cluster string, checks []contract.Check) checklist {
	list := checklist{Cluster: cluster, Checks: checks}
	for _, check := range checks {
		switch check.Answer {
		case contract.AnswerYes:
			list.Yes++
		case contract.AnswerNo:
			list.No++
		default:
			list.Unknown++
		}
	}
	return list
}

func (l *checklist) print(con *console.Console) error {
	var rows [][]string
	for _, check := range l.Checks {
		rows = append(rows, []string{check.Answer, check.Question, show.Clean(check.Found)})
	}
	if err := show.Table(con.Stdout, []string{"ANSWER", "QUESTION", "FOUND"}, rows); err != nil {
		return err
	}
	con.Say("\n%d yes, %d no, %d unknown.\n", l.Yes, l.No, l.Unknown)
	for _, check := range l.Checks {
		if check.Remedy != "" {
			con.Say("%s\n  %s: %s\n", check.Question, check.Answer, show.Clean(check.Remedy))
		}
	}
	return nil
}

// outcome is the exit code.
func (l *checklist) outcome(strict bool) error {
	switch {
	case len(l.Checks) == 0:
		return fmt.Errorf("the worker has answered no question: is it older than this program? see lifeboat version")
	case l.No > 0:
		return console.Outcome{Code: console.CodeFailed}
	case strict && l.Unknown > 0:
		return console.Outcome{Code: console.CodePartiallyFailed}
	}
	return nil
}
