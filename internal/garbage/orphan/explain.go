package orphan

import (
	"cmp"
	"context"
	"slices"
	"sync"
	"time"

	"github.com/lifeboat-backup/lifeboat/internal/aws/ebs"
	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/failure"
	"github.com/lifeboat-backup/lifeboat/internal/retention"
)

// snapshotsPerPage keeps an answer below the 2 MB that Temporal takes: a row is some 450 bytes.
const snapshotsPerPage = 2000

// answerFor is how long the rows of an answer are kept for its further pages.
const answerFor = time.Minute

// answer is the last one that had more than a page.
type answer struct {
	mu   sync.Mutex
	rows []contract.SnapshotSummary
	made time.Time
}

// Explain tells of every snapshot of the account that a backup or Lifeboat has to do with whose
// it is, or of the one that in names. It changes nothing.
func (c *Collector) Explain(ctx context.Context, in contract.ReadInput) (contract.ReadResult, error) {
	c.answer.mu.Lock()
	defer c.answer.mu.Unlock()
	now := time.Now()
	if in.Continue == "" || now.Sub(c.answer.made) > answerFor {
		rows, err := c.explainAll(ctx, in.Name, now)
		if err != nil {
			return contract.ReadResult{}, err
		}
		c.answer.rows, c.answer.made = rows, now
	}
	from, _ := slices.BinarySearchFunc(c.answer.rows, in.Continue+"\x00", func(r contract.SnapshotSummary, id string) int { return cmp.Compare(r.ID, id) })
	rows := c.answer.rows[from:]
	if in.Continue == "" {
		rows = c.answer.rows
	}
	res := contract.ReadResult{Snapshots: rows[:min(len(rows), snapshotsPerPage)]}
	if len(rows) > snapshotsPerPage {
		res.Continue = rows[snapshotsPerPage-1].ID
	} else {
		c.answer.rows = nil
	}
	return res, nil
}

// explainAll lists the snapshots by id; a name is one of them, whosever it is.
func (c *Collector) explainAll(ctx context.Context, name string, now time.Time) ([]contract.SnapshotSummary, error) {
	l := &look{Collector: c, cluster: c.Cluster, now: now, dryRun: true, digests: c.digests()}
	if err := l.readSnapshots(ctx, name); err != nil {
		return nil, err
	}
	if err := l.lookAtCluster(ctx); err != nil {
		return nil, err
	}
	if err := l.lookAtPlaces(ctx); err != nil {
		return nil, err
	}
	if err := l.readNames(ctx); err != nil {
		return nil, err
	}
	kept := l.reasons()
	rows := make([]contract.SnapshotSummary, 0, len(l.snapshots))
	for _, s := range l.snapshots {
		if name != "" || l.names.snapshots[s.ID] != nil || isTagged(s.Snapshot) {
			rows = append(rows, l.explain(s, kept))
		}
	}
	if name != "" && len(rows) == 0 {
		return nil, failure.NotFound("name: no snapshot %q in the accounts of the volume snapshot locations; 'lifeboat snapshots explain' lists them", name)
	}
	slices.SortFunc(rows, func(a, b contract.SnapshotSummary) int { return cmp.Compare(a.ID, b.ID) })
	return rows, nil
}

func (l *look) readSnapshots(ctx context.Context, name string) error {
	return l.eachAccount(ctx, func(ctx context.Context, at string, loc *ebs.Location) error {
		var found []ebs.Snapshot
		var err error
		if name == "" {
			found, err = loc.AllSnapshots(ctx)
		} else {
			var byID map[string]ebs.Snapshot
			byID, err = loc.OwnSnapshots(ctx, []string{name})
			for _, s := range byID {
				found = append(found, s)
			}
		}
		for _, s := range found {
			l.snapshots = append(l.snapshots, snapshot{s, at})
		}
		return err
	})
}

// isTagged tells a snapshot that Lifeboat or Velero made for a backup.
func isTagged(s ebs.Snapshot) bool {
	return s.Tags[ebs.TagBackup] != "" || isOurs(s)
}

// reason is why a backup is there, and until when.
type reason struct {
	text  string
	until time.Time
}

