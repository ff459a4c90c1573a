// Package changes has the commands that compare backups and follow objects through them.
package changes

import (
	"context"
	"fmt"
	"io"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/lifeboat-backup/lifeboat/internal/change"
	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/temporal"
	"github.com/lifeboat-backup/lifeboat/starter/internal/fetch"
	"github.com/lifeboat-backup/lifeboat/starter/internal/show"
	"github.com/lifeboat-backup/lifeboat/starter/internal/stored"
)

// Env is what the commands have in common with all others.
type Env struct {
	Out        io.Writer
	NoteUnread func([]contract.UnreadLocation)
	// Connected is the RunE of a command that asks the worker.
	Connected       func(do func(ctx context.Context, read stored.Read, args []string) error) func(*cobra.Command, []string) error
	CompleteBackups cobra.CompletionFunc
	// BindFormat binds --output of table, JSON and YAML; the others the flags of their names.
	BindFormat   func(c *cobra.Command, format *string)
	BindLocation func(c *cobra.Command, location *string)
	BindTrust    func(fs *pflag.FlagSet, o *fetch.Options)
}

type diffOptions struct {
	format   string
	object   string
	location string
	limit    int
	trust    fetch.Options
}

// twoBackups wants the names of two backups.
func twoBackups(_ *cobra.Command, args []string) error {
	if len(args) != 2 {
		return fmt.Errorf("say which two backups, the older one first: lifeboat backup diff OLDER NEWER; got %d names", len(args))
	}
	return nil
}

// DiffCommand is `backup diff`.
func (e Env) DiffCommand() *cobra.Command {
	o := &diffOptions{}
	c := &cobra.Command{
		Use:   "diff OLDER NEWER",
		Short: "Show what changed from one backup to another",
		Long: `Show which objects were added, removed or changed from one backup to another, by their
indexes alone. What counts is what somebody wrote: neither status nor revisions.

With --object one object is compared field by field. It is read from the bucket to this
machine and does not travel through Temporal; the values of Secrets are masked, different
letters being different values.`,
		Example: `  lifeboat backup diff nightly-20260101020000 nightly-20260102020000
  lifeboat backup diff nightly-20260101020000 nightly-20260102020000 --object secrets/shop/db`,
		Args:              twoBackups,
		ValidArgsFunction: e.CompleteBackups,
	}
	e.BindFormat(c, &o.format)
	c.Flags().StringVar(&o.object, "object", "", "compare one object: RESOURCE/NAMESPACE/NAME, or RESOURCE/NAME of a cluster-scoped one")
	c.Flags().IntVar(&o.limit, "limit", 100, "objects to name, at most 1000")
	e.BindLocation(c, &o.location)
	e.BindTrust(c.Flags(), &o.trust)
	c.RunE = e.Connected(func(ctx context.Context, read stored.Read, args []string) error {
		if o.object != "" {
			return e.diffObject(ctx, read, o, args[0], args[1])
		}
		return e.diffBackups(ctx, read, o, args[0], args[1])
	})
	return c
}

func (e Env) diffBackups(ctx context.Context, read stored.Read, o *diffOptions, older, newer string) error {
	res, err := read(ctx, contract.ReadInput{Verb: contract.ReadBackupDiff, Name: older, To: newer, Location: o.location, Limit: o.limit})
	if err != nil {
		return err
	}
	e.NoteUnread(res.Unread)
	if res.Diff == nil {
		return fmt.Errorf("the worker answered without a difference: are worker and CLI of one version?")
	}
	if o.format != show.FormatTable {
		return show.Document(e.Out, o.format, res.Diff)
	}
	if err := show.BackupDiff(e.Out, res.Diff); err != nil {
		return err
	}
	_, err = fmt.Fprint(e.Out, show.NextOfDiff(res.Diff))
	return err
}

func (e Env) diffObject(ctx context.Context, read stored.Read, o *diffOptions, older, newer string) error {
	key, err := change.ParseObject(o.object)
	if err != nil {
		return err
	}
	from, err := stored.OpenBackup(ctx, read, older, o.location, o.trust)
	if err != nil {
		return err
	}
	to, err := stored.OpenBackup(ctx, read, newer, o.location, o.trust)
	if err != nil {
		return err
	}
	d, err := stored.Diff(ctx, from, to, key)
	if err != nil {
		return err
	}
	if o.format != show.FormatTable {
		return show.Document(e.Out, o.format, d)
	}
	return show.ObjectDiff(e.Out, d)
}

// HistoryCommand is `object history`.
func (e Env) HistoryCommand() *cobra.Command {
	var format, location string
	var limit int
	var all bool
	c := &cobra.Command{
		Use:   "history RESOURCE/NAMESPACE/NAME",
		Short: "Show in which backups an object is and when it changed",
		Long: `Show in which backups of this cluster an object is, and when it changed. The same version
is the same content; status and revisions do not count. A backup that does not have the
object may have been told to leave it out.`,
		Example: `  lifeboat object history secrets/shop/db
  lifeboat object history deployments.apps/shop/web --all
  lifeboat object history clusterroles/admin -o json`,
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: cobra.NoFileCompletions,
	}
	e.BindFormat(c, &format)
	c.Flags().IntVar(&limit, "limit", 1000, "newest backups to look at, at most 5000")
	c.Flags().BoolVar(&all, "all", false, "show backups too in which nothing changed")
	e.BindLocation(c, &location)
	c.RunE = e.Connected(func(ctx context.Context, read stored.Read, args []string) error {
		if _, err := change.ParseObject(args[0]); err != nil {
			return err
		}
		res, err := read(ctx, contract.ReadInput{Verb: contract.ReadObjectHistory, Object: args[0], Location: location, Limit: limit})
		if err != nil {
			return err
		}
		e.NoteUnread(res.Unread)
		if res.History == nil {
			return fmt.Errorf("the worker answered without a history: are worker and CLI of one version?")
		}
		return e.showHistory(res.History, args[0], format, all)
	})
	return c
}

// showHistory also ends with the code of what is not there if no backup has the object.
func (e Env) showHistory(h *contract.ObjectHistory, object, format string, all bool) (err error) {
	if format != show.FormatTable {
		err = show.Document(e.Out, format, h)
	} else {
		err = show.ObjectHistory(e.Out, h, all)
	}
	next, isThere := show.NextOfHistory(h)
	switch {
	case err != nil:
		return err
	case !isThere:
		return fmt.Errorf("object %s: %w in any of these backups; what lies in a namespace is RESOURCE/NAMESPACE/NAME, such as secrets/shop/db, where RESOURCE is the plural of the type, and its group if several have it", object, temporal.ErrNotFound)
	case format == show.FormatTable:
		_, err = fmt.Fprintf(e.Out, "\n%s\n", next)
	}
	return err
}
