package activities

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/lifeboat-backup/lifeboat/internal/heartbeat"

	velerov1 "github.com/vmware-tanzu/velero/pkg/apis/velero/v1"
	"golang.org/x/sync/errgroup"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"

	"github.com/lifeboat-backup/lifeboat/internal/archive"
	"github.com/lifeboat-backup/lifeboat/internal/config"
	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/kube"
	"github.com/lifeboat-backup/lifeboat/internal/store"
)

// Catalog answers the CLI's reads out of the bucket.
type Catalog struct {
	Config    *config.Config
	Kube      *kube.Client
	Locations *Locations
	Snapshots *SnapshotLocations
	Version   string
}

const (
	// rowsPerPage keeps an answer far below Temporal's 2 MB: a row is some 300 bytes.
	rowsPerPage = 1000
	// linesInAnswer is how many lines of each kind of a results file travel.
	linesInAnswer = 100
	// urlTTL is Velero's.
	urlTTL = 10 * time.Minute
	// documentsAtOnce bounds the GETs of a listing.
	documentsAtOnce = 16
)

// Read answers one read. It changes nothing, except for ReadLocationCheck, which
// cleans up after itself.
func (c *Catalog) Read(ctx context.Context, _ *heartbeat.Recorder, in contract.ReadInput) (contract.ReadResult, error) {
	read, ok := c.verbs()[in.Verb]
	if !ok {
		return contract.ReadResult{}, invalid("verb: %q is not known to this worker", in.Verb)
	}
	return read(ctx, in)
}

// verbs are the reads of contract.ReadVerbs.
func (c *Catalog) verbs() map[string]func(context.Context, contract.ReadInput) (contract.ReadResult, error) {
	return map[string]func(context.Context, contract.ReadInput) (contract.ReadResult, error){
		contract.ReadBackups:       c.backups,
		contract.ReadBackup:        c.backup,
		contract.ReadBackupURL:     c.backupURL,
		contract.ReadRestores:      c.restores,
		contract.ReadRestore:       c.restore,
		contract.ReadRestoreURL:    c.restoreURL,
		contract.ReadLocations:     c.locations,
		contract.ReadLocationCheck: c.check,
		contract.ReadServer:        c.server,

		contract.ReadSnapshotLocations:     c.snapshotLocations,
		contract.ReadSnapshotLocationCheck: c.checkSnapshotLocation,
	}
}

func (c *Catalog) backups(ctx context.Context, in contract.ReadInput) (contract.ReadResult, error) {
	sel, err := labels.Parse(in.Selector)
	if err != nil {
		return contract.ReadResult{}, invalid("selector: %w", err)
	}
	all, err := askAll(ctx, c.Locations, in.Location, listPatience, func(ctx context.Context, a reply[[]contract.BackupSummary]) ([]contract.BackupSummary, error) {
		docs, err := readBackups(ctx, a.st)
		var rows []contract.BackupSummary
		for _, d := range docs {
			if sel.Matches(labels.Set(d.Labels)) {
				rows = append(rows, summaryOf(d, a.bsl.Name))
			}
		}
		return rows, err
	})
	if err != nil {
		return contract.ReadResult{}, err
	}
	rows, unread, err := gather(all, "backups")
	if err != nil {
		return contract.ReadResult{}, err
	}
	slices.SortFunc(rows, func(a, b contract.BackupSummary) int {
		return strings.Compare(a.Name+"/"+a.Location, b.Name+"/"+b.Location)
	})
	rows, next := page(rows, in.Continue, func(r contract.BackupSummary) string { return r.Name + "/" + r.Location })
	return contract.ReadResult{Backups: rows, Continue: next, Unread: unread}, nil
}

// page cuts sorted rows behind the key of the page before.
func page[T any](rows []T, after string, key func(T) string) ([]T, string) {
	i := 0
	for after != "" && i < len(rows) && key(rows[i]) <= after {
		i++
	}
	rows = rows[i:]
	if len(rows) <= rowsPerPage {
		return rows, ""
	}
	return rows[:rowsPerPage], key(rows[rowsPerPage-1])
}

// readBackups reads every Backup document of a location, ours and Velero's. A
// directory without a document is no backup.
func readBackups(ctx context.Context, st store.Store) ([]*velerov1.Backup, error) {
	names, err := st.Dirs(ctx, archive.BackupsDir)
	if err != nil {
		return nil, err
	}
	return readDocuments(ctx, st, names, func(n string) string { return archive.Layout{Backup: n}.Metadata() }, func(n string) *velerov1.Backup {
		return &velerov1.Backup{ObjectMeta: metav1.ObjectMeta{Name: n}, Status: velerov1.BackupStatus{Phase: unreadable}}
	})
}

// unreadable is the phase of a document that is damaged: it is shown, and hides no
// other.
const unreadable = "Unreadable"

// readDocuments reads the documents of names in parallel; missing ones are left out,
// in place of damaged ones stands what broken makes of the name.
func readDocuments[T any](ctx context.Context, st store.Store, names []string, key func(string) string, broken func(string) *T) ([]*T, error) {
	var mu sync.Mutex
	var out []*T
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(documentsAtOnce)
	for _, name := range names {
		group.Go(func() error {
			doc := new(T)
			err := getJSON(ctx, st, key(name), doc)
			if errors.Is(err, store.ErrNotFound) {
				return nil
			}
			if errors.Is(err, archive.ErrCorrupt) {
				doc, err = broken(name), nil
			}
			mu.Lock()
			defer mu.Unlock()
			out = append(out, doc)
			return err
		})
	}
	return out, group.Wait()
}

func summaryOf(d *velerov1.Backup, location string) contract.BackupSummary {
	row := contract.BackupSummary{
		Name: d.Name, Labels: d.Labels, Location: location, Phase: string(d.Status.Phase),
		Errors: d.Status.Errors, Warnings: d.Status.Warnings, Created: d.CreationTimestamp.Time,
		Expires: timeOf(d.Status.Expiration), Selector: metav1.FormatLabelSelector(d.Spec.LabelSelector),
		Ours: d.Annotations[uidAnnotation] != "",
	}
	if d.Status.StartTimestamp != nil {
		row.Created = d.Status.StartTimestamp.Time
	}
	if d.Status.Progress != nil {
		row.Objects = int64(d.Status.Progress.ItemsBackedUp)
	}
	return row
}

func timeOf(t *metav1.Time) *time.Time {
	if t == nil {
		return nil
	}
	return &t.Time
}

// find looks a document up in the named location, or in all: a location that cannot be
// read hides no other. Of two documents it gives none: the name does not say which.
func find[T any](ctx context.Context, c *Catalog, in contract.ReadInput, what, key string) (reply[*T], []contract.UnreadLocation, error) {
	if err := archive.ValidateName(in.Name); err != nil {
		return reply[*T]{}, nil, invalid("name: %w", err)
	}
	all, err := askAll(ctx, c.Locations, in.Location, lookPatience, func(ctx context.Context, a reply[*T]) (*T, error) {
		doc := new(T)
		return doc, getJSON(ctx, a.st, key, doc)
	})
	if err != nil {
		return reply[*T]{}, nil, err
	}
	return single(all, soughtByName(what, in.Name))
}
