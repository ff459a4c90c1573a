package isolation

import "slices"

// stopAutoscaler lets an autoscaler choose no number of its own. It may still bring the
// number of pods within its bounds, as it has in production.
func (e *editor) stopAutoscaler(obj, spec map[string]any) {
	if obj["apiVersion"] != "autoscaling/v2" || spec == nil {
		return
	}
	off := map[string]any{"selectPolicy": "Disabled"}
	e.set(RuleAutoscaler, spec, "spec", "behavior", map[string]any{"scaleUp": off, "scaleDown": off})
}

// loosenBudget lets every pod be evicted.
func (e *editor) loosenBudget(spec map[string]any) {
	e.drop(RuleDisruption, spec, "spec", "minAvailable")
	e.set(RuleDisruption, spec, "spec", "maxUnavailable", "100%")
	e.set(RuleDisruption, spec, "spec", "unhealthyPodEvictionPolicy", "AlwaysAllow")
}

// editSubjects leaves a role to accounts of the copy.
func (e *editor) editSubjects(obj map[string]any) {
	e.keepItems(RuleSubject, obj, "", "subjects", func(item any) bool {
		s, _ := item.(map[string]any)
		switch text(s, "kind") {
		case "ServiceAccount":
			namespace := text(s, "namespace")
			return namespace == "" && namespaceOf(obj) != "" || e.isOurs(namespace)
		case "Group":
			return e.isGroupOfOurs(text(s, "name"))
		}
		return false
	})
}

func (e *editor) isOurs(namespace string) bool {
	return slices.Contains(e.rules.Namespaces, namespace)
}

func (e *editor) isGroupOfOurs(group string) bool {
	return slices.ContainsFunc(e.rules.Namespaces, func(ns string) bool { return group == "system:serviceaccounts:"+ns })
}
