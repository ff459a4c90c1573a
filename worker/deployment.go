package main

import (
	"context"
	"log/slog"
	"time"

	"github.com/lifeboat-backup/lifeboat/internal/config"
	"github.com/lifeboat-backup/lifeboat/internal/failure"
	"github.com/lifeboat-backup/lifeboat/internal/poll"
	"github.com/lifeboat-backup/lifeboat/internal/temporal"
)

// How often a worker looks whether all work has a worker, how often it tries to take new work
// over at its start, and how long its end may take to leave runs to others.
const (
	deploymentPeriod = 30 * time.Second
	takeOverPeriod   = time.Second
	leaveTimeout     = 3 * time.Second
)

// workerVersion is the version by which the worker polls, the zero one where the configuration
// does not want versions.
func workerVersion(cfg *config.Config, tc *temporal.Client) temporal.Version {
	if !cfg.Temporal.WorkerVersioning {
		return temporal.Version{}
	}
	return tc.Version(version)
}

// keepDeployment takes over what is new from workers of other versions, as the last that was
// started, and looks from then on that no work is left to a version that has no workers: until the
// end of ctx. A server that is too old for versions has nothing to take over.
func keepDeployment(ctx context.Context, tc *temporal.Client, own temporal.Version, log *slog.Logger) {
	do, wait, told := tc.TakeOver, takeOverPeriod, ""
	for poll.Wait(ctx, wait) == nil {
		err := do(ctx, own)
		if cause := failure.Text(err); ctx.Err() == nil && cause != told {
			told = cause
			tellDeployment(log, own, cause)
		}
		if err == nil {
			do, wait = tc.KeepWorking, deploymentPeriod
		}
	}
}

func tellDeployment(log *slog.Logger, own temporal.Version, cause string) {
	if cause == "" {
		log.Info("work goes to workers of this version, or of the current one", "build", own.Build)
		return
	}
	log.Warn("work may go to workers of another version", "build", own.Build, "cause", cause,
		"remedy", "it is tried again; if it stays so, let the worker's identity write worker deployments in this Temporal namespace, or set the current version with 'temporal worker deployment set-current-version'")
}

// leaveRuns leaves runs that are pinned to this version to the current one, where that is another
// by now. What fails here, the other workers do within two minutes.
func leaveRuns(ctx context.Context, tc *temporal.Client, own temporal.Version, log *slog.Logger) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), leaveTimeout)
	defer cancel()
	if err := tc.LeaveRuns(ctx, own); err != nil {
		log.Warn("runs of this version were not left to another one yet", "cause", err)
	}
}
