// Package integrity reads stored backups back, looks for their snapshots, and writes what it
// has found beside them. It changes no backup.
//
//   - plan.go: which backups are due, by the rules of package verification.
//   - lost.go: backups whose document somebody has deleted.
//   - verify.go: one backup, ours or Velero's; every finding names a file or a snapshot.
//   - throttle.go: the bandwidth.
//
// Of several clusters that share a location each verifies its own backups: their snapshots are
// in accounts that only their workers know.
package integrity

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	velerov1 "github.com/vmware-tanzu/velero/pkg/apis/velero/v1"
	"golang.org/x/sync/errgroup"
	"golang.org/x/time/rate"

	"github.com/lifeboat-backup/lifeboat/internal/archive"
	"github.com/lifeboat-backup/lifeboat/internal/archive/layout"
	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/repository"
	"github.com/lifeboat-backup/lifeboat/internal/repository/beside"
	"github.com/lifeboat-backup/lifeboat/internal/store"
	"github.com/lifeboat-backup/lifeboat/internal/verification"
	"github.com/lifeboat-backup/lifeboat/internal/volume"
)

// rowsPerPlan bounds a plan that travels through a history: a row is some 200 bytes. What more
// there is comes with the next plan.
const rowsPerPlan = 200

// manifestsAtOnce bounds the requests of a plan at the same time.
const manifestsAtOnce = 16

// Runner verifies the backups of a cluster.
type Runner struct {
	cluster    string
	locations  *repository.Locations
	policy     verification.Policy
	inspectors map[volume.Method]volume.Inspector
	blocks     volume.BlockSampler // nil reads none
	limiter    *rate.Limiter       // of all that this worker reads back; nil is no bound

	mu    sync.Mutex
	facts map[string]facts // by location and UID: a committed backup never changes
}

// New returns the Runner of a cluster, whose bandwidth all of a worker's verifications share.
func New(cluster string, locations *repository.Locations, policy verification.Policy, inspectors map[volume.Method]volume.Inspector) *Runner {
	return &Runner{cluster: cluster, locations: locations, policy: policy, inspectors: inspectors, limiter: newLimiter(policy.Bandwidth), facts: map[string]facts{}}
}

// WithBlocks has the Runner read blocks of the snapshots of EBS that it finds.
func (r *Runner) WithBlocks(s volume.BlockSampler) *Runner {
	r.blocks = s
	return r
}

// facts are what a plan has to know of a backup beyond its entry.
type facts struct {
	cluster string // that made it; "" for Velero's, and where the manifest cannot be read
	bytes   int64
}

// candidate is a backup that may be planned.
type candidate struct {
	verification.Backup
	corrupt bool
}

// Plan tells which backups are to be read back. A location that cannot be read hides no other.
// ReadOnly ones are left alone, since no result can be written there. It changes nothing.
func (r *Runner) Plan(ctx context.Context, in contract.PlanVerificationInput) (contract.VerificationPlan, error) {
	if len(in.Names) > 0 {
		return r.planNamed(ctx, in)
	}
	all, err := repository.AskAll(ctx, r.locations, in.Location, repository.SearchTimeout, func(ctx context.Context, a repository.Answer[[]candidate]) ([]candidate, error) {
		listing := a.Listing()
		if listing.ReadOnly {
			return nil, nil
		}
		return r.candidates(ctx, a.Location, listing, in.Now)
	})
	if err != nil {
		return contract.VerificationPlan{}, err
	}
	found, unread, err := repository.JoinRows(all, "backups to verify")
	if err != nil {
		return contract.VerificationPlan{}, err
	}
	plan := r.decide(found, in)
	plan.Unread = unread
	return plan, nil
}

func (r *Runner) decide(found []candidate, in contract.PlanVerificationInput) contract.VerificationPlan {
	plan := contract.VerificationPlan{Backups: len(found)}
	backups := make([]verification.Backup, 0, len(found))
	for _, c := range found {
		if c.corrupt {
			plan.Corrupt++
		}
		if c.Verified.Before(in.NotSince) || in.NotSince.IsZero() {
			backups = append(backups, c.Backup)
		}
	}
	policy := r.policy
	if !in.NotSince.IsZero() { // all of them, at once
		policy.Round = verification.Forever
	}
	decided := verification.Decide(backups, policy, in.Now)
	plan.Needs = decided.Needs
	plan.Due, plan.MoreDue = cutRows(decided.Due, func(b verification.Backup) contract.VerificationRow { return r.rowOf(b) })
	plan.Late, plan.MoreLate = cutRows(decided.Late, func(l verification.Late) contract.VerificationRow { return r.rowOf(l.Backup) })
	return plan
}

func cutRows[T any](all []T, row func(T) contract.VerificationRow) (rows []contract.VerificationRow, more int) {
	for _, one := range all[:min(len(all), rowsPerPlan)] {
		rows = append(rows, row(one))
	}
	return rows, len(all) - len(rows)
}

