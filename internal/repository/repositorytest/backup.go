package repositorytest

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	velerov1 "github.com/vmware-tanzu/velero/pkg/apis/velero/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/lifeboat-backup/lifeboat/internal/archive"
	"github.com/lifeboat-backup/lifeboat/internal/archive/layout"
	"github.com/lifeboat-backup/lifeboat/internal/repository"
	"github.com/lifeboat-backup/lifeboat/internal/store/memstore"
)

// Backup is one of ours, of cluster "prod" unless it says another.
type Backup struct {
	Name, UID, Cluster, Schedule string
	Started                      time.Time
	Objects                      []Object
}

// Object is an object as it is stored.
type Object struct {
	archive.Key
	Body string
}

// Commit stores a backup that is complete: archive, manifest and document.
func Commit(ctx context.Context, st *memstore.Store, b Backup) error {
	assembly, err := stageObjects(ctx, st, b)
	if err != nil {
		return err
	}
	files := layout.Backup{Name: b.Name}
	if err := repository.Compose(ctx, st, files.Tarball(), assembly.Tarball); err != nil {
		return err
	}
	if err := repository.Compose(ctx, st, files.Index(), assembly.Index); err != nil {
		return err
	}
	if b.Cluster == "" {
		b.Cluster = "prod"
	}
	m, err := archive.EncodeManifest(archive.Manifest{
		Backup: b.Name, UID: b.UID, Cluster: b.Cluster, Created: b.Started,
		Files: assembly.Files(files), Directory: assembly.Directory, Totals: assembly.Totals,
	})
	if err != nil {
		return err
	}
	st.Set(files.Manifest(), m)
	doc, err := json.Marshal(Document(b))
	st.Set(files.Metadata(), doc)
	return err
}

// Document is the Backup document of b.
func Document(b Backup) *velerov1.Backup {
	at := metav1.NewTime(b.Started)
	doc := &velerov1.Backup{
		ObjectMeta: metav1.ObjectMeta{Name: b.Name, UID: types.UID(b.UID), CreationTimestamp: at, Annotations: map[string]string{repository.AnnotationUID: b.UID}},
		Status:     velerov1.BackupStatus{Phase: velerov1.BackupPhaseCompleted, StartTimestamp: &at, CompletionTimestamp: &at},
	}
	if b.Schedule != "" {
		doc.Labels = map[string]string{velerov1.ScheduleNameLabel: b.Schedule}
	}
	return doc
}

func stageObjects(ctx context.Context, st *memstore.Store, b Backup) (archive.Assembly, error) {
	refs, err := Stage(ctx, st, b.UID, b.Started, b.Objects)
	if err != nil {
		return archive.Assembly{}, err
	}
	return archive.Assemble(refs, b.Started)
}

// Stage stages objects as an export does.
func Stage(ctx context.Context, st *memstore.Store, uid string, started time.Time, objects []Object) ([]archive.ChunkRef, error) {
	var refs []archive.ChunkRef
	w := archive.NewWriter(archive.DefaultLimits(), started, func(c archive.Chunk) error {
		key := repository.NewStaging(st, uid).Key(repository.ChunkFile(0, len(refs), ""))
		st.Set(key, append([]byte{}, c.Staged...))
		refs = append(refs, c.Ref(key))
		return nil
	})
	for _, o := range objects {
		if err := w.Add(o.Key, []byte(o.Body)); err != nil {
			return nil, fmt.Errorf("stage %s: %w", o.Key, err)
		}
	}
	return refs, w.Flush()
}
