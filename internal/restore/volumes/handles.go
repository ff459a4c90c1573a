package volumes

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/lifeboat-backup/lifeboat/internal/resource"

	"github.com/lifeboat-backup/lifeboat/internal/aws/ebs"
	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/report"
	"github.com/lifeboat-backup/lifeboat/internal/restore"
	"github.com/lifeboat-backup/lifeboat/internal/volume"
)

// volume.DriverEBS is the CSI driver whose handles are ids of EBS snapshots.

// handles asks EC2 about the snapshots that the CSI driver of EBS is to find, so far
// as a configured location reaches the place where the driver looks: the region of the
// cluster's nodes. What EC2 cannot be asked, the driver itself is asked later, see
// probe.
func (p *volumePlanner) handles(ctx context.Context) error {
	asked := map[string][]*restore.Volume{}
	p.each(restore.WayCSI, func(v *restore.Volume) {
		switch s := v.Snapshot; {
		case s == nil || s.Driver != volume.DriverEBS:
		case !volume.IsEBSSnapshotID(s.Handle):
			p.refused.add(contract.ErrTypeInvalid, "claim %s: the backup gives it snapshot %q, which is no id of an EBS snapshot (snap-…); restore another backup", resource.ObjectName(v.Namespace, v.Claim), s.Handle)
		default:
			asked[s.Handle] = append(asked[s.Handle], v)
		}
	})
	if len(asked) == 0 || len(p.r.Config.VolumeSnapshotLocations) == 0 {
		return nil
	}
	nodes, err := p.nodes(ctx)
	if err != nil {
		return err
	}
	answer, err := p.ask(ctx, slices.Sorted(maps.Keys(asked)), nodeRegions(nodes))
	if err != nil {
		return err
	}
	for _, id := range slices.Sorted(maps.Keys(asked)) {
		for _, v := range asked[id] {
			p.judge(v, answer)
		}
	}
	if answer.causes != nil {
		p.reasons = append(p.reasons, report.New(report.SnapshotUnchecked,
			fmt.Sprintf("not every snapshot of claims could be looked up in EC2: %v", answer.causes)))
	}
	return nil
}

// ec2Answer is what the locations know of snapshots.
type ec2Answer struct {
	found  map[string]ebs.Snapshot
	where  string // the locations that answered
	whole  bool   // each location of the cluster's region has answered, and there is one
	causes error  // why some did not answer
}

// ask looks the ids up in every location that may know the cluster's snapshots. A
// location that cannot be asked is no error: it is not needed for the restore.
func (p *volumePlanner) ask(ctx context.Context, ids []string, regions map[string]bool) (ec2Answer, error) {
	a := ec2Answer{found: map[string]ebs.Snapshot{}}
	var asked []string
	for _, doc := range p.r.Config.VolumeSnapshotLocations {
		region, found, err := p.askOne(ctx, doc.Name, ids, regions)
		switch {
		case ctx.Err() != nil:
			return a, ctx.Err()
		case err != nil:
			a.causes = errors.Join(a.causes, fmt.Errorf("location %s: %w", doc.Name, err))
		case region != "":
			asked = append(asked, fmt.Sprintf("location %s, region %s", doc.Name, region))
		}
		for id, s := range found {
			a.found[id] = s
		}
	}
	a.where = strings.Join(asked, "; ")
	a.whole = len(asked) > 0 && len(regions) > 0 && a.causes == nil
	return a, nil
}

// askOne asks one location; region is "" if it is of another region than the nodes.
func (p *volumePlanner) askOne(ctx context.Context, name string, ids []string, regions map[string]bool) (region string, found map[string]ebs.Snapshot, err error) {
	_, loc, err := p.r.Snapshots.Get(ctx, name)
	if err != nil {
		return "", nil, err
	}
	if len(regions) > 0 && !regions[loc.Region()] {
		return "", nil, nil
	}
	found, err = loc.Snapshots(ctx, ids)
	return loc.Region(), found, err
}

// judge refuses a claim whose snapshot EC2 knows to be unfit or, where all that the
// driver may see was searched, to be missing.
func (p *volumePlanner) judge(v *restore.Volume, a ec2Answer) {
	s, found := a.found[v.Snapshot.Handle]
	if !found && !a.whole {
		return
	}
	v.Snapshot.Known = true
	pv := p.facts.volumes[v.PV]
	kind, text := snapshotSource{disk: volume.EBSID(&pv)}.unfit(s, found)
	if text != "" {
		p.refused.add(kind, "claim %s: snapshot %s (%s) %s", resource.ObjectName(v.Namespace, v.Claim), v.Snapshot.Handle, a.where, text)
	}
}
