package hook

import (
	"fmt"
	"time"

	velerov1 "github.com/vmware-tanzu/velero/pkg/apis/velero/v1"
	corev1 "k8s.io/api/core/v1"

	"github.com/lifeboat-backup/lifeboat/internal/filter"
	"github.com/lifeboat-backup/lifeboat/internal/report"
)

const restoreAnnotation = "post.hook.restore.velero.io/"

// ExecHook is a command to run in a restored pod, once its container is up.
type ExecHook struct {
	Hook
	// WaitTimeout bounds the wait for the container, in nanoseconds; 0 leaves it
	// to the restore's itemOperationTimeout.
	WaitTimeout time.Duration `json:"waitTimeout,omitempty"`
	// WaitForReady waits for the container to be ready and not only to run.
	WaitForReady bool `json:"waitForReady,omitempty"`
}

// Restore returns the commands to run in a restored pod, in order. pod is as it is
// in the target cluster: the namespaces of hooks are those that namespaces were
// mapped to. The pod's annotations take the place of all hooks of the spec. A hook
// that names a container that the pod does not have is left out with a reason. The
// only error is a selector of the spec that does not parse.
func Restore(spec velerov1.RestoreHooks, pod *corev1.Pod) ([]ExecHook, []report.Reason, error) {
	hooks, problems := annotatedRestoreHooks(pod)
	if hooks == nil {
		var err error
		if hooks, err = specifiedRestoreHooks(spec, pod); err != nil {
			return nil, problems, err
		}
	}
	var known []ExecHook
	for _, h := range hooks {
		if hasContainer(pod, h.Container) {
			known = append(known, h)
			continue
		}
		problems = append(problems, reasonAt(pod, report.HookSkipped, fmt.Sprintf("hook %s was left out: the pod has no container %q", h.Name, h.Container)))
	}
	return alignReadiness(known), problems, nil
}

// Annotated reports whether a pod's annotations ask for a hook after a restore.
func Annotated(annotations map[string]any) bool {
	command, _ := annotations[restoreAnnotation+"command"].(string)
	return command != ""
}

// alignReadiness lets one hook's WaitForReady hold for all of its container, as Velero
// has it: none of them would be right before.
func alignReadiness(hooks []ExecHook) []ExecHook {
	ready := map[string]bool{}
	for _, h := range hooks {
		ready[h.Container] = ready[h.Container] || h.WaitForReady
	}
	for i := range hooks {
		hooks[i].WaitForReady = ready[hooks[i].Container]
	}
	return hooks
}

func annotatedRestoreHooks(pod *corev1.Pod) ([]ExecHook, []report.Reason) {
	n := annotationReader{pod: pod, prefix: restoreAnnotation}
	h, ok := n.readExec("exec-timeout")
	if !ok {
		return nil, nil
	}
	e := ExecHook{Hook: h, WaitTimeout: n.duration("wait-timeout"), WaitForReady: n.boolean("wait-for-ready")}
	e.Hook = e.withDefaults(pod, velerov1.HookErrorModeContinue)
	return []ExecHook{e}, n.problems
}

func specifiedRestoreHooks(spec velerov1.RestoreHooks, pod *corev1.Pod) ([]ExecHook, error) {
	applying, err := applyingHooks(spec, pod.Namespace, pod.Labels)
	if err != nil {
		return nil, err
	}
	var out []ExecHook
	for _, r := range applying {
		for _, h := range r.PostHooks {
			if h.Exec != nil {
				out = append(out, execHook(r.Name, h.Exec, pod))
			}
		}
	}
	return out, nil
}

func execHook(name string, e *velerov1.ExecRestoreHook, pod *corev1.Pod) ExecHook {
	h := Hook{Name: name, Container: e.Container, Command: e.Command, OnError: e.OnError, Timeout: e.ExecTimeout.Duration}
	return ExecHook{
		Hook:        h.withDefaults(pod, velerov1.HookErrorModeContinue),
		WaitTimeout: e.WaitTimeout.Duration, WaitForReady: e.WaitForReady != nil && *e.WaitForReady,
	}
}

// applyingHooks are the hooks of the spec that apply to a pod. Their resource filters
// mean nothing: restore hooks are always for pods.
func applyingHooks(spec velerov1.RestoreHooks, namespace string, labels map[string]string) ([]velerov1.RestoreResourceHookSpec, error) {
	var out []velerov1.RestoreResourceHookSpec
	for i, r := range spec.Resources {
		scope, err := filter.NewHookScope(r.IncludedNamespaces, r.ExcludedNamespaces, r.LabelSelector)
		if err != nil {
			return nil, fmt.Errorf("spec.hooks.resources[%d].labelSelector: %w", i, err)
		}
		if scope.Selects(namespace, labels) {
			out = append(out, r)
		}
	}
	return out, nil
}
