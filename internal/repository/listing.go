package repository

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	velerov1 "github.com/vmware-tanzu/velero/pkg/apis/velero/v1"
	"golang.org/x/sync/errgroup"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/lifeboat-backup/lifeboat/internal/archive/layout"
	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/store"
)

const (
	// BackupsPerPage is how many backups a page of a Listing has at most. It is one less
	// than a request of the store names, so that one request also tells whether more follow.
	BackupsPerPage = 999
	// SmallLocation is up to how many backups a location is listed by its documents,
	// which are always right: reading so many takes a second or less.
	SmallLocation = 256
	// CheckedPerPage is how many entries of a page are held against their documents, so
	// that a wrong one, which only a program that knows no entries leaves, does not last.
	CheckedPerPage = 16
)

// BackupEntry is what a listing tells of a backup. It may be outdated: Velero, which
// knows nothing of catalog entries, may have deleted the backup and made another of its
// name. Whoever acts on a backup reads its document first and compares the UID.
type BackupEntry struct {
	Name          string
	UID           string
	Phase         velerov1.BackupPhase // PhaseUnreadable if the document is damaged
	Labels        map[string]string
	Selector      string    // of the objects, as text
	Started       time.Time // in seconds, as all times of Velero; that of its creation if it never started
	Completed     time.Time // zero if it is not known
	Expires       time.Time // zero: never
	Errors        int
	Warnings      int
	Objects       int64
	Snapshots     int    // of volumes, those that are complete
	Bytes         int64  // of the tarball; 0 if only the document was read, which does not tell
	FormatVersion string // of the tarball: Velero's
	Ours          bool   // Lifeboat made it
	// Verified is when all of it was read back last after it was made, zero for never, and
	// Corrupt that something of it was found to be damaged or gone then.
	Verified time.Time
	Corrupt  bool
	Proof    Proof  // what rehearsals have shown of it, where the Listing reads Proofs
	Cluster  string // that it was made of, by its workflow's id; "" where that does not tell
}

// Schedule names the schedule that made the backup, "" for none.
func (e *BackupEntry) Schedule() string { return e.Labels[LabelSchedule] }

// EntryOf is the entry of a backup by its document and the size of its tarball.
func EntryOf(doc *velerov1.Backup, bytes int64) BackupEntry {
	status := &doc.Status
	e := BackupEntry{
		Name: doc.Name, UID: string(doc.UID), Phase: status.Phase, Labels: doc.Labels, Bytes: bytes,
		Selector: metav1.FormatLabelSelector(doc.Spec.LabelSelector),
		Started:  doc.CreationTimestamp.UTC(), Completed: timeOf(status.CompletionTimestamp), Expires: timeOf(status.Expiration),
		Errors: status.Errors, Warnings: status.Warnings,
		Snapshots:     status.VolumeSnapshotsCompleted + status.CSIVolumeSnapshotsCompleted,
		FormatVersion: status.FormatVersion, Ours: doc.Annotations[AnnotationUID] != "",
		Cluster: contract.ClusterFromID(doc.Annotations[AnnotationWorkflow]),
	}
	if status.StartTimestamp != nil {
		e.Started = status.StartTimestamp.UTC()
	}
	if status.Progress != nil {
		e.Objects = int64(status.Progress.ItemsBackedUp)
	}
	return e
}

func timeOf(t *metav1.Time) time.Time {
	if t == nil {
		return time.Time{}
	}
	return t.UTC()
}

// Listing is all backups of a location, ours and Velero's, in the order of the keys of
// their directories. It holds nothing: a page costs a request or two for the names and
// as many for the entries and for what verifications and rehearsals have found, all at the same
// time, and then reads the documents of those backups that have no entry, of a few that have
// one, and of a small location all.
//
// What it finds wrong it puts right on the way, where the location may be written to:
// it writes entries that are missing and removes those of backups that are gone.
type Listing struct {
	Store    store.Store
	ReadOnly bool // entries are neither written nor removed
	Proofs   bool // entries tell what rehearsals have found
	Lost     bool // a backup whose document was deleted is there, too, once a verification has found that
}

// Page returns the backups behind the name after, and the name to go on behind; that is
// "" at the end. A directory without a document is no backup, but may be shown as long as
// its entry is there: what removed the document was neither Lifeboat nor done.
func (l *Listing) Page(ctx context.Context, after string) (page []BackupEntry, next string, err error) {
	names, ahead, next, err := l.readPage(ctx, after)
	if err != nil {
		return nil, "", err
	}
	entries, err := l.readEntries(ctx, ahead.entries, names, after, next)
	if err != nil {
		return nil, "", fmt.Errorf("list catalog entries: %w", err)
	}
	isWhole := after == "" && next == ""
	page, unsure := splitKnown(names, entries, isWhole && len(names) <= SmallLocation)
	docs, marks, err := l.readMore(ctx, unsure, ahead, next)
	if err != nil {
		return nil, "", err
	}
	for _, doc := range docs {
		page = append(page, EntryOf(doc, 0))
	}
	if !l.ReadOnly {
		l.mendEntries(ctx, unsure, docs, entries)
	}
	marks.verified.mark(page)
	if l.Lost {
		lost, err := l.lostEntries(ctx, unsure, docs, marks.verified)
		if err != nil {
			return nil, "", fmt.Errorf("look for backups without a document: %w", err)
		}
		page = append(page, lost...)
	}
	slices.SortFunc(page, func(a, b BackupEntry) int { return strings.Compare(a.Name+"/", b.Name+"/") })
	markProofs(page, marks.proofs)
	return page, next, nil
}

