package config

import (
	velerov1 "github.com/vmware-tanzu/velero/pkg/apis/velero/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/lifeboat-backup/lifeboat/internal/drill/definition"
)

// Config is the content of lifeboat.yaml.
type Config struct {
	// Cluster names the cluster this worker serves, as a DNS label. Task queue
	// and workflow ids are made from it: it must be unique within the Temporal
	// namespace and stay the same for the life of the cluster. Required.
	Cluster string `json:"cluster"`
	// ReplacesCluster is the UID of the namespace kube-system of a cluster that is gone and
	// whose name this one takes over, because it was rebuilt. Default: none.
	ReplacesCluster string `json:"replacesCluster,omitempty"`
	// Namespace is where ConfigMaps and Secrets that specs and locations refer to are read, such
	// as resource modifiers: Velero's, for who comes from it. What is the worker's own is in the
	// namespace of its pod. Default: velero.
	Namespace string `json:"namespace,omitempty"`
	// Kubernetes says how to reach the cluster.
	Kubernetes Kubernetes `json:"kubernetes,omitempty"`
	// Temporal overrides parts of the standard Temporal environment.
	Temporal Temporal `json:"temporal,omitempty"`
	// AWS says who the worker should be in AWS.
	AWS AWS `json:"aws,omitempty"`
	// Limits bound what the worker takes for itself.
	Limits Limits `json:"limits,omitempty"`
	// BackupStorageLocations are Velero's documents. One of several must be
	// marked with spec.default; the only one is the default by itself.
	BackupStorageLocations []velerov1.BackupStorageLocation `json:"backupStorageLocations"`
	// ResultsLocation is the storage location in which restores keep their results. Default: that
	// of the backup or, if it is ReadOnly, another one that is not.
	ResultsLocation string `json:"resultsLocation,omitempty"`
	// VolumeSnapshotLocations are Velero's documents.
	VolumeSnapshotLocations []velerov1.VolumeSnapshotLocation `json:"volumeSnapshotLocations,omitempty"`
	// DefaultBackupTTL is how long a backup lives that does not say so itself.
	// Default: 720h, as with Velero.
	DefaultBackupTTL metav1.Duration `json:"defaultBackupTTL,omitempty"`
	// Retention says which expired backups are deleted.
	Retention Retention `json:"retention,omitempty"`
	// Schedules are Velero's documents. They take the place of what the bucket has under
	// their names, and cannot be changed by the CLI.
	Schedules []velerov1.Schedule `json:"schedules,omitempty"`
	// Rehearsal says how backups are rehearsed in a disposable control plane.
	Rehearsal Rehearsal `json:"rehearsal,omitempty"`
	// Drills says how restore drills are run and signed, and which are run by themselves.
	Drills Drills `json:"drills,omitempty"`
	// Changes says what is unusual between a backup and the one before it.
	Changes Changes `json:"changes,omitempty"`
	// Verification says how stored backups are read back.
	Verification Verification `json:"verification,omitempty"`
	// Metrics serves Prometheus metrics.
	Metrics Listener `json:"metrics,omitempty"`
	// Health serves /healthz and /readyz.
	Health Listener `json:"health,omitempty"`
	// Profiler serves Go's profiles below /debug/pprof/; they show memory, so it
	// is off by default.
	Profiler Listener `json:"profiler,omitempty"`
	// Telemetry sends metrics and traces to an OpenTelemetry collector.
	Telemetry Telemetry `json:"telemetry,omitempty"`
	// Log is how the worker speaks.
	Log Log `json:"log,omitempty"`
}

// Kubernetes says how to reach the cluster. Empty means in-cluster.
type Kubernetes struct {
	// Kubeconfig is the path of a kubeconfig file.
	Kubeconfig string `json:"kubeconfig,omitempty"`
	// Context is one of the kubeconfig's contexts; default: its current one.
	Context string `json:"context,omitempty"`
}

// Temporal overrides parts of the standard Temporal environment.
type Temporal struct {
	// Address is host:port of the frontend.
	Address string `json:"address,omitempty"`
	// Namespace is the Temporal namespace.
	Namespace string `json:"namespace,omitempty"`
	// Profile is a profile of Temporal's own configuration file.
	Profile string `json:"profile,omitempty"`
	// ConfigFile is the path of Temporal's own configuration file.
	ConfigFile string `json:"configFile,omitempty"`
	// CreateNamespace makes the namespace where the server does not have it. Default false: on
	// a server that others use too, a mistyped name shall not make one.
	CreateNamespace bool `json:"createNamespace,omitempty"`
	// WorkerVersioning has workers poll with their build as a version (Temporal's Worker
	// Versioning, server 1.28 or later): a run stays with workers of the build that began it as
	// long as those run. Default false: any worker of the cluster takes any run.
	WorkerVersioning bool `json:"workerVersioning,omitempty"`
}

