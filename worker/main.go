// Command lifeboat-worker runs the workflows and activities of one cluster.
//
//	lifeboat-worker --config lifeboat.yaml
//
// It polls the task queue lifeboat-<cluster> of any Temporal, reads and writes the
// cluster of its kubeconfig (or the one it runs in), and keeps backups in the
// storage locations of its configuration. It holds no state: kill it, start two.
package main

import (
	"context"
	"crypto/ed25519"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"
	"time"

	"github.com/lifeboat-backup/lifeboat/activities"
	"github.com/lifeboat-backup/lifeboat/internal/backup"
	"github.com/lifeboat-backup/lifeboat/internal/catalog"
	"github.com/lifeboat-backup/lifeboat/internal/config"
	"github.com/lifeboat-backup/lifeboat/internal/deletion"
	"github.com/lifeboat-backup/lifeboat/internal/drill"
	"github.com/lifeboat-backup/lifeboat/internal/failure"
	"github.com/lifeboat-backup/lifeboat/internal/garbage"
	"github.com/lifeboat-backup/lifeboat/internal/garbage/orphan"
	"github.com/lifeboat-backup/lifeboat/internal/integrity"
	"github.com/lifeboat-backup/lifeboat/internal/kube"
	"github.com/lifeboat-backup/lifeboat/internal/rehearsal"
	"github.com/lifeboat-backup/lifeboat/internal/repository"
	"github.com/lifeboat-backup/lifeboat/internal/resource"
	"github.com/lifeboat-backup/lifeboat/internal/restore"
	"github.com/lifeboat-backup/lifeboat/internal/retention"
	"github.com/lifeboat-backup/lifeboat/internal/telemetry/export"
	"github.com/lifeboat-backup/lifeboat/internal/temporal"
	"github.com/lifeboat-backup/lifeboat/internal/temporal/interceptor"
	"github.com/lifeboat-backup/lifeboat/internal/verification"
	"github.com/lifeboat-backup/lifeboat/internal/volume/drivers"
	"github.com/lifeboat-backup/lifeboat/internal/volume/location"
	"github.com/lifeboat-backup/lifeboat/workflows"
)

// version is set by the build.
var version = "dev"

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stderr); err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, out io.Writer) error {
	flags := flag.NewFlagSet("lifeboat-worker", flag.ContinueOnError)
	flags.SetOutput(out)
	path := flags.String("config", "lifeboat.yaml", "configuration `file`; lifeboat.example.yaml explains every field")
	check := flags.Bool("check-config", false, "validate the configuration and stop")
	ready := flags.Bool("ready", false, "ask the worker that runs with this configuration whether it is ready, and stop: a probe for where there is no shell")
	show := flags.Bool("version", false, "print the version and stop")
	volume := flags.String("read-volume", "", "read every file below a `directory`, tell how many there are, and stop: what the pods of a restore drill run")
	outside := flags.String("reach", "", "with --read-volume: a `host:port` to try to connect to meanwhile")
	if err := flags.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return nil
		}
		return err
	}
	if *show {
		_, err := fmt.Fprintln(out, "lifeboat-worker", version)
		return err
	}
	if *volume != "" {
		return readVolume(ctx, *volume, *outside, out)
	}
	cfg, err := config.Load(*path)
	if err != nil {
		return err
	}
	if *ready {
		return askReady(ctx, cfg.Health.Listen)
	}
	schedules := newSchedules(cfg, nil, nil, nil, nil)
	if err := errors.Join(schedules.backups.CheckConfigured(), schedules.drills.CheckConfigured()); err != nil {
		return fmt.Errorf("configuration %s:\n%w", *path, err)
	}
	if *check {
		_, err := fmt.Fprintln(out, *path, "is valid")
		return err
	}
	return serve(ctx, cfg, newLogger(cfg.Log, cfg.Cluster, out))
}

// serve runs until ctx ends or the worker fails.
func serve(ctx context.Context, cfg *config.Config, log *slog.Logger) error {
	debug.SetMemoryLimit(int64(cfg.Limits.MemoryMiB) << 20)
	ctx, seen, err := openTelemetry(ctx, cfg, log)
	if err != nil {
		return err
	}
	defer closeTelemetry(seen, log)
	if err := checkRole(ctx, cfg, log); err != nil {
		return err
	}
	p := &process{cfg: cfg, log: log, seen: seen}
	defer p.disconnect()
	if err := p.connect(ctx); err != nil {
		return err
	}
	if err := p.assemble(ctx); err != nil {
		return err
	}
	stop, err := serveHTTP(ctx, cfg, p.observed, p.kube, p.temporal)
	if err != nil {
		return err
	}
	defer stop()
	if err := p.start(ctx); err != nil {
		return err
	}
	return p.work(ctx)
}

