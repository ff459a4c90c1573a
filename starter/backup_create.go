package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"
	velerov1 "github.com/vmware-tanzu/velero/pkg/apis/velero/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/lifeboat-backup/lifeboat/internal/archive"
	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/filter"
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
	changes := backupFlags(c.Flags())
	c.RunE = func(c *cobra.Command, args []string) error {
		in, err := a.backupInput(o, changes, args)
		if err != nil {
			return err
		}
		if o.out.format != "" {
			return show.Document(a.stdout, o.out.format, backupManifest(in))
		}
		return a.withBackend(c.Context(), func(be backend) error { return a.startBackup(c.Context(), be, in, o.wait) })
	}
	return c
}

// backupInput is the input of the backup, named and checked.
func (a *app) backupInput(o *createOptions, changes *edits[contract.BackupInput], args []string) (in contract.BackupInput, err error) {
	if in, err = readInput(a, o, manifest.Backup, changes); err != nil {
		return in, err
	}
	if len(args) > 0 {
		in.Name = args[0]
	}
	if in.Name == "" {
		return in, errors.New("a backup needs a name: lifeboat backup create NAME, or metadata.name in the manifest")
	}
	if err := archive.ValidateName(in.Name); err != nil {
		return in, fmt.Errorf("backup %w", err)
	}
	return in, joinFieldErrors(append(checkMeta(in.Labels, in.Annotations), filter.ValidateBackup(&in.Spec)...))
}

// backupManifest is the Velero document of an input.
func backupManifest(in contract.BackupInput) velerov1.Backup {
	return velerov1.Backup{
		TypeMeta:   metav1.TypeMeta{APIVersion: velerov1.SchemeGroupVersion.String(), Kind: "Backup"},
		ObjectMeta: metav1.ObjectMeta{Name: in.Name, Labels: in.Labels, Annotations: in.Annotations},
		Spec:       in.Spec,
	}
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
