package drill

import (
	"errors"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"github.com/lifeboat-backup/lifeboat/docs/schemas"
	"github.com/lifeboat-backup/lifeboat/starter/internal/command"
	"github.com/lifeboat-backup/lifeboat/starter/internal/console"
	"github.com/lifeboat-backup/lifeboat/starter/internal/show"
)

// KeyVariable names the file of the public key that --key is the flag of.
const KeyVariable = "LIFEBOAT_DRILL_KEY"

// commands are those of `lifeboat drill`.
type commands struct{ *console.Console }

// Command is `lifeboat drill`.
func Command(con *console.Console) *cobra.Command {
	cs := commands{con}
	return command.Group("drill", "Prove backups by restoring them, and check the evidence", []string{"drills"},
		cs.runCommand(), cs.scheduleCommand(), cs.waitCommand(), cs.keepCommand(), cs.stopCommand(), cs.getCommand(), cs.describeCommand(), cs.historyCommand(), cs.verifyCommand(), cs.reportCommand(), cs.keygenCommand(), cs.schemaCommand())
}

func bindKey(c *cobra.Command, keys *[]string, help string) {
	var fallback []string
	if name := os.Getenv(KeyVariable); name != "" {
		fallback = []string{name}
	}
	c.Flags().StringArrayVar(keys, "key", fallback, help+" (default $"+KeyVariable+")")
}

func (cs commands) verifyCommand() *cobra.Command {
	var keys []string
	var out console.Output
	c := &cobra.Command{
		Use:   "verify FILE...",
		Short: "Check that evidence is genuine, and that no drill is missing",
		Long: `Check the evidence of drills: who signed it, that no byte was altered since, that what it
says does not contradict itself, and that the drills of a chain follow each other: none
missing, failed, hidden or overdue. It asks nobody: neither cluster nor network are needed.

The public key has to come from somebody you trust, not from where the files come from.
` + exitHelp,
		Example: `  lifeboat drill verify --key drills.pub 2026-q1.json
  lifeboat drill verify --key drills.pub --key drills-2025.pub evidence/*.json
  LIFEBOAT_DRILL_KEY=drills.pub lifeboat drill verify -o json evidence/*.json`,
		Args: cobra.MinimumNArgs(1),
	}
	bindKey(c, &keys, "PEM `file` with a public key that may sign; may be repeated, after the key was changed")
	out.BindFlag(c, show.FormatTable, show.FormatTable, show.FormatJSON, show.FormatYAML)
	c.RunE = func(_ *cobra.Command, args []string) error {
		report, err := Verify(args, keys, cs.Now())
		if err != nil {
			return err
		}
		if err := cs.printEvidence(report, out); err != nil {
			return err
		}
		return evidenceOutcome(report)
	}
	return c
}

const exitHelp = `
Exit codes:
  0  every file is genuine, and the chain has no gap
  1  bad usage, or a file could not be read
  2  a file is refused
  3  every file is genuine, and the chain has gaps`

func evidenceOutcome(r Report) error {
	switch {
	case r.Refused():
		return console.Outcome{Code: console.CodeFailed}
	case len(r.Gaps) > 0:
		return console.Outcome{Code: console.CodePartiallyFailed}
	default:
		return nil
	}
}

func (cs commands) printEvidence(r Report, out console.Output) error {
	if out.IsDocument() {
		return show.Document(cs.Stdout, out.Format, r)
	}
	var rows [][]string
	for _, f := range r.Files {
		if !f.Valid {
			rows = append(rows, []string{f.File, "REFUSED", "", "", "", "", "", "", ""})
			continue
		}
		rto := "n/a"
		if f.RTO > 0 {
			rto = roundClock(f.RTO.Duration())
		}
		rows = append(rows, []string{
			f.File, "genuine", f.Chain, show.Count(int64(f.Sequence)), show.Time(f.Asked.Time()), string(f.Verdict),
			string(f.Level), rto, roundClock(f.RPO.Duration()),
		})
	}
	if err := show.Table(cs.Stdout, []string{"FILE", "EVIDENCE", "CHAIN", "DRILL", "ASKED", "VERDICT", "LEVEL", "RTO", "RPO"}, rows); err != nil {
		return err
	}
	cs.Say("\n%s", r.Summary())
	return nil
}

func (cs commands) reportCommand() *cobra.Command {
	var keys []string
	var html string
	var out console.Output
	c := &cobra.Command{
		Use:   "report FILE",
		Short: "Show what the evidence of a drill says, or make a page of it",
		Long: `Show what the evidence of a drill says. With --html it makes one page that loads nothing
from anywhere, carries the evidence itself, and can be printed. Without --key the signature
is not checked, and the page says so.`,
		Example: `  lifeboat drill report 2026-q1.json --key drills.pub
  lifeboat drill report 2026-q1.json --key drills.pub --html 2026-q1.html
  lifeboat drill report 2026-q1.json -o yaml`,
		Args: cobra.ExactArgs(1),
	}
	bindKey(c, &keys, "PEM `file` with a public key that may sign; may be repeated")
	c.Flags().StringVar(&html, "html", "", "`file` to write the page to")
	out.BindFlag(c, show.FormatTable, show.FormatTable, show.FormatJSON, show.FormatYAML)
	c.RunE = func(_ *cobra.Command, args []string) error {
		if len(keys) == 0 {
			cs.Note("warning: the signature is not checked: give --key\n")
		}
		if html == "" {
			return cs.reportEvidence(args[0], keys, out)
		}
		if err := WritePage(html, args[0], keys); err != nil {
			return err
		}
		cs.Say("Page written to %s.\n", html)
		return nil
	}
	return c
}

func (cs commands) reportEvidence(file string, keys []string, out console.Output) error {
	_, e, err := Read(file, keys)
	if err != nil {
		return err
	}
	if out.IsDocument() {
		return show.Document(cs.Stdout, out.Format, e.Statement)
	}
	cs.Say("%s", show.Evidence(e.Statement.Predicate))
	return nil
}

func (cs commands) keygenCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "keygen FILE",
		Short: "Make a key to sign evidence with",
		Long: `Make an Ed25519 key: FILE has the private key in PKCS #8, readable by you alone, FILE.pub the
public one. Neither is overwritten. Keep the public key where whoever can read the private
one cannot write, and give it to those who are to check evidence.`,
		Example: `  lifeboat drill keygen drills.key
  openssl pkey -in drills.key -noout -text      # any tool reads it`,
		Args: cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			id, err := MakeKey(args[0])
			if errors.Is(err, os.ErrExist) {
				return fmt.Errorf("%w: choose another name; evidence that an old key signed needs its public key", err)
			}
			if err != nil {
				return err
			}
			cs.Say("Private key: %s\nPublic key:  %s\nKey id:      %s\n", args[0], PublicName(args[0]), id)
			cs.Say("\nCheck evidence with: lifeboat drill verify --key %s FILE...\n", PublicName(args[0]))
			return nil
		},
	}
}

func (cs commands) schemaCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "schema",
		Short:   "Print the JSON schema of the evidence",
		Example: "  lifeboat drill schema > restore-drill-v1.json",
		Args:    cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			cs.Say("%s", schemas.RestoreDrill)
			return nil
		},
	}
}