// connectTemporal connects by Temporal's standard environment, with the configuration's
// overrides, and registers the search attributes that workflows need.
func connectTemporal(ctx context.Context, cfg *config.Config, self temporal.Poller, log *slog.Logger, seen *export.Telemetry) (*temporal.Client, *temporal.Attributes, error) {
	conn, err := temporal.Connect(ctx, temporal.Options{
		ConfigFile: cfg.Temporal.ConfigFile, Profile: cfg.Temporal.Profile,
		Address: cfg.Temporal.Address, Namespace: cfg.Temporal.Namespace,
		Identity: self.Identity(), Logger: slog.New(interceptor.LogHandler{Handler: log.Handler()}), Metrics: temporalMetrics(seen),
	})
	var unreachable *temporal.ConnectError
	if errors.As(err, &unreachable) {
		return nil, nil, fmt.Errorf("%w; start it, or correct temporal.address (TEMPORAL_ADDRESS), TLS and key included (TEMPORAL_TLS_*, TEMPORAL_API_KEY); a NetworkPolicy may also keep the worker from it", err)
	}
	if err != nil {
		return nil, nil, err
	}
	if err := conn.EnsureNamespace(ctx, cfg.Temporal.CreateNamespace, log); err != nil {
		conn.Close()
		return nil, nil, err
	}
	return conn.ForCluster(cfg.Cluster), conn.RegisterAttributes(ctx, log), nil
}

// connectCluster connects to the API server and fails early when it does not answer.
func connectCluster(ctx context.Context, cfg *config.Config) (*kube.Client, error) {
	rc, err := kube.Config(cfg.Kubernetes.Kubeconfig, cfg.Kubernetes.Context)
	if err != nil {
		return nil, fmt.Errorf("kubernetes: %w", err)
	}
	kc, err := kube.New(rc, kube.Options{MaxInFlight: cfg.Limits.ApplyConcurrency, UserAgent: "lifeboat/" + version})
	if err != nil {
		return nil, fmt.Errorf("kubernetes: %w", err)
	}
	if err := kc.Ping(ctx); err != nil {
		return nil, fmt.Errorf("kubernetes at %s: %w", rc.Host, err)
	}
	return kc, nil
}

// secretsOf reads keys of Secrets in a namespace. A location that names one which is not there
// cannot be used.
func secretsOf(namespace string, kc *kube.Client) func(ctx context.Context, name, key string) ([]byte, error) {
	return func(ctx context.Context, name, key string) ([]byte, error) {
		value, err := kube.SecretValue(ctx, kc, namespace, name, key)
		if errors.Is(err, kube.ErrNoSecret) {
			return nil, failure.Unusable("%w", err)
		}
		return value, err
	}
}

func openLocations(cfg *config.Config, kc *kube.Client, log *slog.Logger) *repository.Locations {
	secrets := secretsOf(cfg.Namespace, kc)
	for _, l := range cfg.BackupStorageLocations {
		if l.Spec.ValidationFrequency != nil {
			log.Warn("spec.validationFrequency has no effect: every location is validated on one period, and for each answer", "location", l.Name, "period", reachPeriod)
		}
	}
	return repository.NewLocations(cfg, repository.OpenS3(cfg, log, 0, secrets)).WithProbe(repository.OpenS3(cfg, log, 1, secrets))
}

// newCollector looks for orphans; removing them wants Abandon besides.
func newCollector(cfg *config.Config, kc *kube.Client, locations *repository.Locations, snapshots *location.Set, tc *temporal.Client) *orphan.Collector {
	return &orphan.Collector{
		Cluster: cfg.Cluster, Grace: cfg.Retention.Grace.Duration, Policy: retention.Policy{Floor: *cfg.Retention.KeepLast, Velero: cfg.Retention.VeleroBackups},
		Locations: locations, Snapshots: snapshots, Objects: orphan.Cluster{Kube: kc}, Runs: tc,
	}
}

