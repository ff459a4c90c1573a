package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"time"

	velerov1 "github.com/vmware-tanzu/velero/pkg/apis/velero/v1"

	"github.com/lifeboat-backup/lifeboat/internal/aws/identity"
	"github.com/lifeboat-backup/lifeboat/internal/config"
	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/failure"
	"github.com/lifeboat-backup/lifeboat/internal/kube"
	"github.com/lifeboat-backup/lifeboat/internal/poll"
	"github.com/lifeboat-backup/lifeboat/internal/repository"
	"github.com/lifeboat-backup/lifeboat/internal/temporal"
)

// identifyWorker finds out which cluster this worker serves, and fails where the cluster's
// name belongs to another one in a storage location.
func identifyWorker(ctx context.Context, cfg *config.Config, kc *kube.Client, locations *repository.Locations, log *slog.Logger) (temporal.Poller, error) {
	uid, err := kc.Identity(ctx)
	if err != nil {
		return temporal.Poller{}, fmt.Errorf("kubernetes: %w", err)
	}
	host, err := os.Hostname()
	if err != nil {
		host = "unknown"
	}
	self := temporal.Poller{
		Name: fmt.Sprintf("%d@%s", os.Getpid(), host), ClusterUID: uid,
		Configuration: repository.ConfigurationDigest(cfg), Started: time.Now().UTC(),
	}
	return self, checkClusterName(ctx, locations, uid, log)
}

// roleTimeout is how long STS may take to say who the worker is.
const roleTimeout = 10 * time.Second

// checkRole fails where the worker is somebody else in AWS than it should be. Where nobody says who
// that is, as with stores that are not AWS, nothing is asked; where STS cannot tell, the storage
// locations say what they miss.
func checkRole(ctx context.Context, cfg *config.Config, log *slog.Logger) error {
	expected := identity.Expected(cfg.AWS.ExpectedRoleARN, os.Getenv("AWS_ROLE_ARN"))
	if expected == "" {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, roleTimeout)
	defer cancel()
	arn, err := identity.Check(ctx, expected)
	switch {
	case errors.Is(err, identity.ErrAnother):
		return err
	case err != nil:
		log.Warn("it is not known who the worker is in AWS", "expected", expected, "err", err)
	default:
		log.Info("identity in AWS", "arn", arn)
	}
	return nil
}

// checkClusterName asks all storage locations at once who has the name of the cluster. Where
// nothing can be written the name matters to nobody: such a location is for restores, also
// into another cluster. One that cannot be read is told; each run asks again.
func checkClusterName(ctx context.Context, locations *repository.Locations, uid string, log *slog.Logger) error {
	all, err := repository.AskAll(ctx, locations, "", repository.DocumentTimeout, func(ctx context.Context, a repository.Answer[contract.Nothing]) (contract.Nothing, error) {
		if a.Location.Spec.AccessMode == velerov1.BackupStorageLocationAccessModeReadOnly {
			return contract.Nothing{}, nil
		}
		ctx, cancel := context.WithTimeout(ctx, repository.DocumentTimeout)
		defer cancel()
		return contract.Nothing{}, locations.CheckClusterName(ctx, a.Location, a.Store, uid)
	})
	if err != nil {
		return err
	}
	var taken []error
	for _, a := range all {
		switch {
		case failure.TypeOf(a.Err) == contract.ErrTypeCluster:
			taken = append(taken, a.Err)
		case a.Err != nil:
			log.Warn("cannot tell who has the name of the cluster in a storage location", "location", a.Location.Name, "error", a.Err)
		}
	}
	return errors.Join(taken...)
}

// How often a worker looks who polls its queue beside it. Another that was started in the
// same moment is found by the first look, as soon as both poll.
const (
	firstPollersLook = 5 * time.Second
	pollersLook      = time.Minute
)

// watchPollers returns at the end of ctx, or with an error when another cluster's worker was
// started in the same moment under the same name. One that appears later, and a worker
// with other storage locations, are told in the log: runs are safe from both.
func watchPollers(ctx context.Context, tc *temporal.Client, self temporal.Poller, log *slog.Logger) error {
	told := map[string]bool{}
	for wait := firstPollersLook; poll.Wait(ctx, wait) == nil; wait = pollersLook {
		all, err := tc.Pollers(ctx)
		if err != nil {
			continue // a Temporal that does not answer is told by the SDK, and by /readyz
		}
		if wait == firstPollersLook {
			if err := tc.RefuseOtherCluster(all, self.ClusterUID); err != nil {
				return err
			}
		}
		for _, p := range all {
			if !told[p.Identity()] {
				told[p.Identity()] = true
				tellPoller(p, self, log)
			}
		}
	}
	return nil
}

// tellPoller tells in the log of a worker that differs from this one.
func tellPoller(p, self temporal.Poller, log *slog.Logger) {
	switch {
	case p.ClusterUID != "" && p.ClusterUID != self.ClusterUID:
		log.Error("a worker of another cluster polls this task queue: stop it, or give its cluster a name of its own",
			"worker", p.Name, "uid", p.ClusterUID, "ownUID", self.ClusterUID)
	case p.Configuration != "" && p.Configuration != self.Configuration:
		log.Warn("a worker of this cluster has other storage locations: each run stays with those it began with",
			"worker", p.Name, "locations", p.Configuration, "ownLocations", self.Configuration)
	}
}
