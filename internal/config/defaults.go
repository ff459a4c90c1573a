package config

import (
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/lifeboat-backup/lifeboat/internal/change"
)

// Defaults of the fields a file leaves out.
const (
	DefaultNamespace            = "velero"
	DefaultTTL                  = 720 * time.Hour // Velero's
	DefaultKeepLast             = 1
	DefaultVerifyEvery          = 480 * time.Hour
	DefaultBandwidthMiB         = 16
	DefaultBlocks               = 4 // 2 MiB of each snapshot, at a hundredth of a cent for 8 of them
	DefaultGrace                = 24 * time.Hour
	DefaultExportShards         = 4
	DefaultApplyConcurrency     = 64
	DefaultConcurrentActivities = 16
	DefaultUploadParts          = 4
	DefaultPendingSnapshots     = 100
	DefaultConcurrentBackups    = 2
	DefaultMemoryMiB            = 160 // with what is not heap, well below the 256 MiB the worker is designed for
	DefaultMetricsListen        = ":8085"
	DefaultHealthListen         = ":8086"
	DefaultLogLevel             = "info"
	DefaultLogFormat            = "json"
)

func (c *Config) setDefaults() {
	setDefault(&c.Namespace, DefaultNamespace)
	setDefault(&c.DefaultBackupTTL, metav1.Duration{Duration: DefaultTTL})
	if c.Retention.KeepLast == nil {
		c.Retention.KeepLast = new(int)
		*c.Retention.KeepLast = DefaultKeepLast
	}
	if !c.Rehearsal.Configured() {
		setDefault(&c.Rehearsal.After, RehearseNever)
	}
	setDefault(&c.Rehearsal.After, RehearseDaily)
	setDefault(&c.Changes.Window, change.DefaultWindow)
	setDefault(&c.Verification.Every, metav1.Duration{Duration: DefaultVerifyEvery})
	setDefault(&c.Verification.BandwidthMiB, DefaultBandwidthMiB)
	setDefault(&c.Verification.Blocks, DefaultBlocks)
	setDefault(&c.Retention.Grace, metav1.Duration{Duration: DefaultGrace})
	setDefault(&c.Limits.ExportShards, DefaultExportShards)
	setDefault(&c.Limits.ApplyConcurrency, DefaultApplyConcurrency)
	setDefault(&c.Limits.ConcurrentActivities, DefaultConcurrentActivities)
	setDefault(&c.Limits.UploadParts, DefaultUploadParts)
	setDefault(&c.Limits.PendingSnapshots, DefaultPendingSnapshots)
	setDefault(&c.Limits.ConcurrentBackups, DefaultConcurrentBackups)
	setDefault(&c.Limits.MemoryMiB, DefaultMemoryMiB)
	setDefault(&c.Metrics.Listen, DefaultMetricsListen)
	setDefault(&c.Health.Listen, DefaultHealthListen)
	setDefault(&c.Profiler.Listen, Off)
	setDefault(&c.Log.Level, DefaultLogLevel)
	setDefault(&c.Log.Format, DefaultLogFormat)
}

func setDefault[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}
