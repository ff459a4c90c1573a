package console

import (
	"context"
	"time"

	"github.com/spf13/cobra"

	"github.com/lifeboat-backup/lifeboat/internal/temporal"
)

// completion gives the words a shell offers for an argument.
type completion = func(c *cobra.Command, args []string, prefix string) ([]string, cobra.ShellCompDirective)

// completionTimeout keeps the tab key from hanging.
const completionTimeout = 2 * time.Second

// CompleteWords connects and offers what list gives.
func (con *Console) CompleteWords(c *cobra.Command, list func(ctx context.Context, be Backend) ([]string, error)) ([]string, cobra.ShellCompDirective) {
	ctx, cancel := context.WithTimeout(c.Context(), completionTimeout)
	defer cancel()
	var words []string
	err := con.WithBackend(ctx, func(be Backend) error {
		var err error
		words, err = list(ctx, be)
		return err
	})
	if err != nil {
		return nil, cobra.ShellCompDirectiveError
	}
	return words, cobra.ShellCompDirectiveNoFileComp
}

// CompleteFlags has the flags of these names completed, in a command and all below it, unless a
// command does so itself.
func CompleteFlags(c *cobra.Command, by map[string]cobra.CompletionFunc) {
	for name, offer := range by {
		if _, known := c.GetFlagCompletionFunc(name); !known && c.LocalFlags().Lookup(name) != nil {
			_ = c.RegisterFlagCompletionFunc(name, offer) // the flag is there
		}
	}
	for _, child := range c.Commands() {
		CompleteFlags(child, by)
	}
}

// CompleteRunning offers the runs of a kind that go on.
func (con *Console) CompleteRunning(kind temporal.Kind) completion {
	return func(c *cobra.Command, _ []string, _ string) ([]string, cobra.ShellCompDirective) {
		return con.CompleteWords(c, func(ctx context.Context, be Backend) ([]string, error) {
			runs, err := be.Runs(ctx, kind)
			var words []string
			for _, r := range runs {
				if r.Running {
					words = append(words, r.Name)
				}
			}
			return words, err
		})
	}
}
