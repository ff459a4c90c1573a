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

// monthly is what bytes cost in a month.
func (p prices) monthly(objects, snapshots int64) float64 {
	return float64(objects)/gib*p.Objects + float64(snapshots)/gib*p.Snapshots
}

// item is a backup in a report.
type item struct {
	contract.BackupCost
	Created time.Time `json:"created"`
	Monthly *float64  `json:"monthly,omitempty"`
}

func (p prices) item(cost contract.BackupCost, created time.Time) item {
	i := item{BackupCost: cost, Created: created}
	if p.asked() {
		money := p.monthly(cost.ObjectBytes, cost.SnapshotBytes)
		i.Monthly = &money
	}
	return i
}

// report is the whole answer.
type report struct {
	Backups       []item   `json:"backups"`
	ObjectBytes   int64    `json:"objectBytes"`
	Snapshots     int      `json:"snapshots"`
	SnapshotBytes int64    `json:"snapshotBytes"`
	Prices        *prices  `json:"prices,omitempty"`
	Monthly       *float64 `json:"monthly,omitempty"`
}

func newReport(p prices, items []item) *report {
	r := &report{Backups: items}
	for _, i := range items {
		r.ObjectBytes += i.ObjectBytes
		r.Snapshots += i.Snapshots
		r.SnapshotBytes += i.SnapshotBytes
	}
	if p.asked() {
		money := p.monthly(r.ObjectBytes, r.SnapshotBytes)
		r.Prices, r.Monthly = &p, &money
	}
	return r
}

func (r *report) print(con *console.Console) error {
	if len(r.Backups) == 0 {
		con.Say("No backups found.\n")
		return nil
	}
	header := []string{"NAME", "CREATED", "OBJECTS GIB", "SNAPSHOTS", "SNAPSHOTS GIB", "TOTAL GIB"}
	if r.Monthly != nil {
		header = append(header, "A MONTH")
	}
	var rows [][]string
	for _, i := range r.Backups {
		rows = append(rows, cells(i.Name, show.Time(i.Created), i.ObjectBytes, i.Snapshots, i.SnapshotBytes, i.Monthly))
	}
	rows = append(rows, cells("TOTAL", "", r.ObjectBytes, r.Snapshots, r.SnapshotBytes, r.Monthly))
	if err := show.Table(con.Stdout, header, rows); err != nil {
		return err
	}
	for _, i := range r.Backups {
		for _, reason := range i.Unmeasured {
			con.Note("warning: %s: not measured: %s\n", i.Name, show.Clean(reason))
		}
		if i.MoreUnmeasured > 0 {
			con.Note("warning: %s: %s more not measured\n", i.Name, show.Plural(int64(i.MoreUnmeasured), "snapshot"))
		}
	}
	return nil
}

func cells(name, created string, objects int64, snapshots int, bytes int64, monthly *float64) []string {
	row := []string{name, created, gibText(objects), strconv.Itoa(snapshots), gibText(bytes), gibText(objects + bytes)}
	if monthly != nil {
		row = append(row, fmt.Sprintf("%.2f", *monthly))
	}
	return row
}

func gibText(bytes int64) string { return fmt.Sprintf("%.3f", float64(bytes)/gib) }
