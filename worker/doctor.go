package main

import (
	"cmp"
	"context"
	"os"

	"github.com/lifeboat-backup/lifeboat/internal/aws/account"
	"github.com/lifeboat-backup/lifeboat/internal/aws/ebs"
	"github.com/lifeboat-backup/lifeboat/internal/catalog"
	"github.com/lifeboat-backup/lifeboat/internal/config"
	"github.com/lifeboat-backup/lifeboat/internal/doctor"
	"github.com/lifeboat-backup/lifeboat/internal/repository"
	"github.com/lifeboat-backup/lifeboat/internal/store/bucket"
	"github.com/lifeboat-backup/lifeboat/internal/volume/location"
)

// newDoctor answers the production checklist with what the worker can reach.
func newDoctor(cfg *config.Config, locations *repository.Locations, snapshots *location.Set, reader *catalog.Reader) *doctor.Doctor {
	return &doctor.Doctor{
		Cluster: cmp.Or(os.Getenv("AWS_CLUSTER_NAME"), cfg.Cluster), Read: reader.Read,
		Bucket: func(ctx context.Context, name string) (bucket.Settings, error) {
			_, st, err := locations.Get(ctx, name)
			if err != nil {
				return bucket.Settings{}, err
			}
			return bucket.Read(ctx, st), nil
		},
		Snapshots: func(ctx context.Context, name string) (n int, err error) {
			err = snapshots.Ask(ctx, name, func(ctx context.Context, loc *ebs.Location) error {
				n, err = loc.CountSnapshots(ctx)
				return err
			})
			return n, err
		},
		Restore: func(ctx context.Context, name, snapshot string) (ebs.Volume, error) {
			_, loc, err := snapshots.Get(ctx, name)
			if err != nil {
				return ebs.Volume{}, err
			}
			return loc.TryRestore(ctx, cfg.Cluster, snapshot)
		},
		Account: func(ctx context.Context, region string) (doctor.Account, error) { return account.Open(ctx, region) },
	}
}
