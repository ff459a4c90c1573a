package drill

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	velerov1 "github.com/vmware-tanzu/velero/pkg/apis/velero/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/lifeboat-backup/lifeboat/internal/archive"
	"github.com/lifeboat-backup/lifeboat/internal/archive/layout"
	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/drill/evidence"
	"github.com/lifeboat-backup/lifeboat/internal/repository"
	"github.com/lifeboat-backup/lifeboat/internal/repository/drills"
	"github.com/lifeboat-backup/lifeboat/internal/restore"
	"github.com/lifeboat-backup/lifeboat/internal/store"
	"github.com/lifeboat-backup/lifeboat/internal/volume"
)

// unknown stands for what a backup does not tell, such as the version of its cluster.
const unknown = "unknown"

// annotationVersion is Velero's, of the API server that was backed up.
const annotationVersion = "velero.io/source-cluster-k8s-gitversion"

// facts is all that a statement is made of.
type facts struct {
	in       contract.SignDrillInput
	software string
	cluster  string
	target   evidence.Cluster
	last     *drills.File // the drill before; nil in the first
	account  *account
	run      *restore.Run // nil if the backup was not opened

	backup   velerov1.Backup
	source   evidence.Cluster
	manifest evidence.Subject
	size     int64
	objects  int64
	records  []record

	checklist []evidence.Check

	worstGap    time.Duration
	goodBackups int
}

// record is that of a snapshot of a volume in the backup.
type record struct {
	subject evidence.Subject
	info    volume.Info
}

func (f *facts) readBackup(ctx context.Context, st store.Store, of layout.Backup) error {
	if err := repository.GetJSON(ctx, st, of.Metadata(), &f.backup); err != nil {
		return err
	}
	f.source = evidence.Cluster{Name: unknown, UID: unknown, Kubernetes: cmp.Or(f.backup.Annotations[annotationVersion], unknown)}
	manifest, err := f.readManifest(ctx, st, of)
	if err != nil {
		return err
	}
	info, err := st.Head(ctx, of.Tarball())
	if err != nil {
		return fmt.Errorf("look at %s: %w", of.Tarball(), err)
	}
	f.size = info.Size
	return repository.EachEntry(ctx, st, manifest, of.VolumeInfo(), func(raw json.RawMessage) {
		r := record{subject: evidence.Subject{Digest: evidence.DigestSet{SHA256: evidence.DigestOf(raw)}}}
		if json.Unmarshal(raw, &r.info) == nil {
			r.subject.Name = of.VolumeInfo() + "#" + r.info.PVCNamespace + "/" + r.info.PVCName
			f.records = append(f.records, r)
		}
	})
}

// readManifest reads the manifest, which is the first subject; of a backup of Velero's that is
// the tarball.
func (f *facts) readManifest(ctx context.Context, st store.Store, of layout.Backup) (archive.Manifest, error) {
	data, err := repository.GetBytes(ctx, st, of.Manifest())
	if errors.Is(err, store.ErrNotFound) {
		digest, err := digestOf(ctx, st, of.Tarball())
		f.manifest = evidence.Subject{Name: of.Tarball(), Digest: evidence.DigestSet{SHA256: digest}}
		return archive.Manifest{}, err
	}
	if err != nil {
		return archive.Manifest{}, err
	}
	f.manifest = evidence.Subject{Name: of.Manifest(), Digest: evidence.DigestSet{SHA256: evidence.DigestOf(data)}}
	m, err := archive.DecodeManifest(of.Manifest(), data)
	f.objects = m.Totals.Objects
	f.source.Name = cmp.Or(m.Cluster, unknown)
	if m.Cluster == f.target.Name {
		f.source.UID = f.target.UID
	}
	return m, err
}

func digestOf(ctx context.Context, st store.Store, key string) (evidence.Digest, error) {
	body, _, err := st.Get(ctx, key)
	if err != nil {
		return "", err
	}
	sum := sha256.New()
	_, err = io.Copy(sum, body)
	return evidence.Digest(hex.EncodeToString(sum.Sum(nil))), errors.Join(err, body.Close())
}

// drillsJudged bounds how many files are read for the drill that judged the gaps before. Where it is none of
// them, the gaps are those of all backups that there are.
const drillsJudged = 100

