package garbage

import (
	"cmp"
	"context"
	"fmt"
	"time"

	velerov1 "github.com/vmware-tanzu/velero/pkg/apis/velero/v1"

	"github.com/lifeboat-backup/lifeboat/internal/archive/layout"
	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/failure"
	"github.com/lifeboat-backup/lifeboat/internal/repository"
	"github.com/lifeboat-backup/lifeboat/internal/repository/beside"
	"github.com/lifeboat-backup/lifeboat/internal/store"
)

// longestHold bounds the reason of a hold, in bytes: it is a line of a table.
const longestHold = 200

// SetRetention changes how long a backup is kept. It writes beside the backup, so that it
// also works where a lock protects the backup's own files. It may repeat.
func (r *Runner) SetRetention(ctx context.Context, in contract.SetRetentionInput) (contract.RetentionResult, error) {
	if err := checkRetention(in); err != nil {
		return contract.RetentionResult{}, err
	}
	found, err := r.findBackup(ctx, in)
	if err != nil {
		return contract.RetentionResult{}, err
	}
	bsl, st, err := r.Locations.Writable(ctx, found.Location.Name)
	if err != nil {
		return contract.RetentionResult{}, err
	}
	if err := r.checkMaker(ctx, st, in, string(found.Value.UID)); err != nil {
		return contract.RetentionResult{}, err
	}
	said, err := beside.ReadRetention(ctx, st, in.Name, string(found.Value.UID))
	if err != nil {
		return contract.RetentionResult{}, err
	}
	if in.Hold != nil {
		said.SetHold(*in.Hold)
	}
	if len(said.Hold) > longestHold {
		return contract.RetentionResult{}, failure.Invalid("hold: the reason has %d bytes with those for which backup %s is held already, at most %d are kept: give a shorter one, or release it first", len(said.Hold), in.Name, longestHold)
	}
	if in.Expires != nil {
		said.Expires = in.Expires.UTC()
	}
	said.Set = time.Now().UTC().Truncate(time.Second)
	b := said.Backup(repository.EntryOf(found.Value, 0))
	return contract.RetentionResult{Name: in.Name, Location: bsl.Name, Hold: said.Hold, Expires: b.ExpiresAt()}, said.Write(ctx, st)
}

func checkRetention(in contract.SetRetentionInput) error {
	switch {
	case in.Hold == nil && in.Expires == nil:
		return failure.Invalid("hold, expires: say what to change")
	case in.Hold != nil && len(*in.Hold) > longestHold:
		return failure.Invalid("hold: the reason has %d bytes, at most %d are kept", len(*in.Hold), longestHold)
	case in.Expires != nil && in.Expires.IsZero():
		return failure.Invalid("expires: the zero time is none; give the time at which the backup may be deleted")
	}
	return nil
}

func (r *Runner) findBackup(ctx context.Context, in contract.SetRetentionInput) (repository.Answer[*velerov1.Backup], error) {
	found, unread, err := repository.FindDocument[velerov1.Backup](ctx, r.Locations, in.Location, in.Name, "backup", layout.Backup{Name: in.Name}.Metadata())
	several := in.Location == "" && len(r.Locations.Config().BackupStorageLocations) > 1
	switch {
	case err != nil && failure.TypeOf(err) == "" && several:
		err = failure.Unusable("name: %w; say in which location it lies with --storage-location", err)
	case err == nil && len(unread) > 0:
		err = failure.Unusable("name: storage location %s could not be read (%s) and may have another backup of the name: say which one with --storage-location", unread[0].Name, unread[0].Message)
	}
	return found, err
}

// checkMaker refuses what another cluster made than the one that is meant: that one's next
// collection would delete what a slip of the name has let go. Who made a backup without a manifest,
// as Velero's are, nobody knows.
func (r *Runner) checkMaker(ctx context.Context, st store.Store, in contract.SetRetentionInput, uid string) error {
	m, err := repository.ReadManifest(ctx, st, in.Name)
	if err != nil && !repository.IsUnreadable(err) {
		return fmt.Errorf("read which cluster made backup %s: %w", in.Name, err)
	}
	meant := cmp.Or(in.Cluster, r.Cluster)
	if m.UID != uid || m.Cluster == "" || m.Cluster == meant { // an unreadable one is empty
		return nil
	}
	return failure.Denied("name: backup %s is of cluster %s and not of %s: if that is the one you mean, repeat the command with --cluster %s", in.Name, m.Cluster, meant, m.Cluster)
}
