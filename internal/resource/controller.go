package resource

import (
	"fmt"
	"strings"

	"github.com/lifeboat-backup/lifeboat/internal/report"
	"github.com/lifeboat-backup/lifeboat/internal/resource/compare"
)

// judgeController warns of a custom resource of a type that nobody here knows, which a controller has made
// of something else: that makes it again, perhaps beside this one and by another name. One that
// has an owner is not meant: with that it comes and goes.
func (c *Context) judgeController(resource string, k kind, obj map[string]any, out *Outcome) {
	_, custom := DefinitionOf(resource)
	if !custom || k.restore != nil || len(objects(child(obj, "metadata"), "ownerReferences")) > 0 || isWritten(obj) {
		return
	}
	if label := controllerLabel(child(child(obj, "metadata"), "labels")); label != "" {
		out.addWarning(report.MadeByController, fmt.Sprintf("its label %s says that a controller made it, which may make another; --exclude-resources %s leaves it out", label, resource))
	}
}

// controllerLabel is the label that names the controller by which an object was made, as key=value: by
// the labels that Kubernetes recommends, or those of the load balancer controller.
func controllerLabel(labels map[string]any) string {
	for _, key := range []string{"app.kubernetes.io/managed-by", "app.kubernetes.io/created-by"} {
		if value := str(labels, key); namesController(value) {
			return key + "=" + value
		}
	}
	for _, key := range []string{"ingress.k8s.aws/stack", "ingress.k8s.aws/stack-name", "service.k8s.aws/stack", "service.k8s.aws/stack-name"} {
		if value := str(labels, key); value != "" {
			return key + "=" + value
		}
	}
	return ""
}

func namesController(name string) bool {
	name = strings.ToLower(name)
	return strings.Contains(name, "operator") || strings.Contains(name, "controller")
}

// isWritten says that a person or a tool of theirs wrote an object, whatever its labels say.
func isWritten(obj map[string]any) bool {
	if annotation(obj, compare.AnnotationLastApplied) != "" {
		return true
	}
	for _, entry := range objects(child(obj, "metadata"), "managedFields") {
		_, spec := child(entry, "fieldsV1")["f:spec"]
		manager := str(entry, "manager")
		if isAuthoringTool(manager) || spec && str(entry, "operation") == "Apply" && !namesController(manager) {
			return true
		}
	}
	return false
}
