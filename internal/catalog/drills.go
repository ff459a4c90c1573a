package catalog

import (
	"cmp"
	"context"
	"slices"
	"strconv"
	"strings"

	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/failure"
	"github.com/lifeboat-backup/lifeboat/internal/repository"
	"github.com/lifeboat-backup/lifeboat/internal/repository/drills"
)

const (
	// drillsInAnswer is how many of the last drills are told of unless somebody asks for another
	// number, and mostDrills how many at most: each is a file that has to be read.
	drillsInAnswer = 40
	mostDrills     = 400
)

// listDrills tells of the last drills of the cluster, the newest first. The chain may go on in
// another location after a change of the configuration.
func (c *Reader) listDrills(ctx context.Context, in contract.ReadInput) (contract.ReadResult, error) {
	limit := min(cmp.Or(in.Limit, drillsInAnswer), mostDrills)
	if limit < 0 {
		return contract.ReadResult{}, failure.Invalid("limit: %d is negative", limit)
	}
	rows, unread, err := c.lastDrills(ctx, in.Location, limit)
	if err != nil {
		return contract.ReadResult{}, err
	}
	rows, _ = cutRows(rows, limit)
	return contract.ReadResult{Drills: rows, Unread: unread}, nil
}

// lastDrills tells of the last drills of the named location, or of all, the newest first.
func (c *Reader) lastDrills(ctx context.Context, location string, limit int) ([]contract.DrillSummary, []contract.UnreadLocation, error) {
	all, err := repository.AskAll(ctx, c.Locations, location, repository.ListTimeout, func(ctx context.Context, a repository.Answer[[]contract.DrillSummary]) ([]contract.DrillSummary, error) {
		return drills.List(ctx, a.Store, c.Config.Cluster, limit, func(f *drills.File) contract.DrillSummary { return summaryOfDrill(f, a.Location.Name) })
	})
	if err != nil {
		return nil, nil, err
	}
	rows, unread, err := repository.JoinRows(all, "drills")
	slices.SortFunc(rows, func(a, b contract.DrillSummary) int {
		return cmp.Or(cmp.Compare(b.Number, a.Number), strings.Compare(a.Location, b.Location))
	})
	return rows[:min(len(rows), limit)], unread, err
}

// readDrill tells of one drill. A name may be that of many: the newest is meant.
func (c *Reader) readDrill(ctx context.Context, in contract.ReadInput) (contract.ReadResult, error) {
	if number, err := strconv.ParseInt(in.Name, 10, 64); err == nil {
		return c.readDrillByNumber(ctx, in.Location, number)
	}
	rows, _, err := c.lastDrills(ctx, in.Location, mostDrills)
	if err != nil {
		return contract.ReadResult{}, err
	}
	i := slices.IndexFunc(rows, func(row contract.DrillSummary) bool { return row.Name == in.Name && in.Name != "" })
	if i < 0 {
		return contract.ReadResult{}, failure.NotFound("no drill %q among the last %d; `lifeboat drill get` lists them", in.Name, len(rows))
	}
	return c.readDrillByNumber(ctx, rows[i].Location, rows[i].Number)
}

func (c *Reader) readDrillByNumber(ctx context.Context, location string, number int64) (contract.ReadResult, error) {
	all, err := repository.AskAll(ctx, c.Locations, location, repository.DocumentTimeout, func(ctx context.Context, a repository.Answer[*drills.File]) (*drills.File, error) {
		return drills.Read(ctx, a.Store, c.Config.Cluster, number)
	})
	if err != nil {
		return contract.ReadResult{}, err
	}
	found, unread, err := repository.ExactlyOne(all, repository.QueryByName("drill", strconv.FormatInt(number, 10)))
	if err != nil {
		return contract.ReadResult{}, err
	}
	return contract.ReadResult{Drill: detailsOfDrill(found.Value, found.Location.Name), Unread: unread}, nil
}

func summaryOfDrill(f *drills.File, location string) contract.DrillSummary {
	row := contract.DrillSummary{Number: f.Sequence, Location: location}
	if f.Damage != nil {
		row.Damage = f.Damage.Error()
		return row
	}
	p := &f.Evidence.Statement.Predicate
	row.Name, row.Backup, row.Asked = p.Drill.Name, p.Source.Backup.Name, p.Drill.Asked.Time()
	row.Level, row.Verdict = string(p.Claim.Level), string(p.Claim.Verdict)
	row.RPO, row.ObjectiveRTO, row.ObjectiveRPO = p.Measured.RPO.Worst(), p.Objective.RTO, p.Objective.RPO
	row.RTO = p.TimeToProof()
	for _, failed := range p.Claim.Failures {
		row.Failures = append(row.Failures, string(failed.Code))
	}
	return row
}

// detailsOfDrill leaves out what an answer has no room for: evidence may have 8 MiB.
func detailsOfDrill(f *drills.File, location string) *contract.DrillDetails {
	p := &f.Evidence.Statement.Predicate
	d := &contract.DrillDetails{
		DrillSummary: summaryOfDrill(f, location), ID: p.Drill.ID, Finished: p.Drill.Finished.Time(), Workflow: p.Drill.Workflow, Run: p.Drill.Run,
		Key: f.Key, SHA256: f.Evidence.Digest, Objective: p.Objective.Level, Levels: p.Claim.Levels, Phases: p.Measured.Phases,
		Teardown: p.Teardown, Control: p.NegativeControl,
	}
	if p.Measured.RTO != nil {
		d.Ready = p.Measured.RTO.Ready
	}
	for _, failed := range p.Claim.Failures {
		d.Against = append(d.Against, contract.DrillFailure{Failure: failed, Next: failed.Code.Remedy()})
	}
	d.Teardown.Left, _ = cutRows(d.Teardown.Left, linesInAnswer)
	d.Assertions, d.MoreAssertions = cutRows(p.Assertions, linesInAnswer)
	return d
}
