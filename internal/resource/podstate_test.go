package resource

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
)

// TestWhyPodWaits: what its containers have died of comes before what the scheduler says, and
// what all pods go through is no reason.
func TestWhyPodWaits(t *testing.T) {
	waiting := func(reason, message string) corev1.ContainerStatus {
		return corev1.ContainerStatus{Name: "c", State: corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: reason, Message: message}}}
	}
	ended := func(code int32) *corev1.ContainerStateTerminated {
		return &corev1.ContainerStateTerminated{Reason: "Error", ExitCode: code}
	}
	again := waiting("CrashLoopBackOff", "back-off 10s")
	again.LastTerminationState.Terminated = ended(3)
	unscheduled := []corev1.PodCondition{{Type: corev1.PodScheduled, Status: corev1.ConditionFalse, Message: "0/3 nodes are available"}}
	for want, status := range map[string]corev1.PodStatus{
		"": {ContainerStatuses: []corev1.ContainerStatus{waiting("ContainerCreating", "")}},
		"container c: ErrImagePull: no such image":   {ContainerStatuses: []corev1.ContainerStatus{waiting("ErrImagePull", "no such image")}, Conditions: unscheduled},
		"container c: CrashLoopBackOff, exit code 3": {ContainerStatuses: []corev1.ContainerStatus{again}},
		"container first: Error, exit code 1":        {InitContainerStatuses: []corev1.ContainerStatus{{Name: "first", State: corev1.ContainerState{Terminated: ended(1)}}}, ContainerStatuses: []corev1.ContainerStatus{waiting("PodInitializing", "")}},
		"not scheduled: 0/3 nodes are available":     {Conditions: unscheduled},
		"container c: CreateContainerConfigError":    {ContainerStatuses: []corev1.ContainerStatus{{Name: "done", State: corev1.ContainerState{Terminated: ended(0)}}, waiting("CreateContainerConfigError", "")}},
	} {
		if got := WhyPodWaits(&corev1.Pod{Status: status}); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

// TestIsPodReady: a condition that is not true is none.
func TestIsPodReady(t *testing.T) {
	for status, want := range map[corev1.ConditionStatus]bool{corev1.ConditionTrue: true, corev1.ConditionFalse: false, corev1.ConditionUnknown: false} {
		pod := &corev1.Pod{Status: corev1.PodStatus{Conditions: []corev1.PodCondition{{Type: corev1.PodScheduled, Status: corev1.ConditionTrue}, {Type: corev1.PodReady, Status: status}}}}
		if got := IsPodReady(pod); got != want {
			t.Errorf("%s: %v", status, got)
		}
	}
}
