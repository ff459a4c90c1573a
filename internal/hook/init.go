package hook

import (
	"fmt"

	velerov1 "github.com/vmware-tanzu/velero/pkg/apis/velero/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/json" // whole numbers stay whole

	"github.com/lifeboat-backup/lifeboat/internal/report"
)

const initAnnotation = "init.hook.restore.velero.io/"

// generatedName is for an init container whose annotation gives no name. It is
// the same at every try of a restore, and a pod has only one.
const generatedName = "velero-restore-init"

// Init returns the init containers that a pod gets when it is restored, in
// order, as JSON objects. Only name, namespace (of the target cluster), labels
// and annotations of pod are looked at. The pod's annotations take the place of
// the hooks of the spec. The errors are a selector or a container of the spec
// that does not parse; validation has refused both.
func Init(spec velerov1.RestoreHooks, pod *corev1.Pod) ([]map[string]any, []report.Reason, error) {
	if c, problems := initAnnotated(pod); c != nil {
		return []map[string]any{c}, problems, nil
	}
	applying, err := applying(spec, pod.Namespace, pod.Labels)
	if err != nil {
		return nil, nil, err
	}
	var out []map[string]any
	for _, r := range applying {
		for _, h := range r.PostHooks {
			if h.Init == nil {
				continue
			}
			for i, raw := range h.Init.InitContainers {
				var c map[string]any
				if err := json.Unmarshal(raw.Raw, &c); err != nil {
					return nil, nil, fmt.Errorf("init container %d of hook %s: %w", i, r.Name, err)
				}
				out = append(out, c)
			}
		}
	}
	return out, nil, nil
}

// initAnnotated is nil when the annotations name no image: then there is no hook.
func initAnnotated(pod *corev1.Pod) (map[string]any, []report.Reason) {
	n := notes{pod: pod, prefix: initAnnotation}
	image := n.text("container-image")
	if image == "" {
		return nil, nil
	}
	c := map[string]any{"name": generatedName, "image": image}
	if name := n.text("container-name"); name != "" {
		c["name"] = name
	}
	if words := n.command(); words != nil {
		list := make([]any, len(words))
		for i, w := range words {
			list[i] = w
		}
		c["command"] = list
	}
	return c, n.problems
}
