package drill

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/temporal"
	"github.com/lifeboat-backup/lifeboat/starter/internal/console"
	"github.com/lifeboat-backup/lifeboat/starter/internal/show"
)

// drillList is a list of drills in a form for programs.
type drillList struct {
	Items  []contract.DrillSummary   `json:"items"`
	Unread []contract.UnreadLocation `json:"unreadLocations,omitempty"`
}

// listOptions are the flags of `drill get` and `drill history`.
type listOptions struct {
	out      console.Output
	location string
	limit    int
}

func (o *listOptions) bind(c *cobra.Command) {
	o.out.BindFlag(c, show.FormatTable, show.FormatTable, show.FormatJSON, show.FormatYAML)
	c.Flags().StringVar(&o.location, "storage-location", "", "only those whose evidence lies in this storage location")
	c.Flags().IntVar(&o.limit, "limit", 40, fmt.Sprintf("how many of the last drills, at most %d", mostListed))
}

// mostListed is how many drills a worker reads for one list.
const mostListed = 400

// list reads the drills of the named, of all for no names.
func (o *listOptions) list(ctx context.Context, be console.Backend, names []string) (drillList, error) {
	if o.limit < 1 || o.limit > mostListed {
		return drillList{}, fmt.Errorf("--limit: %d is not between 1 and %d", o.limit, mostListed)
	}
	res, err := be.Read(ctx, contract.ReadInput{Verb: contract.ReadDrills, Location: o.location, Limit: o.limit})
	if err != nil {
		return drillList{}, err
	}
	list := drillList{Items: []contract.DrillSummary{}, Unread: res.Unread}
	for _, d := range res.Drills {
		if len(names) == 0 || slices.Contains(names, d.Name) || slices.Contains(names, strconv.FormatInt(d.Number, 10)) {
			list.Items = append(list.Items, d)
		}
	}
	return list, nil
}

const noDrills = "No drill is recorded. Next: lifeboat drill run NAME --from-schedule SCHEDULE --wait\n"

func (cs commands) getCommand() *cobra.Command {
	o := &listOptions{}
	c := &cobra.Command{
		Use:   "get [NAME|NUMBER...]",
		Short: "List the drills of the cluster",
		Long: `List the last drills of the cluster by their evidence, the newest first: what was restored,
the level that was proven, and how long it took. A drill that runs has no evidence yet.

Who signed the evidence is not asked here: 'lifeboat drill verify' checks that.`,
		Example: `  lifeboat drill get
  lifeboat drill get bookstore --limit 4
  lifeboat drill get -o json`,
		ValidArgsFunction: cs.completeNames,
	}
	o.bind(c)
	c.RunE = cs.listing(o, func(list drillList) error {
		rows := make([][]string, len(list.Items))
		for i, d := range list.Items {
			rows[i] = show.DrillCells(d)
		}
		return show.Table(cs.Stdout, show.DrillHeader(), rows)
	})
	return c
}

func (cs commands) historyCommand() *cobra.Command {
	o := &listOptions{}
	c := &cobra.Command{
		Use:   "history [NAME...]",
		Short: "Show how recovery times have changed from drill to drill",
		Long: `Show how RTO and RPO have changed from drill to drill, the oldest first, and which were above
their objective.`,
		Example: `  lifeboat drill history
  lifeboat drill history bookstore --limit 12
  lifeboat drill history bookstore -o json`,
		ValidArgsFunction: cs.completeNames,
	}
	o.bind(c)
	c.RunE = cs.listing(o, func(list drillList) error {
		cs.Say("%s", show.DrillTrend(list.Items))
		return nil
	})
	return c
}

// listing is the RunE of a command that reads a list, and prints it by itself where a person reads.
func (cs commands) listing(o *listOptions, print func(drillList) error) func(*cobra.Command, []string) error {
	return cs.Connected(func(ctx context.Context, be console.Backend, names []string) error {
		list, err := o.list(ctx, be, names)
		if err != nil {
			return err
		}
		cs.NoteUnread(list.Unread)
		switch {
		case o.out.IsDocument():
			return show.Document(cs.Stdout, o.out.Format, list)
		case len(list.Items) == 0 && len(names) == 0:
			cs.Say(noDrills)
			return nil
		case len(list.Items) == 0:
			return fmt.Errorf("drill %q: %w among the last %d; see 'lifeboat drill get'", names, temporal.ErrNotFound, o.limit)
		}
		return print(list)
	})
}

func (cs commands) describeCommand() *cobra.Command {
	out, location := console.Output{}, ""
	c := &cobra.Command{
		Use:   "describe NAME|NUMBER",
		Short: "Show what a drill has proven, and what to do about what it has not",
		Long: `Show what the evidence of a drill says: levels, phases, assertions, what speaks against it and
what to do next, and where the evidence lies. A name stands for its newest drill.`,
		Example: `  lifeboat drill describe bookstore
  lifeboat drill describe 7 -o yaml`,
		Args:              console.OneName("drill"),
		ValidArgsFunction: cs.completeNames,
	}
	out.BindFlag(c, show.FormatTable, show.FormatTable, show.FormatJSON, show.FormatYAML)
	console.BindLocation(c, &location)
	c.RunE = cs.Connected(func(ctx context.Context, be console.Backend, names []string) error {
		res, err := be.Read(ctx, contract.ReadInput{Verb: contract.ReadDrill, Name: names[0], Location: location})
		if err != nil {
			return err
		}
		cs.NoteUnread(res.Unread)
		switch {
		case res.Drill == nil:
			return errors.New("the worker told of no drill: is it older than this program? see lifeboat version")
		case out.IsDocument():
			return show.Document(cs.Stdout, out.Format, res.Drill)
		}
		cs.Say("%s", show.Drill(res.Drill))
		return nil
	})
	return c
}

// completeNames offers the names of drills, each once.
func (cs commands) completeNames(c *cobra.Command, _ []string, _ string) ([]string, cobra.ShellCompDirective) {
	return cs.CompleteWords(c, func(ctx context.Context, be console.Backend) ([]string, error) {
		res, err := be.Read(ctx, contract.ReadInput{Verb: contract.ReadDrills})
		var names []string
		for _, d := range res.Drills {
			if d.Name != "" && !slices.Contains(names, d.Name) {
				names = append(names, d.Name)
			}
		}
		return names, err
	})
}
