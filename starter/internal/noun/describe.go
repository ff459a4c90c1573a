package noun

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/temporal"
	"github.com/lifeboat-backup/lifeboat/starter/internal/console"
	"github.com/lifeboat-backup/lifeboat/starter/internal/fetch"
	"github.com/lifeboat-backup/lifeboat/starter/internal/listing"
	"github.com/lifeboat-backup/lifeboat/starter/internal/show"
	"github.com/lifeboat-backup/lifeboat/starter/internal/stored"
)

// Describable is what `describe` prints, for programs or for people.
type Describable interface {
	Document() any
	Print(w io.Writer) error
}

type describeOptions struct {
	out      console.Output
	details  bool
	location string
	trust    fetch.Options
}

func (o *describeOptions) bindFlags(c *cobra.Command) {
	o.out.BindFlag(c, "", show.FormatJSON, show.FormatYAML)
	c.Flags().BoolVar(&o.details, "details", false, "list the objects too, and all that is known of each volume of a backup")
	console.BindLocation(c, &o.location)
	console.BindTrust(c.Flags(), &o.trust)
}

// DescribeCommand is `backup describe` and `restore describe`.
func (n *Noun[Row, Doc]) DescribeCommand(short, example string) *cobra.Command {
	o := &describeOptions{}
	c := &cobra.Command{
		Use:               "describe NAME",
		Short:             short,
		Example:           example,
		Args:              console.OneName(n.word()),
		ValidArgsFunction: n.CompleteNames,
		RunE: n.Connected(func(ctx context.Context, be console.Backend, args []string) error {
			return n.describeOne(ctx, be, o, args[0])
		}),
	}
	o.bindFlags(c)
	return c
}

func (n *Noun[Row, Doc]) describeOne(ctx context.Context, be console.Backend, o *describeOptions, name string) error {
	if state, err := be.Latest(ctx, n.Kind, name); err == nil && state.Running {
		return n.describeState(ctx, be, state, o) // also where no worker could read the catalog
	}
	doc, res, err := n.readDocument(ctx, be, name, o.location)
	if errors.Is(err, temporal.ErrNotFound) {
		return n.describeUnstored(ctx, be, name, o, err)
	}
	if err != nil {
		return err
	}
	n.NoteUnread(res.Unread)
	facts := show.Facts{
		Volumes: show.Volumes{List: res.Volumes, More: res.MoreVolumes},
		Details: res.Details, Results: res.Results, Rehearsals: res.Rehearsals,
	}
	var unlisted error // is told below what can be shown
	if o.details {
		facts.Resources, unlisted = n.resourceList(ctx, be, name, o)
	}
	return errors.Join(n.printView(n.ViewOf(doc, facts, o.details), o.out), unlisted)
}

func (n *Noun[Row, Doc]) printView(view Describable, out console.Output) error {
	if out.IsDocument() {
		return show.Document(n.Stdout, out.Format, view.Document())
	}
	return view.Print(n.Stdout)
}

// resourceList reads Velero's list of objects by kind. Old Veleros wrote none, or
// null: that is an empty list.
func (n *Noun[Row, Doc]) resourceList(ctx context.Context, be console.Backend, name string, o *describeOptions) (map[string][]string, error) {
	list := map[string][]string{}
	body, err := stored.OpenFile(ctx, be.Read, contract.ReadInput{
		Verb: n.FileVerb, Name: name, Location: o.location, File: contract.FileResourceList,
	}, o.trust)
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

// describeUnstored tells of a backup or restore that is not in the bucket (missing
// says so) because it failed or was a dry run.
func (n *Noun[Row, Doc]) describeUnstored(ctx context.Context, be console.Backend, name string, o *describeOptions, missing error) error {
	state, err := be.Latest(ctx, n.Kind, name)
	if errors.Is(err, temporal.ErrNotFound) || err == nil && !listing.IsUnstored(state) {
		return missing
	}
	if err != nil {
		return err
	}
	if n.Kind == temporal.KindBackup {
		deletion, err := be.Latest(ctx, temporal.KindDelete, name)
		if err == nil && listing.WasDeletedAfter(state, deletion) {
			return missing
		}
	}
	return n.describeState(ctx, be, state, o)
}

// describeState shows what Temporal knows of a run.
func (n *Noun[Row, Doc]) describeState(ctx context.Context, be console.Backend, state temporal.State, o *describeOptions) error {
	view := show.RunView{
		Kind: console.Title(state.Kind.Noun()), Name: state.Name, Phase: state.Phase, Location: state.Location, Selector: state.Selector,
		Backup: state.Backup, DryRun: state.DryRun, Labels: state.Labels,
		Workflow: state.WorkflowID, Run: state.RunID, Started: state.Started, Closed: state.Closed, Result: state.Result,
	}
	if state.Running {
		sample, err := be.Sample(ctx, state.Run)
		if err != nil {
			return err
		}
		view.Phase, view.Progress = sample.Phase, console.ProgressState(sample).Line(n.Now().Sub(state.Started))
		view.Trouble = sample.Trouble
	} else if err := be.Follow(ctx, state.Run, nil, console.WatchInterval, nil); err != nil {
		view.Failure = err.Error()
	}
	return n.printView(view, o.out)
}
