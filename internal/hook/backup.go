package hook

import (
	"fmt"
	"slices"
	"strings"

	velerov1 "github.com/vmware-tanzu/velero/pkg/apis/velero/v1"
	corev1 "k8s.io/api/core/v1"

	"github.com/lifeboat-backup/lifeboat/internal/filter"
	"github.com/lifeboat-backup/lifeboat/internal/report"
)

// Annotations of backup hooks, up to the last part. The bare form is the oldest
// and means before.
const (
	preAnnotation  = "pre.hook.backup.velero.io/"
	postAnnotation = "post.hook.backup.velero.io/"
	bareAnnotation = "hook.backup.velero.io/"
)

// Backup returns the commands to run in a pod before and after the snapshots of
// its volumes, in order. A pod's annotations for one side take the place of all
// hooks of the spec for that side. Hooks that cannot run because the pod or the
// container does not are left out with a reason; one that names a container that
// the pod does not have stays in and is bound to fail, so that its onError
// decides. The only error is a selector of the spec that does not parse.
func Backup(spec velerov1.BackupHooks, pod *corev1.Pod) (pre, post []Hook, problems []report.Reason, err error) {
	pre, problems = annotatedHooks(pod, preAnnotation, bareAnnotation)
	post, more := annotatedHooks(pod, postAnnotation)
	problems = append(problems, more...)
	inPre, inPost, err := specifiedHooks(spec, pod)
	if err != nil {
		return nil, nil, problems, err
	}
	if pre == nil {
		pre = inPre
	}
	if post == nil {
		post = inPost
	}
	pre, post, more = dropHooksOfStopped(pod, pre, post)
	return pre, post, append(problems, more...), nil
}

// annotatedHooks reads the annotations with the first of the prefixes that has a
// command.
func annotatedHooks(pod *corev1.Pod, prefixes ...string) ([]Hook, []report.Reason) {
	for _, prefix := range prefixes {
		n := annotationReader{pod: pod, prefix: prefix}
		if h, ok := n.readExec("timeout"); ok {
			return []Hook{h.withDefaults(pod, velerov1.HookErrorModeFail)}, n.problems
		}
	}
	return nil, nil
}

// specifiedHooks collects the hooks of the spec that apply to the pod.
func specifiedHooks(spec velerov1.BackupHooks, pod *corev1.Pod) (pre, post []Hook, err error) {
	for i, r := range spec.Resources {
		scope, err := filter.NewHookScope(r.IncludedNamespaces, r.ExcludedNamespaces, r.LabelSelector)
		if err != nil {
			return nil, nil, fmt.Errorf("spec.hooks.resources[%d].labelSelector: %w", i, err)
		}
		if !meansPods(r.IncludedResources, r.ExcludedResources) || !scope.Selects(pod.Namespace, pod.Labels) {
			continue
		}
		pre = append(pre, execHooks(r.Name, r.PreHooks, pod)...)
		post = append(post, execHooks(r.Name, r.PostHooks, pod)...)
	}
	return pre, post, nil
}

func execHooks(name string, hooks []velerov1.BackupResourceHook, pod *corev1.Pod) []Hook {
	var out []Hook
	for _, h := range hooks {
		if h.Exec == nil {
			continue
		}
		out = append(out, Hook{
			Name: name, Container: h.Exec.Container, Command: h.Exec.Command,
			OnError: h.Exec.OnError, Timeout: h.Exec.Timeout.Duration,
		}.withDefaults(pod, velerov1.HookErrorModeFail))
	}
	return out
}

// meansPods reports whether the resource filters of a hook let pods in: hooks
// exist for nothing else.
func meansPods(included, excluded []string) bool {
	isPods := func(s string) bool {
		return slices.Contains([]string{"pods", "pod", "po", "pods.v1", "*"}, strings.ToLower(s))
	}
	return !slices.ContainsFunc(excluded, isPods) && (len(included) == 0 || slices.ContainsFunc(included, isPods))
}

// dropHooksOfStopped leaves out what cannot run. One container that is down is one reason,
// however many hooks it has.
func dropHooksOfStopped(pod *corev1.Pod, pre, post []Hook) (upPre, upPost []Hook, problems []report.Reason) {
	if why := Ended(pod); why != "" && len(pre)+len(post) > 0 {
		return nil, nil, []report.Reason{reasonAt(pod, report.HookSkipped, fmt.Sprintf("%d hooks were left out: %s", len(pre)+len(post), why))}
	}
	down := func(h Hook) bool {
		why := ""
		if hasContainer(pod, h.Container) {
			why = Down(pod, h.Container, false)
		}
		if why != "" {
			problems = append(problems, reasonAt(pod, report.HookSkipped, fmt.Sprintf("hooks of container %s were left out: %s", h.Container, why)))
		}
		return why != ""
	}
	upPre, upPost = slices.DeleteFunc(pre, down), slices.DeleteFunc(post, down)
	report.Sort(problems)
	return upPre, upPost, slices.Compact(problems)
}
