// Package drills has the commands of `lifeboat drill`.
//
//   - drills.go: what they need of the program around them.
//   - run.go: run, stop, keep.
//   - evidence.go: verify, report, keygen, schema, which ask nobody.
package drills

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/starter/internal/show"
)

// Console is the program around the commands.
type Console interface {
	// Connect connects to Temporal, runs do and closes the connection.
	Connect(ctx context.Context, do func(Backend) error) error
	Stdin() io.Reader
	Stdout() io.Writer
	Say(format string, args ...any)  // a result
	Note(format string, args ...any) // a remark, to stderr
	Clock() time.Time
	// End ends the command with an exit code, when everything has been said.
	End(code int) error
}

// Exit codes of the program that these commands end with.
const (
	codeFailed  = 2
	codePartial = 3
)

// Backend is what is asked of Temporal and the worker.
type Backend interface {
	// Drill starts a drill. With wait it waits for its end, showing progress; without, only long
	// enough to hear that it was refused, and the result is nil.
	Drill(ctx context.Context, in contract.DrillInput, wait bool) (*contract.DrillResult, error)
	KeepDrill(ctx context.Context, d time.Duration) error
	StopDrill(ctx context.Context) error
}

// Commands are all of them.
func Commands(io Console) []*cobra.Command {
	return []*cobra.Command{runCommand(io), keepCommand(io), stopCommand(io), verifyCommand(io), reportCommand(io), keygenCommand(io), schemaCommand(io)}
}

// output is the flag -o.
type output struct{ format string }

// bindFlag adds -o to a command and has it checked before the command runs.
func (o *output) bindFlag(c *cobra.Command, fallback string, allowed ...string) {
	c.Flags().StringVarP(&o.format, "output", "o", fallback, "output format: "+strings.Join(allowed, ", "))
	c.PreRunE = func(*cobra.Command, []string) error {
		if o.format == "" || slices.Contains(allowed, o.format) {
			return nil
		}
		return fmt.Errorf("--output: %q is not one of %s", o.format, strings.Join(allowed, ", "))
	}
}

func (o *output) isDocument() bool { return o.format == show.FormatJSON || o.format == show.FormatYAML }
