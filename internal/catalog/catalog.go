// Package catalog answers the reads of the CLI out of the bucket: lists of backups and
// restores, one of them in full, URLs of their files, and the state of the storage and
// snapshot locations.
//
//   - catalog.go: the reads by verb, and the list of backups.
//   - backup.go, restores.go: one backup; restores, their files, storage locations.
//   - diff.go, history.go: what changed between backups, by their indexes.
//   - fit.go: answers are cut to what Temporal carries.
//   - volumes.go, oldvolumes.go: what became of volumes, also of backups of Velero
//     before 1.13.
//   - cost.go: how much of the bucket and of EBS a backup takes up.
//   - drills.go: restore drills, by their evidence.
//   - estimate.go: how long a restore will take.
//   - snapshotlocations.go: volume snapshot locations and what EC2 allows there.
//
// It changes nothing, except for the check of a storage location, which cleans up after
// itself, and for catalog entries, which a list of backups puts right. A location that
// cannot be read hides no other: it is named beside the answer. Answers stay below 2 MB,
// which is what Temporal carries.
package catalog

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"

	"github.com/lifeboat-backup/lifeboat/internal/config"
	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/failure"
	"github.com/lifeboat-backup/lifeboat/internal/kube"
	"github.com/lifeboat-backup/lifeboat/internal/repository"
	"github.com/lifeboat-backup/lifeboat/internal/repository/beside"
	"github.com/lifeboat-backup/lifeboat/internal/store"
	"github.com/lifeboat-backup/lifeboat/internal/volume/location"
)

// Reader answers the reads of the CLI. Version is the worker's.
type Reader struct {
	Config    *config.Config
	Kube      *kube.Client
	Locations *repository.Locations
	Snapshots *location.Set
	Version   string
	// Schedules tells of the schedules of the cluster; nil where there are none.
	Schedules Schedules
	// DrillSchedules tells of those of drills, as Schedules.
	DrillSchedules Schedules
	// Explain answers contract.ReadSnapshots; it is another use case's.
	Explain func(context.Context, contract.ReadInput) (contract.ReadResult, error)
	// Examine answers contract.ReadChecklist; it is another use case's.
	Examine func(context.Context) ([]contract.Check, error)
	// MissingAttributes are the search attributes that Temporal lacks; nil means none.
	MissingAttributes func() []string

	mu sync.Mutex
	// failedChecks are the locations of which the last check found that no backup can be stored.
	failedChecks map[string]bool
}

// Schedules tells of the named schedule, or of all of them.
type Schedules interface {
	Status(ctx context.Context, name string) ([]contract.ScheduleStatus, error)
}

// rowsPerPage is a page of the repository's, so that none of what one reads is thrown away: a
// row is some 300 bytes, and bytesInAnswer cuts a page whose rows are longer.
const rowsPerPage = repository.BackupsPerPage

const (
	// linesInAnswer is how many lines of each kind of a results file travel.
	linesInAnswer = 100
)

const (
	// urlTTL is Velero's.
	urlTTL = 10 * time.Minute
)

// Read answers one read. It changes nothing but what the package's comment names.
func (c *Reader) Read(ctx context.Context, in contract.ReadInput) (contract.ReadResult, error) {
	read, ok := c.readersByVerb()[in.Verb]
	if !ok {
		return contract.ReadResult{}, failure.Invalid("verb: %q is not known to this worker", in.Verb)
	}
	mine := repository.ConfigurationDigest(c.Config)
	if in.Configuration != "" && in.Configuration != mine {
		return contract.ReadResult{}, failure.WrongWorker("the storage locations of this worker's configuration (digest %s) are not those that were asked (digest %s)", mine, in.Configuration)
	}
	res, err := read(ctx, in)
	res.Configuration = mine
	if repository.IsOutOfReach(err) && failure.TypeOf(err) == "" {
		err = failure.New(contract.ErrTypeLocation, err) // three tries would keep the cause from a person for 15 s
	}
	return res, err
}

// readersByVerb are the reads of contract.ReadVerbs.
func (c *Reader) readersByVerb() map[string]func(context.Context, contract.ReadInput) (contract.ReadResult, error) {
	return map[string]func(context.Context, contract.ReadInput) (contract.ReadResult, error){
		contract.ReadBackups:       c.listBackups,
		contract.ReadBackup:        c.readBackup,
		contract.ReadBackupCost:    c.backupCost,
		contract.ReadBackupURL:     c.backupURL,
		contract.ReadRestores:      c.listRestores,
		contract.ReadRestore:       c.readRestore,
		contract.ReadRestoreURL:    c.restoreURL,
		contract.ReadLocations:     c.listLocations,
		contract.ReadLocationCheck: c.checkLocation,
		contract.ReadServer:        c.readServer,
		contract.ReadSchedules:     readSchedules(c.Schedules),
		contract.ReadChecklist:     c.examine,
		contract.ReadEstimate:      c.estimateRestore,
		contract.ReadBackupDiff:    c.diffBackups,
		contract.ReadObjectHistory: c.objectHistory,
		contract.ReadDrills:        c.listDrills,
		contract.ReadDrill:         c.readDrill,

		contract.ReadDrillSchedules:        readSchedules(c.DrillSchedules),
		contract.ReadSnapshots:             c.explainSnapshots,
		contract.ReadSnapshotLocations:     c.snapshotLocations,
		contract.ReadSnapshotLocationCheck: c.checkSnapshotLocation,
	}
}

func readSchedules(of Schedules) func(context.Context, contract.ReadInput) (contract.ReadResult, error) {
	return func(ctx context.Context, in contract.ReadInput) (contract.ReadResult, error) {
		if of == nil {
			return contract.ReadResult{}, nil
		}
		rows, err := of.Status(ctx, in.Name)
		return contract.ReadResult{Schedules: rows}, err
	}
}

