package csi

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/lifeboat-backup/lifeboat/internal/aws/ebs"
	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/report"
	"github.com/lifeboat-backup/lifeboat/internal/volume"
	"github.com/lifeboat-backup/lifeboat/internal/volume/location"
)

// checkHandles asks EC2 about the snapshots that the CSI driver of EBS is to find, so far
// as a configured location reaches the place where the driver looks: the region of the
// cluster's nodes. What EC2 cannot be asked, Probe asks the driver itself.
func (c *checker) checkHandles(ctx context.Context, all []*volume.Restore) error {
	asked := c.handlesInEC2(all)
	if len(asked) == 0 || c.Locations == nil || len(c.Locations.Config().VolumeSnapshotLocations) == 0 {
		return nil
	}
	nodes, err := c.view.Nodes(ctx)
	if err != nil {
		return err
	}
	answer, err := askLocations(ctx, c.Locations, slices.Sorted(maps.Keys(asked)), regionsOf(nodes))
	if err != nil {
		return err
	}
	for _, id := range slices.Sorted(maps.Keys(asked)) {
		for _, v := range asked[id] {
			c.judgeSnapshot(v, answer)
		}
	}
	if answer.causes != nil {
		c.Reasons = append(c.Reasons, report.New(report.SnapshotUnchecked,
			fmt.Sprintf("not every snapshot of claims could be looked up in EC2: %v", answer.causes)))
	}
	return nil
}

// handlesInEC2 are the volumes whose snapshots EC2 knows, by the snapshots' ids.
func (c *checker) handlesInEC2(all []*volume.Restore) map[string][]*volume.Restore {
	out := map[string][]*volume.Restore{}
	for _, v := range all {
		switch s := v.Snapshot; {
		case s == nil || !volume.IsEBSDriver(s.Driver):
		case !volume.IsEBSSnapshotID(s.Handle):
			c.Refuse(contract.ErrTypeInvalid, "claim %s: the backup gives it snapshot %q, which is no id of an EBS snapshot (snap-…); restore another backup", v.ClaimKey(), s.Handle)
		default:
			out[s.Handle] = append(out[s.Handle], v)
		}
	}
	return out
}

// ec2Answer is what the locations know of snapshots.
type ec2Answer struct {
	found  map[string]ebs.Snapshot
	at     map[string]string // the location that has each
	where  string            // the locations that answered
	whole  bool              // each location of the cluster's region has answered, and there is one
	causes error             // why some did not answer
}

// askLocations looks the ids up in every location that may know the cluster's snapshots. A
// location that cannot be asked is no error: it is not needed for the restore.
func askLocations(ctx context.Context, locations *location.Set, ids []string, regions map[string]bool) (ec2Answer, error) {
	a := ec2Answer{found: map[string]ebs.Snapshot{}, at: map[string]string{}}
	var asked []string
	unheard, err := locations.AskEach(ctx, func(ctx context.Context, name string, loc *ebs.Location) (bool, error) {
		if len(regions) > 0 && !regions[loc.Region()] {
			return false, nil // the nodes are in another one
		}
		found, err := loc.Snapshots(ctx, ids)
		for id, s := range found {
			a.found[id], a.at[id] = s, name
		}
		if err == nil {
			asked = append(asked, fmt.Sprintf("location %s, region %s", name, loc.Region()))
		}
		return false, err
	})
	if err != nil {
		return a, err
	}
	for _, u := range unheard {
		a.causes = errors.Join(a.causes, fmt.Errorf("location %s: %w", u.Location, u.Err))
	}
	a.where = strings.Join(asked, "; ")
	a.whole = len(asked) > 0 && len(regions) > 0 && a.causes == nil
	return a, nil
}

// judgeSnapshot refuses a claim whose snapshot EC2 knows to be unfit or, where all that the
// driver may see was searched, to be missing.
func (c *checker) judgeSnapshot(v *volume.Restore, a ec2Answer) {
	s, found := a.found[v.Snapshot.Handle]
	if !found && !a.whole {
		return
	}
	v.Snapshot.Known = true
	pv := c.view.Facts.Volumes[v.PV]
	kind, text := location.SnapshotSource{Disk: volume.EBSID(&pv)}.WhyUnfit(s, found)
	if text != "" {
		c.Refuse(kind, "claim %s: snapshot %s (%s) %s", v.ClaimKey(), v.Snapshot.Handle, a.where, text)
	}
}

// regionsOf are the regions that the nodes say they are in.
func regionsOf(nodes []corev1.Node) map[string]bool {
	regions := map[string]bool{}
	for _, n := range nodes {
		if region := cmp.Or(n.Labels[corev1.LabelTopologyRegion], n.Labels[corev1.LabelFailureDomainBetaRegion]); region != "" {
			regions[region] = true
		}
	}
	return regions
}
