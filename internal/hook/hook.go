package hook

import (
	"time"

	velerov1 "github.com/vmware-tanzu/velero/pkg/apis/velero/v1"
	corev1 "k8s.io/api/core/v1"

	"github.com/lifeboat-backup/lifeboat/internal/report"
)

// DefaultTimeout is how long a command may run when its hook does not say: the
// default that Velero documents.
const DefaultTimeout = 30 * time.Second

// fromAnnotations is the name of hooks that a pod's annotations ask for.
const fromAnnotations = "annotations"

// Hook is one command to run in a container of a pod.
type Hook struct {
	// Name is the hook's name in the spec, or "annotations".
	Name      string   `json:"name"`
	Container string   `json:"container"`
	Command   []string `json:"command"`
	// OnError is Fail or Continue, never empty.
	OnError velerov1.HookErrorMode `json:"onError"`
	// Timeout is how long the command may run, in nanoseconds; never 0.
	Timeout time.Duration `json:"timeout"`
}

// Stops reports whether a failure of the hook ends what it belongs to: the hooks
// that follow, and, before a snapshot, the snapshot. After a snapshot it ends nothing:
// one of the hooks thaws.
func (h Hook) Stops() bool { return h.OnError != velerov1.HookErrorModeContinue }

// withDefaults fills what the hook leaves open.
func (h Hook) withDefaults(pod *corev1.Pod, onError velerov1.HookErrorMode) Hook {
	if h.Container == "" && len(pod.Spec.Containers) > 0 {
		h.Container = pod.Spec.Containers[0].Name
	}
	if h.OnError == "" {
		h.OnError = onError
	}
	if h.Timeout <= 0 {
		h.Timeout = DefaultTimeout
	}
	return h
}

// reasonAt places a reason on a pod.
func reasonAt(pod *corev1.Pod, code report.Code, message string) report.Reason {
	return report.New(code, message).At("pods", pod.Namespace, pod.Name)
}

// Ended says why nothing can run in a pod any more; empty if it may run.
func Ended(pod *corev1.Pod) string {
	switch pod.Status.Phase {
	case corev1.PodSucceeded, corev1.PodFailed:
		return "the pod has ended (" + string(pod.Status.Phase) + ")"
	}
	return ""
}

// hasContainer reports whether a container can be meant by a hook: one of the
// pod's, or an init container that goes on running beside them.
func hasContainer(pod *corev1.Pod, name string) bool {
	for i := range pod.Spec.Containers {
		if pod.Spec.Containers[i].Name == name {
			return true
		}
	}
	for i := range pod.Spec.InitContainers {
		c := &pod.Spec.InitContainers[i]
		if c.Name == name && c.RestartPolicy != nil && *c.RestartPolicy == corev1.ContainerRestartPolicyAlways {
			return true
		}
	}
	return false
}

// statusOf finds the status of a container, nil while there is none.
func statusOf(pod *corev1.Pod, name string) *corev1.ContainerStatus {
	for _, list := range [][]corev1.ContainerStatus{pod.Status.ContainerStatuses, pod.Status.InitContainerStatuses} {
		for i := range list {
			if list[i].Name == name {
				return &list[i]
			}
		}
	}
	return nil
}

// Down says why no command can run in a container now; empty when one can. With
// ready, the container has to be ready as well.
func Down(pod *corev1.Pod, container string, ready bool) string {
	s := statusOf(pod, container)
	switch {
	case s == nil:
		return "it has not been started"
	case s.State.Waiting != nil:
		return "it waits to be started (" + s.State.Waiting.Reason + ")"
	case s.State.Terminated != nil:
		return "it has ended (" + s.State.Terminated.Reason + ")"
	case s.State.Running == nil:
		return "it has not been started"
	case ready && !s.Ready:
		return "it is not ready"
	}
	return ""
}
