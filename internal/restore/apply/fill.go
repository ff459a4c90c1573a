package apply

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/lifeboat-backup/lifeboat/internal/kube"
	"github.com/lifeboat-backup/lifeboat/internal/resource"
	"github.com/lifeboat-backup/lifeboat/internal/restore"
)

// fill makes the snapshot that a claim is filled from, just before the claim: a content
// that stands for the snapshot at the provider, and a VolumeSnapshot bound to it. Their
// names derive from the restore's uid: a repeat finds them. They stay, as with Velero.
func (a *applier) fill(ctx context.Context, it *item) error {
	if it.entry.Resource != resource.PersistentVolumeClaims {
		return nil
	}
	v := a.s.Index.Claims[resource.ObjectName(it.entry.Namespace, it.entry.Name)]
	if v == nil || !v.Selected || v.Way != restore.WayCSI {
		return nil
	}
	for _, o := range []struct {
		res kube.Resource
		ns  string
		obj any
	}{
		{kube.VolumeSnapshotContents(), "", a.s.Content(v)},
		{kube.VolumeSnapshots(), it.ns, a.s.Snapshot(v)},
	} {
		body, err := json.Marshal(o.obj)
		if err != nil {
			return fmt.Errorf("encode %s: %w", o.res.GroupResource(), err)
		}
		if _, err := a.createIn(ctx, o.res, it.entry.Namespace, o.ns, body); err != nil && !kube.IsAlreadyExists(err) {
			return err
		}
	}
	return nil
}