// Limits bound what the worker takes for itself.
type Limits struct {
	// ExportShards is how many shards of one backup are exported at the same
	// time. Default 4.
	ExportShards int `json:"exportShards,omitempty"`
	// ApplyConcurrency is the most requests a restore has in flight; it starts
	// lower and adapts. Default 64.
	ApplyConcurrency int `json:"applyConcurrency,omitempty"`
	// ConcurrentActivities is how many pieces of work of all backups and
	// restores this process runs at once; others wait. Drills have slots of their own. Default 16.
	ConcurrentActivities int `json:"concurrentActivities,omitempty"`
	// UploadParts is how many parts of one object are on their way to the
	// store at the same time, of 8 MiB each. Default 4.
	UploadParts int `json:"uploadParts,omitempty"`
	// PendingSnapshots is how many EBS snapshots of an account may be pending at
	// once: the quota of that name in Service Quotas. All clusters that work in
	// the account share it. Default 100, as AWS's.
	PendingSnapshots int `json:"pendingSnapshots,omitempty"`
	// ConcurrentBackups is how many backups of schedules the cluster takes at the same time;
	// others wait, the oldest due time first. Those that somebody asks for do not wait.
	// Default 2.
	ConcurrentBackups int `json:"concurrentBackups,omitempty"`
	// MemoryMiB is the soft memory limit given to the Go runtime. Set it a
	// good deal below the container's limit: the process needs some 60 MiB beside
	// Go's heap. Default 160; 0 is not "none".
	MemoryMiB int `json:"memoryMiB,omitempty"`
}

// Verification says how stored backups are read back.
type Verification struct {
	// Manual reads backups back only when `lifeboat backup verify` asks for it. Default false:
	// by a Temporal schedule.
	Manual bool `json:"manual,omitempty"`
	// Every is how long a backup may go unread. Each is also read before it expires.
	// Default 480h, which are 20 days.
	Every metav1.Duration `json:"every,omitempty"`
	// BandwidthMiB is how much this worker reads for it at most, in MiB a second. A plan that
	// needs more says so. Default 16.
	BandwidthMiB int `json:"bandwidthMiB,omitempty"`
	// Blocks is how many blocks of 512 KiB are read of each EBS snapshot, by the EBS direct APIs;
	// -1 reads none. Default 4.
	Blocks int `json:"blocks,omitempty"`
}

// Retention says which expired backups are deleted.
type Retention struct {
	// Manual deletes expired backups only when `lifeboat gc run` asks for it. Default false:
	// within the hour, by a Temporal schedule.
	Manual bool `json:"manual,omitempty"`
	// KeepLast is how many good backups of each schedule are never deleted, however old.
	// Default 1.
	KeepLast *int `json:"keepLast,omitempty"`
	// Grace is how long what nothing names any more is kept: snapshots, files of runs that
	// died, unfinished uploads. Default 24h.
	Grace metav1.Duration `json:"grace,omitempty"`
	// VeleroBackups also deletes expired backups that Velero made. Default false: its own
	// server does that.
	VeleroBackups bool `json:"veleroBackups,omitempty"`
}

// Rehearsal says how backups are rehearsed: in which control plane, and when by themselves.
type Rehearsal struct {
	// APIServer and Etcd are paths of the binaries kube-apiserver and etcd, which run beside
	// the worker on loopback while a backup is rehearsed. Default: none, and no rehearsals.
	APIServer string `json:"apiServer,omitempty"`
	Etcd      string `json:"etcd,omitempty"`
	// Pod has them run as a pod in the worker's namespace instead.
	Pod *RehearsalPod `json:"pod,omitempty"`
	// Versions are paths of further API servers, by their minor version ("1.38"), for
	// `lifeboat backup rehearse --kubernetes-version`.
	Versions map[string]string `json:"versions,omitempty"`
	// Directory is where their files lie meanwhile, best in memory. Default: /dev/shm if it
	// has a GiB to spare, else the system's directory of temporary files.
	Directory string `json:"directory,omitempty"`
	// After says which new backups are rehearsed by themselves: always all, daily or weekly the
	// newest of each schedule, or never. A schedule may say otherwise of its own. Default: daily,
	// and never without binaries.
	After string `json:"after,omitempty"`
}

