package orphan

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"sync"

	"github.com/lifeboat-backup/lifeboat/internal/archive"
	"github.com/lifeboat-backup/lifeboat/internal/archive/layout"
	"github.com/lifeboat-backup/lifeboat/internal/aws/ebs"
	"github.com/lifeboat-backup/lifeboat/internal/parallel"
	"github.com/lifeboat-backup/lifeboat/internal/repository"
	"github.com/lifeboat-backup/lifeboat/internal/store"
	"github.com/lifeboat-backup/lifeboat/internal/volume"
)

// readsAtOnce is how many backups are read at the same time.
const readsAtOnce = 16

// names is what names snapshots.
type names struct {
	// runs are the UIDs of runs and deletions in progress, with what they are.
	runs map[string]string
	// backups are the committed ones by UID, snapshots those that they name.
	backups   map[string]*owner
	snapshots map[string]*owner
	// doubts are backups that could not be read, by name, with the reason.
	doubts map[string]string
}

// owner is a backup that names snapshots.
type owner struct {
	repository.BackupEntry
	at      *place
	cluster string
	volumes map[string]string // by snapshot
}

// whole is what a backup names. It never changes, since nothing of a committed backup is
// written again.
type whole struct {
	cluster string
	volumes map[string]string // the PersistentVolume or the claim, by snapshot
}

// readNames reads of every backup with snapshots which ones they are.
func (l *look) readNames(ctx context.Context) error {
	l.names = names{runs: map[string]string{}, backups: map[string]*owner{}, snapshots: map[string]*owner{}, doubts: map[string]string{}}
	var all []*owner
	for _, p := range l.places {
		l.nameRuns(p)
		for _, b := range p.backups {
			all = append(all, &owner{BackupEntry: b, at: p})
		}
	}
	var mu sync.Mutex
	return parallel.ForEach(ctx, readsAtOnce, all, func(ctx context.Context, o *owner) error {
		w, err := l.readWhole(ctx, o)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		mu.Lock()
		defer mu.Unlock()
		if err != nil {
			l.names.doubts[o.Name] = fmt.Sprintf("backup %s in storage location %s cannot be read and may name it: %v", o.Name, o.at.name, err)
		}
		o.cluster, o.volumes = w.cluster, w.volumes
		l.names.backups[o.UID] = o
		for id := range w.volumes {
			l.names.snapshots[id] = o
		}
		return nil
	})
}

// nameRuns names what is in progress, and what waits to be cleaned up.
func (l *look) nameRuns(p *place) {
	for _, r := range p.runs {
		text := "run " + r.Run.WorkflowID
		if r.ended {
			text += ", which has ended without cleaning up"
		}
		l.names.runs[r.UID] = text
		if r.UID == "" {
			l.names.doubts[r.Backup] = fmt.Sprintf("the name lock of backup %s in storage location %s cannot be read", r.Backup, p.name)
		}
	}
	for name, t := range p.deleting {
		if !p.hasBackup(t.UID) { // else the backup names what is its own
			l.names.runs[t.UID] = "the deletion of backup " + name
		}
		for _, handle := range t.Snapshots.Handles() {
			l.names.runs[handle] = "the deletion of backup " + name
		}
	}
}

func (p *place) hasBackup(uid string) bool {
	return slices.ContainsFunc(p.backups, func(b repository.BackupEntry) bool { return b.UID == uid })
}

// readWhole reads which snapshots a backup names. One of Velero's names none that could be
// taken for ours.
func (c *Collector) readWhole(ctx context.Context, o *owner) (whole, error) {
	switch {
	case o.UID == "":
		return whole{}, fmt.Errorf("its document: %w", archive.ErrCorrupt)
	case !o.Ours:
		return readVolumes(ctx, o.at.st, archive.Manifest{}, o.Name)
	}
	key := o.at.digest + "/" + o.UID
	if known, ok := c.handles.Load(key); ok {
		return known.(whole), nil
	}
	m, err := repository.ReadManifest(ctx, o.at.st, o.Name)
	if err != nil {
		return whole{}, err
	}
	if m.UID != o.UID {
		return whole{}, fmt.Errorf("its manifest is of another backup: %w", archive.ErrCorrupt)
	}
	w, err := readVolumes(ctx, o.at.st, m, o.Name)
	if err == nil {
		c.handles.Store(key, w)
	}
	return w, err
}

// readVolumes reads the file that tells of the backup's volumes.
func readVolumes(ctx context.Context, st store.Store, m archive.Manifest, name string) (whole, error) {
	w := whole{cluster: m.Cluster, volumes: map[string]string{}}
	err := repository.EachEntry(ctx, st, m, layout.Backup{Name: name}.VolumeInfo(), func(i volume.Info) {
		of := i.PVName
		if i.PVCName != "" {
			of = i.PVCNamespace + "/" + i.PVCName
		}
		for _, handle := range i.SnapshotHandles() {
			w.volumes[handle] = of
		}
	})
	return w, err
}

// namedLikeOurs are the VolumeSnapshots that a backup of Lifeboat makes: Velero's end in five
// characters, and what people make has no such name by chance.
var namedLikeOurs = regexp.MustCompile(`^velero-.+-[0-9a-f]{8}$`)

// isOurs tells a snapshot that Lifeboat asked for: itself, or by a VolumeSnapshot.
func isOurs(s ebs.Snapshot) bool {
	return s.BackupUID() != "" || namedLikeOurs.MatchString(s.Tags[ebs.TagSnapshotName])
}

// of says what names a snapshot, "" for nothing.
func (n *names) of(s ebs.Snapshot) string {
	if o := n.snapshots[s.ID]; o != nil {
		return "backup " + o.Name
	}
	if text := n.runs[s.ID]; text != "" {
		return text
	}
	if uid := s.BackupUID(); uid != "" {
		return n.runs[uid]
	}
	return ""
}

// doubt says why a snapshot may be named by what could not be read, "" for nothing.
func (n *names) doubt(s ebs.Snapshot) string {
	if name := s.Tags[ebs.TagBackup]; name != "" {
		return n.doubts[name]
	}
	for _, why := range n.doubts { // a driver's tags do not tell the backup
		return why
	}
	return ""
}
