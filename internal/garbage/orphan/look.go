package orphan

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/lifeboat-backup/lifeboat/internal/archive"
	"github.com/lifeboat-backup/lifeboat/internal/archive/layout"
	"github.com/lifeboat-backup/lifeboat/internal/aws/ebs"
	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/failure"
	"github.com/lifeboat-backup/lifeboat/internal/repository"
	"github.com/lifeboat-backup/lifeboat/internal/repository/beside"
	"github.com/lifeboat-backup/lifeboat/internal/store"
)

// look is what one search has seen. The account and the cluster are looked at first, then the
// runs, then the backups: a backup that is committed meanwhile is seen as one or the other.
type look struct {
	*Collector
	cluster   string // whose orphans are meant
	now       time.Time
	dryRun    bool     // somebody waits, and nothing is deleted
	unread    []string // what could not be searched
	unnamed   []string // of that: what may name orphans
	snapshots []snapshot
	volumes   []disk
	digests   map[string]bool // of the places of the configuration
	unknown   map[string]*namedLocation
	contents  []Content
	handles   map[string]string // of contents, by name
	held      map[string]bool   // handles of contents that no restore made
	// volumeSnapshots are those of backups.
	volumeSnapshots []VolumeSnapshot
	copies          []copyOfDrill
	attached        map[string]bool // handles of PersistentVolumes; nil is not known
	uid             string          // of the cluster
	places          []*place
	names           names
}

// snapshot is one of the account, and the VolumeSnapshotLocation that it was seen through.
type snapshot struct {
	ebs.Snapshot
	at string
}

type disk struct {
	ebs.Volume
	at string
}

// place is a bucket and prefix, and what lies there.
type place struct {
	name     string // of the storage location
	bucket   string // with the prefix
	digest   string
	st       store.Store
	readOnly bool
	seen     *beside.Seen
	missing  []beside.KnownBackup // were listed, and are gone without a deletion
	clusters []string             // that have worked there
	runs     []run
	deleting map[string]*beside.Tombstone // by backup
	backups  []repository.BackupEntry
	holds    map[string]*beside.Retention
	tries    map[string]*beside.DeletionTry
	loose    []directory // without a document
	alien    string      // why the cluster's name is another cluster's here, "" if it is not
	uploads  []store.Upload
}

// run is one with files in progress.
type run struct {
	repository.StagedRun
	ended bool
	doubt string // why that is not known
}

// directory is one of a backup that has no document.
type directory struct {
	name    string
	ours    bool
	cluster string // "" is not known
	uid     string
	written time.Time
}

func (c *Collector) look(ctx context.Context, in contract.PlanOrphansInput) (*look, error) {
	l := &look{Collector: c, cluster: cmp.Or(in.Cluster, c.Cluster), now: in.Now, dryRun: in.DryRun, digests: c.digests(), unknown: map[string]*namedLocation{}}
	if err := l.lookAtAccount(ctx); err != nil {
		return nil, err
	}
	if err := l.lookAtCluster(ctx); err != nil {
		return nil, err
	}
	if err := l.lookAtPlaces(ctx); err != nil {
		return nil, err
	}
	if err := l.lookAtSchedules(ctx); err != nil {
		return nil, err
	}
	return l, l.readNames(ctx)
}

// missed notes what could not be searched. Only the end of ctx is an error.
func (l *look) missed(ctx context.Context, what string, err error) error {
	if err == nil || ctx.Err() != nil {
		return ctx.Err()
	}
	l.unread = append(l.unread, fmt.Sprintf("%s: %v", what, err))
	return nil
}

// missedNames is missed for what may name orphans: nothing that it may name goes.
func (l *look) missedNames(ctx context.Context, what string, err error) error {
	if err != nil {
		l.unnamed = append(l.unnamed, fmt.Sprintf("%s: %v", what, err))
	}
	return l.missed(ctx, what, err)
}

// digests are the places of the configuration.
func (c *Collector) digests() map[string]bool {
	all := map[string]bool{}
	cfg := c.Locations.Config()
	for i := range cfg.BackupStorageLocations {
		all[repository.PlaceDigest(&cfg.BackupStorageLocations[i])] = true
	}
	return all
}

