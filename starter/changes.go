package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/lifeboat-backup/lifeboat/internal/archive"
	"github.com/lifeboat-backup/lifeboat/internal/change"
	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/temporal"
	"github.com/lifeboat-backup/lifeboat/starter/internal/fetch"
	"github.com/lifeboat-backup/lifeboat/starter/internal/show"
	"github.com/lifeboat-backup/lifeboat/starter/internal/stored"
)

type diffOptions struct {
	out      output
	object   string
	location string
	limit    int
	trust    fetch.Options
}

func (a *app) backupDiff() *cobra.Command {
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
		Args:              cobra.ExactArgs(2),
		ValidArgsFunction: a.backups().completeNames,
	}
	o.out.bindFlag(c, show.FormatTable, show.FormatTable, show.FormatJSON, show.FormatYAML)
	c.Flags().StringVar(&o.object, "object", "", "compare one object: RESOURCE/NAMESPACE/NAME, or RESOURCE/NAME of a cluster-scoped one")
	c.Flags().IntVar(&o.limit, "limit", 100, "objects to name, at most 1000")
	bindLocation(c, &o.location)
	bindTrust(c.Flags(), &o.trust)
	c.RunE = a.connected(func(ctx context.Context, be backend, args []string) error {
		if o.object != "" {
			return a.diffObject(ctx, be, o, args[0], args[1])
		}
		return a.diffBackups(ctx, be, o, args[0], args[1])
	})
	return c
}

func (a *app) diffBackups(ctx context.Context, be backend, o *diffOptions, older, newer string) error {
	res, err := be.Read(ctx, contract.ReadInput{Verb: contract.ReadBackupDiff, Name: older, To: newer, Location: o.location, Limit: o.limit})
	if err != nil {
		return err
	}
	a.noteUnread(res.Unread)
	if res.Diff == nil {
		return fmt.Errorf("the worker answered without a difference: are worker and CLI of one version?")
	}
	if o.out.isDocument() {
		return show.Document(a.stdout, o.out.format, res.Diff)
	}
	if err := show.BackupDiff(a.stdout, res.Diff); err != nil {
		return err
	}
	a.say("%s", show.NextOfDiff(res.Diff))
	return nil
}

func (a *app) diffObject(ctx context.Context, be backend, o *diffOptions, older, newer string) error {
	key, err := change.ParseObject(o.object)
	if err != nil {
		return err
	}
	from, err := a.openBackup(ctx, be, older, o.location, o.trust)
	if err != nil {
		return err
	}
	to, err := a.openBackup(ctx, be, newer, o.location, o.trust)
	if err != nil {
		return err
	}
	d, err := stored.Diff(ctx, from, to, key)
	if err != nil {
		return err
	}
	if o.out.isDocument() {
		return show.Document(a.stdout, o.out.format, d)
	}
	return show.ObjectDiff(a.stdout, d)
}

// openBackup opens a backup by signed URLs; stored.ErrNoManifest if Velero made it.
func (a *app) openBackup(ctx context.Context, be backend, name, location string, trust fetch.Options) (*archive.Archive, error) {
	client, err := fetch.New(trust)
	if err != nil {
		return nil, err
	}
	opened, err := stored.Open(ctx, client, be.Read, name, location, func(err error) bool { return errors.Is(err, temporal.ErrNotFound) })
	if err != nil {
		return nil, fmt.Errorf("backup %q: %w", name, err)
	}
	return opened, nil
}

func (a *app) objectCommand() *cobra.Command {
	return groupCommand("object", "Follow one object through the backups", []string{"objects"}, a.objectHistory())
}

func (a *app) objectHistory() *cobra.Command {
	var out output
	var location string
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
	out.bindFlag(c, show.FormatTable, show.FormatTable, show.FormatJSON, show.FormatYAML)
	c.Flags().IntVar(&limit, "limit", 1000, "newest backups to look at, at most 5000")
	c.Flags().BoolVar(&all, "all", false, "show backups too in which nothing changed")
	bindLocation(c, &location)
	c.RunE = a.connected(func(ctx context.Context, be backend, args []string) error {
		if _, err := change.ParseObject(args[0]); err != nil {
			return err
		}
		res, err := be.Read(ctx, contract.ReadInput{Verb: contract.ReadObjectHistory, Object: args[0], Location: location, Limit: limit})
		if err != nil {
			return err
		}
		a.noteUnread(res.Unread)
		if res.History == nil {
			return fmt.Errorf("the worker answered without a history: are worker and CLI of one version?")
		}
		if out.isDocument() {
			return show.Document(a.stdout, out.format, res.History)
		}
		if err := show.ObjectHistory(a.stdout, res.History, all); err != nil {
			return err
		}
		next, isThere := show.NextOfHistory(res.History)
		if !isThere {
			return fmt.Errorf("object %s: %w in any of these backups", args[0], temporal.ErrNotFound)
		}
		a.say("\n%s\n", next)
		return nil
	})
	return c
}
