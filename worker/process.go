package main

import (
	"context"
	"fmt"
	"log/slog"

	"github.com/lifeboat-backup/lifeboat/internal/config"
	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/kube"
	"github.com/lifeboat-backup/lifeboat/internal/repository"
	"github.com/lifeboat-backup/lifeboat/internal/telemetry/export"
	"github.com/lifeboat-backup/lifeboat/internal/temporal"
	"github.com/lifeboat-backup/lifeboat/internal/volume/location"
)

// process is a worker from its connections to its end. The methods run once, in the order in which
// they stand here.
type process struct {
	cfg  *config.Config
	log  *slog.Logger
	seen *export.Telemetry

	// What connect finds.
	kube       *kube.Client
	pod        pod
	locations  *repository.Locations
	self       temporal.Poller
	temporal   *temporal.Client
	attributes *temporal.Attributes

	// What assemble makes of it.
	schedules keptSchedules
	observed  *observer
	build     temporal.Version
	workers   *workers
	reached   *reach
	owned     *ownedSchedules
}

// connect connects to the cluster and to Temporal, and fails where another cluster's worker has this
// one's name.
func (p *process) connect(ctx context.Context) (err error) {
	if p.kube, err = connectCluster(ctx, p.cfg); err != nil {
		return err
	}
	if p.pod, err = ownPod(p.cfg, namespaceFile); err != nil {
		return err
	}
	p.locations = openLocations(p.cfg, p.kube, p.log)
	if p.self, err = identifyWorker(ctx, p.cfg, p.kube, p.locations, p.log); err != nil {
		return err
	}
	if p.temporal, p.attributes, err = connectTemporal(ctx, p.cfg, p.self, p.log, p.seen); err != nil {
		return err
	}
	return p.temporal.RequireOneCluster(ctx, p.self.ClusterUID)
}

// assemble makes the parts of the worker, and looks for the first time what they reach.
func (p *process) assemble(ctx context.Context) (err error) {
	p.schedules = newSchedules(p.cfg, p.locations, p.kube, p.temporal, p.log)
	snapshots := location.New(p.cfg, location.OpenEBS(p.cfg, secretsOf(p.cfg.Namespace, p.kube)))
	orphans := newCollector(p.cfg, p.kube, p.locations, snapshots, p.temporal)
	if p.observed, err = newObserver(p.cfg, p.seen, p.locations, p.schedules, orphans, p.log); err != nil {
		return err
	}
	p.build = workerVersion(p.cfg, p.temporal)
	p.workers = newWorkers(ctx, p.temporal, p.build, p.cfg.Limits.ConcurrentActivities, p.observed.interceptors())
	reader := registerAll(p.workers, p.cfg, p.kube, p.pod, p.locations, snapshots, orphans, p.temporal, p.attributes, p.schedules)
	p.reached = &reach{kube: p.kube, drillKey: drillKey(p.cfg, p.kube, p.pod), reader: reader, attributes: p.attributes, log: p.log, causes: map[string]string{}}
	p.reached.look(ctx)
	return nil
}

// start begins to poll, and makes what every cluster has in Temporal.
func (p *process) start(ctx context.Context) error {
	if err := p.workers.Start(); err != nil {
		return fmt.Errorf("start worker: %w", err)
	}
	if err := p.temporal.StartCatalog(ctx, p.attributes.Missing()); err != nil {
		p.workers.Stop()
		return err
	}
	p.owned = ownSchedules(p.cfg, p.temporal)
	p.owned.keep(ctx, p.log)
	p.log.Info("worker ready", "version", version, "uid", p.self.ClusterUID, "locations", p.self.Configuration, "taskQueue", contract.TaskQueue(p.cfg.Cluster), "temporal", p.temporal.Address())
	return nil
}

// work works until ctx ends or the worker fails, and leaves what goes on to other workers.
func (p *process) work(ctx context.Context) error {
	watched, stopWatch := context.WithCancel(ctx)
	defer stopWatch()
	go p.observed.watch(watched)
	go p.reached.watch(watched)
	go keepSchedules(watched, p.schedules, p.log)
	go p.owned.watch(watched, p.log)
	go keepDeployment(watched, p.temporal, p.build, p.log)
	err := p.workers.await(ctx, func(ctx context.Context) error { return watchPollers(ctx, p.temporal, p.self, p.log) })
	stopWatch()
	p.log.Info("stopping: running activities go on from their watermark on another worker")
	leaveRuns(ctx, p.temporal, p.build, p.log)
	p.workers.Stop()
	return err
}

// disconnect ends the connections that there are.
func (p *process) disconnect() {
	if p.temporal != nil {
		p.temporal.Close()
	}
	if p.kube != nil {
		p.kube.Close()
	}
}