// pageAhead are the keys that are read while it is not known where a page ends.
type pageAhead struct{ entries, verdicts, proofs keysAhead }

// pageMarks is what verifications and rehearsals have found of the backups of a page.
type pageMarks struct {
	verified verdicts
	proofs   map[string]Proof
}

// readMore reads the documents of names and, at the same time, what was not read ahead of the
// marks of the backups up to the name last.
func (l *Listing) readMore(ctx context.Context, names []string, ahead pageAhead, last string) (docs map[string]*velerov1.Backup, marks pageMarks, err error) {
	group, both := errgroup.WithContext(ctx)
	group.Go(func() (err error) {
		docs, err = readBackupDocuments(both, l.Store, names)
		return err
	})
	group.Go(func() (err error) {
		marks.verified, err = verdictsOf(both, l.Store, ahead.verdicts, last)
		return err
	})
	group.Go(func() (err error) {
		marks.proofs, err = proofsOf(both, l.Store, ahead.proofs, last)
		return err
	})
	err = group.Wait()
	return docs, marks, err
}

// Confirm replaces entries by what the documents of the backups say, for a choice that is
// acted on. What has no document any more is left out.
func (l *Listing) Confirm(ctx context.Context, entries []BackupEntry) ([]BackupEntry, error) {
	names := make([]string, 0, len(entries))
	for _, e := range entries {
		names = append(names, e.Name)
	}
	docs, err := readBackupDocuments(ctx, l.Store, names)
	confirmed := make([]BackupEntry, 0, len(docs))
	for _, known := range entries {
		if doc := docs[known.Name]; doc != nil {
			e := EntryOf(doc, 0)
			if e.UID == known.UID {
				e.Verified, e.Corrupt, e.Proof = known.Verified, known.Corrupt, known.Proof
			}
			confirmed = append(confirmed, e)
		}
	}
	return confirmed, err
}

// errPageFull ends a listing of the store before its end.
var errPageFull = errors.New("the page is full")

// noPageFull is err without errPageFull.
func noPageFull(err error) error {
	if errors.Is(err, errPageFull) {
		return nil
	}
	return err
}

// readPage lists the names of a page and, at the same time, the keys that tell of them.
func (l *Listing) readPage(ctx context.Context, after string) (names []string, ahead pageAhead, next string, err error) {
	group, all := errgroup.WithContext(ctx)
	read := func(into *keysAhead, root, what string) {
		group.Go(func() (err error) {
			if *into, err = readAhead(all, l.Store, root, startBehind(root, after)); err != nil {
				err = fmt.Errorf("list %s: %w", what, err)
			}
			return err
		})
	}
	read(&ahead.entries, layout.CatalogRoot, "catalog entries")
	read(&ahead.verdicts, layout.VerificationRoot, "verifications")
	if l.Proofs {
		read(&ahead.proofs, layout.RehearsalRoot, "rehearsals")
	}
	group.Go(func() (err error) {
		if names, next, err = l.readNames(all, after); err != nil {
			err = fmt.Errorf("list backups: %w", err)
		}
		return err
	})
	err = group.Wait()
	return names, ahead, next, err
}

// readNames lists the directories of a page; next is the last of them if more follow.
func (l *Listing) readNames(ctx context.Context, after string) (names []string, next string, err error) {
	err = l.Store.DirsAfter(ctx, layout.BackupsDir, after, func(name string) error {
		if len(names) == BackupsPerPage {
			next = names[BackupsPerPage-1]
			return errPageFull
		}
		if store.CheckKey(layout.Backup{Name: name}.Metadata()) == nil { // no reader can open the others
			names = append(names, name)
		}
		return nil
	})
	return names, next, noPageFull(err)
}

// splitKnown gives the entries of names that are shown as they are, and the names whose
// documents are read: those without one entry that can be read, CheckedPerPage of the
// others at random, and with all set all of them.
func splitKnown(names []string, entries *pageEntries, all bool) (known []BackupEntry, unsure []string) {
	for _, name := range names {
		if e, ok := entries.singleEntry(name); ok && !all {
			known = append(known, e)
		} else {
			unsure = append(unsure, name)
		}
	}
	rand.Shuffle(len(known), func(i, j int) { known[i], known[j] = known[j], known[i] }) //nolint:gosec // which ones are checked has to vary, not to be secret
	checked := min(CheckedPerPage, len(known))
	for _, e := range known[:checked] {
		unsure = append(unsure, e.Name)
	}
	return known[checked:], unsure
}
