// Package garbage finds the backups whose time is over and that may be deleted: by the
// rules of package retention, out of what the bucket says. It deletes nothing; each backup
// is deleted by a run of its own, as one that a person asks for.
//
// Of several clusters that share a location each collects its own: what a backup's
// manifest names another cluster, or a manifest that cannot be read, is left alone. Every
// choice is made by the documents of backups and not by catalog entries, which may be
// outdated.
package garbage

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync/atomic"
	"time"

	"github.com/lifeboat-backup/lifeboat/internal/archive/layout"
	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/failure"
	"github.com/lifeboat-backup/lifeboat/internal/repository"
	"github.com/lifeboat-backup/lifeboat/internal/repository/beside"
	"github.com/lifeboat-backup/lifeboat/internal/retention"
	"github.com/lifeboat-backup/lifeboat/internal/store"
)

// rowsPerPlan bounds a plan that travels through a history: a row is some 300 bytes. What
// more there is to delete comes with the next plan.
const rowsPerPlan = 200

// Causes for which an expired backup stays, beside those of package retention.
const (
	CauseReadOnly = "readOnly" // its location is
	CauseFailed   = "failed"   // its deletion failed, and is tried again later
)

// Causes are all of them.
func Causes() []string {
	return []string{
		retention.CauseForeign, retention.CauseHeld, retention.CauseVelero, retention.CauseUnfinished, retention.CauseFloor, CauseReadOnly, CauseFailed,
	}
}

// Runner plans the garbage collections of a cluster.
type Runner struct {
	Cluster   string
	Policy    retention.Policy
	Locations *repository.Locations
}

// Plan tells what becomes of the expired backups of all storage locations; of a cluster that is
// named, of that cluster's only. A location that cannot be read hides no other, and nothing of it
// is deleted. It changes nothing.
func (r *Runner) Plan(ctx context.Context, in contract.PlanGarbageInput) (contract.GarbagePlan, error) {
	var known atomic.Bool // the cluster that is named
	all, err := repository.AskAll(ctx, r.Locations, "", repository.PatienceOfPlan(in.DryRun), func(ctx context.Context, a repository.Answer[[]contract.GarbageRow]) ([]contract.GarbageRow, error) {
		of := *r
		of.Cluster = cmp.Or(in.Cluster, r.Cluster)
		l := &location{Runner: &of, name: a.Location.Name, place: repository.PlaceDigest(a.Location), listing: a.Listing(), known: map[string]bool{}, clusters: map[string]string{}}
		rows, err := l.plan(ctx, in.Now)
		if err != nil || in.Cluster == "" {
			return rows, err
		}
		rows = slices.DeleteFunc(rows, func(row contract.GarbageRow) bool { return l.clusters[row.Name] != in.Cluster })
		has, err := l.knowsCluster(ctx)
		if has {
			known.Store(true)
		}
		return rows, err
	})
	if err != nil {
		return contract.GarbagePlan{}, err
	}
	rows, unread, err := repository.JoinRows(all, "expired backups")
	if err != nil {
		return contract.GarbagePlan{}, err
	}
	if in.Cluster != "" && !known.Load() && len(unread) == 0 {
		return contract.GarbagePlan{}, failure.NotFound("cluster: no storage location of this worker has anything of a cluster %q; 'lifeboat backup get --all-clusters' tells of which clusters there are backups", in.Cluster)
	}
	plan := contract.GarbagePlan{Unread: unread}
	slices.SortStableFunc(rows, func(a, b contract.GarbageRow) int { return a.Expired.Compare(b.Expired) })
	for _, row := range rows {
		if row.Reason == "" {
			plan.Delete = append(plan.Delete, row)
		} else {
			plan.Keep = append(plan.Keep, row)
		}
	}
	plan.Delete, plan.MoreDelete = cutRows(plan.Delete)
	plan.Keep, plan.MoreKeep = cutRows(plan.Keep)
	return plan, nil
}

func cutRows(rows []contract.GarbageRow) ([]contract.GarbageRow, int) {
	n := min(len(rows), rowsPerPlan)
	return rows[:n], len(rows) - n
}

