package activities

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"sync"

	velerov1 "github.com/vmware-tanzu/velero/pkg/apis/velero/v1"

	"github.com/lifeboat-backup/lifeboat/internal/config"
	"github.com/lifeboat-backup/lifeboat/internal/kube"
	"github.com/lifeboat-backup/lifeboat/internal/store"
)

// Locations opens the storage locations of the configuration, each once.
type Locations struct {
	cfg  *config.Config
	open func(context.Context, velerov1.BackupStorageLocation) (store.Store, error)

	mu     sync.Mutex
	opened map[string]store.Store
}

// NewLocations returns the locations of cfg. Secrets that a location names are read
// from the cluster, in the configuration's namespace, as Velero does.
func NewLocations(cfg *config.Config, kc *kube.Client, log *slog.Logger) *Locations {
	secret := func(ctx context.Context, name, key string) ([]byte, error) {
		return readSecret(ctx, kc, cfg.Namespace, name, key)
	}
	return &Locations{
		cfg: cfg, opened: map[string]store.Store{},
		open: func(ctx context.Context, bsl velerov1.BackupStorageLocation) (store.Store, error) {
			return store.Open(ctx, bsl, store.Options{Logger: log, Secret: secret, Parallel: cfg.Limits.UploadParts})
		},
	}
}

func readSecret(ctx context.Context, kc *kube.Client, namespace, name, key string) ([]byte, error) {
	raw, err := kc.Get(ctx, kube.Resource{Version: "v1", Name: "secrets", Kind: "Secret", Namespaced: true}, namespace, name)
	if err != nil {
		return nil, fmt.Errorf("read secret %s/%s: %w", namespace, name, err)
	}
	var secret struct {
		Data map[string][]byte `json:"data"`
	}
	if err := json.Unmarshal(raw, &secret); err != nil {
		return nil, fmt.Errorf("read secret %s/%s: not a Secret", namespace, name) // without the cause: it may quote the data
	}
	value, ok := secret.Data[key]
	if !ok {
		return nil, fmt.Errorf("secret %s/%s has no key %q", namespace, name, key)
	}
	return value, nil
}

// Get returns the location of that name, "" meaning the default. An unknown name
// is invalid input.
func (l *Locations) Get(ctx context.Context, name string) (*velerov1.BackupStorageLocation, store.Store, error) {
	bsl, err := l.cfg.Location(name)
	if err != nil {
		return nil, nil, invalid("spec.storageLocation: %w", err)
	}
	st, err := l.store(ctx, bsl)
	if err != nil {
		return nil, nil, fmt.Errorf("open storage location %s: %w", bsl.Name, err)
	}
	return bsl, st, nil
}

// store opens a location that is not open yet. Opening asks the network: one that
// takes its time does not hold up the others.
func (l *Locations) store(ctx context.Context, bsl *velerov1.BackupStorageLocation) (store.Store, error) {
	l.mu.Lock()
	st, ok := l.opened[bsl.Name]
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
	if first, ok := l.opened[bsl.Name]; ok {
		return first, nil // somebody else was faster: all share what it learns of the store
	}
	l.opened[bsl.Name] = st
	return st, nil
}

// named are the location of that name, or all of them for "".
func (l *Locations) named(name string) ([]*velerov1.BackupStorageLocation, error) {
	if name != "" || len(l.cfg.BackupStorageLocations) == 0 {
		bsl, err := l.cfg.Location(name)
		if err != nil {
			return nil, invalid("storageLocation: %w", err)
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

// writable is Get for a location that is to be written to.
func (l *Locations) writable(ctx context.Context, name string) (*velerov1.BackupStorageLocation, store.Store, error) {
	bsl, st, err := l.Get(ctx, name)
	if err == nil && isReadOnly(bsl) {
		err = unusable("spec.storageLocation: location %q is ReadOnly; choose another, or set its accessMode to ReadWrite", bsl.Name)
	}
	return bsl, st, err
}

// workspace is where a restore keeps its staging and results: the backup's own
// location, or, if that is ReadOnly, another one that may be written to.
func (l *Locations) workspace(ctx context.Context, source *velerov1.BackupStorageLocation) (*velerov1.BackupStorageLocation, store.Store, error) {
	names := []string{source.Name}
	for _, bsl := range l.cfg.BackupStorageLocations {
		names = append(names, bsl.Name)
	}
	for _, name := range names {
		if bsl, st, err := l.writable(ctx, name); kindOf(err) == "" {
			return bsl, st, err
		}
	}
	return nil, nil, unusable("storageLocation: location %q is ReadOnly and no other location may be written to; a restore needs one for its working files and results", source.Name)
}