// lookAtAccount finds what is of the cluster's name. What another bucket has made is another
// installation's, or of a location that was removed from the configuration.
func (l *look) lookAtAccount(ctx context.Context) error {
	named := map[string]string{ebs.TagCluster: l.cluster}
	return l.eachAccount(ctx, func(ctx context.Context, at string, loc *ebs.Location) error {
		found, err := loc.Find(ctx, named)
		if err != nil {
			return err
		}
		for _, s := range found {
			if l.digests[s.Tags[ebs.TagPlace]] {
				l.snapshots = append(l.snapshots, snapshot{s, at})
			} else {
				l.noteElsewhere(s)
			}
		}
		disks, err := loc.VolumesTagged(ctx, named)
		for _, v := range disks {
			if l.digests[v.Tags[ebs.TagPlace]] {
				l.volumes = append(l.volumes, disk{v, at})
			}
		}
		return err
	})
}

// eachAccount calls fn for each account and Region once, whatever locations name them.
func (l *look) eachAccount(ctx context.Context, fn func(context.Context, string, *ebs.Location) error) error {
	if l.Snapshots == nil {
		return nil
	}
	seen := map[string]bool{}
	for _, doc := range l.Snapshots.Config().VolumeSnapshotLocations {
		err := l.Snapshots.Ask(ctx, doc.Name, func(ctx context.Context, loc *ebs.Location) error {
			key := loc.Account() + "/" + loc.Region()
			if seen[key] {
				return nil
			}
			seen[key] = true
			return fn(ctx, doc.Name, loc)
		})
		if err := l.missed(ctx, "volume snapshot location "+doc.Name, err); err != nil {
			return err
		}
	}
	return nil
}

func (l *look) lookAtCluster(ctx context.Context) (err error) {
	if l.cluster != l.Cluster {
		return nil // there may be no such cluster any more
	}
	l.contents, err = l.Objects.Contents(ctx)
	if err := l.missedNames(ctx, "VolumeSnapshotContents", err); err != nil {
		return err
	}
	l.indexContents()
	l.volumeSnapshots, err = l.Objects.VolumeSnapshots(ctx)
	if err := l.missed(ctx, "VolumeSnapshots", err); err != nil {
		return err
	}
	l.attached, err = l.Objects.Volumes(ctx)
	if err := l.missed(ctx, "PersistentVolumes", err); err != nil {
		return err
	}
	if err := l.lookAtDrills(ctx); err != nil {
		return err
	}
	l.uid, err = l.Objects.ClusterUID(ctx)
	return l.missedNames(ctx, "the cluster's UID", err)
}

// indexContents makes the maps by which contents are found: a cluster may have as many as its
// account has snapshots, and each of those asks.
func (l *look) indexContents() {
	l.handles, l.held = make(map[string]string, len(l.contents)), map[string]bool{}
	for _, c := range l.contents {
		l.handles[c.Name] = c.Handle
		if c.Restore == "" {
			l.held[c.Handle] = true
		}
	}
}

func (l *look) lookAtPlaces(ctx context.Context) error {
	all, err := repository.AskAll(ctx, l.Locations, "", repository.PatienceOfPlan(l.dryRun), func(ctx context.Context, a repository.Answer[*place]) (*place, error) {
		p := &place{
			name: a.Location.Name, digest: repository.PlaceDigest(a.Location), st: a.Store, readOnly: a.Listing().ReadOnly,
			bucket: repository.PlaceText(a.Location),
		}
		if l.uid != "" {
			if err := l.Locations.CheckClusterName(ctx, a.Location, a.Store, l.uid); failure.TypeOf(err) != "" {
				p.alien = err.Error()
			} else if err != nil {
				return p, err
			}
		}
		return p, l.readPlace(ctx, p, a.Listing())
	})
	if err != nil {
		return err
	}
	for _, a := range all {
		if err := l.missedNames(ctx, "storage location "+a.Location.Name, a.Err); err != nil {
			return err
		}
		if a.Err == nil {
			l.addPlace(a.Value)
		}
	}
	return nil
}

// addPlace keeps one of several names of a place: that which may be written to.
func (l *look) addPlace(p *place) {
	i := slices.IndexFunc(l.places, func(o *place) bool { return o.digest == p.digest })
	switch {
	case i < 0:
		l.places = append(l.places, p)
	case l.places[i].readOnly:
		l.places[i] = p
	}
}

func (l *look) placeOf(digest string) *place {
	for _, p := range l.places {
		if p.digest == digest {
			return p
		}
	}
	return nil
}

