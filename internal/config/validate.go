package config

import (
	"errors"
	"fmt"
	"maps"
	"net"
	"regexp"
	"slices"
	"strconv"
	"time"

	velerov1 "github.com/vmware-tanzu/velero/pkg/apis/velero/v1"
	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/lifeboat-backup/lifeboat/internal/aws/identity"
	"github.com/lifeboat-backup/lifeboat/internal/change"
	"github.com/lifeboat-backup/lifeboat/internal/drill/definition"
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
	k.checkResultsLocation(c)
	k.checkSnapshotLocations(c.VolumeSnapshotLocations)
	k.checkSchedules(c.Schedules)
	k.checkDrillSchedules(c.Drills.Schedules)
	k.checkChanges(c.Changes)
	k.checkRetention(c)
	k.checkRole(c.AWS)
	k.checkRehearsal(c.Rehearsal)
	k.checkSigningKey(c.Drills.SigningKey)
	k.checkVerification(c.Verification)
	k.checkGrace(c.Retention.Grace.Duration)
	k.checkListeners([]namedListener{
		{"metrics.listen", c.Metrics.Listen}, {"health.listen", c.Health.Listen}, {"profiler.listen", c.Profiler.Listen},
	})
	k.checkTelemetry(c.Telemetry)
	k.checkLog(c.Log)
	return errors.Join(k.errs...)
}

func (k *checker) checkChanges(c Changes) {
	if err := change.CheckBounds(c.Bounds); err != nil {
		k.addProblem("changes.bounds", "%v", err)
	}
	if c.Window < 0 {
		k.addProblem("changes.window", "%d must not be negative", c.Window)
	}
}

func (k *checker) checkRetention(c *Config) {
	if c.DefaultBackupTTL.Duration <= 0 {
		k.addProblem("defaultBackupTTL", "%s must be positive", c.DefaultBackupTTL.Duration)
	}
	if n := c.Retention.KeepLast; n != nil && *n < 0 {
		k.addProblem("retention.keepLast", "%d must not be negative", *n)
	}
}

func (k *checker) checkGrace(d time.Duration) {
	if d < time.Hour {
		k.addProblem("retention.grace", "%s is too short: what a run has just made and nothing names yet would go; give it an hour at least", d)
	}
}

func (k *checker) checkRole(a AWS) {
	if role := a.ExpectedRoleARN; role != "" && !identity.IsRole(role) {
		k.addProblem("aws.expectedRoleArn", "%q is no ARN of a role; it is like arn:aws:iam::111122223333:role/lifeboat", role)
	}
}

func (k *checker) checkSigningKey(key *SigningKey) {
	if key == nil {
		return
	}
	if err := key.check(); err != nil {
		k.addProblem("drills.signingKey", "%v", err)
	}
}

func (k *checker) checkRehearsal(r Rehearsal) {
	if (r.APIServer == "") != (r.Etcd == "") {
		k.addProblem("rehearsal", "apiServer and etcd go together: name both binaries, or none")
	}
	if r.APIServer == "" && len(r.Versions) > 0 {
		k.addProblem("rehearsal.versions", "needs rehearsal.apiServer and rehearsal.etcd")
	}
	k.checkMinorVersions("rehearsal.versions", r.Versions)
	if r.Pod != nil {
		k.checkRehearsalPod(r)
	}
	switch r.After {
	case RehearseNever:
	case RehearseAlways, RehearseDaily, RehearseWeekly:
		if !r.Configured() {
			k.addProblem("rehearsal.after", "%s needs rehearsal.pod, or rehearsal.apiServer and rehearsal.etcd", r.After)
		}
	default:
		k.addProblem("rehearsal.after", "%q: want always, daily, weekly or never", r.After)
	}
}

func (k *checker) checkMinorVersions(field string, versions map[string]string) {
	minorVersion := regexp.MustCompile(`^1\.[1-9][0-9]{0,2}$`)
	for _, version := range slices.Sorted(maps.Keys(versions)) {
		if !minorVersion.MatchString(version) {
			k.addProblem(field, "%q is not a minor version such as 1.38", version)
		}
	}
}

