package readiness

import (
	"fmt"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/lifeboat-backup/lifeboat/internal/resource"
)

// How long a container has to run until its pod counts as ready. One without a readiness probe is Ready for
// Kubernetes from the moment in which it starts, and again at each start of a crash loop, whose pauses
// begin at 10 s; one that has ended before has to show that it does not do so again.
const (
	settleTime        = 10 * time.Second
	settleTimeOfEnded = 30 * time.Second
)

// look is what was found in a namespace at a moment.
type look struct {
	pods []corev1.Pod
	told warnings
	now  time.Time
}

// unsettledPods says which pod of a workload that calls itself ready is so for its start alone.
func (l *look) unsettledPods(workload metav1.ObjectMeta) string {
	for i := range l.pods {
		p := &l.pods[i]
		if !strings.HasPrefix(p.Name, workload.Name+"-") || !resource.IsPodReady(p) {
			continue
		}
		if why := unsettled(p, l.now); why != "" {
			return "pod " + p.Name + ": " + why
		}
	}
	return ""
}

// unsettled says why a pod that is Ready does not count as such yet, "" if it does.
func unsettled(p *corev1.Pod, now time.Time) string {
	for i := range p.Status.ContainerStatuses {
		c := &p.Status.ContainerStatuses[i]
		wanted := settleTime
		if c.RestartCount > 0 {
			wanted = settleTimeOfEnded
		} else if hasReadinessProbe(p, c.Name) {
			continue
		}
		if c.State.Terminated != nil || c.State.Waiting != nil {
			return fmt.Sprintf("container %s does not run", c.Name)
		}
		if c.State.Running == nil || c.State.Running.StartedAt.IsZero() {
			continue // its node tells nothing of it but that the pod is Ready
		}
		if runs := now.Sub(c.State.Running.StartedAt.Time); runs < wanted {
			return fmt.Sprintf("container %s has run for %s, %s are wanted%s", c.Name, max(runs, 0).Round(time.Second), wanted, howEnded(c))
		}
	}
	return ""
}

func hasReadinessProbe(p *corev1.Pod, container string) bool {
	return slices.ContainsFunc(p.Spec.Containers, func(c corev1.Container) bool { return c.Name == container && c.ReadinessProbe != nil })
}

// howEnded tells of the runs before.
func howEnded(c *corev1.ContainerStatus) string {
	if c.RestartCount == 0 {
		return " of one without a readiness probe"
	}
	text := fmt.Sprintf("; it has ended %d times before", c.RestartCount)
	if last := c.LastTerminationState.Terminated; last != nil {
		text += fmt.Sprintf(", last with exit code %d", last.ExitCode)
	}
	return text
}
