package backups

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/starter/internal/console"
	"github.com/lifeboat-backup/lifeboat/starter/internal/input"
	"github.com/lifeboat-backup/lifeboat/starter/internal/manifest"
	"github.com/lifeboat-backup/lifeboat/starter/internal/noun"
	"github.com/lifeboat-backup/lifeboat/starter/internal/show"
)

// createExamples are those of `backup create`.
const createExamples = `  # Everything, and wait for it
  lifeboat backup create nightly --wait

  # Two namespaces, kept for a week
  lifeboat backup create shop --include-namespaces bookstore,payments --ttl 168h

  # Snapshots by the EBS API, in the account and Region of a location
  lifeboat backup create shop --include-namespaces bookstore --volume-snapshot-locations default

  # Objects only
  lifeboat backup create shop --include-namespaces bookstore --snapshot-volumes=false

  # A Velero manifest as it is, under another name
  lifeboat backup create before-upgrade -f backup.yaml

  # As a schedule would, now
  lifeboat backup create --from-schedule nightly

  # See the manifest that flags make
  lifeboat backup create shop -l app=bookstore -o yaml`

// Create is `backup create`.
func (cs Commands) Create() *cobra.Command {
	o := &noun.CreateOptions{}
	c := &cobra.Command{
		Use:   "create [NAME]",
		Short: "Take a backup",
		Long: `Take a backup of a cluster's objects and volumes. The filters are Velero's; without any,
everything is backed up, every cluster-scoped object included. Of volumes, snapshots are
taken; hooks come from annotations of pods and from the manifest given with -f.

` + console.ExitCodesHelp,
		Example: createExamples,
		Args:    cobra.MaximumNArgs(1),
	}
	o.BindFlags(c)
	changes := input.BackupFlags(c.Flags())
	schedule := ""
	c.Flags().StringVar(&schedule, "from-schedule", "", "start from the template of this schedule; flags override it, and NAME may be left out")
	c.RunE = func(c *cobra.Command, args []string) error {
		if schedule != "" {
			return cs.createFromSchedule(c.Context(), o, schedule, changes, args)
		}
		return cs.createFromFlags(c.Context(), o, changes, args)
	}
	return c
}

// createFromFlags takes the backup of a manifest and of flags, or prints its document.
func (cs Commands) createFromFlags(ctx context.Context, o *noun.CreateOptions, changes *input.Changes[contract.BackupInput], args []string) error {
	in, err := input.Backup(o.Source(cs.Console), changes, args)
	if err != nil {
		return err
	}
	if o.Out.Format != "" {
		return show.Document(cs.Stdout, o.Out.Format, manifest.BackupDocument(in))
	}
	return cs.WithBackend(ctx, func(be console.Backend) error { return cs.startBackup(ctx, be, in, o.Wait) })
}

// createFromSchedule takes a backup as a schedule would. It bears the schedule's label, but is
// none of its runs: it waits for no turn and is no due time's.
func (cs Commands) createFromSchedule(ctx context.Context, o *noun.CreateOptions, name string, changes *input.Changes[contract.BackupInput], args []string) error {
	if o.File != "" {
		return errors.New("--filename and --from-schedule: give one of them")
	}
	return cs.WithBackend(ctx, func(be console.Backend) error {
		res, err := be.Read(ctx, contract.ReadInput{Verb: contract.ReadSchedules, Name: name})
		if err != nil {
			return err
		}
		if len(res.Schedules) != 1 {
			return fmt.Errorf("read schedule %q: the worker answered without it: are worker and CLI of one version?", name)
		}
		in, err := input.BackupFrom(res.Schedules[0].Schedule.Backup(cs.Now()), changes, args)
		if err != nil {
			return err
		}
		if o.Out.Format != "" {
			return show.Document(cs.Stdout, o.Out.Format, manifest.BackupDocument(in))
		}
		return cs.startBackup(ctx, be, in, o.Wait)
	})
}

func (cs Commands) startBackup(ctx context.Context, be console.Backend, in contract.BackupInput, wait bool) error {
	run, err := be.StartBackup(ctx, in)
	if err != nil {
		return err
	}
	if wait {
		return cs.awaitBackup(ctx, be, run)
	}
	return cs.GlanceAt(ctx, be, run, cs.awaitBackup)
}
