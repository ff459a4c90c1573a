package export

import (
	"errors"
	"fmt"

	"k8s.io/apimachinery/pkg/util/json"

	"github.com/lifeboat-backup/lifeboat/internal/archive"
	"github.com/lifeboat-backup/lifeboat/internal/kube"
	"github.com/lifeboat-backup/lifeboat/internal/report"
	"github.com/lifeboat-backup/lifeboat/internal/resource"
)

// addObject puts one object into the archive. Only objects of kinds that need it are
// decoded, because that costs more than all else. One that cannot be archived is a reason.
func (e *shardExport) addObject(r kube.Resource, it kube.Item) error {
	gr, body := r.GroupResource(), it.Raw
	if e.service.Rules.NeedsDecode(gr) && (e.Run.Plan.Related || e.service.Rules.Rewrites(gr)) {
		var err error
		if body, err = e.decodeAndChange(gr, it.Raw); err != nil {
			e.Notes.AddReason(report.New(report.ObjectInvalid, err.Error()).At(gr, it.Namespace, it.Name))
			return nil
		}
	} else if e.Run.Plan.Related {
		e.Notes.AddRelated(e.service.Rules.ByName(gr, it.Namespace, it.Name)...)
	}
	if e.Run.Plan.Related && it.Namespace != "" {
		e.Notes.AddRelated(resource.Ref{Resource: "namespaces", Name: it.Namespace})
	}
	err := e.Writer.AddChanged(archive.Key{Resource: gr, Version: r.Version, Namespace: it.Namespace, Name: it.Name}, body, it.Raw)
	if errors.Is(err, archive.ErrKey) || errors.Is(err, archive.ErrTooLarge) {
		e.Notes.AddReason(report.New(report.ObjectInvalid, err.Error()).At(gr, it.Namespace, it.Name))
		return nil
	}
	e.Recorder.Count(1, 0)
	return err
}

// decodeAndChange applies the backup rule of the object's kind, remembers what it refers to,
// and returns the bytes to store: those of the server, unless something was changed.
func (e *shardExport) decodeAndChange(gr string, raw []byte) ([]byte, error) {
	var obj map[string]any
	if err := json.Unmarshal(raw, &obj); err != nil {
		return nil, fmt.Errorf("decode: %w", err)
	}
	changed, related := e.service.Rules.Backup(gr, obj)
	if gr == resource.PersistentVolumeClaims {
		changed = e.markClaim(obj) || changed
	}
	if e.Run.Plan.Related {
		e.Notes.AddRelated(related...)
	}
	if !changed {
		return raw, nil
	}
	return json.Marshal(obj)
}

// markClaim writes on a claim which VolumeSnapshot holds its data, as Velero does. It reports
// whether there is one.
func (e *shardExport) markClaim(obj map[string]any) bool {
	meta, _ := obj["metadata"].(map[string]any)
	snapshot := e.snapshots[resource.ObjectName(resource.StringOf(meta["namespace"]), resource.StringOf(meta["name"]))]
	if snapshot == "" {
		return false
	}
	resource.MarkClaim(obj, snapshot, e.Run.Plan.Backup.Name)
	return true
}
