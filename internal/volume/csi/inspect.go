package csi

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"

	"github.com/lifeboat-backup/lifeboat/internal/aws/ebs"
	"github.com/lifeboat-backup/lifeboat/internal/kube"
	"github.com/lifeboat-backup/lifeboat/internal/volume"
	"github.com/lifeboat-backup/lifeboat/internal/volume/location"
)

// Inspector looks the snapshots of EBS's CSI drivers up in EC2. Those of other drivers nobody
// but the driver knows, and no driver is asked: that would make objects in the cluster. It
// implements volume.Inspector.
type Inspector struct {
	Kube      *kube.Client
	Locations *location.Set
}

// Inspect asks every location of the Regions that the cluster's nodes are in, for there the
// driver looks. A snapshot is absent only where each of them has answered.
func (i *Inspector) Inspect(ctx context.Context, owner volume.Owner, refs []volume.Ref) ([]volume.Inspection, error) {
	out := make([]volume.Inspection, len(refs))
	var ids []string
	for at, ref := range refs {
		c, ok := ref.(volume.CSIRef)
		switch {
		case !ok:
			return nil, fmt.Errorf("%s: not a snapshot of method %s", ref, volume.MethodCSI)
		case !volume.IsEBSDriver(c.Driver):
			out[at] = volume.Inspection{Presence: volume.Unchecked, Reason: "is known to its driver only"}
		case !volume.IsEBSSnapshotID(c.Handle):
			out[at] = volume.Inspection{Presence: volume.Unfit, Reason: "has no id of an EBS snapshot (snap-…)"}
		default:
			ids = append(ids, c.Handle)
		}
	}
	if len(ids) == 0 {
		return out, nil
	}
	answer, err := i.ask(ctx, ids)
	if err != nil {
		return nil, err
	}
	for at, ref := range refs {
		if out[at].Presence == "" {
			out[at] = answer.inspect(owner, ref.(volume.CSIRef).Handle) //nolint:forcetypeassert // looked at above
		}
	}
	return out, nil
}

func (i *Inspector) ask(ctx context.Context, ids []string) (ec2Answer, error) {
	if len(i.Locations.Config().VolumeSnapshotLocations) == 0 {
		return ec2Answer{}, nil
	}
	var nodes []corev1.Node
	err := kube.List(ctx, i.Kube, kube.Nodes(), "", "", func(n corev1.Node) error {
		nodes = append(nodes, n)
		return nil
	})
	if err != nil {
		return ec2Answer{}, fmt.Errorf("list nodes: %w", err)
	}
	return askLocations(ctx, i.Locations, ids, regionsOf(nodes))
}

// inspect tells of one snapshot. Where it has the tags that a backup gives to a driver's
// snapshots, they have to be this one's.
func (a ec2Answer) inspect(owner volume.Owner, id string) volume.Inspection {
	s, found := a.found[id]
	if of := s.Tags[ebs.TagDriverBackupUID]; of != "" && owner.UID != "" && of != owner.UID {
		return volume.Inspection{Presence: volume.Unfit, Reason: fmt.Sprintf("is tagged as one of backup %s (uid %s)", s.Tags[ebs.TagBackup], of)}
	}
	if found || a.whole {
		out := location.SnapshotSource{}.Inspect(s, found)
		out.EBS.Location = a.at[id]
		return out
	}
	reason := "was not looked up in EC2: no volumeSnapshotLocation of the cluster's Region is configured"
	if a.causes != nil {
		reason = fmt.Sprintf("could not be looked up in EC2: %v", a.causes)
	}
	return volume.Inspection{Presence: volume.Unchecked, Reason: reason}
}
