package restore

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"sync"

	velerov1 "github.com/vmware-tanzu/velero/pkg/apis/velero/v1"

	"github.com/lifeboat-backup/lifeboat/internal/archive/layout"
	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/failure"
	"github.com/lifeboat-backup/lifeboat/internal/report"
	"github.com/lifeboat-backup/lifeboat/internal/repository"
	"github.com/lifeboat-backup/lifeboat/internal/store"
	"github.com/lifeboat-backup/lifeboat/internal/store/memstore"
)

// largestInMemory bounds the tarball of Velero's that is cut anew in the memory of a worker, which
// is designed for 256 MiB. Of a backup of Lifeboat's, memory holds the plan and the results only.
const largestInMemory = 32 << 20

// workspace is where a restore keeps its staging and results. Where only ReadOnly locations are
// left, and the credentials may not write either, that is the memory of this worker: the
// restore ends with it then, and its results are told and not kept, of which the reasons warn. The
// restore of a drill, which only looks at a backup, writes to no ReadOnly location at all.
func (r *Service) workspace(ctx context.Context, from repository.Answer[string], in contract.OpenArchiveInput) (*velerov1.BackupStorageLocation, store.Store, []report.Reason, error) {
	work, st, err := r.Locations.WorkspaceFor(ctx, from.Location, in.Restore.ResultsLocation)
	if err != nil || work.Spec.AccessMode != velerov1.BackupStorageLocationAccessModeReadOnly {
		return work, st, nil, err
	}
	denied := fmt.Errorf("storage location %s is ReadOnly: %w", work.Name, store.ErrAccessDenied)
	if in.Restore.Isolation == nil {
		denied = st.Put(ctx, repository.NewStaging(st, in.UID).Key("writable"), []byte("{}"), store.PutOptions{})
	}
	if !errors.Is(denied, store.ErrAccessDenied) {
		return work, st, nil, denied
	}
	if err := checkFits(ctx, from); err != nil {
		return nil, nil, nil, fmt.Errorf("%w: %w", err, denied)
	}
	work, st = r.memory.open()
	reason := report.New(report.ResultsNotStored, "no storage location may be written to: the results are kept by Temporal only, as long as it remembers the run, and a restart of the worker ends the restore")
	return work, st, []report.Reason{reason}, nil
}

// memoryLocation is the name of the place for the working files of a restore that may write to no
// storage location. None can have that name.
const memoryLocation = "memory of the worker"

// memory is that place. It is one process's, and gone with it: its digest differs from that of any
// other, so that only this process goes on with what it began.
type memory struct {
	once sync.Once
	bsl  velerov1.BackupStorageLocation
	st   store.Store
}

func (m *memory) open() (*velerov1.BackupStorageLocation, store.Store) {
	m.once.Do(func() {
		m.bsl.Name, m.st = memoryLocation, memstore.New()
		m.bsl.Spec.ObjectStorage = &velerov1.ObjectStorageLocation{Bucket: rand.Text()}
	})
	return &m.bsl, m.st
}

// workIn is the store of the staging of a restore that has begun. It fails with
// failure.WrongWorker where that is another's.
func (r *Service) workIn(ctx context.Context, ref contract.RestoreRef) (store.Store, error) {
	if err := r.checkPlace(ref); err != nil {
		return nil, err
	}
	if ref.Location == memoryLocation {
		_, st := r.memory.open()
		return st, nil
	}
	_, st, err := r.Locations.WorkIn(ctx, ref.Location)
	return st, err
}

func (r *Service) checkPlace(ref contract.RestoreRef) error {
	if ref.Location != memoryLocation {
		return r.Locations.CheckPlace(ref.Location, ref.Binding.Place)
	}
	if bsl, _ := r.memory.open(); repository.PlaceDigest(bsl) != ref.Binding.Place {
		return failure.WrongWorker("restore %s has its working files in the memory of another worker; if that one has ended, start the restore again", ref.Name)
	}
	return nil
}

// checkFits refuses a backup of Velero's that is too large to be cut anew in memory.
func checkFits(ctx context.Context, from repository.Answer[string]) error {
	files := layout.Backup{Name: from.Value}
	_, err := from.Store.Head(ctx, files.Manifest())
	if !errors.Is(err, store.ErrNotFound) {
		return err
	}
	tarball, err := from.Store.Head(ctx, files.Tarball())
	switch {
	case errors.Is(err, store.ErrNotFound):
		return nil // who opens it says so
	case err == nil && tarball.Size > largestInMemory:
		return fmt.Errorf("Velero's tarball of %d MiB has to be cut anew, which needs a location that may be written to: name one with resultsLocation", tarball.Size>>20)
	}
	return err
}
