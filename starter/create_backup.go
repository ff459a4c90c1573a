package main

import (
	"context"

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

  # See the manifest that flags make
  lifeboat backup create shop -l app=bookstore -o yaml`,
		Args: cobra.MaximumNArgs(1),
	}
	o.bindFlags(c)
	changes := input.BackupFlags(c.Flags())
	c.RunE = func(c *cobra.Command, args []string) error {
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
