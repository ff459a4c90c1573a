// Package costs has the command `lifeboat backup cost`.
//
//   - costs.go: the command, and what it asks.
//   - sum.go: GiB and money.
package costs

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/temporal"
	"github.com/lifeboat-backup/lifeboat/starter/internal/console"
	"github.com/lifeboat-backup/lifeboat/starter/internal/show"
)

// options are the flags of the command.
type options struct {
	output             console.Output
	selector, location string
	prices             prices
}

func (o *options) bindFlags(c *cobra.Command) {
	f := c.Flags()
	f.StringVarP(&o.selector, "selector", "l", "", "only backups with these labels")
	f.StringVar(&o.location, "storage-location", "", "only those in this storage location")
	f.Float64Var(&o.prices.Snapshots, "price", 0, "price of a GiB of snapshots for a month, such as 0.05")
	f.Float64Var(&o.prices.Objects, "object-price", 0, "price of a GiB in the bucket for a month, such as 0.023")
	o.output.BindFlag(c, show.FormatTable, show.FormatTable, show.FormatJSON, show.FormatYAML)
	known := c.PreRunE
	c.PreRunE = func(c *cobra.Command, args []string) error { return errors.Join(o.check(), known(c, args)) }
}

func (o *options) check() error {
	if o.prices.Snapshots < 0 || o.prices.Objects < 0 {
		return errors.New("--price and --object-price cannot be below zero")
	}
	return nil
}

// Command is `backup cost`; complete offers the names of backups.
func Command(con *console.Console, complete cobra.CompletionFunc) *cobra.Command {
	o := &options{}
	c := &cobra.Command{
		Use:   "cost [NAME...]",
		Short: "Show how much of the bucket and of EBS backups take up, and what that costs",
		Long: `Show how much of the bucket backups take up, and how many GiB of changed blocks their EBS
snapshots add. Each block counts once in the chain of snapshots of its volume, in the snapshot
that brought it: that is what EBS stores. When that snapshot is deleted, the blocks that later
ones need stay, and count there.

Blocks are listed by the EBS direct APIs (ebs:ListSnapshotBlocks, ebs:ListChangedBlocks); no
data is read. Snapshots of other drivers are not measured. Prices are per GiB and month; AWS
calls that a GB-month. Where a snapshot cannot be measured, sums are unknown or, with ">=",
lower bounds, and the command ends with 3.`,
		Example: `  lifeboat backup cost
  lifeboat backup cost -l velero.io/schedule-name=daily --price 0.05
  lifeboat backup cost nightly-20260102020000 -o json`,
		ValidArgsFunction: complete,
	}
	o.bindFlags(c)
	c.RunE = func(c *cobra.Command, names []string) error {
		return con.WithSilentBackend(c.Context(), func(be console.Backend) error {
			report, err := o.measure(c.Context(), con, be, names)
			if err != nil {
				return err
			}
			if o.output.IsDocument() {
				err = show.Document(con.Stdout, o.output.Format, report)
			} else {
				err = report.print(con)
			}
			if err != nil {
				return err
			}
			return report.outcome(con)
		})
	}
	return c
}

// measuredAtOnce is how many backups the worker is asked about at a time.
const measuredAtOnce = 4

// measure asks about each backup, the oldest first.
func (o *options) measure(ctx context.Context, con *console.Console, be console.Backend, names []string) (*report, error) {
	listed, err := be.Backups(ctx, o.selector, o.location)
	if err != nil {
		return nil, err
	}
	con.NoteUnread(listed.Unread)
	rows, err := pickNamed(listed.Rows, names)
	if err != nil {
		return nil, err
	}
	var done atomic.Int64
	defer tellProgress(con, &done, len(rows))()
	items := make([]item, len(rows))
	group, gctx := errgroup.WithContext(ctx)
	group.SetLimit(measuredAtOnce)
	for i, b := range rows {
		group.Go(func() error {
			cost, err := costOf(gctx, be, b)
			if err != nil {
				return fmt.Errorf("backup %q: %w", b.Name, err)
			}
			items[i] = o.prices.item(*cost, b.Created)
			done.Add(1)
			return nil
		})
	}
	err = group.Wait()
	return newReport(o.prices, items), err
}

func costOf(ctx context.Context, be console.Backend, b contract.BackupSummary) (*contract.BackupCost, error) {
	res, err := be.Read(ctx, contract.ReadInput{Verb: contract.ReadBackupCost, Name: b.Name, Location: b.Location})
	if err == nil && res.Cost == nil {
		err = errors.New("the worker answered without its size: are worker and CLI of one version?")
	}
	return res.Cost, err
}

// pickNamed keeps the backups of the names, all for none, the oldest first.
func pickNamed(all []contract.BackupSummary, names []string) (rows []contract.BackupSummary, err error) {
	for _, name := range names {
		if !slices.ContainsFunc(all, func(b contract.BackupSummary) bool { return b.Name == name }) {
			return nil, fmt.Errorf("backup %q: %w; see 'lifeboat backup get'", name, temporal.ErrNotFound)
		}
	}
	for _, b := range all {
		if len(names) == 0 || slices.Contains(names, b.Name) {
			rows = append(rows, b)
		}
	}
	slices.SortStableFunc(rows, func(a, b contract.BackupSummary) int { return a.Created.Compare(b.Created) })
	return rows, nil
}

// progressEvery is how often somebody who waits is told how far it is.
const progressEvery = 2 * time.Second

func tellProgress(con *console.Console, done *atomic.Int64, of int) (stop func()) {
	ticker, ended, told := time.NewTicker(progressEvery), make(chan struct{}), make(chan struct{})
	go func() {
		defer close(told)
		for {
			select {
			case <-ended:
				return
			case <-ticker.C:
				con.Note("measured %d of %s\n", done.Load(), show.Plural(int64(of), "backup"))
			}
		}
	}()
	return func() { ticker.Stop(); close(ended); <-told }
}
