package catalog

import (
	"context"
	"time"

	velerov1 "github.com/vmware-tanzu/velero/pkg/apis/velero/v1"

	"github.com/lifeboat-backup/lifeboat/internal/aws/ebs"
	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/failure"
)

// snapshotCheckTimeout bounds a check: throttling is waited out, and the read itself
// ends after one minute.
const snapshotCheckTimeout = 45 * time.Second

func (c *Reader) snapshotLocations(_ context.Context, in contract.ReadInput) (contract.ReadResult, error) {
	var res contract.ReadResult
	for i := range c.Config.VolumeSnapshotLocations {
		if l := &c.Config.VolumeSnapshotLocations[i]; in.Name == "" || in.Name == l.Name {
			res.SnapshotLocations = append(res.SnapshotLocations, snapshotLocationRow(l))
		}
	}
	if in.Name != "" && len(res.SnapshotLocations) == 0 {
		_, err := c.Snapshots.Find(in.Name)
		return res, failure.NotFound("name: %w", err)
	}
	return res, nil
}

func snapshotLocationRow(l *velerov1.VolumeSnapshotLocation) contract.SnapshotLocationStatus {
	return contract.SnapshotLocationStatus{
		Name: l.Name, Provider: l.Spec.Provider, Region: l.Spec.Config["region"], KMSKey: l.Spec.Config["ebsKmsKeyId"],
	}
}

// checkSnapshotLocation asks AWS who the location's credentials are, and makes every
// call that only reads. It makes nothing and deletes nothing.
func (c *Reader) checkSnapshotLocation(ctx context.Context, in contract.ReadInput) (contract.ReadResult, error) {
	doc, err := c.Snapshots.Find(in.Name)
	if err != nil {
		return contract.ReadResult{}, failure.NotFound("name: %w", err)
	}
	row := snapshotLocationRow(doc)
	limited, cancel := context.WithTimeout(ctx, snapshotCheckTimeout)
	defer cancel()
	_, loc, err := c.Snapshots.Get(limited, in.Name)
	if err == nil {
		row.Account, row.Identity, err = loc.Identity(limited)
	}
	row.Phase = string(velerov1.VolumeSnapshotLocationPhaseAvailable)
	if err != nil {
		row.Phase, row.Message = string(velerov1.VolumeSnapshotLocationPhaseUnavailable), err.Error()
	} else {
		probeSnapshotLocation(limited, loc, &row)
	}
	return contract.ReadResult{SnapshotLocations: []contract.SnapshotLocationStatus{row}}, ctx.Err()
}

// snapshotProbe is one call of a check, named as IAM names it.
type snapshotProbe struct {
	action, consequence string
	try                 func(context.Context) error
}

// snapshotProbes are the calls that only read.
func snapshotProbes(loc *ebs.Location) []snapshotProbe {
	nothing := map[string]string{ebs.TagBackupUID: "check"} // that nothing carries: the answer is short
	return []snapshotProbe{
		{"ec2:DescribeVolumes", "volumes cannot be snapshotted", func(ctx context.Context) error {
			_, err := loc.VolumesTagged(ctx, nothing)
			return err
		}},
		{"ec2:DescribeSnapshots", "snapshots can neither be taken nor restored: they are looked for before and after", func(ctx context.Context) error {
			_, err := loc.Find(ctx, nothing)
			return err
		}},
		{"ec2:DescribeAvailabilityZones", "volumes cannot be restored: a zone is chosen for each", func(ctx context.Context) error {
			_, err := loc.Zones(ctx)
			return err
		}},
	}
}

func probeSnapshotLocation(ctx context.Context, loc *ebs.Location, row *contract.SnapshotLocationStatus) {
	for _, p := range snapshotProbes(loc) {
		found := contract.Capability{Name: p.action, OK: true}
		if err := p.try(ctx); err != nil {
			found = contract.Capability{Name: p.action, Detail: err.Error(), Consequence: p.consequence}
			row.Phase = string(velerov1.VolumeSnapshotLocationPhaseUnavailable)
		}
		row.Capabilities = append(row.Capabilities, found)
	}
}
