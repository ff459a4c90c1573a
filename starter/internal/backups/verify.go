package backups

import (
	"context"
	"errors"

	"github.com/spf13/cobra"

	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/temporal"
	"github.com/lifeboat-backup/lifeboat/starter/internal/console"
	"github.com/lifeboat-backup/lifeboat/starter/internal/show"
)

type verifyOptions struct {
	out       console.Output
	all, wait bool
	location  string
}

func (cs Commands) verifyCommand() *cobra.Command {
	o := &verifyOptions{}
	c := &cobra.Command{
		Use:   "verify NAME...|--all",
		Short: "Read stored backups back and look for their snapshots",
		Long: `Read stored backups back as a whole and look for their snapshots, in the bandwidth that the
worker's configuration allows. Every byte is held against SHA-256; backups that Velero made
have no digests, of those gzip and tar are checked. No backup is changed: what was found lies
beside it in the bucket, and a corrupt one is called so by 'backup get', is not among the last
good ones of its schedule, and is not restored without --allow-corrupt.

The worker does this by itself, each backup at least every 20 days and before it expires, by a
schedule that the Temporal UI shows and can pause.

` + console.ExitCodesHelp,
		Example: `  lifeboat backup verify nightly-20260102020000 --wait
  lifeboat backup verify --all --wait -o json`,
		Args: func(_ *cobra.Command, names []string) error {
			if o.all == (len(names) > 0) {
				return errors.New("say which backups: either names or --all; see 'lifeboat backup get'")
			}
			return nil
		},
		ValidArgsFunction: cs.backups().CompleteNames,
	}
	o.out.BindFlag(c, show.FormatTable, show.FormatTable, show.FormatJSON, show.FormatYAML)
	c.Flags().BoolVar(&o.all, "all", false, "all backups of this cluster, and those of Velero, in the locations that may be written to")
	c.Flags().BoolVar(&o.wait, "wait", false, "wait until it is done, and tell what was found")
	console.BindLocation(c, &o.location)
	c.RunE = func(c *cobra.Command, names []string) error {
		in := contract.VerifyBackupsInput{Names: names, All: o.all, Location: o.location}
		return cs.WithBackend(c.Context(), func(be console.Backend) error { return cs.verifyBackups(c.Context(), be, o, in) })
	}
	return c
}

func (cs Commands) verifyBackups(ctx context.Context, be console.Backend, o *verifyOptions, in contract.VerifyBackupsInput) error {
	run, err := be.StartVerification(ctx, in)
	if errors.Is(err, temporal.ErrExists) {
		cs.Note("one verification at a time: wait for it, or cancel it in the Temporal UI\n")
	}
	if err != nil {
		return err
	}
	if !o.wait {
		cs.Say("The verification is running as workflow %s.\nNext: lifeboat backup get, which shows what was found\n", run.WorkflowID)
		return nil
	}
	var res contract.VerificationResult
	if err := cs.FollowRun(ctx, be, run, &res); err != nil {
		return cs.FailedRun(run, err)
	}
	cs.NoteUnread(res.Unread)
	if o.out.IsDocument() {
		err = show.Document(cs.Stdout, o.out.Format, res)
	} else {
		err = show.Verification(cs.Stdout, res)
	}
	switch {
	case err != nil:
		return err
	case res.Corrupt > 0:
		return console.Outcome{Code: console.CodeFailed}
	case res.Failed > 0 || len(res.Unread) > 0:
		return console.Outcome{Code: console.CodePartiallyFailed}
	}
	return nil
}
