// Package catalog answers the reads of the CLI out of the bucket: lists of backups and
// restores, one of them in full, URLs of their files, and the state of the storage and
// snapshot locations.
//
//   - catalog.go: the reads by verb, and the list of backups.
//   - backup.go, restores.go: one backup; restores, their files, storage locations.
//   - volumes.go, volumes_old.go: what became of volumes, also of backups of Velero
//     before 1.13.
//   - snapshotlocations.go: volume snapshot locations and what EC2 allows there.
//
// It changes nothing, except for the check of a storage location, which cleans up after
// itself. A location that cannot be read hides no other: it is named beside the answer.
// Answers stay below 2 MB, which is what Temporal carries.
package catalog

import (
	"context"
	"slices"
	"strings"
	"time"

	velerov1 "github.com/vmware-tanzu/velero/pkg/apis/velero/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"

	"github.com/lifeboat-backup/lifeboat/internal/archive"
	"github.com/lifeboat-backup/lifeboat/internal/config"
	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/failure"
	"github.com/lifeboat-backup/lifeboat/internal/kube"
	"github.com/lifeboat-backup/lifeboat/internal/repository"
	"github.com/lifeboat-backup/lifeboat/internal/volume/location"
)

// Reader answers the reads of the CLI. Version is the worker's.
type Reader struct {
	Config    *config.Config
	Kube      *kube.Client
	Locations *repository.Locations
	Snapshots *location.Set
	Version   string
}

const (
	// rowsPerPage keeps an answer far below Temporal's 2 MB: a row is some 300 bytes.
	rowsPerPage = 1000
)

const (
	// linesInAnswer is how many lines of each kind of a results file travel.
	linesInAnswer = 100
)

const (
	// urlTTL is Velero's.
	urlTTL = 10 * time.Minute
)

// Read answers one read. It changes nothing, except for ReadLocationCheck, which
// cleans up after itself.
func (c *Reader) Read(ctx context.Context, in contract.ReadInput) (contract.ReadResult, error) {
	read, ok := c.verbs()[in.Verb]
	if !ok {
		return contract.ReadResult{}, failure.Invalid("verb: %q is not known to this worker", in.Verb)
	}
	return read(ctx, in)
}

// verbs are the reads of contract.ReadVerbs.
func (c *Reader) verbs() map[string]func(context.Context, contract.ReadInput) (contract.ReadResult, error) {
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

func (c *Reader) backups(ctx context.Context, in contract.ReadInput) (contract.ReadResult, error) {
	sel, err := labels.Parse(in.Selector)
	if err != nil {
		return contract.ReadResult{}, failure.Invalid("selector: %w", err)
	}
	all, err := repository.AskAll(ctx, c.Locations, in.Location, repository.ListTimeout, func(ctx context.Context, a repository.Answer[[]contract.BackupSummary]) ([]contract.BackupSummary, error) {
		docs, err := repository.ReadBackups(ctx, a.Store)
		var rows []contract.BackupSummary
		for _, d := range docs {
			if sel.Matches(labels.Set(d.Labels)) {
				rows = append(rows, summaryOf(d, a.Location.Name))
			}
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

func summaryOf(d *velerov1.Backup, location string) contract.BackupSummary {
	row := contract.BackupSummary{
		Name: d.Name, Labels: d.Labels, Location: location, Phase: string(d.Status.Phase),
		Errors: d.Status.Errors, Warnings: d.Status.Warnings, Created: d.CreationTimestamp.Time,
		Expires: timeOf(d.Status.Expiration), Selector: metav1.FormatLabelSelector(d.Spec.LabelSelector),
		Ours: d.Annotations[repository.AnnotationUID] != "",
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
func find[T any](ctx context.Context, c *Reader, in contract.ReadInput, what, key string) (repository.Answer[*T], []contract.UnreadLocation, error) {
	if err := archive.ValidateName(in.Name); err != nil {
		return repository.Answer[*T]{}, nil, failure.Invalid("name: %w", err)
	}
	all, err := repository.AskAll(ctx, c.Locations, in.Location, repository.DocumentTimeout, func(ctx context.Context, a repository.Answer[*T]) (*T, error) {
		doc := new(T)
		return doc, repository.GetJSON(ctx, a.Store, key, doc)
	})
	if err != nil {
		return repository.Answer[*T]{}, nil, err
	}
	return repository.ExactlyOne(all, repository.QueryByName(what, in.Name))
}