func (r *Runner) rowOf(b verification.Backup) contract.VerificationRow {
	return contract.VerificationRow{
		Name: b.Name, Location: b.Location, UID: b.UID, Deadline: b.Deadline(r.policy.Every), Seconds: int64(r.policy.Duration(b.Bytes) / time.Second),
	}
}

// planNamed plans backups that somebody names, whoever made them. One that is not there is
// an error.
func (r *Runner) planNamed(ctx context.Context, in contract.PlanVerificationInput) (contract.VerificationPlan, error) {
	plan := contract.VerificationPlan{Backups: len(in.Names)}
	names := in.Names[:min(len(in.Names), rowsPerPlan)]
	for _, name := range names {
		found, err := r.findNamed(ctx, name, in.Location)
		if err != nil {
			return plan, err
		}
		known, err := r.factsOf(ctx, found.Store, found.Location.Name, repository.BackupEntry{Name: name, UID: found.Value})
		if err != nil {
			return plan, err
		}
		plan.Due = append(plan.Due, r.rowOf(verification.Backup{Name: name, Location: found.Location.Name, UID: found.Value, Bytes: known.bytes}))
	}
	plan.MoreDue = len(in.Names) - len(names)
	return plan, nil
}

// candidates are the backups of a location that this cluster verifies.
func (r *Runner) candidates(ctx context.Context, bsl *velerov1.BackupStorageLocation, listing *repository.Listing, now time.Time) ([]candidate, error) {
	said, err := beside.ReadRetentions(ctx, listing.Store)
	if err != nil {
		return nil, err
	}
	var out []candidate
	listed := map[string]bool{}
	for next := ""; ; {
		var page []repository.BackupEntry
		if page, next, err = listing.Page(ctx, next); err != nil {
			return nil, err
		}
		for _, e := range page {
			listed[e.Name] = true
		}
		page = slices.DeleteFunc(page, func(e repository.BackupEntry) bool { return !isWhole(e.Phase) })
		known, err := r.readFacts(ctx, listing.Store, bsl.Name, page)
		if err != nil {
			return nil, err
		}
		for i, e := range page {
			if c := known[i].cluster; c == "" || c == r.cluster {
				out = append(out, candidateOf(e, bsl.Name, known[i].bytes, said[e.Name]))
			}
		}
		if next == "" {
			lost, err := r.lostIn(ctx, listing.Store, bsl.Name, listed, now)
			return append(out, lost...), err
		}
	}
}

// isWhole tells a backup of which all files are to be there, from one that is under way, failed
// or is being deleted.
func isWhole(phase velerov1.BackupPhase) bool {
	return phase == velerov1.BackupPhaseCompleted || phase == velerov1.BackupPhasePartiallyFailed || phase == repository.PhaseUnreadable
}

func candidateOf(e repository.BackupEntry, location string, bytes int64, said *beside.Retention) candidate {
	kept := said.Backup(e)
	made := e.Completed
	if made.IsZero() {
		made = e.Started
	}
	return candidate{corrupt: e.Corrupt, Backup: verification.Backup{
		Name: e.Name, Location: location, UID: e.UID, Bytes: bytes, Made: made, Verified: e.Verified, Expires: kept.ExpiresAt(),
	}}
}

// readFacts reads the facts of a page of backups, in its order, each once for the life of the
// process.
func (r *Runner) readFacts(ctx context.Context, st store.Store, location string, page []repository.BackupEntry) ([]facts, error) {
	out := make([]facts, len(page))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(manifestsAtOnce)
	for i, e := range page {
		group.Go(func() (err error) {
			out[i], err = r.factsOf(ctx, st, location, e)
			return err
		})
	}
	return out, group.Wait()
}

func (r *Runner) factsOf(ctx context.Context, st store.Store, location string, e repository.BackupEntry) (facts, error) {
	key := location + "/" + e.Name + "/" + e.UID
	r.mu.Lock()
	known, ok := r.facts[key]
	r.mu.Unlock()
	if ok {
		return known, nil
	}
	read, err := readManifestFacts(ctx, st, e.Name)
	if err == nil {
		r.mu.Lock()
		defer r.mu.Unlock()
		if len(r.facts) >= mostFacts {
			clear(r.facts)
		}
		r.facts[key] = read
	}
	return read, err
}

// mostFacts bounds what is remembered; an entry has some 200 bytes.
const mostFacts = 50_000

// readManifestFacts reads them from the manifest. One that is damaged is found by the verification.
func readManifestFacts(ctx context.Context, st store.Store, backup string) (facts, error) {
	m, err := repository.ReadManifest(ctx, st, backup)
	switch {
	case errors.Is(err, store.ErrNotFound):
		info, err := st.Head(ctx, layout.Backup{Name: backup}.Tarball())
		if errors.Is(err, store.ErrNotFound) {
			err = nil
		}
		return facts{bytes: info.Size}, err
	case archive.IsDamaged(err):
		return facts{}, nil
	}
	f := facts{cluster: m.Cluster}
	for _, file := range m.Files {
		f.bytes += file.Size
	}
	return f, err
}
