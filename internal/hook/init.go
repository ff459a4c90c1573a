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
// the hooks of the spec. A timeout is reported: nothing ends an init container but
// itself, see warnOfUnboundedInit. The errors are a selector or a container of the spec
// that does not parse; validation has refused both.
func Init(spec velerov1.RestoreHooks, pod *corev1.Pod) ([]map[string]any, []report.Reason, error) {
	if c, problems := annotatedInit(pod); c != nil {
		return []map[string]any{c}, problems, nil
	}
	applying, err := applyingHooks(spec, pod.Namespace, pod.Labels)
	if err != nil {
		return nil, nil, err
	}
	var out []map[string]any
	var problems []report.Reason
	for _, r := range applying {
		for _, h := range r.PostHooks {
			if h.Init == nil {
				continue
			}
			if h.Init.Timeout.Duration > 0 && problems == nil {
				problems = warnOfUnboundedInit(pod, fmt.Sprintf("init.timeout %s of hook %s", h.Init.Timeout.Duration, r.Name))
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
	return out, problems, nil
}

// warnOfUnboundedInit says, once for a pod, that an init container's timeout is not enforced.
// Kubernetes has no such limit; a deadline of the pod would hold for all of its life;
// a signal from within does not reach a container's first process; and a wrapper would
// need a shell or another program that the image may not have.
func warnOfUnboundedInit(pod *corev1.Pod, what string) []report.Reason {
	return []report.Reason{reasonAt(pod, report.HookUnbounded, what+" is not enforced: only its own command ends an init container, and the pod waits for it")}
}

// annotatedInit is nil when the annotations name no image: then there is no hook.
func annotatedInit(pod *corev1.Pod) (map[string]any, []report.Reason) {
	n := annotationReader{pod: pod, prefix: initAnnotation}
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
	if d := n.duration("timeout"); d > 0 {
		n.problems = append(n.problems, warnOfUnboundedInit(pod, fmt.Sprintf("metadata.annotations[%stimeout] %s", initAnnotation, d))...)
	}
	return c, n.problems
}
