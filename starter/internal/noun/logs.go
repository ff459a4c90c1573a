package noun

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/temporal"
	"github.com/lifeboat-backup/lifeboat/starter/internal/console"
	"github.com/lifeboat-backup/lifeboat/starter/internal/fetch"
	"github.com/lifeboat-backup/lifeboat/starter/internal/listing"
	"github.com/lifeboat-backup/lifeboat/starter/internal/stored"
)

type logsOptions struct {
	timeout  time.Duration
	location string
	trust    fetch.Options
}

// LogsCommand is `backup logs` and `restore logs`.
func (n *Noun[Row, Doc]) LogsCommand() *cobra.Command {
	o := &logsOptions{}
	c := &cobra.Command{
		Use:               "logs NAME",
		Short:             "Print the log of a " + n.word() + " that has ended",
		Example:           "  lifeboat " + n.word() + " logs nightly | grep level=error",
		Args:              console.OneName(n.word()),
		ValidArgsFunction: n.CompleteNames,
		RunE: n.Connected(func(ctx context.Context, be console.Backend, args []string) error {
			ctx, cancel := context.WithTimeout(ctx, o.timeout)
			defer cancel()
			return n.printLogs(ctx, be, args[0], o)
		}),
	}
	c.Flags().DurationVar(&o.timeout, "timeout", time.Minute, "how long to try")
	console.BindLocation(c, &o.location)
	console.BindTrust(c.Flags(), &o.trust)
	return c
}

func (n *Noun[Row, Doc]) printLogs(ctx context.Context, be console.Backend, name string, o *logsOptions) error {
	in := contract.ReadInput{Verb: n.FileVerb, Name: name, Location: o.location, File: contract.FileLogs}
	body, err := stored.OpenFile(ctx, be.Read, in, o.trust)
	if errors.Is(err, temporal.ErrNotFound) || errors.Is(err, fetch.ErrNotFound) {
		return n.noLogs(ctx, be, name, err)
	}
	if err != nil {
		return err
	}
	defer body.Close() //nolint:errcheck // opened to read
	if _, err := io.Copy(n.Stdout, body); err != nil {
		return fmt.Errorf("log of %s %q: %w", n.word(), name, err)
	}
	return nil
}

// noLogs says why there is no log: the run goes on, or failed before it had one.
func (n *Noun[Row, Doc]) noLogs(ctx context.Context, be console.Backend, name string, missing error) error {
	state, err := be.Latest(ctx, n.Kind, name)
	switch {
	case err == nil && state.Running:
		return fmt.Errorf("%s %q is %s: its log is written when it ends; follow it with 'lifeboat %s wait %s'",
			n.word(), name, state.Phase, n.word(), name)
	case err == nil && listing.IsUnstored(state):
		return fmt.Errorf("%s %q is %s and left no log; see 'lifeboat %s describe %s'", n.word(), name, state.Phase, n.word(), name)
	case errors.Is(missing, fetch.ErrNotFound):
		return fmt.Errorf("%w: %w", temporal.ErrNotFound, missing)
	default:
		return missing
	}
}
