package activities

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/util/json"

	"github.com/lifeboat-backup/lifeboat/internal/archive"
	"github.com/lifeboat-backup/lifeboat/internal/filter"
	"github.com/lifeboat-backup/lifeboat/internal/kube"
	"github.com/lifeboat-backup/lifeboat/internal/report"
	"github.com/lifeboat-backup/lifeboat/internal/resource"
)

const excludeLabel = filter.ExcludeLabel

// chunkNotes is what is remembered beside a staged chunk until the backup is
// sealed. It grows with a chunk, never with the cluster.
type chunkNotes struct {
	Chunk   archive.ChunkRef `json:"chunk"`
	Staged  time.Time        `json:"staged"`
	Reasons []report.Reason  `json:"reasons,omitempty"`
	Related []resource.Ref   `json:"related,omitempty"`
	Volumes []volumeNote     `json:"volumes,omitempty"`

	seen map[resource.Ref]bool
}

// volumeNote is what volumeinfo has to say of one claim or volume.
type volumeNote struct {
	PVCNamespace  string            `json:"pvcNamespace,omitempty"`
	PVCName       string            `json:"pvcName,omitempty"`
	PV            string            `json:"pv"`
	ReclaimPolicy string            `json:"reclaimPolicy,omitempty"`
	Labels        map[string]string `json:"labels,omitempty"`
}

func newChunkNotes() *chunkNotes { return &chunkNotes{seen: map[resource.Ref]bool{}} }

func (n *chunkNotes) empty() bool { return len(n.Reasons)+len(n.Related)+len(n.Volumes) == 0 }

func (n *chunkNotes) reason(r report.Reason) { n.Reasons = append(n.Reasons, r) }

func (n *chunkNotes) relate(refs ...resource.Ref) {
	for _, r := range refs {
		if !n.seen[r] {
			n.seen[r] = true
			n.Related = append(n.Related, r)
		}
	}
}

func chunkName(shard, chunk int) string { return fmt.Sprintf("shard-%05d/chunk-%05d", shard, chunk) }
func notesName(shard, chunk int) string { return chunkName(shard, chunk) + ".json" }

// add puts one object into the archive. Only kinds that need it are decoded.
func (e *export) add(r kube.Resource, it kube.Item) error {
	gr, body := r.GroupResource(), it.Raw
	if e.b.Rules.NeedsDecode(gr) && (e.o.plan.Related || e.b.Rules.Rewrites(gr) || gr == pvResource) {
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
	e.pulse.Count(1, 0)
	return err
}

// decoded applies the kind's backup rule, notes references and volumes, and
// returns the bytes to store: those of the server where nothing was changed.
func (e *export) decoded(gr string, raw []byte) ([]byte, error) {
	var obj map[string]any
	if err := json.Unmarshal(raw, &obj); err != nil {
		return nil, fmt.Errorf("decode: %w", err)
	}
	if v, ok := volumeOf(gr, obj); ok {
		e.note.Volumes = append(e.note.Volumes, v)
	}
	changed, related := e.b.Rules.Backup(gr, obj)
	if e.o.plan.Related {
		e.note.relate(related...)
	}
	if !changed {
		return raw, nil
	}
	return json.Marshal(obj)
}

const (
	pvResource  = "persistentvolumes"
	pvcResource = "persistentvolumeclaims"
)

func volumeOf(gr string, obj map[string]any) (volumeNote, bool) {
	spec, _ := obj["spec"].(map[string]any)
	meta, _ := obj["metadata"].(map[string]any)
	switch gr {
	case pvResource:
		v := volumeNote{PV: text(meta["name"]), ReclaimPolicy: text(spec["persistentVolumeReclaimPolicy"])}
		v.Labels = stringMap(meta["labels"])
		return v, true
	case pvcResource:
		v := volumeNote{PV: text(spec["volumeName"]), PVCName: text(meta["name"]), PVCNamespace: text(meta["namespace"])}
		return v, v.PV != ""
	}
	return volumeNote{}, false
}

func text(v any) string {
	s, _ := v.(string)
	return s
}

func stringMap(v any) map[string]string {
	m, _ := v.(map[string]any)
	out := make(map[string]string, len(m))
	for k, v := range m {
		out[k] = text(v)
	}
	return out
}

func objectName(ns, name string) string {
	if ns == "" {
		return name
	}
	return ns + "/" + name
}

// splitName cuts "namespace/name"; a name alone is cluster-scoped.
func splitName(s string) (ns, name string) {
	if ns, name, ok := strings.Cut(s, "/"); ok {
		return ns, name
	}
	return "", s
}
