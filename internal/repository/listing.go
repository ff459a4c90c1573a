package repository

import (
	"context"
	"slices"
	"strings"
	"time"

	velerov1 "github.com/vmware-tanzu/velero/pkg/apis/velero/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/lifeboat-backup/lifeboat/internal/archive"
	"github.com/lifeboat-backup/lifeboat/internal/store"
)

// BackupsPerPage is how many backups a page of a Listing has at most.
const BackupsPerPage = 1000

// BackupEntry is what a listing tells of a backup. It may be outdated: Velero, which
// knows nothing of catalog entries, may have deleted the backup and made another of its
// name. Whoever acts on a backup reads its document first and compares the UID.
type BackupEntry struct {
	Name     string
	UID      string
	Phase    velerov1.BackupPhase // PhaseUnreadable if the document is damaged
	Labels   map[string]string
	Started  time.Time // in seconds, as all times of Velero; zero if it is not known
	Expires  time.Time // zero: never
	Errors   int
	Warnings int
	Objects  int64
	Bytes    int64 // of the tarball; 0 if only the document was read, which does not tell
	Ours     bool  // Lifeboat made it
}

// Schedule names the schedule that made the backup, "" for none.
func (e *BackupEntry) Schedule() string { return e.Labels[LabelSchedule] }

// EntryOf is the entry of a backup by its document and the size of its tarball.
func EntryOf(doc *velerov1.Backup, bytes int64) BackupEntry {
	e := BackupEntry{
		Name: doc.Name, UID: string(doc.UID), Phase: doc.Status.Phase, Labels: doc.Labels, Bytes: bytes,
		Errors: doc.Status.Errors, Warnings: doc.Status.Warnings, Ours: doc.Annotations[AnnotationUID] != "",
	}
	e.Started, e.Expires = timeOf(doc.Status.StartTimestamp), timeOf(doc.Status.Expiration)
	if doc.Status.Progress != nil {
		e.Objects = int64(doc.Status.Progress.ItemsBackedUp)
	}
	return e
}

func timeOf(t *metav1.Time) time.Time {
	if t == nil {
		return time.Time{}
	}
	return t.UTC()
}

// Listing is all backups of a location at the time it was opened, ours and Velero's, by
// name. Opening it costs two lists of the store, a page of which has 1000 names, and
// reads nothing.
type Listing struct {
	st      store.Store
	names   []string
	entries map[string]BackupEntry
}

// OpenListing lists the backups of a location.
func OpenListing(ctx context.Context, st store.Store) (*Listing, error) {
	// Entries first: one that is written meanwhile is missed, and the document read.
	entries, err := readCatalogEntries(ctx, st)
	if err != nil {
		return nil, err
	}
	names, err := st.Dirs(ctx, archive.BackupsDir)
	if err != nil {
		return nil, err
	}
	slices.Sort(names)
	return &Listing{st: st, names: names, entries: entries}, nil
}

// Page returns the backups behind the name after, in the order of their names, and the
// name to go on behind; that is "" at the end. It reads the documents of those backups
// that have no catalog entry; a directory without a document is no backup.
func (l *Listing) Page(ctx context.Context, after string) (page []BackupEntry, next string, err error) {
	start, found := slices.BinarySearch(l.names, after)
	if found {
		start++
	}
	names := l.names[start:]
	if len(names) > BackupsPerPage {
		names = names[:BackupsPerPage]
		next = names[BackupsPerPage-1]
	}
	var unknown []string
	for _, name := range names {
		if e, ok := l.entries[name]; ok {
			page = append(page, e)
		} else {
			unknown = append(unknown, name)
		}
	}
	docs, err := readBackupDocuments(ctx, l.st, unknown)
	if err != nil {
		return nil, "", err
	}
	for _, doc := range docs {
		page = append(page, EntryOf(doc, 0))
	}
	slices.SortFunc(page, func(a, b BackupEntry) int { return strings.Compare(a.Name, b.Name) })
	return page, next, nil
}