// location is what a plan has read of a storage location.
type location struct {
	*Runner
	name    string
	place   string
	listing *repository.Listing
	backups []retention.Backup
	known   map[string]bool // by document and manifest
	// clusters are those of backups, as far as entries, manifests and tombstones tell.
	clusters map[string]string
	holds    map[string]*beside.Retention
	tries    map[string]*beside.DeletionTry
}

// knowsCluster tells whether the cluster has worked in the location.
func (l *location) knowsCluster(ctx context.Context) (bool, error) {
	for _, cluster := range l.clusters {
		if cluster == l.Cluster {
			return true, nil
		}
	}
	names, err := repository.ClusterNames(ctx, l.listing.Store)
	return slices.Contains(names, l.Cluster), err
}

// plan decides, and says of each expired backup why it stays.
func (l *location) plan(ctx context.Context, now time.Time) ([]contract.GarbageRow, error) {
	if err := l.readAll(ctx); err != nil {
		return nil, err
	}
	decisions, err := l.decide(ctx, now)
	if err != nil {
		return nil, err
	}
	rows, err := l.begunDeletions(ctx, now)
	if err != nil {
		return nil, err
	}
	for _, d := range decisions {
		rows = append(rows, l.rowOf(d, now))
	}
	return rows, nil
}

// begunDeletions are those that did not end: their backups have no document any more, and
// nobody else would find what is left of them. Those of another cluster's backups are for its
// own collection; it may be running them.
func (l *location) begunDeletions(ctx context.Context, now time.Time) ([]contract.GarbageRow, error) {
	begun, err := beside.ReadTombstones(ctx, l.listing.Store)
	if err != nil {
		return nil, err
	}
	for _, b := range l.backups {
		delete(begun, b.Name)
	}
	rows := make([]contract.GarbageRow, 0, len(begun))
	for _, name := range slices.Sorted(maps.Keys(begun)) {
		if foreign, err := l.isOfAnotherCluster(ctx, begun[name]); err != nil {
			return nil, err
		} else if foreign {
			continue
		}
		rows = append(rows, l.rowOf(retention.Decision{Backup: retention.Backup{Name: name, UID: begun[name].UID, Expires: now}, Delete: true}, now))
	}
	return rows, nil
}

// readAll reads the entries of all backups of the location, and what people have said.
func (l *location) readAll(ctx context.Context) (err error) {
	if l.holds, err = beside.ReadRetentions(ctx, l.listing.Store); err != nil {
		return err
	}
	if l.tries, err = beside.ReadDeletionTries(ctx, l.listing.Store); err != nil {
		return err
	}
	for next := ""; ; {
		var page []repository.BackupEntry
		if page, next, err = l.listing.Page(ctx, next); err != nil {
			return err
		}
		for _, e := range page {
			l.backups = append(l.backups, l.holds[e.Name].Backup(e))
			l.clusters[e.Name] = e.Cluster
		}
		if next == "" {
			return nil
		}
	}
}

// decide decides, and again until each backup that goes, and each that a floor rests on, is
// known by its own document and manifest.
func (l *location) decide(ctx context.Context, now time.Time) ([]retention.Decision, error) {
	for {
		decisions := retention.Decide(l.backups, l.Policy, now)
		unknown := l.unknownOf(decisions)
		if len(unknown) == 0 {
			return decisions, nil
		}
		if err := l.confirm(ctx, unknown); err != nil {
			return nil, err
		}
	}
}

// unknownOf names those of the first backups that go, and of all that protect others, that
// are known by their entry only.
func (l *location) unknownOf(decisions []retention.Decision) (names []string) {
	going := 0
	for _, d := range decisions {
		if d.Delete && going < rowsPerPlan {
			going++
			names = append(names, d.Name)
		}
	}
	if going > 0 {
		names = append(names, retention.NewestGood(l.backups, l.Policy)...)
	}
	return slices.DeleteFunc(names, func(name string) bool { return l.known[name] })
}

