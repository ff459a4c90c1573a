package definition

import (
	"cmp"
	"strconv"
	"strings"
	"time"

	velerov1 "github.com/vmware-tanzu/velero/pkg/apis/velero/v1"
)

// Defaults of fields that are not given.
const (
	DefaultReadyTimeout = 10 * time.Minute
	DefaultReadTimeout  = 30 * time.Minute
	DefaultMinutes      = 240
	DefaultTimeout      = 30 * time.Second // of an attempt at an assertion
	DefaultJobTimeout   = 10 * time.Minute
	DefaultInterval     = 5 * time.Second // between attempts
	MostRetries         = 100
	MostKept            = 168 * time.Hour
)

// RestoreSpec is the selection of the drill as a restore of a backup has it. Namespaces are
// not mapped yet.
func (s *Spec) RestoreSpec(backup string) velerov1.RestoreSpec {
	return velerov1.RestoreSpec{
		BackupName:         backup,
		IncludedNamespaces: s.IncludedNamespaces, ExcludedNamespaces: s.ExcludedNamespaces,
		IncludedResources: s.IncludedResources, ExcludedResources: s.ExcludedResources,
		LabelSelector: s.LabelSelector, OrLabelSelectors: s.OrLabelSelectors,
	}
}

// ReadyWithin is how long workloads may take until they are ready.
func (s *Spec) ReadyWithin() time.Duration {
	return cmp.Or(s.ReadyTimeout.Duration, DefaultReadyTimeout)
}

// ReadWithin is how long it may take to read the volumes through.
func (s *Spec) ReadWithin() time.Duration {
	return cmp.Or(s.ReadTimeout.Duration, DefaultReadTimeout)
}

// LeastLevel is the least level that has to be proven.
func (s *Spec) LeastLevel() Level {
	switch {
	case s.Targets.Level != "":
		return s.Targets.Level
	case len(s.Assertions) > 0:
		return "L5"
	}
	return "L4"
}

// NeedsReady reports whether what is asked for cannot be told before workloads are ready.
func (s *Spec) NeedsReady() bool {
	return s.LeastLevel() > "L2" || len(s.Assertions) > 0
}

// MostTime is how long the drill may take, without the teardown.
func (s *Spec) MostTime() time.Duration {
	return time.Duration(cmp.Or(s.Budget.Minutes, DefaultMinutes)) * time.Minute
}

// AttemptTimeout bounds one attempt.
func (a *Assertion) AttemptTimeout() time.Duration {
	if a.Job != nil {
		return cmp.Or(a.Timeout.Duration, DefaultJobTimeout)
	}
	return cmp.Or(a.Timeout.Duration, DefaultTimeout)
}

// Interval is the time between attempts.
func (a *Assertion) Interval() time.Duration {
	return cmp.Or(a.RetryInterval.Duration, DefaultInterval)
}

// Type is how the assertion looks, in the words of the evidence; "" if it does not say.
func (a *Assertion) Type() string {
	switch {
	case a.Exec != nil:
		return "exec"
	case a.HTTP != nil:
		return "http"
	case a.TCP != nil:
		return "tcp"
	case a.Job != nil:
		return "job"
	case a.Object != nil:
		return "object"
	case a.Condition != nil:
		return "condition"
	}
	return ""
}

// NeedsProbe reports whether the assertion connects out of the probe pod.
func (a *Assertion) NeedsProbe() bool {
	return a.HTTP != nil && a.HTTP.From == FromProbe || a.TCP != nil && a.TCP.From == FromProbe
}

// WorkloadKind is the type ("plural.group") of a workload's short kind, "" if it is none.
func WorkloadKind(kind string) string {
	switch strings.ToLower(kind) {
	case "deployment", "statefulset", "daemonset", "replicaset":
		return strings.ToLower(kind) + "s.apps"
	case "job":
		return "jobs.batch"
	}
	return ""
}

// PortNumber is a port that is given as a number, 0 if it is not.
func PortNumber(port string) int32 {
	n, err := strconv.ParseUint(port, 10, 16)
	if err != nil {
		return 0
	}
	return int32(n)
}
