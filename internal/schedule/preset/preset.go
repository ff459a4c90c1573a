// Package preset has schedules for what many want, as documents that can be changed and applied
// like one's own. It is pure.
package preset

import (
	"fmt"
	"strings"
	"time"

	velerov1 "github.com/vmware-tanzu/velero/pkg/apis/velero/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// GFS is the name of the scheme grandfather, father, son.
const GFS = "gfs"

// Names are the presets, sorted.
func Names() []string { return []string{GFS} }

// Schedules gives the documents of a preset, made anew each time.
func Schedules(name string) ([]velerov1.Schedule, error) {
	if name == GFS {
		return gfs(), nil
	}
	return nil, fmt.Errorf("preset %q is not known: use one of %s", name, strings.Join(Names(), ", "))
}

// gfs keeps 7 daily, 4 weekly and 12 monthly backups. It leaves out the namespaces that every
// cluster makes by itself.
func gfs() []velerov1.Schedule {
	const day = 24 * time.Hour
	return []velerov1.Schedule{
		schedule("daily", "0 2 * * *", 7*day),
		schedule("weekly", "0 3 * * 0", 28*day),
		schedule("monthly", "0 4 1 * *", 365*day),
	}
}

func schedule(name, cron string, ttl time.Duration) velerov1.Schedule {
	return velerov1.Schedule{
		TypeMeta:   metav1.TypeMeta{APIVersion: velerov1.SchemeGroupVersion.String(), Kind: "Schedule"},
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec: velerov1.ScheduleSpec{Schedule: cron, Template: velerov1.BackupSpec{
			TTL:                metav1.Duration{Duration: ttl},
			ExcludedNamespaces: []string{metav1.NamespaceSystem, metav1.NamespacePublic, "kube-node-lease"},
		}},
	}
}
