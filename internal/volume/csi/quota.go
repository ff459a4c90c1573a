package csi

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/lifeboat-backup/lifeboat/internal/resource"

	snapshotv1 "github.com/kubernetes-csi/external-snapshotter/client/v8/apis/volumesnapshot/v1"

	"github.com/lifeboat-backup/lifeboat/internal/aws/ebs/quota"
	"github.com/lifeboat-backup/lifeboat/internal/kube"
	"github.com/lifeboat-backup/lifeboat/internal/volume"
)

// Quotas has the quotas of CSI drivers whose account nobody can ask. Its zero value
// is ready for use.
type Quotas struct {
	mu     sync.Mutex
	quotas map[string]*quota.Account // by driver
}

// uncounted is the quota of a driver of which only the cluster tells. EBS's driver is
// asked for no more than EC2 takes: it would repeat what is refused, each time after a
// longer while. Of other providers no pace is known.
func (q *Quotas) uncounted(driver string, pending int) *quota.Account {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.quotas == nil {
		q.quotas = map[string]*quota.Account{}
	}
	if q.quotas[driver] == nil {
		limits := quota.Limits{Pending: pending}
		if volume.IsEBSDriver(driver) {
			limits.Rates = quota.DefaultLimits().Rates
		}
		q.quotas[driver] = quota.Uncounted(limits)
	}
	return q.quotas[driver]
}

// quotaOf is the quota of a driver. EBS's driver shares that of its account with native
// snapshots, if a location tells which account that is.
func (c *Snapshots) quotaOf(ctx context.Context, driver string) (*quota.Driver, error) {
	classes, err := c.driverOfClass(ctx)
	if err != nil {
		return nil, err
	}
	account := c.Quotas.uncounted(driver, c.MaxPending)
	if volume.IsEBSDriver(driver) && c.Locations != nil {
		if shared := c.Locations.SharedQuota(ctx); shared != nil {
			account = shared
		}
	}
	return account.Driver(func(ctx context.Context) (map[string]bool, error) {
		return c.occupying(ctx, func(class string) bool { return quotaName(classes[class]) == driver })
	}), nil
}

// occupying are the cluster's snapshots of some classes that take somebody's place, by
// "namespace/name"; true are those that are taken.
func (c *Snapshots) occupying(ctx context.Context, ofClass func(string) bool) (map[string]bool, error) {
	out := map[string]bool{}
	err := kube.List(ctx, c.Kube, kube.VolumeSnapshots(), "", "", func(vs snapshotv1.VolumeSnapshot) error {
		if class := vs.Spec.VolumeSnapshotClassName; class != nil && ofClass(*class) && c.occupies(&vs) {
			out[resource.ObjectName(vs.Namespace, vs.Name)] = isTaken(&vs)
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("list volume snapshots: %w", err)
	}
	return out, nil
}

// occupies says whether a driver works on a snapshot. One that it has not taken for
// long, or that it has called failed for long, takes nobody's place.
func (c *Snapshots) occupies(vs *snapshotv1.VolumeSnapshot) bool {
	limit := c.Backup.SnapshotTimeout
	switch {
	case isReady(vs):
		return false
	case isTaken(vs):
		return errorMessageOf(vs) == "" || time.Since(errorTimeOf(vs)) <= limit
	}
	return time.Since(vs.CreationTimestamp.Time) <= limit
}

// driverOfClass are the drivers of the VolumeSnapshotClasses, read once an attempt.
func (c *Snapshots) driverOfClass(ctx context.Context) (map[string]string, error) {
	if c.classes != nil {
		return c.classes, nil
	}
	classes := map[string]string{}
	err := kube.List(ctx, c.Kube, kube.VolumeSnapshotClasses(), "", "", func(class snapshotv1.VolumeSnapshotClass) error {
		classes[class.Name] = class.Driver
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("list volume snapshot classes: %w", err)
	}
	c.classes = classes
	return classes, nil
}

// quotaName is the driver under whose name a driver's quota is kept: those of EBS ask the
// same account.
func quotaName(driver string) string {
	if volume.IsEBSDriver(driver) {
		return volume.DriverEBS
	}
	return driver
}

// byDriver sorts volumes by the driver whose quota they need.
func (c *Snapshots) byDriver(volumes []int) map[string][]int {
	out := map[string][]int{}
	for _, i := range volumes {
		driver := quotaName(c.Backup.Volumes[i].Driver)
		out[driver] = append(out[driver], i)
	}
	return out
}

// orders are the snapshots of volumes, as the driver is asked for them.
func (c *Snapshots) orders(volumes []int) []quota.Order {
	out := make([]quota.Order, 0, len(volumes))
	for _, i := range volumes {
		out = append(out, quota.Order{Key: c.key(i), VolumeID: c.Backup.Volumes[i].VolumeID})
	}
	return out
}

// Release gives back what was reserved and not asked for.
func (t *reservation) Release() {
	for driver, of := range t.snapshots.byDriver(t.volumes) {
		for _, i := range of {
			if q := t.quotas[driver]; q != nil {
				q.Release(t.snapshots.key(i))
			}
		}
	}
}
