package integrity

import (
	"context"
	"errors"
	"fmt"
	"time"

	velerov1 "github.com/vmware-tanzu/velero/pkg/apis/velero/v1"

	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/repository"
	"github.com/lifeboat-backup/lifeboat/internal/repository/beside"
	"github.com/lifeboat-backup/lifeboat/internal/store"
)

// findingsTold bounds what a result carries through a history; the bucket has more.
const findingsTold = 5

// record writes what was found beside the backup, unless that is gone: then what was found
// missing was deleted.
func (v *reading) record(ctx context.Context, bsl *velerov1.BackupStorageLocation) (contract.VerifiedBackup, error) {
	v.found.At = time.Now().UTC().Truncate(time.Second)
	res := *v.found.Result(bsl.Name, findingsTold)
	if bsl.Spec.AccessMode == velerov1.BackupStorageLocationAccessModeReadOnly {
		res.Note = fmt.Sprintf("the result is not written down, since storage location %s is ReadOnly", bsl.Name)
		return res, nil
	}
	if err := v.found.Write(ctx, v.store); err != nil {
		return res, err
	}
	_, err := v.store.Head(ctx, v.layout.Metadata())
	gone := errors.Is(err, store.ErrNotFound)
	if gone && v.isLost {
		v.isLost, err = repository.IsLost(ctx, v.store, v.layout.Name)
		gone = err == nil && !v.isLost
	}
	if gone {
		return res, errors.Join(errGone, beside.ForgetVerifications(ctx, v.store, v.layout.Name))
	}
	return res, err
}