func (k *checker) checkRehearsalPod(r Rehearsal) {
	if r.APIServer != "" || r.Directory != "" {
		k.addProblem("rehearsal.pod", "stands instead of rehearsal.apiServer, etcd and directory: name one or the other")
	}
	k.checkMinorVersions("rehearsal.pod.versions", r.Pod.Versions)
	images := map[string]string{"apiServerImage": r.Pod.APIServer, "etcdImage": r.Pod.Etcd}
	for version, image := range r.Pod.Versions {
		images["versions["+version+"]"] = image
	}
	byDigest := regexp.MustCompile(`^[^\s@]+@sha256:[0-9a-f]{64}$`)
	for _, field := range slices.Sorted(maps.Keys(images)) {
		if !byDigest.MatchString(images[field]) {
			k.addProblem("rehearsal.pod."+field, "%q does not name an image by digest; want NAME@sha256:..., so that what proves a backup cannot be exchanged", images[field])
		}
	}
	if r.Pod.MemoryMiB < 0 {
		k.addProblem("rehearsal.pod.memoryMiB", "%d: want a positive number, or none", r.Pod.MemoryMiB)
	}
}

func (k *checker) checkResultsLocation(c *Config) {
	if c.ResultsLocation == "" {
		return
	}
	bsl, err := c.Location(c.ResultsLocation)
	switch {
	case err != nil:
		k.addProblem("resultsLocation", "%v", err)
	case bsl.Spec.AccessMode == velerov1.BackupStorageLocationAccessModeReadOnly:
		k.addProblem("resultsLocation", "%q is ReadOnly; name one that may be written to", c.ResultsLocation)
	}
}

// Bounds of Verification: a day is as often as a plan can keep up with, and nobody wants to hear
// of damage a year late.
const (
	shortestRotation = 24 * time.Hour
	longestRotation  = 365 * 24 * time.Hour
	mostBandwidthMiB = 100_000
	mostBlocks       = 100 // of a snapshot: what one page of their list has
)

func (k *checker) checkVerification(v Verification) {
	if every := v.Every.Duration; every < shortestRotation || every > longestRotation {
		k.addProblem("verification.every", "%s is outside %s to %s", every, shortestRotation, longestRotation)
	}
	if v.Blocks < -1 || v.Blocks > mostBlocks {
		k.addProblem("verification.blocks", "%d is outside 1 to %d; -1 reads none", v.Blocks, mostBlocks)
	}
	if v.BandwidthMiB < 1 || v.BandwidthMiB > mostBandwidthMiB {
		k.addProblem("verification.bandwidthMiB", "%d is outside 1 to %d", v.BandwidthMiB, mostBandwidthMiB)
	}
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
		{"concurrentBackups", c.ConcurrentBackups, 1, 100},
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

// checkSchedules checks what makes a document one of Velero's schedules. What its spec says is
// checked by package schedule, as for those that the CLI applies.
func (k *checker) checkSchedules(all []velerov1.Schedule) {
	const path = "schedules"
	seen := map[string]int{}
	for i := range all {
		at := fmt.Sprintf("%s[%d]", path, i)
		if v := all[i].APIVersion; v != "" && v != velerov1.SchemeGroupVersion.String() {
			k.addProblem(at+".apiVersion", "%q is not %s", v, velerov1.SchemeGroupVersion)
		}
		if kind := all[i].Kind; kind != "" && kind != "Schedule" {
			k.addProblem(at+".kind", "%q is not Schedule", kind)
		}
		if all[i].Name == "" {
			k.addProblem(at+".metadata.name", "required")
		}
		k.checkUnique(seen, at, path, all[i].Name, i)
	}
}

// checkDrillSchedules is checkSchedules for documents of drills.
func (k *checker) checkDrillSchedules(all []definition.Drill) {
	const path = "drills.schedules"
	seen := map[string]int{}
	for i := range all {
		at := fmt.Sprintf("%s[%d]", path, i)
		if v := all[i].APIVersion; v != "" && v != definition.APIVersion {
			k.addProblem(at+".apiVersion", "%q is not %s", v, definition.APIVersion)
		}
		if kind := all[i].Kind; kind != "" && kind != definition.Kind {
			k.addProblem(at+".kind", "%q is not %s", kind, definition.Kind)
		}
		if all[i].Spec.Schedule == nil {
			k.addProblem(at+".spec.schedule", "required: say when it is due, such as {cron: \"@monthly\"}")
		}
		k.checkUnique(seen, at, path, all[i].Metadata.Name, i)
	}
}

func (k *checker) checkUnique(seen map[string]int, at, list, name string, i int) {
	if first, taken := seen[name]; taken && name != "" {
		k.addProblem(at+".metadata.name", "%q is the name of %s[%d] too", name, list, first)
		return
	}
	seen[name] = i
}
