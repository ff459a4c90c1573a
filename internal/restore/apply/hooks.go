package apply

import (
	"fmt"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/json"

	"github.com/lifeboat-backup/lifeboat/internal/hook"
)

// countHooks notes how many hooks wait for the pod, and what is wrong with them.
func (a *applier) countHooks(it *item) error {
	if it.entry.Resource != "pods" {
		return nil
	}
	meta, _ := it.want["metadata"].(map[string]any)
	notes, _ := meta["annotations"].(map[string]any)
	spec := a.s.Restore.Spec.Hooks
	if len(spec.Resources) == 0 && !hook.Annotated(notes) {
		return nil
	}
	pod, err := podOf(it.want)
	if err != nil {
		return err
	}
	hooks, problems, err := hook.Restore(spec, pod)
	it.rec.Hooks = len(hooks)
	it.rec.Reasons = append(it.rec.Reasons, problems...)
	return err
}

func podOf(obj map[string]any) (*corev1.Pod, error) {
	raw, err := json.Marshal(obj)
	if err != nil {
		return nil, err
	}
	pod := &corev1.Pod{}
	if err := json.Unmarshal(raw, pod); err != nil {
		return nil, fmt.Errorf("read as a pod: %w", err)
	}
	return pod, nil
}
