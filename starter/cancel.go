package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"
)

// cancelCommand is `backup cancel` and `restore cancel`; leaves says what a cancelled run
// leaves behind.
func (n *noun[Row, Doc]) cancelCommand(leaves string) *cobra.Command {
	return &cobra.Command{
		Use:               "cancel NAME",
		Short:             "Stop a running " + n.word(),
		Long:              "Stop a running " + n.word() + " and let it clean up behind itself. " + leaves,
		Example:           "  lifeboat " + n.word() + " cancel nightly",
		Args:              oneName(n.word()),
		ValidArgsFunction: n.completeRunning(n.kind),
		RunE: n.connected(func(ctx context.Context, be backend, args []string) error {
			return n.cancelRun(ctx, be, args[0])
		}),
	}
}

func (n *noun[Row, Doc]) cancelRun(ctx context.Context, be backend, name string) error {
	state, err := be.Latest(ctx, n.kind, name)
	if err != nil {
		return err
	}
	if !state.Running {
		n.note("error: %s %q is not running: it is %s; see lifeboat %s describe %s\n", n.word(), name, state.Phase, n.word(), name)
		return outcome{codeNotFound}
	}
	if err := be.Cancel(ctx, state.Run); err != nil {
		return err
	}
	n.say("%s %q was asked to stop and is cleaning up.\nNext: lifeboat %s wait %s\n", title(n.word()), name, n.word(), name)
	return nil
}

// oneName wants exactly the name of a backup or restore.
func oneName(noun string) cobra.PositionalArgs {
	return func(c *cobra.Command, args []string) error {
		if len(args) != 1 {
			return fmt.Errorf("%s takes the name of one %s, got %d arguments; see 'lifeboat %s get'", c.CommandPath(), noun, len(args), noun)
		}
		return nil
	}
}
