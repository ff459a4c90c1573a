// Package repositorytest sets up storage locations in memory for tests of what reads
// and deletes backups.
package repositorytest

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	velerov1 "github.com/vmware-tanzu/velero/pkg/apis/velero/v1"

	"github.com/lifeboat-backup/lifeboat/internal/archive/layout"
	"github.com/lifeboat-backup/lifeboat/internal/config"
	"github.com/lifeboat-backup/lifeboat/internal/repository"
	"github.com/lifeboat-backup/lifeboat/internal/store"
	"github.com/lifeboat-backup/lifeboat/internal/store/memstore"
)

// Stores are storage locations by name. A location whose store is nil cannot be
// opened.
type Stores map[string]*memstore.Store

// Locations configures the stores in alphabetical order. The one named "default" is
// the default location; each has its own bucket "b-<name>" and the prefix "p".
func Locations(of Stores) *repository.Locations {
	cfg := &config.Config{Cluster: "prod"}
	for _, name := range slices.Sorted(maps.Keys(of)) {
		bsl := velerov1.BackupStorageLocation{}
		bsl.Name, bsl.Spec.Default = name, name == "default"
		bsl.Spec.ObjectStorage = &velerov1.ObjectStorageLocation{Bucket: "b-" + name, Prefix: "p"}
		cfg.BackupStorageLocations = append(cfg.BackupStorageLocations, bsl)
	}
	return repository.NewLocations(cfg, func(_ context.Context, bsl velerov1.BackupStorageLocation) (store.Store, error) {
		if st := of[bsl.Name]; st != nil {
			return st, nil
		}
		return nil, errors.New("no such secret")
	})
}

// Holding is a store with these backups of Velero, each written as "name" or as
// "name schedule start", where start is a date.
func Holding(backups ...string) *memstore.Store {
	st := memstore.New()
	for _, b := range backups {
		f := append(strings.Fields(b), "", "2026-01-01")[:3]
		files := layout.Backup{Name: f[0]}
		st.Set(files.Metadata(), fmt.Appendf(nil,
			`{"metadata":{"name":%q,"labels":{"velero.io/schedule-name":%q}},"status":{"phase":"Completed","startTimestamp":"%sT00:00:00Z"}}`, f[0], f[1], f[2]))
		st.Set(files.Tarball(), []byte("tar"))
	}
	return st
}

// Unreadable is Holding, but every request fails with err.
func Unreadable(err error, backups ...string) *memstore.Store {
	st := Holding(backups...)
	st.Fail(memstore.Any, err)
	return st
}
