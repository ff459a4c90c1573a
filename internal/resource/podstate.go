package resource

import (
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
)

// IsPodReady says that a pod serves.
func IsPodReady(pod *corev1.Pod) bool {
	return slices.ContainsFunc(pod.Status.Conditions, func(c corev1.PodCondition) bool {
		return c.Type == corev1.PodReady && c.Status == corev1.ConditionTrue
	})
}

// WhyPodWaits is what a pod waits for or has died of, in the words of the node or the
// scheduler, "" if its status does not tell.
func WhyPodWaits(pod *corev1.Pod) string {
	for _, c := range slices.Concat(pod.Status.InitContainerStatuses, pod.Status.ContainerStatuses) {
		if why := whyContainerWaits(&c); why != "" {
			return why
		}
	}
	for _, c := range pod.Status.Conditions {
		if c.Type == corev1.PodScheduled && c.Status == corev1.ConditionFalse {
			return "not scheduled: " + c.Message
		}
	}
	return ""
}

func whyContainerWaits(c *corev1.ContainerStatus) string {
	if end := c.State.Terminated; end != nil && end.ExitCode != 0 { // and not started again yet
		return fmt.Sprintf("container %s: %s, exit code %d", c.Name, end.Reason, end.ExitCode)
	}
	w := c.State.Waiting
	if w == nil || w.Reason == "" || w.Reason == "ContainerCreating" || w.Reason == "PodInitializing" { // as all do at first
		return ""
	}
	text := fmt.Sprintf("container %s: %s", c.Name, w.Reason)
	if last := c.LastTerminationState.Terminated; last != nil {
		return text + fmt.Sprintf(", exit code %d", last.ExitCode)
	}
	if w.Message != "" {
		text += ": " + w.Message
	}
	return text
}
