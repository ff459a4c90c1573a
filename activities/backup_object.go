package activities

import (
	"errors"
	"fmt"
	"time"

	"k8s.io/apimachinery/pkg/util/json"

	"github.com/lifeboat-backup/lifeboat/internal/archive"
	"github.com/lifeboat-backup/lifeboat/internal/kube"
	"github.com/lifeboat-backup/lifeboat/internal/report"
	"github.com/lifeboat-backup/lifeboat/internal/resource"
)

// chunkNotes is what is remembered beside a staged chunk until the backup is
// sealed. It grows with a chunk, never with the cluster.
type chunkNotes struct {
	Chunk   archive.ChunkRef `json:"chunk"`
	Staged  time.Time        `json:"staged"`
	Reasons []report.Reason  `json:"reasons,omitempty"`
	Related []resource.Ref   `json:"related,omitempty"`

	seen map[resource.Ref]bool
}

func newChunkNotes() *chunkNotes { return &chunkNotes{seen: map[resource.Ref]bool{}} }

func (n *chunkNotes) empty() bool { return len(n.Reasons)+len(n.Related) == 0 }

func (n *chunkNotes) reason(r report.Reason) { n.Reasons = append(n.Reasons, r) }

func (n *chunkNotes) relate(refs ...resource.Ref) {
	for _, r := range refs {
		if !n.seen[r] {
			n.seen[r] = true
			n.Related = append(n.Related, r)
		}
	}
}

// add puts one object into the archive. Only kinds that need it are decoded.
func (e *export) add(r kube.Resource, it kube.Item) error {
	gr, body := r.GroupResource(), it.Raw
	if e.b.Rules.NeedsDecode(gr) && (e.o.plan.Related || e.b.Rules.Rewrites(gr)) {
		var err error
		if body, err = e.decoded(gr, it.Raw); err != nil {
			e.note.reason(report.New(report.ObjectInvalid, err.Error()).At(gr, it.Namespace, it.Name))
			return nil
		}
	} else if e.o.plan.Related {
		e.note.relate(e.b.Rules.ByName(gr, it.Namespace, it.Name)...)
	}
	if e.o.plan.Related && it.Namespace != "" {
		e.note.relate(resource.Ref{Resource: "namespaces", Name: it.Namespace})
	}
	err := e.w.Add(archive.Key{Resource: gr, Version: r.Version, Namespace: it.Namespace, Name: it.Name}, body)
	if errors.Is(err, archive.ErrKey) || errors.Is(err, archive.ErrTooLarge) {
		e.note.reason(report.New(report.ObjectInvalid, err.Error()).At(gr, it.Namespace, it.Name))
		return nil
	}
	e.recorder.Count(1, 0)
	return err
}

// decoded applies the kind's backup rule, notes references, and
// returns the bytes to store: those of the server where nothing was changed.
func (e *export) decoded(gr string, raw []byte) ([]byte, error) {
	var obj map[string]any
	if err := json.Unmarshal(raw, &obj); err != nil {
		return nil, fmt.Errorf("decode: %w", err)
	}
	changed, related := e.b.Rules.Backup(gr, obj)
	if gr == resource.PersistentVolumeClaims {
		changed = e.markClaim(obj) || changed
	}
	if e.o.plan.Related {
		e.note.relate(related...)
	}
	if !changed {
		return raw, nil
	}
	return json.Marshal(obj)
}

// markClaim says on a claim which VolumeSnapshot holds its data, as Velero does.
func (e *export) markClaim(obj map[string]any) bool {
	meta, _ := obj["metadata"].(map[string]any)
	snapshot := e.snapshots[kube.ObjectName(kube.StringOf(meta["namespace"]), kube.StringOf(meta["name"]))]
	if snapshot == "" {
		return false
	}
	resource.MarkClaim(obj, snapshot, e.o.plan.Backup.Name)
	return true
}