// confirm reads the documents and manifests of backups. Those of other clusters, and those
// that cannot be read, are out of it: they go by no rule and protect nothing.
func (l *location) confirm(ctx context.Context, names []string) error {
	entries := make([]repository.BackupEntry, 0, len(names))
	for _, b := range l.backups {
		if slices.Contains(names, b.Name) {
			entries = append(entries, repository.BackupEntry{Name: b.Name, UID: b.UID, Corrupt: b.Damaged})
		}
	}
	confirmed, err := l.listing.Confirm(ctx, entries)
	if err != nil {
		return err
	}
	l.backups = slices.DeleteFunc(l.backups, func(b retention.Backup) bool { return slices.Contains(names, b.Name) })
	for _, e := range confirmed {
		l.known[e.Name] = true
		b := l.holds[e.Name].Backup(e)
		if b.Foreign, err = l.whyForeign(ctx, e); err != nil {
			return err
		}
		l.backups = append(l.backups, b)
	}
	return nil
}

// whyForeign says why a backup is not this cluster's to delete, "" if it is. Backups of
// Velero name no cluster.
func (l *location) whyForeign(ctx context.Context, e repository.BackupEntry) (string, error) {
	if !e.Ours {
		return "", nil
	}
	m, err := repository.ReadManifest(ctx, l.listing.Store, e.Name)
	switch {
	case repository.IsUnreadable(err):
		return fmt.Sprintf("its manifest cannot be read (%v); look at it with 'lifeboat backup describe %s' and delete it by name", err, e.Name), nil
	case err != nil:
		return "", err
	case m.Backup != e.Name || m.UID != e.UID:
		return fmt.Sprintf("its manifest is of another backup (%s, uid %s)", m.Backup, m.UID), nil
	}
	if l.clusters[e.Name] = m.Cluster; m.Cluster != l.Cluster {
		return "made by cluster " + m.Cluster, nil
	}
	return "", nil
}

// isOfAnotherCluster tells whether the manifest of a backup that is being deleted names another
// cluster. One without a readable manifest is anybody's: nobody else would end its deletion.
func (l *location) isOfAnotherCluster(ctx context.Context, t *beside.Tombstone) (bool, error) {
	m, err := repository.ReadManifest(ctx, l.listing.Store, t.Name)
	if repository.IsUnreadable(err) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("read the manifest of %s, which is being deleted: %w", t.Name, err)
	}
	l.clusters[t.Name] = m.Cluster
	return m.UID == t.UID && m.Cluster != l.Cluster, nil
}

// rowOf adds to a decision what came of earlier tries.
func (l *location) rowOf(d retention.Decision, now time.Time) contract.GarbageRow {
	row := contract.GarbageRow{
		Name: d.Name, Location: l.name, Place: l.place, UID: d.UID, Schedule: d.Schedule, Expired: d.ExpiresAt(), Cause: d.Cause, Reason: d.Reason,
	}
	if l.listing.ReadOnly && d.Delete {
		row.Cause, row.Reason = CauseReadOnly, "the storage location is ReadOnly"
	}
	t := l.tries[d.Name]
	if t == nil || t.UID != d.UID {
		return row
	}
	row.Tries, row.FirstTry, row.LastTry, row.LastError = t.Tries, &t.First, &t.Last, t.Error
	if d.Delete && now.Before(t.Next()) {
		row.Cause, row.Reason = CauseFailed, t.Reason()
	}
	return row
}

// Record remembers that an expired backup could not be deleted. Of one that is gone all the
// same, because only the answer was lost, there is nothing to remember. It may repeat.
func (r *Runner) Record(ctx context.Context, in contract.GarbageTry) error {
	_, st, err := r.Locations.Writable(ctx, in.Location)
	if err != nil {
		return err
	}
	_, err = st.Head(ctx, layout.Backup{Name: in.Name}.Metadata())
	if errors.Is(err, store.ErrNotFound) {
		_, err = st.Head(ctx, layout.Tombstone(in.Name))
	}
	if errors.Is(err, store.ErrNotFound) {
		return beside.ForgetDeletion(ctx, st, in.Name)
	}
	if err != nil {
		return err
	}
	return beside.RecordDeletionTry(ctx, st, in.Name, in.UID, in.At, in.Error)
}
