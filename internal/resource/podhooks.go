package resource

import (
	"fmt"

	corev1 "k8s.io/api/core/v1"

	"github.com/lifeboat-backup/lifeboat/internal/hook"
)

// addInitHooks puts the init containers of restore hooks before the pod's own, so
// that they can prepare what those find. One that the pod has already (it was backed
// up with it) takes the place of that: names are unique in a pod.
func addInitHooks(c *Context, obj map[string]any, out *Outcome) error {
	meta := child(obj, "metadata")
	pod := &corev1.Pod{}
	pod.Name, pod.Namespace = name(obj), c.targetNamespace(namespace(obj))
	pod.Labels, pod.Annotations = StringMapOf(meta["labels"]), StringMapOf(meta["annotations"])
	hooks, problems, err := hook.Init(c.Hooks, pod)
	if err != nil {
		return fmt.Errorf("init hooks: %w", err)
	}
	for _, p := range problems {
		out.addWarning(p.Code, p.Message)
	}
	if len(hooks) == 0 {
		return nil
	}
	spec, ours, all := child(obj, "spec"), map[string]bool{}, []any{}
	for _, h := range hooks {
		ours[str(h, "name")] = true
		all = append(all, h)
	}
	for _, own := range objects(spec, "initContainers") {
		if !ours[str(own, "name")] {
			all = append(all, own)
		}
	}
	spec["initContainers"] = all
	out.InitHooks = len(hooks)
	return nil
}

// DropInitHooks takes the init containers of hooks out of a pod that is there
// already, unless it has them itself: hooks are for pods that a restore makes, and do
// not make a pod differ.
func DropInitHooks(out Outcome, want, live map[string]any) {
	if out.InitHooks == 0 {
		return
	}
	has := map[string]bool{}
	for _, c := range objects(child(live, "spec"), "initContainers") {
		has[str(c, "name")] = true
	}
	n := 0
	keepItems(child(want, "spec"), "initContainers", func(item any) bool {
		n++
		c, _ := item.(map[string]any)
		return n > out.InitHooks || has[str(c, "name")]
	})
}