// garbageRunner plans collections of what orphans are looked for in.
func garbageRunner(orphans *orphan.Collector) *garbage.Runner {
	return &garbage.Runner{Cluster: orphans.Cluster, Policy: orphans.Policy, Locations: orphans.Locations}
}

// registerAll gives the worker every workflow and activity, and returns what answers reads.
func registerAll(w *workers, cfg *config.Config, kc *kube.Client, own pod, locations *repository.Locations, snapshots *location.Set, orphans *orphan.Collector, tc *temporal.Client, attributes *temporal.Attributes, schedules keptSchedules) *catalog.Reader {
	workflows.Register(w.work, attributes.Missing)
	rules := resource.NewRegistry()
	technologies := drivers.All(drivers.Dependencies{Kube: kc, Locations: snapshots, MaxPending: cfg.Limits.PendingSnapshots, Window: cfg.Limits.ApplyConcurrency})
	backups := &activities.Backup{Service: &backup.Service{Config: cfg, Kube: kc, Locations: locations, Snapshots: snapshots, Rules: rules, Runs: tc, Technologies: technologies}}
	backups.Register(w)
	restores := &activities.Restore{Service: &restore.Service{Config: cfg, Kube: kc, Locations: locations, Technologies: technologies, Rules: rules}}
	restores.Register(w)
	(&activities.Delete{Runner: &deletion.Runner{Kube: kc, Locations: locations, Snapshots: snapshots, Deleters: technologies.Deleters()}}).Register(w)
	orphans.Abandon = activities.Abandoner{Backup: backups, Restore: restores}
	(&activities.Garbage{Runner: garbageRunner(orphans), Orphans: orphans}).Register(w)
	drills := newDrills(cfg, kc, own, locations, snapshots, restores.Service)
	orphans.Drills = drills
	(&activities.Drill{Service: drills}).Register(w)
	rotation := verification.Policy{Every: cfg.Verification.Every.Duration, Bandwidth: int64(cfg.Verification.BandwidthMiB) << 20, Round: time.Hour}
	verifier := integrity.New(cfg.Cluster, locations, rotation, technologies.Inspectors())
	if cfg.Verification.Blocks > 0 {
		verifier.WithBlocks(&location.Sampler{Locations: snapshots, Blocks: cfg.Verification.Blocks})
	}
	(&activities.Verification{Runner: verifier}).Register(w)
	(&activities.Schedules{Backups: schedules.backups, Drills: schedules.drills}).Register(w)
	(&activities.Rehearsal{Service: rehearsal.New(cfg, locations, rules, rehearsal.ProviderOf(cfg, kc, own.namespace, own.name))}).Register(w)
	reader := &catalog.Reader{Config: cfg, Kube: kc, Locations: locations, Snapshots: snapshots, Version: version, Schedules: schedules.backups, DrillSchedules: schedules.drills, Explain: orphans.Explain, MissingAttributes: attributes.Missing}
	reader.Examine = newDoctor(cfg, locations, snapshots, reader).Examine
	drills.Checklist = reader.Examine
	(&activities.Catalog{Reader: reader}).Register(w)
	return reader
}

// newDrills runs restore drills. Their key is read whenever one is signed, so that a new one
// needs no restart.
func newDrills(cfg *config.Config, kc *kube.Client, own pod, locations *repository.Locations, snapshots *location.Set, restores *restore.Service) *drill.Service {
	s := &drill.Service{Config: cfg, Namespace: own.namespace, Kube: kc, Locations: locations, Snapshots: snapshots, Restore: restores, Software: version, Key: drillKey(cfg, kc, own)}
	// Elsewhere the address is not one that pods of the drilled cluster would know.
	if host := os.Getenv("KUBERNETES_SERVICE_HOST"); host != "" && cfg.Kubernetes.Kubeconfig == "" {
		s.APIServer = net.JoinHostPort(host, os.Getenv("KUBERNETES_SERVICE_PORT"))
	}
	return s
}

// drillKey reads the key of drills, nil where the configuration names none.
func drillKey(cfg *config.Config, kc *kube.Client, own pod) func(context.Context) (ed25519.PrivateKey, error) {
	where := cfg.Drills.SigningKey
	if where == nil {
		return nil
	}
	return func(ctx context.Context) (ed25519.PrivateKey, error) {
		return where.Load(ctx, secretsOf(own.namespace, kc))
	}
}
