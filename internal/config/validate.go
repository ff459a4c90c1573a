package config

import (
	"errors"
	"fmt"
	"net"
	"slices"
	"strconv"
	"time"

	velerov1 "github.com/vmware-tanzu/velero/pkg/apis/velero/v1"
	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/lifeboat-backup/lifeboat/internal/store"
)

// checker gathers problems.
type checker struct{ errs []error }

func (k *checker) addProblem(path, format string, a ...any) {
	k.errs = append(k.errs, fmt.Errorf("%s: %s", path, fmt.Sprintf(format, a...)))
}

// Validate finds everything wrong with c that can be seen without leaving the
// process. The error joins one error a problem, each with its field's path.
func (c *Config) Validate() error {
	k := &checker{}
	k.checkLabel("cluster", c.Cluster, "; it names the cluster in task queues and workflow ids")
	k.checkLabel("namespace", c.Namespace, "")
	if c.ReplacesCluster != "" {
		k.checkLabel("replacesCluster", c.ReplacesCluster, "")
	}
	k.checkKubernetes(c.Kubernetes)
	k.checkTemporal(c.Temporal)
	k.checkLimits(c.Limits)
	k.checkBackupLocations(c.BackupStorageLocations)
	k.checkSnapshotLocations(c.VolumeSnapshotLocations)
	if c.DefaultBackupTTL.Duration <= 0 {
		k.addProblem("defaultBackupTTL", "%s must be positive", c.DefaultBackupTTL.Duration)
	}
	if n := c.Retention.KeepLast; n != nil && *n < 0 {
		k.addProblem("retention.keepLast", "%d must not be negative", *n)
	}
	if d := c.Retention.Grace.Duration; d < time.Hour {
		k.addProblem("retention.grace", "%s is too short: what a run has just made and nothing names yet would go; give it an hour at least", d)
	}
	k.checkListeners([]namedListener{
		{"metrics.listen", c.Metrics.Listen}, {"health.listen", c.Health.Listen}, {"profiler.listen", c.Profiler.Listen},
	})
	k.checkLog(c.Log)
	return errors.Join(k.errs...)
}

func (k *checker) checkLabel(path, value, why string) {
	if value == "" {
		k.addProblem(path, "required%s", why)
		return
	}
	for _, msg := range validation.IsDNS1123Label(value) {
		k.addProblem(path, "%q: %s", value, msg)
	}
}

func (k *checker) checkKubernetes(c Kubernetes) {
	if c.Context != "" && c.Kubeconfig == "" {
		k.addProblem("kubernetes.context", "%q needs kubernetes.kubeconfig; in-cluster there are no contexts", c.Context)
	}
}

func (k *checker) checkTemporal(c Temporal) {
	if c.Address != "" {
		k.checkHostPort("temporal.address", c.Address, true)
	}
}

func (k *checker) checkLimits(c Limits) {
	for _, l := range []struct {
		name     string
		v        int
		low, top int
	}{
		{"exportShards", c.ExportShards, 1, 256},
		{"applyConcurrency", c.ApplyConcurrency, 1, 4096},
		{"concurrentActivities", c.ConcurrentActivities, 1, 1000},
		{"uploadParts", c.UploadParts, 1, 64},
		{"pendingSnapshots", c.PendingSnapshots, 1, 10000},
		{"memoryMiB", c.MemoryMiB, 64, 1 << 20},
	} {
		if l.v < l.low || l.v > l.top {
			k.addProblem("limits."+l.name, "%d is outside %d to %d", l.v, l.low, l.top)
		}
	}
}

func (k *checker) checkHostPort(path, text string, needHost bool) {
	host, port, err := net.SplitHostPort(text)
	if err != nil || (needHost && host == "") {
		k.addProblem(path, "%q is not host:port", text)
		return
	}
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || (needHost && n == 0) {
		k.addProblem(path, "%q: port %q is not a number from 1 to 65535", text, port)
	}
}

type namedListener struct{ path, address string }

// checkListeners checks each address, and that no two are the same.
func (k *checker) checkListeners(all []namedListener) {
	taken := map[string]string{}
	for _, l := range all {
		if l.address == Off {
			continue
		}
		k.checkHostPort(l.path, l.address, false)
		if other, ok := taken[l.address]; ok && !isAnyPort(l.address) {
			k.addProblem(l.path, "%q is taken by %s", l.address, other)
		}
		taken[l.address] = l.path
	}
}

func isAnyPort(text string) bool {
	_, port, err := net.SplitHostPort(text)
	return err == nil && port == "0"
}

func (k *checker) checkLog(c Log) {
	if levels := []string{"debug", "info", "warn", "error"}; !slices.Contains(levels, c.Level) {
		k.addProblem("log.level", "%q is unknown; use one of %v", c.Level, levels)
	}
	if formats := []string{"json", "text"}; !slices.Contains(formats, c.Format) {
		k.addProblem("log.format", "%q is unknown; use one of %v", c.Format, formats)
	}
}

func (k *checker) checkBackupLocations(all []velerov1.BackupStorageLocation) {
	const path = "backupStorageLocations"
	if len(all) == 0 {
		k.addProblem(path, "at least one is required")
	}
	seen, defaults := map[string]int{}, 0
	for i := range all {
		at := fmt.Sprintf("%s[%d]", path, i)
		k.errs = append(k.errs, store.ValidateLocation(&all[i], at)...)
		k.checkUnique(seen, at, path, all[i].Name, i)
		if all[i].Spec.Default {
			defaults++
		}
	}
	if len(all) > 1 && defaults != 1 {
		k.addProblem(path, "%d of %d have spec.default: true; exactly one must", defaults, len(all))
	}
}

func (k *checker) checkUnique(seen map[string]int, at, list, name string, i int) {
	if first, taken := seen[name]; taken && name != "" {
		k.addProblem(at+".metadata.name", "%q is the name of %s[%d] too", name, list, first)
		return
	}
	seen[name] = i
}
