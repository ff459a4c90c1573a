package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/starter/internal/input"
	"github.com/lifeboat-backup/lifeboat/starter/internal/manifest"
	"github.com/lifeboat-backup/lifeboat/starter/internal/show"
)

func (a *app) backupCreate() *cobra.Command {
	o := &createOptions{}
	c := &cobra.Command{
		Use:   "create [NAME]",
		Short: "Take a backup",
		Long: `Take a backup of a cluster's objects and volumes. The filters are Velero's; without any,
everything is backed up, every cluster-scoped object included. Of volumes, snapshots are
taken; hooks come from annotations of pods and from the manifest given with -f.

` + exitCodesHelp,
		Example: `  # Everything, and wait for it
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
  lifeboat backup create shop -l app=bookstore -o yaml`,
		Args: cobra.MaximumNArgs(1),
	}
	o.bindFlags(c)
	changes := input.BackupFlags(c.Flags())
	schedule := ""
	c.Flags().StringVar(&schedule, "from-schedule", "", "start from the template of this schedule; flags override it, and NAME may be left out")
	c.RunE = func(c *cobra.Command, args []string) error {
		if schedule != "" {
			return a.backupFromSchedule(c.Context(), o, schedule, changes, args)
		}
		in, err := input.Backup(o.source(a), changes, args)
		if err != nil {
			return err
		}
		if o.out.format != "" {
			return show.Document(a.stdout, o.out.format, manifest.BackupDocument(in))
		}
		return a.withBackend(c.Context(), func(be backend) error { return a.startBackup(c.Context(), be, in, o.wait) })
	}
	return c
}

// backupFromSchedule takes a backup as a schedule would. It bears the schedule's label, but is
// none of its runs: it waits for no turn and is no due time's.
func (a *app) backupFromSchedule(ctx context.Context, o *createOptions, name string, changes *input.Changes[contract.BackupInput], args []string) error {
	if o.file != "" {
		return errors.New("--filename and --from-schedule: give one of them")
	}
	return a.withBackend(ctx, func(be backend) error {
		res, err := be.Read(ctx, contract.ReadInput{Verb: contract.ReadSchedules, Name: name})
		if err != nil {
			return err
		}
		if len(res.Schedules) != 1 {
			return fmt.Errorf("read schedule %q: the worker answered without it: are worker and CLI of one version?", name)
		}
		in, err := input.BackupFrom(res.Schedules[0].Schedule.Backup(a.now()), changes, args)
		if err != nil {
			return err
		}
		if o.out.format != "" {
			return show.Document(a.stdout, o.out.format, manifest.BackupDocument(in))
		}
		return a.startBackup(ctx, be, in, o.wait)
	})
}

func (a *app) startBackup(ctx context.Context, be backend, in contract.BackupInput, wait bool) error {
	run, err := be.StartBackup(ctx, in)
	if err != nil {
		return err
	}
	if wait {
		return a.awaitBackup(ctx, be, run)
	}
	return a.glanceAt(ctx, be, run, a.awaitBackup)
}
