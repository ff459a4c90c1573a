package noun

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/lifeboat-backup/lifeboat/starter/internal/console"
)

// CancelCommand is `backup cancel` and `restore cancel`; leaves says what a cancelled run
// leaves behind.
func (n *Noun[Row, Doc]) CancelCommand(leaves string) *cobra.Command {
	return &cobra.Command{
		Use:               "cancel NAME",
		Short:             "Stop a running " + n.word(),
		Long:              "Stop a running " + n.word() + " and let it clean up behind itself. " + leaves,
		Example:           "  lifeboat " + n.word() + " cancel nightly",
		Args:              console.OneName(n.word()),
		ValidArgsFunction: n.CompleteRunning(n.Kind),
		RunE: n.Connected(func(ctx context.Context, be console.Backend, args []string) error {
			return n.cancelRun(ctx, be, args[0])
		}),
	}
}

func (n *Noun[Row, Doc]) cancelRun(ctx context.Context, be console.Backend, name string) error {
	state, err := be.Latest(ctx, n.Kind, name)
	if err != nil {
		return err
	}
	if !state.Running {
		n.Note("error: %s %q is not running: it is %s; see lifeboat %s describe %s\n", n.word(), name, state.Phase, n.word(), name)
		return console.Outcome{Code: console.CodeNotFound}
	}
	if err := be.Cancel(ctx, state.Run); err != nil {
		return err
	}
	n.Say("%s %q was asked to stop and is cleaning up.\nNext: lifeboat %s wait %s\n", console.Title(n.word()), name, n.word(), name)
	return nil
}