func (c *Reader) explainSnapshots(ctx context.Context, in contract.ReadInput) (contract.ReadResult, error) {
	return c.Explain(ctx, in)
}

func (c *Reader) examine(ctx context.Context, _ contract.ReadInput) (contract.ReadResult, error) {
	checks, err := c.Examine(ctx)
	return contract.ReadResult{Checklist: checks}, err
}

func (c *Reader) listBackups(ctx context.Context, in contract.ReadInput) (contract.ReadResult, error) {
	sel, err := labels.Parse(in.Selector)
	if err != nil {
		return contract.ReadResult{}, failure.Invalid("selector: %w", err)
	}
	var more atomic.Bool // in any location
	all, err := repository.AskAll(ctx, c.Locations, in.Location, repository.ListTimeout, func(ctx context.Context, a repository.Answer[[]contract.BackupSummary]) ([]contract.BackupSummary, error) {
		rows, next, err := backupRows(ctx, a.Listing(), sel, in.Continue)
		for i := range rows {
			rows[i].Location = a.Location.Name
			rows[i].Expired = rows[i].Expired && a.Listing().ReadOnly
		}
		if next != "" {
			more.Store(true)
		}
		return rows, err
	})
	if err != nil {
		return contract.ReadResult{}, err
	}
	rows, unread, err := repository.JoinRows(all, "backups")
	if err != nil {
		return contract.ReadResult{}, err
	}
	slices.SortFunc(rows, func(a, b contract.BackupSummary) int {
		return cmp.Or(compareKeys(a.Name, b.Name), strings.Compare(a.Location, b.Location))
	})
	rows, next := firstBackups(rows, more.Load())
	return contract.ReadResult{Backups: rows, Continue: next, Unread: unread}, nil
}

// compareKeys orders names as a store orders their directories.
func compareKeys(a, b string) int { return strings.Compare(a+"/", b+"/") }

// backupRows lists the backups of one location that sel selects, behind the name after:
// a page of them or somewhat more, or all if next is "". The rows that a selector chose
// are as their documents say, for people delete by it.
func backupRows(ctx context.Context, listing *repository.Listing, sel labels.Selector, after string) (rows []contract.BackupSummary, next string, err error) {
	listing.Proofs, listing.Lost = true, true
	for next = after; ; {
		var entries []repository.BackupEntry
		if entries, next, err = listing.Page(ctx, next); err != nil {
			return nil, "", err
		}
		if !sel.Empty() {
			if entries, err = listing.Confirm(ctx, keepSelected(entries, sel)); err != nil {
				return nil, "", err
			}
		}
		entries = keepSelected(entries, sel)
		said, err := saidOf(ctx, listing.Store, entries)
		if err != nil {
			return nil, "", err
		}
		for _, e := range entries {
			rows = append(rows, summaryOf(e, said[e.Name]))
		}
		if next == "" || len(rows) >= rowsPerPage {
			return rows, next, nil
		}
	}
}

func keepSelected(entries []repository.BackupEntry, sel labels.Selector) (kept []repository.BackupEntry) {
	for _, e := range entries {
		if sel.Matches(labels.Set(e.Labels)) {
			kept = append(kept, e)
		}
	}
	return kept
}

// firstBackups cuts sorted rows to a page, and gives the name to go on behind, if there is
// anything. Backups of one name stay on one page: each location goes on behind the name.
func firstBackups(rows []contract.BackupSummary, more bool) ([]contract.BackupSummary, string) {
	n := countFitting(rows[:min(rowsPerPage, len(rows))])
	for 0 < n && n < len(rows) && rows[n].Name == rows[n-1].Name {
		n++
	}
	if n == 0 || n == len(rows) && !more {
		return rows, ""
	}
	return rows[:n], rows[n-1].Name
}

// cutPage cuts sorted rows behind the key of the page before.
func cutPage[T any](rows []T, after string, key func(T) string) ([]T, string) {
	i := 0
	for after != "" && i < len(rows) && key(rows[i]) <= after {
		i++
	}
	kept, more := cutRows(rows[i:], rowsPerPage)
	if more == 0 {
		return kept, ""
	}
	return kept, key(kept[len(kept)-1])
}

// saidOf is what people have said of how long backups are kept.
func saidOf(ctx context.Context, st store.Store, entries []repository.BackupEntry) (map[string]*beside.Retention, error) {
	names := make(map[string]bool, len(entries))
	for _, e := range entries {
		names[e.Name] = true
	}
	return beside.ReadRetentionsOf(ctx, st, names)
}

func summaryOf(e repository.BackupEntry, said *beside.Retention) contract.BackupSummary {
	row := contract.BackupSummary{
		Name: e.Name, Labels: e.Labels, Phase: string(e.Phase), Errors: e.Errors, Warnings: e.Warnings,
		Created: e.Started, Objects: e.Objects, Selector: e.Selector, Ours: e.Ours, Cluster: e.Cluster,
	}
	kept := said.Backup(e)
	row.Expired, row.Held = kept.IsExpired(time.Now()), kept.Hold
	if end := kept.ExpiresAt(); !end.IsZero() {
		row.Expires = &end
	}
	if !e.Verified.IsZero() {
		row.Verified = &e.Verified
	}
	if e.Corrupt {
		row.Phase = contract.VerificationCorrupt
	}
	if !e.Proof.At.IsZero() {
		row.Level, row.Proven = e.Proof.Level, &e.Proof.At
	}
	if sizeOf(row) > bytesInRow {
		row.Labels, row.Selector, row.Cut = nil, "", true
	}
	return row
}

func timeOf(t *metav1.Time) *time.Time {
	if t == nil {
		return nil
	}
	return &t.Time
}
