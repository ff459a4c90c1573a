package repository

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"sync"

	velerov1 "github.com/vmware-tanzu/velero/pkg/apis/velero/v1"

	"github.com/lifeboat-backup/lifeboat/internal/config"
	"github.com/lifeboat-backup/lifeboat/internal/failure"
	"github.com/lifeboat-backup/lifeboat/internal/store"
)

// Locations opens the storage locations of the configuration, each once.
type Locations struct {
	cfg   *config.Config
	open  OpenStore
	probe OpenStore // opens a store whose requests fail at once

	mu     sync.Mutex
	opened map[openedKey]store.Store
}

// openedKey tells apart what a ReadOnly location is opened for: to be read, or for the files
// of a restore.
type openedKey struct {
	name     string
	readOnly bool
}

// OpenStore opens the store of a location.
type OpenStore func(context.Context, velerov1.BackupStorageLocation) (store.Store, error)

// NewLocations returns the locations of cfg, each of which open opens when it is needed.
func NewLocations(cfg *config.Config, open OpenStore) *Locations {
	return &Locations{cfg: cfg, opened: map[openedKey]store.Store{}, open: open, probe: open}
}

// WithProbe makes Reach open a location with probe: its requests shall not be repeated.
func (l *Locations) WithProbe(probe OpenStore) *Locations {
	l.probe = probe
	return l
}

// Config is the configuration that the locations are of.
func (l *Locations) Config() *config.Config { return l.cfg }

// OpenS3 opens the stores of S3 buckets, whose requests are made so many times at most, 0
// being as often as rides out a short outage. secret reads a key of a Secret in the worker's
// namespace.
func OpenS3(cfg *config.Config, log *slog.Logger, attempts int, secret func(ctx context.Context, name, key string) ([]byte, error)) OpenStore {
	return func(ctx context.Context, bsl velerov1.BackupStorageLocation) (store.Store, error) {
		return store.Open(ctx, bsl, store.Options{Logger: log, Secret: secret, Parallel: cfg.Limits.UploadParts, Attempts: attempts})
	}
}

// Get returns the location of that name, "" meaning the default. An unknown name
// is invalid input.
func (l *Locations) Get(ctx context.Context, name string) (*velerov1.BackupStorageLocation, store.Store, error) {
	bsl, err := l.cfg.Location(name)
	if err != nil {
		return nil, nil, failure.Invalid("spec.storageLocation: %w", err)
	}
	st, err := l.openStore(ctx, bsl)
	if err != nil {
		return nil, nil, fmt.Errorf("open storage location %s: %w", bsl.Name, err)
	}
	return bsl, st, nil
}

// openStore opens a location that is not open yet. Opening asks the network: one that
// takes its time does not hold up the others.
func (l *Locations) openStore(ctx context.Context, bsl *velerov1.BackupStorageLocation) (store.Store, error) {
	key := openedKey{bsl.Name, isReadOnly(bsl)}
	l.mu.Lock()
	st, ok := l.opened[key]
	l.mu.Unlock()
	if ok {
		return st, nil
	}
	st, err := l.open(ctx, *bsl)
	if err != nil {
		return nil, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if first, ok := l.opened[key]; ok {
		return first, nil // somebody else was faster: all share what it learns of the store
	}
	l.opened[key] = st
	return st, nil
}

// Named are the location of that name, or all of them for "".
func (l *Locations) Named(name string) ([]*velerov1.BackupStorageLocation, error) {
	if name != "" || len(l.cfg.BackupStorageLocations) == 0 {
		bsl, err := l.cfg.Location(name)
		if err != nil {
			return nil, failure.Invalid("storageLocation: %w", err)
		}
		return []*velerov1.BackupStorageLocation{bsl}, nil
	}
	var all []*velerov1.BackupStorageLocation
	for i := range l.cfg.BackupStorageLocations {
		all = append(all, &l.cfg.BackupStorageLocations[i])
	}
	return all, nil
}

func isReadOnly(bsl *velerov1.BackupStorageLocation) bool {
	return bsl.Spec.AccessMode == velerov1.BackupStorageLocationAccessModeReadOnly
}

// Writable is Get for a location that is to be written to.
func (l *Locations) Writable(ctx context.Context, name string) (*velerov1.BackupStorageLocation, store.Store, error) {
	bsl, st, err := l.Get(ctx, name)
	if err == nil && isReadOnly(bsl) {
		err = failure.Unusable("spec.storageLocation: location %q is ReadOnly; choose another, or set its accessMode to ReadWrite", bsl.Name)
	}
	return bsl, st, err
}

// WorkspaceFor is where a restore keeps its staging and results: the location that is named for
// that, by the restore or by the configuration, or else the Workspace of the backup's.
func (l *Locations) WorkspaceFor(ctx context.Context, source *velerov1.BackupStorageLocation, named string) (*velerov1.BackupStorageLocation, store.Store, error) {
	if named = cmp.Or(named, l.cfg.ResultsLocation); named == "" {
		return l.Workspace(ctx, source)
	}
	bsl, st, err := l.Writable(ctx, named)
	if kind := failure.TypeOf(err); kind != "" {
		err = failure.New(kind, fmt.Errorf("resultsLocation: %w", err))
	}
	return bsl, st, err
}

// Workspace is where a restore keeps its staging and results that names no place for them: the
// backup's own location, or, if that is ReadOnly, another one that may be written to. Where all are
// ReadOnly it is the backup's own all the same: the mode forbids backups and deletions, and
// what a restore writes lies beside them, below plugins/ and restores/, as Velero's does.
func (l *Locations) Workspace(ctx context.Context, source *velerov1.BackupStorageLocation) (*velerov1.BackupStorageLocation, store.Store, error) {
	names := []string{source.Name}
	for _, bsl := range l.cfg.BackupStorageLocations {
		names = append(names, bsl.Name)
	}
	for _, name := range names {
		if bsl, st, err := l.Writable(ctx, name); failure.TypeOf(err) == "" {
			return bsl, st, err
		}
	}
	return l.WorkIn(ctx, source.Name)
}

// WorkIn is Get for the location that Workspace gave to a restore: its store may be written to.
func (l *Locations) WorkIn(ctx context.Context, name string) (*velerov1.BackupStorageLocation, store.Store, error) {
	bsl, err := l.cfg.Location(name)
	if err != nil || !isReadOnly(bsl) {
		return l.Get(ctx, name)
	}
	writable := *bsl
	writable.Spec.AccessMode = velerov1.BackupStorageLocationAccessModeReadWrite
	st, err := l.openStore(ctx, &writable)
	if err != nil {
		return nil, nil, fmt.Errorf("open storage location %s: %w", bsl.Name, err)
	}
	return bsl, st, nil
}
