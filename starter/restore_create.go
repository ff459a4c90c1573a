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
	"github.com/lifeboat-backup/lifeboat/internal/temporal"
	"github.com/lifeboat-backup/lifeboat/starter/internal/fetch"
	"github.com/lifeboat-backup/lifeboat/starter/internal/manifest"
	"github.com/lifeboat-backup/lifeboat/starter/internal/show"
)

func (a *app) restoreCreate() *cobra.Command {
	o, trust := &createOptions{}, &fetch.Options{}
	c := &cobra.Command{
		Use:   "create [NAME]",
		Short: "Restore a backup",
		Long: `Restore a backup, or the latest one of a schedule, wholly or in part. Without NAME the
restore is called after the backup and the time.

A dry run compares backup, cluster and result field by field and writes nothing to the
cluster. Give its name to --plan to restore what it showed; whatever has changed in
between is reported.

` + exitCodesHelp,
		Example: `  # See what it would do, then do that
  lifeboat restore create look --from-backup nightly --dry-run
  lifeboat restore create --from-backup nightly --plan look --wait

  # One namespace, under another name
  lifeboat restore create --from-backup nightly --include-namespaces shop --namespace-mappings shop:shop-copy

  # One Secret
  lifeboat restore create --from-backup nightly --include-resources secrets --include-name shop/db-credentials`,
		Args: cobra.MaximumNArgs(1),
	}
	o.bindFlags(c)
	bindTrust(c.Flags(), trust)
	changes := restoreFlags(c.Flags())
	c.RunE = func(c *cobra.Command, args []string) error {
		in, err := a.restoreInput(o, changes, args)
		if err != nil {
			return err
		}
		if o.out.format != "" {
			if err := inexpressible(in); err != nil {
				return err
			}
			return show.Document(a.stdout, o.out.format, restoreManifest(in))
		}
		return a.withBackend(c.Context(), func(be backend) error { return a.startRestore(c.Context(), be, in, o.wait, *trust) })
	}
	return c
}

// restoreInput is the input of the restore, named and checked.
func (a *app) restoreInput(o *createOptions, changes *edits[contract.RestoreInput], args []string) (in contract.RestoreInput, err error) {
	if in, err = readInput(a, o, manifest.Restore, changes); err != nil {
		return in, err
	}
	if len(args) > 0 {
		in.Name = args[0]
	}
	if err := checkSource(in); err != nil {
		return in, err
	}
	if in.Name == "" {
		in.Name = a.restoreName(in)
	}
	if err := archive.ValidateName(in.Name); err != nil {
		return in, fmt.Errorf("restore %w", err)
	}
	return in, joinFieldErrors(append(checkMeta(in.Labels, in.Annotations), filter.ValidateRestore(&in.Spec, in.Names)...))
}

// checkSource speaks of flags, which is what a user of restore create thinks in.
func checkSource(in contract.RestoreInput) error {
	switch {
	case in.Spec.BackupName == "" && in.Spec.ScheduleName == "":
		return errors.New("say what to restore: --from-backup NAME or --from-schedule NAME; see 'lifeboat backup get'")
	case in.Spec.BackupName != "" && in.Spec.ScheduleName != "":
		return errors.New("--from-backup and --from-schedule exclude each other: give one")
	case in.AllowPartiallyFailed && in.Spec.ScheduleName == "":
		return errors.New("--allow-partially-failed goes with --from-schedule: a backup that is named is restored as it is")
	case in.DryRun && in.Plan != "":
		return errors.New("--dry-run makes a plan and --plan follows one: give one")
	}
	return nil
}

// restoreName is the backup's (or schedule's) name with the time, cut to fit.
func (a *app) restoreName(in contract.RestoreInput) string {
	name, stamp := in.Spec.BackupName, "-"+a.now().UTC().Format("20060102150405")
	if name == "" {
		name = in.Spec.ScheduleName
	}
	if most := archive.MaxNameLength - len(stamp); len(name) > most {
		name = name[:most]
	}
	return name + stamp
}

// restoreManifest is the Velero document of an input.
func restoreManifest(in contract.RestoreInput) velerov1.Restore {
	return velerov1.Restore{
		TypeMeta:   metav1.TypeMeta{APIVersion: velerov1.SchemeGroupVersion.String(), Kind: "Restore"},
		ObjectMeta: metav1.ObjectMeta{Name: in.Name, Labels: in.Labels, Annotations: in.Annotations},
		Spec:       in.Spec,
	}
}

func (a *app) startRestore(ctx context.Context, be backend, in contract.RestoreInput, wait bool, trust fetch.Options) error {
	run, err := be.StartRestore(ctx, in)
	if err != nil {
		return err
	}
	if in.DryRun {
		return a.dryRun(ctx, be, run, in, trust)
	}
	if wait {
		return a.reportRestore(ctx, be, run)
	}
	return a.glanceAt(ctx, be, run, a.reportRestore)
}

func (a *app) reportRestore(ctx context.Context, be backend, run temporal.Run) error {
	res, err := a.awaitRestore(ctx, be, run)
	if err != nil {
		return err
	}
	a.say("Next: lifeboat restore describe %s\n", res.Name)
	return phaseOutcome(res.Phase)
}

// dryRun always waits: its output is the point of it.
func (a *app) dryRun(ctx context.Context, be backend, run temporal.Run, in contract.RestoreInput, trust fetch.Options) error {
	res, err := a.awaitRestore(ctx, be, run)
	if err != nil {
		return err
	}
	plan, err := a.openFile(ctx, be, contract.ReadInput{
		Verb: contract.ReadRestoreURL, Name: res.Name, Location: show.Or(res.Location, in.Location), File: contract.FilePlan,
	}, trust)
	if err != nil {
		return fmt.Errorf("dry run %q is done and --plan %s follows it, but its plan cannot be shown here: %w", res.Name, res.Name, err)
	}
	defer plan.Close() //nolint:errcheck // opened to read
	if err := show.Plan(a.stdout, plan); err != nil {
		return err
	}
	a.say("Nothing was written. Next: the same command without --dry-run and with --plan %s\n", res.Name)
	return phaseOutcome(res.Phase)
}
