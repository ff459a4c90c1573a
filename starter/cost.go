package main

import (
	"context"
	"io"

	"github.com/spf13/cobra"

	"github.com/lifeboat-backup/lifeboat/starter/internal/console"
	"github.com/lifeboat-backup/lifeboat/starter/internal/costs"
)

// costConsole is the program around the command `backup cost`.
type costConsole struct{ *app }

func (c costConsole) Stdout() io.Writer { return c.Console.Stdout }

func (c costConsole) Connect(ctx context.Context, do func(costs.Backend) error) error {
	return c.WithSilentBackend(ctx, func(be console.Backend) error { return do(be) })
}

func (c costConsole) CompleteBackups(cmd *cobra.Command, args []string, start string) ([]string, cobra.ShellCompDirective) {
	return c.backups().CompleteNames(cmd, args, start)
}