// RehearsalPod is a control plane out of images, which are named by digest.
type RehearsalPod struct {
	// APIServer and Etcd are images with the programs kube-apiserver and etcd in PATH, such as
	// registry.k8s.io/kube-apiserver@sha256:....
	APIServer string `json:"apiServerImage"`
	Etcd      string `json:"etcdImage"`
	// Versions are images of further API servers, by their minor version ("1.38").
	Versions map[string]string `json:"versions,omitempty"`
	// PullSecrets are names of Secrets of the worker's namespace, for the images.
	PullSecrets []string `json:"imagePullSecrets,omitempty"`
	// MemoryMiB bounds each of the two programs. Default 2048: both took 365 for 10,000 objects.
	MemoryMiB int `json:"memoryMiB,omitempty"`
}

// Configured says whether there is a control plane to rehearse in.
func (r Rehearsal) Configured() bool { return r.APIServer != "" || r.Pod != nil }

// AWS says who the worker should be in AWS.
type AWS struct {
	// ExpectedRoleARN is the role that the worker has to have come by; with another identity it
	// does not start. Default: that of its ServiceAccount's annotation (IRSA), if it has one.
	ExpectedRoleARN string `json:"expectedRoleArn,omitempty"`
}

// Drills says how restore drills are run and signed, and which are run by themselves.
type Drills struct {
	// SigningKey is where the key is by which the evidence of drills is signed. Default: none,
	// and no drills.
	SigningKey *SigningKey `json:"signingKey,omitempty"`
	// Schedules are documents of drills with a schedule. They take the place of what the bucket
	// has under their names, and cannot be changed by commands. Default: none.
	Schedules []definition.Drill `json:"schedules,omitempty"`
	// Image is the worker's image, which the pods run that read the volumes of a copy through. The
	// chart sets it. Default: none, and volumes are not read.
	Image string `json:"image,omitempty"`
}

// The values of Rehearsal.After.
const (
	RehearseAlways = "always"
	RehearseDaily  = "daily"
	RehearseWeekly = "weekly"
	RehearseNever  = "never"
)

// RehearseValues are those of Rehearsal.After and of the annotation of a schedule.
func RehearseValues() []string {
	return []string{RehearseAlways, RehearseDaily, RehearseWeekly, RehearseNever}
}

// Changes says what is unusual between a backup and the one before it.
type Changes struct {
	// Disabled compares nothing. Default false.
	Disabled bool `json:"disabled,omitempty"`
	// Window is how many backups the usual range of a measure is taken from. Default 30.
	Window int `json:"window,omitempty"`
	// Bounds are above which a measure is unusual, by rule: a share from 0 to 1, or a number;
	// -1 switches the rule off. Default: see docs/CHANGES-BETWEEN-BACKUPS.md.
	Bounds map[string]float64 `json:"bounds,omitempty"`
}

// Listener is an HTTP endpoint of the worker's own.
type Listener struct {
	// Listen is host:port; "off" switches the endpoint off.
	Listen string `json:"listen,omitempty"`
}

// Telemetry sends metrics and traces by OTLP. What is empty here comes from the environment that
// all OpenTelemetry programs share: OTEL_EXPORTER_OTLP_ENDPOINT, OTEL_EXPORTER_OTLP_HEADERS,
// OTEL_TRACES_SAMPLER and so on.
type Telemetry struct {
	// Endpoint is the URL of the collector, such as http://collector:4317. Default: that of the
	// environment; without one nothing is sent.
	Endpoint string `json:"endpoint,omitempty"`
	// Protocol is grpc or http/protobuf. Default: that of the environment, or else grpc.
	Protocol string `json:"protocol,omitempty"`
	// NoTraces and NoMetrics leave out one of both.
	NoTraces  bool `json:"noTraces,omitempty"`
	NoMetrics bool `json:"noMetrics,omitempty"`
	// SampleRatio is the share of runs that are traced, from 0 to 1. Default: that of the
	// environment, or else 1.
	SampleRatio float64 `json:"sampleRatio,omitempty"`
}

// Protocols of Telemetry.
const (
	ProtocolGRPC = "grpc"
	ProtocolHTTP = "http/protobuf"
)

// Off is the value of Listener.Listen that switches an endpoint off.
const Off = "off"

// Log is how the worker speaks.
type Log struct {
	// Level is debug, info, warn or error. Default info.
	Level string `json:"level,omitempty"`
	// Format is json or text. Default json.
	Format string `json:"format,omitempty"`
}
