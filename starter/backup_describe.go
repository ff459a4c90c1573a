package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/temporal"
	"github.com/lifeboat-backup/lifeboat/starter/internal/fetch"
	"github.com/lifeboat-backup/lifeboat/starter/internal/show"
)

type describeOptions struct {
	out      output
	details  bool
	location string
	trust    fetch.Options
}

func (o *describeOptions) bind(c *cobra.Command) {
	o.out.bind(c.Flags(), "", show.FormatJSON, show.FormatYAML)
	c.Flags().BoolVar(&o.details, "details", false, "list the objects too, and all that is known of each volume of a backup")
	bindLocation(c, &o.location)
	bindTrust(c.Flags(), &o.trust)
}

func bindLocation(c *cobra.Command, location *string) {
	c.Flags().StringVar(location, "storage-location", "", "storage location to look in (default: the one that has it)")
}

func (a *app) backupDescribe() *cobra.Command {
	o := &describeOptions{}
	c := &cobra.Command{
		Use:   "describe NAME",
		Short: "Show what is in a backup and how it went",
		Example: `  lifeboat backup describe nightly
  lifeboat backup describe nightly --details
  lifeboat backup describe nightly -o json`,
		Args:              oneName("backup"),
		ValidArgsFunction: a.completeBackups,
	}
	o.bind(c)
	c.RunE = func(c *cobra.Command, args []string) error {
		if err := o.out.check(); err != nil {
			return err
		}
		return a.with(c.Context(), func(be backend) error { return a.describeBackup(c.Context(), be, o, args[0]) })
	}
	return c
}

func (a *app) describeBackup(ctx context.Context, be backend, o *describeOptions, name string) error {
	if state, err := be.Latest(ctx, temporal.KindBackup, name); err == nil && state.Running {
		return a.describeState(ctx, be, state, o) // also where no worker could read the catalog
	}
	res, err := readBackup(ctx, be, name, o.location)
	if errors.Is(err, temporal.ErrNotFound) {
		return a.describeRun(ctx, be, temporal.KindBackup, name, o, err)
	}
	if err != nil {
		return err
	}
	a.noteUnread(res.Unread)
	view := show.BackupView{Backup: *res.Backup, Volumes: volumesOf(res), Blocks: o.details, Details: res.Details, Results: res.Results}
	var unlisted error // is told below what can be shown
	if o.details {
		view.Resources, unlisted = a.resourceList(ctx, be, o, contract.ReadInput{Verb: contract.ReadBackupURL, Name: name})
	}
	if o.out.document() {
		return errors.Join(show.Document(a.stdout, o.out.format, view.Document()), unlisted)
	}
	return errors.Join(view.Print(a.stdout), unlisted)
}

func volumesOf(res contract.ReadResult) show.Volumes {
	return show.Volumes{List: res.Volumes, More: res.MoreVolumes}
}

// readBackup reads a backup's document; ErrNotFound where there is none.
func readBackup(ctx context.Context, be backend, name, location string) (contract.ReadResult, error) {
	res, err := be.Read(ctx, contract.ReadInput{Verb: contract.ReadBackup, Name: name, Location: location})
	if err == nil && res.Backup == nil {
		return res, fmt.Errorf("read backup %q: the worker answered without it: are worker and CLI of one version?", name)
	}
	if err == nil {
		res.Backup.TypeMeta = backupManifest(contract.BackupInput{}).TypeMeta // what is printed can be given to -f
	}
	return res, err
}

// resourceList reads Velero's list of objects by kind. Old Veleros wrote none, or
// null: that is an empty list.
func (a *app) resourceList(ctx context.Context, be backend, o *describeOptions, in contract.ReadInput) (map[string][]string, error) {
	in.File, in.Location = contract.FileResourceList, o.location
	list := map[string][]string{}
	body, err := a.open(ctx, be, in, o.trust)
	if errors.Is(err, temporal.ErrNotFound) || errors.Is(err, fetch.ErrNotFound) {
		return list, nil
	}
	if err != nil {
		return nil, fmt.Errorf("the objects are not listed: %w", err)
	}
	defer body.Close() //nolint:errcheck // opened to read
	if err := json.NewDecoder(body).Decode(&list); err != nil {
		return nil, fmt.Errorf("read the list of objects: %w", err)
	}
	if list == nil {
		list = map[string][]string{}
	}
	return list, nil
}

// describeRun tells of a backup or restore that is not in the bucket (missing
// says so) because it failed or was a dry run.
func (a *app) describeRun(ctx context.Context, be backend, kind temporal.Kind, name string, o *describeOptions, missing error) error {
	state, err := be.Latest(ctx, kind, name)
	if errors.Is(err, temporal.ErrNotFound) || err == nil && !unstored(state) {
		return missing
	}
	if err != nil {
		return err
	}
	if kind == temporal.KindBackup {
		deletion, err := be.Latest(ctx, temporal.KindDelete, name)
		if err == nil && outlived(state, deletion) {
			return missing
		}
	}
	return a.describeState(ctx, be, state, o)
}

// describeState shows what Temporal knows of a run.
func (a *app) describeState(ctx context.Context, be backend, state temporal.State, o *describeOptions) error {
	view := show.RunView{
		Kind: title(state.Kind.Noun()), Name: state.Name, Phase: state.Phase, Location: state.Location, Selector: state.Selector,
		Backup: state.Backup, DryRun: state.DryRun, Labels: state.Labels,
		Workflow: state.WorkflowID, Run: state.RunID, Started: state.Started, Closed: state.Closed,
	}
	if state.Running {
		sample, err := be.Sample(ctx, state.Run)
		if err != nil {
			return err
		}
		view.Phase, view.Progress = sample.Phase, stateOf(sample).Line(a.now().Sub(state.Started))
		view.Trouble = sample.Trouble
	} else if err := be.Follow(ctx, state.Run, nil, watchInterval, nil); err != nil {
		view.Failure = err.Error()
	}
	if o.out.document() {
		return show.Document(a.stdout, o.out.format, view)
	}
	return view.Print(a.stdout)
}
