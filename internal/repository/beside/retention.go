package beside

import (
	"context"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/lifeboat-backup/lifeboat/internal/archive/layout"
	"github.com/lifeboat-backup/lifeboat/internal/repository"
	"github.com/lifeboat-backup/lifeboat/internal/retention"
	"github.com/lifeboat-backup/lifeboat/internal/store"
)

// Retention is what people have said about how long a backup is kept, after it was made. It
// lies beside the backup, whose own files may be under a lock.
type Retention struct {
	Name string `json:"name"`
	UID  string `json:"uid"` // of the backup: a later one of the name is not meant
	// Expires takes the place of the backup's own expiration, unless it is zero.
	Expires time.Time `json:"expires,omitzero"`
	// Hold is why the backup is not to be deleted, "" for nothing.
	Hold string    `json:"hold,omitempty"`
	Set  time.Time `json:"set"`

	damaged bool // so that it is not known of which backup it was
}

// ReadRetention is what people have said about the backup of that name and UID; nothing is
// not an error.
func ReadRetention(ctx context.Context, st store.Store, backup, uid string) (Retention, error) {
	r, err := repository.ReadSideDocument[Retention](ctx, st, layout.RetentionKey(backup))
	if err != nil || r.UID != uid {
		return Retention{Name: backup, UID: uid}, err
	}
	return r, nil
}

// Write writes r in place of what lies there.
func (r *Retention) Write(ctx context.Context, st store.Store) error {
	return repository.PutJSON(ctx, st, layout.RetentionKey(r.Name), r, store.PutOptions{})
}

// SetHold holds the backup for a reason besides those for which it is held already: the hold of
// somebody else is not ended by another reason. "" releases it from all.
func (r *Retention) SetHold(reason string) {
	switch {
	case reason == "" || r.Hold == "":
		r.Hold = reason
	case !slices.Contains(strings.Split(r.Hold, "; "), reason):
		r.Hold += "; " + reason
	}
}

// Backup is a backup as the rules of retention know it. What r says holds only for the
// backup of its UID; a nil r says nothing. A damaged one may have been a hold.
func (r *Retention) Backup(e repository.BackupEntry) retention.Backup {
	b := retention.Backup{
		Name: e.Name, UID: e.UID, Schedule: e.Schedule(), Phase: e.Phase,
		Started: e.Started, Completed: e.Completed, Expires: e.Expires, Ours: e.Ours, Damaged: e.Corrupt,
	}
	if r == nil || !r.damaged && r.UID != e.UID {
		return b
	}
	b.Hold = r.Hold
	if !r.Expires.IsZero() {
		b.Expires, b.Set = r.Expires, true
	}
	return b
}

// DeletionTry remembers that an expired backup could not be deleted.
type DeletionTry struct {
	Name  string    `json:"name"`
	UID   string    `json:"uid"`
	First time.Time `json:"first"`
	Last  time.Time `json:"last"`
	Tries int       `json:"tries"`
	Error string    `json:"error"` // of the last
}

// A deletion that has failed is tried again after firstPause, which doubles with every
// failure up to longestPause.
const (
	firstPause   = time.Hour
	longestPause = 24 * time.Hour
)

// Next is when the deletion is tried again.
func (t *DeletionTry) Next() time.Time {
	pause := firstPause
	for range t.Tries - 1 {
		pause = min(2*pause, longestPause)
	}
	return t.Last.Add(pause)
}

// Reason says why the backup stays until then.
func (t *DeletionTry) Reason() string {
	return fmt.Sprintf("could not be deleted, is tried again at %s: %s", t.Next().UTC().Format(time.RFC3339), t.Error)
}

// RecordDeletionTry remembers another failed deletion of a backup. Repeated for one time it
// counts once.
func RecordDeletionTry(ctx context.Context, st store.Store, backup, uid string, at time.Time, message string) error {
	t, err := repository.ReadSideDocument[DeletionTry](ctx, st, layout.DeletionTryKey(backup))
	switch {
	case err != nil:
		return err
	case t.UID != uid || t.Tries == 0:
		t = DeletionTry{Name: backup, UID: uid, First: at}
	case t.Last.Equal(at):
		return nil
	}
	t.Last, t.Tries, t.Error = at, t.Tries+1, message
	return repository.PutJSON(ctx, st, layout.DeletionTryKey(backup), t, store.PutOptions{})
}

// ForgetDeletion removes what lies beside a backup that is gone. It may repeat.
func ForgetDeletion(ctx context.Context, st store.Store, backup string) error {
	for _, key := range []string{layout.DeletionTryKey(backup), layout.RetentionKey(backup)} {
		if err := st.Delete(ctx, key); err != nil && !errors.Is(err, store.ErrLocked) {
			return fmt.Errorf("remove %s: %w", key, err)
		}
	}
	if _, err := st.DeletePrefix(ctx, layout.RehearsalDir(backup)); err != nil && !errors.Is(err, store.ErrLocked) {
		return fmt.Errorf("remove the rehearsals of backup %s: %w", backup, err)
	}
	return ForgetVerifications(ctx, st, backup)
}

// ReadRetentions reads what people have said about all backups of a location, by name.
func ReadRetentions(ctx context.Context, st store.Store) (map[string]*Retention, error) {
	return repository.ReadSideDocuments[Retention](ctx, st, layout.RetentionDir, layout.RetentionKey)
}

// ReadRetentionsOf reads what people have said of some backups, by name: those of a page. A
// document that is damaged may have been a hold, and says so.
func ReadRetentionsOf(ctx context.Context, st store.Store, backups map[string]bool) (map[string]*Retention, error) {
	var names []string
	err := st.List(ctx, layout.RetentionDir, func(i store.Info) error {
		if name, ok := strings.CutSuffix(path.Base(i.Key), ".json"); ok && backups[name] {
			names = append(names, name)
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("list %s: %w", layout.RetentionDir, err)
	}
	return readRetentions(ctx, st, names)
}

// ReadRetentionOf is ReadRetentionsOf of one backup, nil where nobody has said anything.
func ReadRetentionOf(ctx context.Context, st store.Store, backup string) (*Retention, error) {
	said, err := readRetentions(ctx, st, []string{backup})
	return said[backup], err
}

func readRetentions(ctx context.Context, st store.Store, backups []string) (map[string]*Retention, error) {
	return repository.ReadDocuments(ctx, st, backups, layout.RetentionKey, func(name string) *Retention {
		return &Retention{Name: name, Hold: "unknown: " + layout.RetentionKey(name) + " is damaged", damaged: true}
	})
}

// ReadDeletionTries reads the failed deletions of a location, by name.
func ReadDeletionTries(ctx context.Context, st store.Store) (map[string]*DeletionTry, error) {
	return repository.ReadSideDocuments[DeletionTry](ctx, st, layout.DeletionTryDir, layout.DeletionTryKey)
}
