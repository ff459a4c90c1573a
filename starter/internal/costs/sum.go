package costs

import (
	"fmt"
	"strconv"
	"time"

	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/starter/internal/console"
	"github.com/lifeboat-backup/lifeboat/starter/internal/show"
)

const gib = 1 << 30

// prices are of a GiB for a month, in any currency; 0 is not asked for.
type prices struct {
	Snapshots float64 `json:"snapshots,omitempty"`
	Objects   float64 `json:"objects,omitempty"`
}

func (p prices) asked() bool { return p != prices{} }

// sum is what some backups take up, as far as their snapshots could be measured.
type sum struct {
	objects, snapshotted int64 // bytes
	measured, unmeasured int   // snapshots
}

// isUnknown says that nothing is known of snapshots that there are.
func (s sum) isUnknown() bool { return s.unmeasured > 0 && s.measured == 0 }

// snapshotBytes are nil if they are unknown.
func (s sum) snapshotBytes() *int64 {
	if s.isUnknown() {
		return nil
	}
	return &s.snapshotted
}

// monthly is what it costs in a month, nil if nobody asked or knows.
func (p prices) monthly(s sum) *float64 {
	if !p.asked() || s.isUnknown() && p.Snapshots > 0 {
		return nil
	}
	money := float64(s.objects)/gib*p.Objects + float64(s.snapshotted)/gib*p.Snapshots
	return &money
}

// item is a backup in a report.
type item struct {
	contract.BackupCost
	SnapshotBytes *int64    `json:"snapshotBytes"` // null if it is unknown
	Created       time.Time `json:"created"`
	Monthly       *float64  `json:"monthly,omitempty"`    // not there if it is unknown, too
	Incomplete    bool      `json:"incomplete,omitempty"` // some snapshots could not be measured: the sums are lower bounds
	sum           sum
}

func (p prices) item(cost contract.BackupCost, created time.Time) item {
	s := sum{cost.ObjectBytes, cost.SnapshotBytes, cost.Snapshots, len(cost.Unmeasured) + cost.MoreUnmeasured}
	return item{BackupCost: cost, SnapshotBytes: s.snapshotBytes(), Created: created, Monthly: p.monthly(s), Incomplete: s.unmeasured > 0, sum: s}
}

// report is the whole answer.
type report struct {
	Backups       []item   `json:"backups"`
	ObjectBytes   int64    `json:"objectBytes"`
	Snapshots     int      `json:"snapshots"`
	SnapshotBytes *int64   `json:"snapshotBytes"`
	Prices        *prices  `json:"prices,omitempty"`
	Monthly       *float64 `json:"monthly,omitempty"`
	Incomplete    bool     `json:"incomplete,omitempty"`
	sum           sum
}

func newReport(p prices, items []item) *report {
	r := &report{Backups: items}
	for _, i := range items {
		r.sum.objects += i.sum.objects
		r.sum.snapshotted += i.sum.snapshotted
		r.sum.measured += i.sum.measured
		r.sum.unmeasured += i.sum.unmeasured
	}
	r.ObjectBytes, r.Snapshots, r.SnapshotBytes, r.Incomplete = r.sum.objects, r.sum.measured, r.sum.snapshotBytes(), r.sum.unmeasured > 0
	if p.asked() {
		r.Prices, r.Monthly = &p, p.monthly(r.sum)
	}
	return r
}

func (r *report) print(con *console.Console) error {
	if len(r.Backups) == 0 {
		con.Say("No backups found.\n")
		return nil
	}
	header := []string{"NAME", "CREATED", "OBJECTS GIB", "SNAPSHOTS", "SNAPSHOTS GIB", "TOTAL GIB"}
	if r.Prices != nil {
		header = append(header, "A MONTH")
	}
	var rows [][]string
	for _, i := range r.Backups {
		rows = append(rows, r.cells(i.Name, show.Time(i.Created), i.sum, i.Monthly))
	}
	rows = append(rows, r.cells("TOTAL", "", r.sum, r.Monthly))
	return show.Table(con.Stdout, header, rows)
}

// outcome tells what could not be measured, and ends the command with the code for that.
func (r *report) outcome(con *console.Console) error {
	for _, i := range r.Backups {
		for _, reason := range i.Unmeasured {
			con.Note("warning: %s: not measured: %s\n", i.Name, show.Clean(reason))
		}
		if i.MoreUnmeasured > 0 {
			con.Note("warning: %s: %s more not measured\n", i.Name, show.Plural(int64(i.MoreUnmeasured), "snapshot"))
		}
	}
	if r.Incomplete {
		return console.Outcome{Code: console.CodePartiallyFailed}
	}
	return nil
}

func (r *report) cells(name, created string, s sum, monthly *float64) []string {
	snapshots, bound := strconv.Itoa(s.measured), ""
	if s.unmeasured > 0 {
		snapshots, bound = fmt.Sprintf("%d of %d", s.measured, s.measured+s.unmeasured), ">="
	}
	row := []string{name, created, gibText(s.objects), snapshots, "unknown", "unknown"}
	if !s.isUnknown() {
		row[4], row[5] = bound+gibText(s.snapshotted), bound+gibText(s.objects+s.snapshotted)
	}
	switch {
	case r.Prices == nil:
	case monthly == nil:
		row = append(row, "unknown")
	case r.Prices.Snapshots == 0:
		row = append(row, fmt.Sprintf("%.2f", *monthly))
	default:
		row = append(row, fmt.Sprintf("%s%.2f", bound, *monthly))
	}
	return row
}

func gibText(bytes int64) string { return fmt.Sprintf("%.3f", float64(bytes)/gib) }
