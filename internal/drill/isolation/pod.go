package isolation

import (
	"slices"
	"strings"
)

func (e *editor) editTemplate(template map[string]any, path string) {
	e.editMetadata(child(template, "metadata"), path+".metadata")
	e.editPod(child(template, "spec"), path+".spec")
}

// editPod makes a pod that has no part of its node, no cloud role, and pushes nobody away.
func (e *editor) editPod(spec map[string]any, path string) {
	if spec == nil {
		return
	}
	e.drop(RuleNode, spec, path, "hostNetwork", "hostPID", "hostIPC")
	e.editPriority(spec, path)
	e.editVolumes(spec, path)
	for _, field := range []string{"initContainers", "containers", "ephemeralContainers"} {
		eachObject(spec, path, field, e.editContainer)
	}
	apart := child(child(spec, "affinity"), "podAntiAffinity")
	eachObject(apart, path+".affinity.podAntiAffinity", "requiredDuringSchedulingIgnoredDuringExecution", e.editAffinity)
	eachObject(apart, path+".affinity.podAntiAffinity", "preferredDuringSchedulingIgnoredDuringExecution", func(o map[string]any, path string) {
		e.editAffinity(child(o, "podAffinityTerm"), path+".podAffinityTerm")
	})
}

// editAffinity leaves a term that keeps pods apart to the pods of its own namespace: the
// scheduler holds it against pods of others, too.
func (e *editor) editAffinity(term map[string]any, path string) {
	e.drop(RuleAffinity, term, path, "namespaces", "namespaceSelector")
}

// editPriority: the numbers follow from the class at admission, which refuses others.
func (e *editor) editPriority(spec map[string]any, path string) {
	e.drop(RulePriority, spec, path, "priority", "preemptionPolicy")
	if e.rules.PriorityClass == "" {
		e.drop(RulePriority, spec, path, "priorityClassName")
		return
	}
	e.set(RulePriority, spec, path, "priorityClassName", e.rules.PriorityClass)
}

func (e *editor) editContainer(c map[string]any, path string) {
	eachObject(c, path, "ports", func(port map[string]any, path string) { e.drop(RuleNode, port, path, "hostPort", "hostIP") })
	e.keepItems(RuleIdentity, c, path, "env", func(item any) bool {
		v, _ := item.(map[string]any)
		return !isIdentityVariable(text(v, "name"))
	})
	security := child(c, "securityContext")
	if security["privileged"] == true {
		e.set(RuleNode, security, path+".securityContext", "privileged", false)
	}
	if text(security, "procMount") == "Unmasked" {
		e.drop(RuleNode, security, path+".securityContext", "procMount")
	}
	e.keepItems(RuleNode, child(security, "capabilities"), path+".securityContext.capabilities", "add", func(item any) bool {
		name, _ := item.(string)
		return isSafeCapability(strings.TrimPrefix(name, "CAP_"))
	})
}

// isIdentityVariable reports whether a variable was put into the pod by a webhook that gives
// pods a cloud role.
func isIdentityVariable(name string) bool {
	return slices.Contains([]string{
		"AWS_ROLE_ARN", "AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_CONTAINER_CREDENTIALS_FULL_URI", "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE",
		"AZURE_FEDERATED_TOKEN_FILE", "AZURE_CLIENT_ID", "AZURE_TENANT_ID", "AZURE_AUTHORITY_HOST",
	}, name)
}

// isSafeCapability: those of the Pod Security Standard "baseline".
func isSafeCapability(name string) bool {
	return slices.Contains([]string{
		"AUDIT_WRITE", "CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "KILL", "MKNOD", "NET_BIND_SERVICE",
		"SETFCAP", "SETGID", "SETPCAP", "SETUID", "SYS_CHROOT",
	}, name)
}
