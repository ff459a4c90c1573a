package integrity

import (
	"context"
	"errors"
	"fmt"
	"time"

	velerov1 "github.com/vmware-tanzu/velero/pkg/apis/velero/v1"

	"github.com/lifeboat-backup/lifeboat/internal/archive"
	"github.com/lifeboat-backup/lifeboat/internal/archive/layout"
	"github.com/lifeboat-backup/lifeboat/internal/failure"
	"github.com/lifeboat-backup/lifeboat/internal/repository"
	"github.com/lifeboat-backup/lifeboat/internal/store"
	"github.com/lifeboat-backup/lifeboat/internal/verification"
)

// lostIn finds the backups of a location that have lost their document and that this cluster
// verifies. known are the others. They are due at once, and once found as any other.
func (r *Runner) lostIn(ctx context.Context, st store.Store, location string, known map[string]bool, now time.Time) (out []candidate, err error) {
	names, err := st.Dirs(ctx, layout.BackupsDir)
	if err != nil {
		return nil, fmt.Errorf("list backups: %w", err)
	}
	for _, name := range names {
		if known[name] || archive.ValidateBackupName(name) != nil {
			continue
		}
		lost, err := repository.IsLost(ctx, st, name)
		if err != nil {
			return nil, fmt.Errorf("look for the document of %s: %w", name, err)
		}
		if !lost {
			continue
		}
		c, err := r.lostCandidate(ctx, st, location, name, now)
		if err != nil {
			return nil, err
		}
		if c != nil {
			out = append(out, *c)
		}
	}
	return out, nil
}

// lostCandidate is nil for a backup of another cluster.
func (r *Runner) lostCandidate(ctx context.Context, st store.Store, location, name string, now time.Time) (*candidate, error) {
	uid, err := manifestUID(ctx, st, name)
	if err != nil {
		return nil, err
	}
	known, err := r.factsOf(ctx, st, location, repository.BackupEntry{Name: name, UID: uid})
	if err != nil || known.cluster != "" && known.cluster != r.cluster {
		return nil, err
	}
	verdict, err := repository.NewestVerdict(ctx, st, name, uid)
	if err != nil {
		return nil, err
	}
	c := &candidate{Backup: verification.Backup{Name: name, Location: location, UID: uid, Bytes: known.bytes, Made: now.Add(-r.policy.Every / 2)}, corrupt: verdict.Corrupt}
	if verdict.Corrupt { // else the document was there
		c.Verified = verdict.At
	}
	return c, nil
}

// manifestUID is the UID of a backup by its manifest, "" where that does not tell.
func manifestUID(ctx context.Context, st store.Store, name string) (string, error) {
	m, err := repository.ReadManifest(ctx, st, name)
	if repository.IsUnreadable(err) {
		return "", nil
	}
	return m.UID, err
}

// findNamed finds the one location that has a backup, and the backup's UID. One whose document
// is damaged or was deleted is there, too.
func (r *Runner) findNamed(ctx context.Context, name, location string) (repository.Answer[string], error) {
	if err := archive.ValidateBackupName(name); err != nil {
		return repository.Answer[string]{}, failure.Invalid("name: %w", err)
	}
	all, err := repository.AskAll(ctx, r.locations, location, repository.DocumentTimeout, func(ctx context.Context, a repository.Answer[string]) (string, error) {
		var doc velerov1.Backup
		err := repository.GetJSON(ctx, a.Store, layout.Backup{Name: name}.Metadata(), &doc)
		switch {
		case archive.IsDamaged(err):
			return "", nil // as a list has it
		case !errors.Is(err, store.ErrNotFound):
			return string(doc.UID), err
		}
		if lost, lerr := repository.IsLost(ctx, a.Store, name); lerr != nil || !lost {
			return "", errors.Join(lerr, err)
		}
		return manifestUID(ctx, a.Store, name)
	})
	if err != nil {
		return repository.Answer[string]{}, err
	}
	found, _, err := repository.ExactlyOne(all, repository.QueryByName("backup", name))
	return found, err
}
