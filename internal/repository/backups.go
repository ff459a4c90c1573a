package repository

import (
	"context"
	"errors"
	"maps"
	"slices"
	"sync"

	velerov1 "github.com/vmware-tanzu/velero/pkg/apis/velero/v1"
	"golang.org/x/sync/errgroup"

	"github.com/lifeboat-backup/lifeboat/internal/archive"
	"github.com/lifeboat-backup/lifeboat/internal/archive/layout"
	"github.com/lifeboat-backup/lifeboat/internal/store"
)

// documentsAtOnce bounds the requests that a listing makes at the same time.
const documentsAtOnce = 16

// ReadBackups reads every Backup document of a location, ours and Velero's. A
// directory without a document is no backup.
func ReadBackups(ctx context.Context, st store.Store) ([]*velerov1.Backup, error) {
	names, err := st.Dirs(ctx, layout.BackupsDir)
	if err != nil {
		return nil, err
	}
	docs, err := readBackupDocuments(ctx, st, names)
	return slices.Collect(maps.Values(docs)), err
}

// readBackupDocuments reads the documents of these backups. A backup has the name of its
// directory, by which all its files are found, whatever its document says.
func readBackupDocuments(ctx context.Context, st store.Store, names []string) (map[string]*velerov1.Backup, error) {
	docs, err := ReadDocuments(ctx, st, names, func(n string) string { return layout.Backup{Name: n}.Metadata() }, func(string) *velerov1.Backup {
		return &velerov1.Backup{Status: velerov1.BackupStatus{Phase: PhaseUnreadable}}
	})
	for name, doc := range docs {
		doc.Name = name
	}
	return docs, err
}

// PhaseUnreadable is the phase of a document that is damaged: it is shown, and hides no
// other.
const PhaseUnreadable = "Unreadable"

// ReadDocuments reads the documents of names in parallel; missing ones are left out,
// in place of damaged ones stands what broken makes of the name.
func ReadDocuments[T any](ctx context.Context, st store.Store, names []string, key func(string) string, broken func(string) *T) (map[string]*T, error) {
	var mu sync.Mutex
	docs := make(map[string]*T, len(names))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(documentsAtOnce)
	for _, name := range names {
		group.Go(func() error {
			doc := new(T)
			err := GetJSON(ctx, st, key(name), doc)
			if archive.IsDamaged(err) {
				doc, err = broken(name), nil
			}
			if errors.Is(err, store.ErrNotFound) {
				return nil
			}
			mu.Lock()
			defer mu.Unlock()
			docs[name] = doc
			return err
		})
	}
	return docs, group.Wait()
}

// RestoreDocumentKey is the key of the Restore resource. Velero keeps none in the
// bucket; it is what `restore get` and `describe` read.
func RestoreDocumentKey(name string) string {
	return layout.Restore{Name: name}.Document()
}
