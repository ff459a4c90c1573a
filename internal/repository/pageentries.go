package repository

import (
	"context"
	"errors"
	"slices"
	"time"

	velerov1 "github.com/vmware-tanzu/velero/pkg/apis/velero/v1"
	"golang.org/x/sync/errgroup"

	"github.com/lifeboat-backup/lifeboat/internal/archive/layout"
	"github.com/lifeboat-backup/lifeboat/internal/store"
)

// mendTimeout bounds what a listing that somebody waits for spends on entries. In a second
// a store takes some hundred requests of documentsAtOnce at a time.
const mendTimeout = 5 * time.Second

const (
	// entriesKeptPerName and staleKept bound what a page remembers of a bucket that
	// somebody fills with entries; the next listing finds the others.
	entriesKeptPerName = 8
	staleKept          = 1000
)

// pageEntries are the catalog entries that lie between the backups of a page.
type pageEntries struct {
	byName map[string][]string // keys of the entries of each backup of the page
	stale  []string            // keys of entries of names that have no directory
}

// readEntries takes from ahead, and from the store where that ends too early, the entries
// of names, and those of other names that lie behind the name after and up to the name
// last, which is "" on the last page.
func (l *Listing) readEntries(ctx context.Context, ahead keysAhead, names []string, after, last string) (*pageEntries, error) {
	entries := &pageEntries{byName: make(map[string][]string, len(names))}
	for _, name := range names {
		entries.byName[name] = nil
	}
	err := ahead.each(ctx, l.Store, func(i store.Info) error {
		name, _, _ := splitCatalogKey(i.Key)
		switch {
		case name == after:
		case last != "" && name != last && i.Key > layout.CatalogDir(last):
			return errPageFull
		default:
			entries.addKey(name, i.Key)
		}
		return nil
	})
	return entries, err
}

// addKey sorts a key in. One that the store refuses to delete is left where it is.
func (p *pageEntries) addKey(name, key string) {
	if store.CheckKey(key) != nil {
		return
	}
	keys, known := p.byName[name]
	switch {
	case known && len(keys) < entriesKeptPerName:
		p.byName[name] = append(keys, key)
	case !known && len(p.stale) < staleKept:
		p.stale = append(p.stale, key)
	}
}

// singleEntry is the entry of a name that has one that can be read and no other.
func (p *pageEntries) singleEntry(name string) (BackupEntry, bool) {
	if keys := p.byName[name]; len(keys) == 1 {
		return parseCatalogEntry(keys[0])
	}
	return BackupEntry{}, false
}

// mendEntries gives the backups whose documents were read the entries that they should
// have, and removes entries of backups that are gone. An entry spares the next listing
// work and decides nothing, so that what cannot be mended is left to that one: nobody who
// wants to see a list is told of it.
func (l *Listing) mendEntries(ctx context.Context, names []string, docs map[string]*velerov1.Backup, entries *pageEntries) {
	ctx, cancel := context.WithTimeout(ctx, mendTimeout)
	defer cancel()
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(documentsAtOnce)
	for _, name := range names {
		keys := entries.byName[name]
		if doc := docs[name]; doc != nil && hasEnded(doc.Status.Phase) {
			group.Go(func() error { return l.mendEntry(ctx, doc, keys) })
		} else if len(keys) > 0 {
			group.Go(func() error { return l.removeEntries(ctx, keys) })
		}
	}
	for _, key := range entries.stale {
		group.Go(func() error { return l.removeStale(ctx, key) })
	}
	_ = group.Wait() // the first failure ends it: a store that fails one write fails most
}

// hasEnded is true for phases in which a document is not written again. Velero stores
// backups before, while it waits for plugins.
func hasEnded(phase velerov1.BackupPhase) bool {
	switch phase {
	case velerov1.BackupPhaseCompleted, velerov1.BackupPhasePartiallyFailed, velerov1.BackupPhaseFailed:
		return true
	default:
		return false
	}
}

// mendEntry leaves the backup one entry: that among keys which says what the document
// says, or else a new one. Others are removed before it is written.
func (l *Listing) mendEntry(ctx context.Context, doc *velerov1.Backup, keys []string) error {
	right := slices.IndexFunc(keys, func(key string) bool { return tellsOf(key, doc) })
	if right >= 0 {
		keys = slices.Delete(slices.Clone(keys), right, right+1)
	}
	if err := l.removeEntries(ctx, keys); right >= 0 || err != nil {
		return err
	}
	tarball, err := l.Store.Head(ctx, layout.Backup{Name: doc.Name}.Tarball())
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return err
	}
	return RememberBackup(ctx, l.Store, doc, tarball.Size)
}

// tellsOf is true for the key of an entry that says of a backup what its document says.
// The document does not tell the size of the tarball.
func tellsOf(key string, doc *velerov1.Backup) bool {
	e, ok := parseCatalogEntry(key)
	if !ok {
		return false
	}
	want, err := catalogEntryKey(EntryOf(doc, e.Bytes))
	return err == nil && key == want
}

// removeStale removes an entry whose backup had no directory when the names were listed.
// It looks again, for the backup may have been committed between the two listings. The
// key carries the UID of the backup: the entry of another that is committed meanwhile
// has another key.
func (l *Listing) removeStale(ctx context.Context, key string) error {
	name, _, _ := splitCatalogKey(key)
	_, err := l.Store.Head(ctx, layout.Backup{Name: name}.Metadata())
	if errors.Is(err, store.ErrNotFound) {
		err = l.removeEntries(ctx, []string{key})
	}
	return err
}

// removeEntries deletes entries but those under a retention lock.
func (l *Listing) removeEntries(ctx context.Context, keys []string) error {
	if len(keys) == 0 {
		return nil
	}
	err := l.Store.Delete(ctx, keys...)
	if errors.Is(err, store.ErrLocked) {
		return nil
	}
	return err
}
