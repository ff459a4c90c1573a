package repository

import (
	"context"
	"errors"
	"sync"

	velerov1 "github.com/vmware-tanzu/velero/pkg/apis/velero/v1"
	"golang.org/x/sync/errgroup"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/lifeboat-backup/lifeboat/internal/archive"
	"github.com/lifeboat-backup/lifeboat/internal/store"
)

const (
	// documentsAtOnce bounds the GETs of a listing.
	documentsAtOnce = 16
)

// ReadBackups reads every Backup document of a location, ours and Velero's. A
// directory without a document is no backup.
func ReadBackups(ctx context.Context, st store.Store) ([]*velerov1.Backup, error) {
	names, err := st.Dirs(ctx, archive.BackupsDir)
	if err != nil {
		return nil, err
	}
	return readBackupDocuments(ctx, st, names)
}

func readBackupDocuments(ctx context.Context, st store.Store, names []string) ([]*velerov1.Backup, error) {
	return ReadDocuments(ctx, st, names, func(n string) string { return archive.Layout{Backup: n}.Metadata() }, func(n string) *velerov1.Backup {
		return &velerov1.Backup{ObjectMeta: metav1.ObjectMeta{Name: n}, Status: velerov1.BackupStatus{Phase: PhaseUnreadable}}
	})
}

// PhaseUnreadable is the phase of a document that is damaged: it is shown, and hides no
// other.
const PhaseUnreadable = "Unreadable"

// ReadDocuments reads the documents of names in parallel; missing ones are left out,
// in place of damaged ones stands what broken makes of the name.
func ReadDocuments[T any](ctx context.Context, st store.Store, names []string, key func(string) string, broken func(string) *T) ([]*T, error) {
	var mu sync.Mutex
	var out []*T
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(documentsAtOnce)
	for _, name := range names {
		group.Go(func() error {
			doc := new(T)
			err := GetJSON(ctx, st, key(name), doc)
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

// RestoreDocumentKey is the key of the Restore resource. Velero keeps none in the
// bucket; it is what `restore get` and `describe` read.
func RestoreDocumentKey(name string) string {
	return archive.RestoreLayout{Restore: name}.Dir() + name + "-lifeboat-restore.json"
}
