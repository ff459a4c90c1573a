package ebs

import (
	"context"

	"github.com/lifeboat-backup/lifeboat/internal/aws/ebs/quota"
)

// Reservation is room for snapshots of certain volumes, see quota.Reservation.
type Reservation struct {
	*quota.Reservation
	location *Location
}

// Reserve waits until a snapshot of each of the volumes can be asked for at once, see
// quota.Account.Reserve. Release must follow.
func (l *Location) Reserve(ctx context.Context, volumes []Volume) (*Reservation, error) {
	return l.reserve(ctx, volumes, quota.CreateSnapshot, quota.CreateSnapshots)
}

func (l *Location) reserve(ctx context.Context, volumes []Volume, actions ...string) (*Reservation, error) {
	all := make([]quota.Volume, len(volumes))
	for i, v := range volumes {
		all[i] = quota.Volume{ID: v.ID, Type: v.Type}
	}
	r, err := l.quota.Reserve(ctx, all, actions...)
	if err != nil {
		return nil, classify("reserve", "", err)
	}
	return &Reservation{Reservation: r, location: l}, nil
}

// Quota is the quota of the location's account and Region, which a CSI driver that makes
// its snapshots there shares with the location.
func (l *Location) Quota() *quota.Account { return l.quota }

func forQuota(all []Snapshot) []quota.Snapshot {
	out := make([]quota.Snapshot, len(all))
	for i, s := range all {
		out[i] = s.forQuota()
	}
	return out
}
