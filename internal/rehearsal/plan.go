package rehearsal

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"time"

	velerov1 "github.com/vmware-tanzu/velero/pkg/apis/velero/v1"

	"github.com/lifeboat-backup/lifeboat/internal/archive"
	"github.com/lifeboat-backup/lifeboat/internal/archive/layout"
	"github.com/lifeboat-backup/lifeboat/internal/config"
	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/failure"
	"github.com/lifeboat-backup/lifeboat/internal/repository"
	"github.com/lifeboat-backup/lifeboat/internal/store"
)

const (
	// planned bounds the rehearsals of one plan; the next plan has the rest.
	planned = 20
	// newFor is how long a backup is waited for to be rehearsed at all: those from before the
	// worker was told to rehearse are not, unless somebody asks for it.
	newFor = 24 * time.Hour
)

// Plan tells which backups are to be rehearsed now: those of this cluster, in locations that may
// be written to, that are new and of which their schedule or else the configuration wants it. A
// location that cannot be read hides no other, unless it is the one of the schedules. It changes
// nothing.
func (s *Service) Plan(ctx context.Context, in contract.PlanRehearsalsInput) (contract.RehearsalPlan, error) {
	if s.Planes == nil {
		return contract.RehearsalPlan{}, nil
	}
	every, err := s.intervals(ctx, cmp.Or(in.After, s.Config.Rehearsal.After))
	if err != nil {
		return contract.RehearsalPlan{}, err
	}
	if !every.any() {
		return contract.RehearsalPlan{}, nil
	}
	all, err := repository.AskAll(ctx, s.Locations, "", repository.SearchTimeout, func(ctx context.Context, a repository.Answer[[]contract.RehearseInput]) ([]contract.RehearseInput, error) {
		if _, _, err := s.Locations.Writable(ctx, a.Location.Name); failure.TypeOf(err) != "" {
			return nil, nil
		}
		return s.planLocation(ctx, a.Location.Name, a.Listing(), every, in.Now)
	})
	if err != nil {
		return contract.RehearsalPlan{}, err
	}
	rows, unread, err := repository.JoinRows(all, "backups to rehearse")
	return contract.RehearsalPlan{Backups: rows[:min(len(rows), planned)], Unread: unread}, err
}

// intervals say how often the backups of each schedule are rehearsed.
type intervals struct {
	otherwise  string            // of backups whose schedule does not say
	ofSchedule map[string]string // by name, of those that say
}

// intervals asks the definitions. One that is damaged says nothing.
func (s *Service) intervals(ctx context.Context, otherwise string) (intervals, error) {
	every := intervals{otherwise: otherwise, ofSchedule: map[string]string{}}
	_, st, err := s.Locations.Get(ctx, "")
	if err != nil {
		return every, err
	}
	defined, err := repository.ReadSchedules(ctx, st, layout.Schedules{Cluster: s.Config.Cluster})
	for name, d := range defined {
		if says := d.Annotations[contract.AnnotationRehearse]; slices.Contains(config.RehearseValues(), says) {
			every.ofSchedule[name] = says
		}
	}
	return every, err
}

// any tells whether any backup may be rehearsed.
func (i intervals) any() bool {
	for _, says := range i.ofSchedule {
		if says != config.RehearseNever {
			return true
		}
	}
	return i.otherwise != config.RehearseNever
}

// of is how long no backup of a schedule, "" for none, is rehearsed after one was; false is for
// ever.
func (i intervals) of(schedule string) (time.Duration, bool) {
	switch cmp.Or(i.ofSchedule[schedule], i.otherwise) {
	case config.RehearseAlways:
		return 0, true
	case config.RehearseDaily:
		return 24 * time.Hour, true
	case config.RehearseWeekly:
		return 7 * 24 * time.Hour, true
	}
	return 0, false
}

// slack is what a rehearsal may come before its time: backups of a schedule do not end at the
// same time every day.
const slack = 4 * time.Hour

func (s *Service) planLocation(ctx context.Context, location string, listing *repository.Listing, every intervals, now time.Time) ([]contract.RehearseInput, error) {
	done, err := repository.ListProofs(ctx, listing.Store)
	if err != nil {
		return nil, err
	}
	entries, err := allEntries(ctx, listing)
	if err != nil {
		return nil, err
	}
	var rows []contract.RehearseInput
	for _, e := range due(entries, done, every, now) {
		mine, err := s.isMine(ctx, listing, e)
		if err != nil {
			return nil, err
		}
		if mine && len(rows) < planned {
			rows = append(rows, contract.RehearseInput{Backup: e.Name, Location: location})
		}
	}
	return rows, nil
}

func allEntries(ctx context.Context, listing *repository.Listing) (all []repository.BackupEntry, err error) {
	for next := ""; ; {
		var page []repository.BackupEntry
		if page, next, err = listing.Page(ctx, next); err != nil {
			return nil, err
		}
		all = append(all, page...)
		if next == "" {
			return all, nil
		}
	}
}

// due are the backups to rehearse, newest first: all new ones of a schedule, or the newest of one
// of which none was rehearsed for that long. Backups that no schedule made are one schedule.
func due(entries []repository.BackupEntry, done map[string]repository.Proof, every intervals, now time.Time) []repository.BackupEntry {
	last := map[string]time.Time{}
	for i := range entries {
		if r := done[entries[i].Name]; r.UID == entries[i].UID && r.At.After(last[entries[i].Schedule()]) {
			last[entries[i].Schedule()] = r.At
		}
	}
	slices.SortFunc(entries, func(a, b repository.BackupEntry) int {
		return cmp.Or(b.Completed.Compare(a.Completed), cmp.Compare(a.Name, b.Name))
	})
	var out []repository.BackupEntry
	chosen := map[string]bool{}
	for _, e := range entries {
		if !e.Ours || !isWhole(e.Phase) || now.Sub(e.Completed) > newFor || done[e.Name].UID == e.UID {
			continue
		}
		of := e.Schedule()
		wait, wanted := every.of(of)
		if !wanted || wait > 0 && (chosen[of] || now.Sub(last[of]) < wait-slack) {
			continue
		}
		chosen[of] = true
		out = append(out, e)
	}
	return out
}

func isWhole(p velerov1.BackupPhase) bool {
	return p == velerov1.BackupPhaseCompleted || p == velerov1.BackupPhasePartiallyFailed
}

// isMine says that a backup is one of this cluster: others that share the location have
// workers of their own. One whose manifest is damaged is, so that somebody is told.
func (s *Service) isMine(ctx context.Context, listing *repository.Listing, e repository.BackupEntry) (bool, error) {
	m, err := repository.ReadManifest(ctx, listing.Store, e.Name)
	switch {
	case archive.IsDamaged(err):
		return true, nil
	case errors.Is(err, store.ErrNotFound): // deleted since
		return false, nil
	}
	return m.Cluster == s.Config.Cluster, err
}
