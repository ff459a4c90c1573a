package native

import (
	"context"
	"fmt"

	"github.com/lifeboat-backup/lifeboat/internal/aws/ebs"
	"github.com/lifeboat-backup/lifeboat/internal/volume"
	"github.com/lifeboat-backup/lifeboat/internal/volume/location"
)

// Inspector looks EBS snapshots up in the VolumeSnapshotLocations that backups name. It
// implements volume.Inspector.
type Inspector struct{ Locations *location.Set }

// Inspect asks each location once. One that is not configured, or whose credentials may not
// look, leaves its snapshots unchecked.
func (i *Inspector) Inspect(ctx context.Context, owner volume.Owner, refs []volume.Ref) ([]volume.Inspection, error) {
	out, ids := make([]volume.Inspection, len(refs)), map[string][]string{}
	for _, ref := range refs {
		n, ok := ref.(volume.NativeRef)
		if !ok {
			return nil, wrongRef(ref)
		}
		ids[n.Location] = append(ids[n.Location], n.ID)
	}
	for name, asked := range ids {
		found, why, err := i.look(ctx, name, asked)
		if err != nil {
			return nil, err
		}
		for at, ref := range refs {
			if n := ref.(volume.NativeRef); n.Location == name { //nolint:forcetypeassert // looked at above
				out[at] = judge(n, owner, found, why)
			}
		}
	}
	return out, nil
}

// look finds snapshots of one location; why says why it cannot be asked.
func (i *Inspector) look(ctx context.Context, name string, ids []string) (found map[string]ebs.Snapshot, why string, err error) {
	if _, err := i.Locations.Find(name); err != nil {
		return nil, fmt.Sprintf("is in snapshot location %q, which this worker does not know", name), nil //nolint:nilerr // the text says it
	}
	_, loc, err := i.Locations.Get(ctx, name)
	if err == nil {
		found, err = loc.Snapshots(ctx, ids)
	}
	if err != nil && ebs.IsPermanent(err) {
		return nil, fmt.Sprintf("is in snapshot location %s, which cannot be asked: %v", name, err), nil
	}
	if err != nil {
		return nil, "", fmt.Errorf("look snapshots up in location %s: %w", name, err)
	}
	return found, "", nil
}

func judge(n volume.NativeRef, owner volume.Owner, found map[string]ebs.Snapshot, why string) volume.Inspection {
	if why != "" {
		return volume.Inspection{Presence: volume.Unchecked, Reason: why}
	}
	s, there := found[n.ID]
	out := location.SnapshotSource{Backup: owner.Name, PV: n.PV}.Inspect(s, there)
	out.EBS.Location = n.Location
	return out
}
