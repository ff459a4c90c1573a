package assertion

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"

	"github.com/lifeboat-backup/lifeboat/internal/drill/definition"
	"github.com/lifeboat-backup/lifeboat/internal/kube"
	"github.com/lifeboat-backup/lifeboat/internal/kube/exec"
	"github.com/lifeboat-backup/lifeboat/internal/resource"
)

// choosePod finds the pod that is meant: of several the first by name that is ready.
func (r *Runner) choosePod(ctx context.Context, namespace string, c *definition.PodChoice) (*corev1.Pod, error) {
	if c.Name != "" {
		pod, err := kube.Read[corev1.Pod](ctx, r.Client, kube.Pods(), namespace, c.Name)
		return &pod, err
	}
	selector, err := r.podSelector(ctx, namespace, c)
	if err != nil {
		return nil, err
	}
	pods, err := kube.ListMap[corev1.Pod](ctx, r.Client, kube.Pods(), namespace, selector)
	if err != nil {
		return nil, err
	}
	for _, key := range slices.Sorted(maps.Keys(pods)) {
		if pod := pods[key]; resource.IsPodReady(&pod) {
			return &pod, nil
		}
	}
	return nil, fmt.Errorf("none of the %d pods of %s is ready", len(pods), describePod(c))
}

// podSelector is the label selector of the pods that are meant. A workload's own says which
// pods are its.
func (r *Runner) podSelector(ctx context.Context, namespace string, c *definition.PodChoice) (string, error) {
	if c.Workload == "" {
		return labels.SelectorFromSet(c.Labels).String(), nil
	}
	kind, name, _ := strings.Cut(c.Workload, "/")
	workloads := kube.Jobs()
	if plural, group, _ := strings.Cut(definition.WorkloadKind(kind), "."); group == "apps" {
		workloads = kube.Resource{Group: group, Version: "v1", Name: plural, Namespaced: true}
	}
	type workload struct {
		Spec struct{ Selector *metav1.LabelSelector }
	}
	w, err := kube.Read[workload](ctx, r.Client, workloads, namespace, name)
	if err != nil {
		return "", err
	}
	if w.Spec.Selector == nil {
		return "", fmt.Errorf("%s has no selector", c.Workload)
	}
	selector, err := metav1.LabelSelectorAsSelector(w.Spec.Selector)
	if err != nil {
		return "", fmt.Errorf("selector of %s: %w", c.Workload, err)
	}
	return selector.String(), nil
}

func describePod(c *definition.PodChoice) string {
	switch {
	case c.Name != "":
		return "pod " + c.Name
	case c.Workload != "":
		return c.Workload
	}
	return "pods with " + labels.FormatLabels(c.Labels)
}

func describeEndpoint(service string, pod *definition.PodChoice) string {
	if pod == nil {
		return "service " + service
	}
	return describePod(pod)
}

// mostOutput is how many of the last bytes of an output are read. What is longer cannot be
// compared as a whole.
const mostOutput = 64 << 10

// runCommand runs the command of an exec. Its value is what it printed, or the exit code where
// that is all that is asked for.
func (r *Runner) runCommand(ctx context.Context, namespace string, a *definition.Assertion) attempt {
	pod, err := r.choosePod(ctx, namespace, &a.Exec.Pod)
	if err != nil {
		return attempt{err: err}
	}
	result, err := exec.Run(ctx, r.Client, exec.Request{
		Namespace: namespace, Pod: pod.Name, Container: a.Exec.Container, Command: a.Exec.Command,
		Timeout: a.AttemptTimeout(), MaxOutput: mostOutput,
	})
	var exit *exec.ExitError
	switch {
	case err != nil && !errors.As(err, &exit):
		return attempt{err: err}
	case a.Expect == nil && a.Exec.ExitCode != 0:
		return attempt{value: fmt.Sprint(result.ExitCode)}
	case result.ExitCode != a.Exec.ExitCode:
		return attempt{err: cmp.Or(err, fmt.Errorf("the command ended with code %d, wanted is %d", result.ExitCode, a.Exec.ExitCode))}
	case result.Cut && a.Expect != nil && a.Expect.Matches == "":
		return attempt{err: fmt.Errorf("the command printed more than %d KiB: let it print what is to be compared only", mostOutput>>10)}
	}
	return attempt{value: string(result.Stdout)}
}