// reasons are those of all backups, by place and name. Each cluster's collection fills floors with
// its own backups, and with Velero's.
func (l *look) reasons() map[string]reason {
	out := map[string]reason{}
	for _, p := range l.places {
		of := map[string][]retention.Backup{l.Cluster: nil} // by cluster, "" for Velero's
		for _, e := range p.backups {
			b, cluster := p.holds[e.Name].Backup(e), ""
			if o := l.names.backups[e.UID]; o != nil {
				cluster = o.cluster
			}
			of[cluster] = append(of[cluster], b)
			out[p.digest+"/"+e.Name] = reasonOf(b)
		}
		for cluster, all := range of {
			if cluster == "" {
				continue
			}
			for _, d := range retention.Decide(slices.Concat(all, of[""]), l.Policy, l.now) {
				if cluster == l.Cluster || slices.ContainsFunc(all, func(b retention.Backup) bool { return b.Name == d.Name }) {
					out[p.digest+"/"+d.Name] = p.reasonOfExpired(d, l.now)
				}
			}
		}
	}
	return out
}

// reasonOfExpired says of an expired backup what the plan of its collection says.
func (p *place) reasonOfExpired(d retention.Decision, now time.Time) reason {
	const stays = "its backup has expired and stays: "
	t := p.tries[d.Name]
	switch {
	case d.Reason != "":
		return reason{text: stays + d.Reason}
	case t != nil && t.UID == d.UID && now.Before(t.Next()):
		return reason{stays + t.Reason(), t.Next()}
	case p.readOnly:
		return reason{text: stays + p.readOnlyText()}
	}
	return reason{text: "its backup has expired and goes with the next collection of its cluster"}
}

func reasonOf(b retention.Backup) reason {
	switch {
	case b.Hold != "":
		return reason{text: "its backup is held: " + b.Hold}
	case b.ExpiresAt().IsZero():
		return reason{text: "its backup never expires"}
	}
	return reason{text: "its backup has not expired", until: b.ExpiresAt()}
}

// explain says whose a snapshot is: by the backup that names it, else by its tags.
func (l *look) explain(s snapshot, kept map[string]reason) contract.SnapshotSummary {
	row := contract.SnapshotSummary{
		ID: s.ID, SnapshotLocation: s.at, Started: s.Started, SizeGiB: s.SizeGiB, Encrypted: s.Encrypted,
		Cluster: s.Tags[ebs.TagCluster], Backup: s.Tags[ebs.TagBackup], UID: s.BackupUID(), Volume: s.Tags[ebs.TagPV],
	}
	if p := l.placeOf(s.Tags[ebs.TagPlace]); p != nil {
		row.Bucket, row.Location = p.bucket, p.name
	} else if digest := s.Tags[ebs.TagPlace]; digest != "" {
		row.Bucket = "another one, with the digest " + digest
	}
	o := l.names.snapshots[s.ID]
	if o == nil {
		row.Kept = l.whyUnnamed(s)
		return row
	}
	why := kept[o.at.digest+"/"+o.Name]
	row.Cluster, row.Backup, row.UID = cmp.Or(o.cluster, row.Cluster), o.Name, o.UID
	row.Volume = cmp.Or(o.volumes[s.ID], row.Volume)
	row.Bucket, row.Location, row.Kept = o.at.bucket, o.at.name, why.text
	if !why.until.IsZero() {
		row.Until = &why.until
	}
	return row
}

// whyUnnamed says why a snapshot that no backup names is there.
func (l *look) whyUnnamed(s snapshot) string {
	if text := l.names.of(s.Snapshot); text != "" {
		return "of " + text
	}
	if digest := s.Tags[ebs.TagPlace]; digest != "" && !l.digests[digest] {
		return l.whyElsewhere(s)
	}
	switch o := l.orphanOfSnapshot(s); {
	case o != nil && o.Reason == "":
		return "an orphan, goes with the next collection"
	case o != nil:
		return "an orphan: " + o.Reason
	case !isTagged(s.Snapshot):
		return "no backup's: neither Lifeboat nor Velero made it"
	case !isOurs(s.Snapshot):
		return "made by Velero; no backup in the locations of this worker names it"
	}
	return "of cluster " + s.Tags[ebs.TagCluster] + ", which alone may delete it"
}

// whyElsewhere says why a snapshot is there whose backup's bucket the configuration does not have.
func (l *look) whyElsewhere(s snapshot) string {
	if name := s.Tags[ebs.TagLocation]; s.Tags[ebs.TagCluster] == l.cluster && l.isUnknown(name) {
		return unknownText(name)
	}
	return "of an installation with another bucket, which alone may delete it"
}
