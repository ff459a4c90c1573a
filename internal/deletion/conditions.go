package deletion

import (
	"cmp"
	"context"
	"fmt"
	"time"

	velerov1 "github.com/vmware-tanzu/velero/pkg/apis/velero/v1"

	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/failure"
	"github.com/lifeboat-backup/lifeboat/internal/repository"
	"github.com/lifeboat-backup/lifeboat/internal/repository/beside"
	"github.com/lifeboat-backup/lifeboat/internal/store"
)

// checkWanted refuses to delete a backup that somebody holds, one that is not the one that
// was chosen, and one that was given more time since.
func checkWanted(ctx context.Context, st store.Store, in contract.DeleteBackupInput, doc *velerov1.Backup) error {
	if in.UID != "" && in.UID != string(doc.UID) {
		return failure.NotFound("name: backup %q with the uid %s is gone; there is another of the name now, with the uid %s", in.Name, in.UID, doc.UID)
	}
	said, err := checkHold(ctx, st, in.Name, string(doc.UID))
	if err != nil {
		return err
	}
	if in.ExpiredAt.IsZero() {
		return nil
	}
	b := said.Backup(repository.EntryOf(doc, 0))
	if !b.IsExpired(in.ExpiredAt) {
		return failure.Denied("backup %s was given more time: it expires at %s", in.Name, b.ExpiresAt().Format(time.RFC3339))
	}
	return nil
}

// checkHold refuses to delete a backup that somebody holds, and gives what was said of others.
func checkHold(ctx context.Context, st store.Store, name, uid string) (beside.Retention, error) {
	said, err := beside.ReadRetention(ctx, st, name, uid)
	if err == nil && said.Hold != "" {
		err = failure.Denied("backup %s is held: %s; 'lifeboat backup release %s' ends that", name, said.Hold, name)
	}
	return said, err
}

// checkMaker is checkCluster by the manifest, and by what the document says where that cannot be
// read. A collection has chosen by the manifest, and asks for any cluster.
func (b *Runner) checkMaker(ctx context.Context, st store.Store, in contract.DeleteBackupInput, uid, documented string) error {
	if !in.ExpiredAt.IsZero() {
		return nil
	}
	m, err := repository.ReadManifest(ctx, st, in.Name)
	switch {
	case err == nil && m.UID == uid:
		return b.checkCluster(in, m.Cluster)
	case err == nil || repository.IsUnreadable(err):
		return b.checkCluster(in, documented)
	}
	return fmt.Errorf("read which cluster made backup %s: %w", in.Name, err)
}

// checkCluster refuses to delete by name what another cluster made than the one that is meant. A
// backup that names no cluster, as Velero's do, is nobody else's.
func (b *Runner) checkCluster(in contract.DeleteBackupInput, of string) error {
	meant := cmp.Or(in.Cluster, b.Locations.Config().Cluster)
	if of == "" || of == meant {
		return nil
	}
	return failure.Denied("name: backup %s is of cluster %s and not of %s: if that is the one you mean, say 'lifeboat backup delete %s --cluster %s'", in.Name, of, meant, in.Name, of)
}