// readPlace reads runs and deletions before backups.
func (l *look) readPlace(ctx context.Context, p *place, listing *repository.Listing) (err error) {
	if p.seen, err = beside.ReadSeen(ctx, p.st); err != nil {
		return err
	}
	if p.clusters, err = repository.ClusterNames(ctx, p.st); err != nil {
		return err
	}
	if err := l.readRuns(ctx, p); err != nil {
		return err
	}
	if p.deleting, err = beside.ReadTombstones(ctx, p.st); err != nil {
		return err
	}
	if p.holds, err = beside.ReadRetentions(ctx, p.st); err != nil {
		return err
	}
	if p.tries, err = beside.ReadDeletionTries(ctx, p.st); err != nil {
		return err
	}
	directories, err := p.st.Dirs(ctx, layout.BackupsDir)
	if err != nil {
		return err
	}
	for next := ""; ; {
		var page []repository.BackupEntry
		if page, next, err = listing.Page(ctx, next); err != nil {
			return err
		}
		p.backups = append(p.backups, page...)
		if next == "" {
			break
		}
	}
	p.missing = p.seen.Missing(p.backups, p.deleting)
	if err := p.readLoose(ctx, directories); err != nil {
		return err
	}
	p.uploads, err = p.st.Uploads(ctx, "")
	if errors.Is(err, store.ErrAccessDenied) || errors.Is(err, store.ErrUnsupported) {
		err = nil // Velero's policy does not have the action: none is found then
	}
	return err
}

func (l *look) readRuns(ctx context.Context, p *place) error {
	staged, err := repository.ListStagedRuns(ctx, p.st)
	if err != nil {
		return err
	}
	for _, s := range staged {
		r := run{StagedRun: s}
		if s.Run.WorkflowID != "" {
			r.ended, err = l.Runs.Closed(ctx, s.Run)
			if err != nil {
				r.doubt = err.Error()
			}
		}
		p.runs = append(p.runs, r)
	}
	return ctx.Err()
}

// readLoose looks at the directories that have no document, are written by no run and
// deleted by nobody.
func (p *place) readLoose(ctx context.Context, directories []string) error {
	busy := map[string]bool{}
	for _, b := range p.backups {
		busy[b.Name] = true
	}
	for _, r := range p.runs {
		busy[r.Backup] = true
	}
	for _, name := range directories {
		if busy[name] || p.deleting[name] != nil || archive.ValidateBackupName(name) != nil {
			continue
		}
		d, err := readDirectory(ctx, p.st, name)
		if errors.Is(err, store.ErrNotFound) {
			continue
		}
		if err != nil {
			return err
		}
		p.loose = append(p.loose, d)
	}
	return nil
}

// readDirectory looks at the files of a backup without a document; store.ErrNotFound if there
// are none, or there is a document by now.
func readDirectory(ctx context.Context, st store.Store, name string) (directory, error) {
	d, files := directory{name: name}, layout.Backup{Name: name}
	committed := false
	err := st.List(ctx, layout.BackupDir(name), func(i store.Info) error {
		committed = committed || i.Key == files.Metadata()
		d.ours = d.ours || i.Key == files.Index() || i.Key == files.Manifest()
		if i.Modified.After(d.written) {
			d.written = i.Modified
		}
		return nil
	})
	switch {
	case err != nil:
		return d, err
	case committed || d.written.IsZero():
		return d, store.ErrNotFound
	}
	m, err := repository.ReadManifest(ctx, st, name)
	if err == nil && m.Backup == name {
		d.cluster, d.uid = m.Cluster, m.UID
	}
	return d, ctx.Err()
}

// recordSeen remembers which backups each place has.
func (l *look) recordSeen(ctx context.Context) error {
	for _, p := range l.places {
		if p.readOnly {
			continue
		}
		if err := beside.RecordSeen(ctx, p.st, p.seen, p.backups, l.now); err != nil {
			return fmt.Errorf("storage location %s: remember its backups: %w", p.name, err)
		}
	}
	return nil
}

// clusterOnly is the one cluster that has worked in a place, "" if there are several.
func (p *place) clusterOnly() string {
	if len(p.clusters) == 1 {
		return p.clusters[0]
	}
	return ""
}

// hasRestore tells whether a restore of that name has files in progress: it goes on, or what it
// left goes with them.
func (p *place) hasRestore(name string) bool {
	return slices.ContainsFunc(p.runs, func(r run) bool { return r.Restore == name })
}

func (r *run) owner() contract.Orphan {
	return contract.Orphan{Cluster: r.Run.Cluster, Backup: r.Backup, Restore: r.Restore, UID: r.UID, Workflow: r.Run.WorkflowID, Since: r.Written, Binding: r.Binding}
}
