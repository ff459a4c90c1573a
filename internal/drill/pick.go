package drill

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"slices"

	velerov1 "github.com/vmware-tanzu/velero/pkg/apis/velero/v1"

	"github.com/lifeboat-backup/lifeboat/internal/archive/layout"
	"github.com/lifeboat-backup/lifeboat/internal/drill/definition"
	"github.com/lifeboat-backup/lifeboat/internal/failure"
	"github.com/lifeboat-backup/lifeboat/internal/repository"
	"github.com/lifeboat-backup/lifeboat/internal/store"
)

// picked is the backup of a drill.
type picked struct {
	name, location string
	store          store.Store
}

// candidate is a good backup, with how much a random choice prefers it.
type candidate struct {
	picked
	doc    *velerov1.Backup
	weight uint64
}

// Weights of a random choice: a backup of which nothing is proven is drawn before others.
const (
	weightUnproven = 9
	weightProven   = 1
)

// pick finds the backup that the spec names, or one of the good ones.
func (s *Service) pick(ctx context.Context, spec definition.Spec, seed string) (picked, error) {
	if name := spec.Source.Backup; name != "" {
		found, _, err := repository.FindDocument[velerov1.Backup](ctx, s.Locations, spec.StorageLocation, name, "backup", layout.Backup{Name: name}.Metadata())
		if err != nil {
			return picked{}, err
		}
		return picked{name: name, location: found.Location.Name, store: found.Store}, nil
	}
	all, err := repository.AskAll(ctx, s.Locations, spec.StorageLocation, repository.SearchTimeout, func(ctx context.Context, a repository.Answer[[]candidate]) ([]candidate, error) {
		return goodBackups(ctx, a, spec.Source.Schedule)
	})
	if err != nil {
		return picked{}, err
	}
	rows, _, err := repository.JoinRows(all, "backups")
	if err != nil {
		return picked{}, err
	}
	if len(rows) == 0 {
		return picked{}, failure.NotFound("spec.source: there is no good backup%s; take one first", ofSchedule(spec.Source.Schedule))
	}
	slices.SortFunc(rows, func(a, b candidate) int {
		return cmp.Or(b.doc.Status.StartTimestamp.Compare(a.doc.Status.StartTimestamp.Time), cmp.Compare(b.name, a.name))
	})
	if spec.Source.Pick == definition.PickRandom {
		return draw(rows, seed).picked, nil
	}
	return rows[0].picked, nil
}

func ofSchedule(name string) string {
	if name == "" {
		return ""
	}
	return " of schedule " + name
}

// goodBackups are the Completed backups of a location that are not known to be corrupt.
func goodBackups(ctx context.Context, a repository.Answer[[]candidate], schedule string) ([]candidate, error) {
	docs, err := repository.ReadBackups(ctx, a.Store)
	if err != nil {
		return nil, err
	}
	isCorrupt, err := repository.CorruptBackups(ctx, a.Store)
	if err != nil {
		return nil, err
	}
	proofs, err := repository.ListProofs(ctx, a.Store)
	if err != nil {
		return nil, err
	}
	var rows []candidate
	for _, d := range docs {
		if !isGood(d) || isCorrupt(d.Name, string(d.UID)) || schedule != "" && d.Labels[repository.LabelSchedule] != schedule {
			continue
		}
		c := candidate{picked: picked{d.Name, a.Location.Name, a.Store}, doc: d, weight: weightUnproven}
		if p := proofs[d.Name]; p.UID == string(d.UID) && p.Level != "" {
			c.weight = weightProven
		}
		rows = append(rows, c)
	}
	return rows, nil
}

func isGood(d *velerov1.Backup) bool {
	return d.Status.Phase == velerov1.BackupPhaseCompleted && d.Status.StartTimestamp != nil
}

// draw chooses one by the seed, which is different for every run and the same for its attempts.
func draw(rows []candidate, seed string) candidate {
	var sum uint64
	for _, c := range rows {
		sum += c.weight
	}
	digest := sha256.Sum256([]byte(fmt.Sprintf("drill %s", seed)))
	at := binary.BigEndian.Uint64(digest[:8]) % sum
	for _, c := range rows {
		if at < c.weight {
			return c
		}
		at -= c.weight
	}
	return rows[0]
}