// judgedUntil is when the last drill was asked for that has judged the gaps between the backups of this
// schedule. One that ended before it restored has judged nothing, one of other backups has judged others,
// and a drill that wants an RPO does not rely on one that wanted none.
func (s *Service) judgedUntil(ctx context.Context, f *facts, st store.Store) (time.Time, error) {
	if st == nil || f.last == nil {
		return time.Time{}, nil
	}
	before, err := drills.LastOf(ctx, st, s.Config.Cluster, drillsJudged, func(p *evidence.Predicate) bool {
		return judgesGaps(p, f.backup.Labels[repository.LabelSchedule], f.in.Drill.Spec.Targets.RPO.Duration > 0)
	})
	if err != nil || before == nil {
		return time.Time{}, err
	}
	return before.Evidence.Statement.Predicate.Drill.Asked.Time(), nil
}

func judgesGaps(p *evidence.Predicate, schedule string, wantsRPO bool) bool {
	aborted := slices.ContainsFunc(p.Claim.Failures, func(failed evidence.Failure) bool { return failed.Code == evidence.Aborted })
	return !aborted && isOfSchedule(p.Source.Backup.Name, schedule) && (p.Objective.RPO > 0 || !wantsRPO)
}

// isOfSchedule tells by its name whether a schedule has taken a backup, as contract.Schedule names it.
func isOfSchedule(backup, schedule string) bool {
	stamp, ok := strings.CutPrefix(backup, schedule+"-")
	_, err := time.Parse("20060102150405", stamp)
	return ok && err == nil
}

// gaps is the longest time between two good backups since a moment, and how many there were, wherever
// they lie. Backups of other schedules are other data; those of none have no times to be taken at, and
// no gaps.
func (s *Service) gaps(ctx context.Context, f *facts, since time.Time) (worst time.Duration, good int, err error) {
	if f.backup.Labels[repository.LabelSchedule] == "" {
		return 0, 1, nil
	}
	at, err := s.goodMoments(ctx, f)
	if err != nil {
		return 0, 0, err
	}
	for i, t := range at {
		if t.Before(since) {
			continue
		}
		good++
		if i > 0 {
			worst = max(worst, t.Sub(at[i-1]))
		}
	}
	return worst, good, nil
}

// goodMoments are when the good backups of the drill's schedule began that were there when it was asked for,
// in order. One that lies in two locations counts once.
func (s *Service) goodMoments(ctx context.Context, f *facts) (at []time.Time, err error) {
	schedule := f.backup.Labels[repository.LabelSchedule]
	all, err := repository.AskAll(ctx, s.Locations, "", repository.SearchTimeout, func(ctx context.Context, a repository.Answer[[]candidate]) ([]candidate, error) {
		return goodBackups(ctx, a, schedule)
	})
	if err != nil {
		return nil, err
	}
	rows, _, err := repository.JoinRows(all, "backups")
	seen := map[types.UID]bool{}
	for _, c := range rows {
		if c.doc.Labels[repository.LabelSchedule] == schedule && !c.doc.Status.StartTimestamp.After(f.in.Asked) && !seen[c.doc.UID] {
			seen[c.doc.UID] = c.doc.UID != ""
			at = append(at, c.doc.Status.StartTimestamp.Time)
		}
	}
	slices.SortFunc(at, time.Time.Compare)
	return at, err
}

// snapshots are those that the drill made volumes of, with their subjects.
func (f *facts) snapshots() (all []evidence.Snapshot, subjects []evidence.Subject) {
	if f.run == nil {
		return nil, nil
	}
	for _, r := range f.records {
		v := f.run.Index.Claims[r.info.PVCNamespace+"/"+r.info.PVCName]
		if v == nil || !v.HasData() {
			continue
		}
		s := evidence.Snapshot{Record: r.subject.Name, Volume: v.ClaimKey(), Bytes: evidence.Count(v.Capacity), Taken: f.newest()}
		if at := r.info.StartTimestamp; at != nil {
			s.Taken = evidence.MomentOf(at.Time)
		}
		driver, handle := r.info.Snapshot()
		s.Driver, s.Handle = cmp.Or(driver, unknown), cmp.Or(handle, unknown)
		all, subjects = append(all, s), append(subjects, r.subject)
	}
	return all, subjects
}

// newest is the moment of the newest data: no later than this was the backup begun, and nothing
// in it is said to be newer.
func (f *facts) newest() evidence.Moment {
	at := f.backup.CreationTimestamp.Time
	if start := f.backup.Status.StartTimestamp; start != nil {
		at = start.Time
	}
	if at.After(f.in.Asked) { // by the clock of whoever made it
		at = f.in.Asked
	}
	return evidence.MomentOf(at)
}
