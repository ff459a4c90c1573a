package isolation

import (
	"slices"
	"strings"

	"github.com/lifeboat-backup/lifeboat/internal/resource/builtin"
)

// Outcome is what becomes of an object.
type Outcome string

// What can become of an object.
const (
	Create  Outcome = "create"
	DryRun  Outcome = "dryRun"  // the API server is asked whether it would take it
	LeftOut Outcome = "leftOut" // the API server is not asked
)

// Change is a field that was changed so that the copy reaches nothing outside. Neither value
// is ever one of a Secret; both are cut at 200 bytes.
type Change struct {
	Rule   string `json:"rule"`
	Field  string `json:"field"`
	Before string `json:"before,omitempty"`
	After  string `json:"after,omitempty"` // empty if the field was removed
}

// Decision is what becomes of an object, and why.
type Decision struct {
	Outcome Outcome `json:"outcome"`
	// Rule and Reason say why it is not created. Both are empty for one that is.
	Rule   string `json:"rule,omitempty"`
	Reason string `json:"reason,omitempty"`
	// Changes are the fields that were changed.
	Changes []Change `json:"changes,omitempty"`
	// EmptyVolume says that a claim, or a pod, gets an empty volume in the place of data that is
	// not the drill's: no more than L4 can be proven of it.
	EmptyVolume bool `json:"emptyVolume,omitempty"`
}

// Rules decide about the objects of one drill.
type Rules struct {
	// Namespaces are those of the copy.
	Namespaces []string
	// AllowedKinds are the types of custom resources that may be created, as plural.group.
	AllowedKinds []string
	// Owned says that an object ("plural.group", and its name or namespace/name) was made by
	// this drill, or is to be made by it under this name: its volumes, snapshots and
	// namespaces. nil: none was.
	Owned func(resource, name string) bool
	// PriorityClass is what pods of the copy get, see PriorityClass; empty takes theirs away.
	PriorityClass string
}

// Apply decides about an object and changes it. It is idempotent: applied to its result it
// changes nothing more.
func (r *Rules) Apply(resource string, obj map[string]any) Decision {
	e := &editor{rules: r}
	e.editMetadata(child(obj, "metadata"), "metadata")
	e.editKind(resource, obj)
	if len(e.changes) > 0 {
		e.dropAnnotation(child(obj, "metadata"), "metadata", lastApplied, RuleApplied)
	}
	d := Decision{Outcome: Create, Changes: e.changes, EmptyVolume: e.emptyVolume}
	if outcome, rule := r.outcomeOf(resource, obj); outcome != Create {
		d.Outcome, d.Rule, d.Reason = outcome, rule, textOf(rule)
	}
	return d
}

// outcomeOf says whether an object is created, and by which rule it is not.
func (r *Rules) outcomeOf(resource string, obj map[string]any) (Outcome, string) {
	_, group, _ := strings.Cut(resource, ".")
	builtIn := builtin.IsGroup(group)
	switch namespaced := namespaceOf(obj) != ""; {
	case r.Owned != nil && r.Owned(resource, nameOf(obj)):
		return Create, ""
	case resource == "domainmappings.serving.knative.dev": // its own name is the host name
		return LeftOut, RuleHost
	case !builtIn && !slices.Contains(r.AllowedKinds, resource):
		return DryRun, ruleOfGroup(group)
	case !builtIn && !namespaced:
		return DryRun, RuleCluster
	case group == "admissionregistration.k8s.io":
		return LeftOut, RuleWebhook
	case !namespaced:
		return LeftOut, RuleCluster
	}
	return builtInOutcome(resource, obj)
}

// builtInOutcome is for the namespaced types of Kubernetes that cannot be made harmless.
func builtInOutcome(resource string, obj map[string]any) (Outcome, string) {
	switch resource {
	case "networkpolicies.networking.k8s.io", "networkpolicies.extensions":
		return DryRun, RuleNetworkPolicy
	case "endpoints", "endpointslices.discovery.k8s.io":
		return DryRun, RuleAddress
	case "csistoragecapacities.storage.k8s.io":
		return LeftOut, RuleVolume
	case "horizontalpodautoscalers.autoscaling":
		if obj["apiVersion"] != "autoscaling/v2" { // others have no field that stops them
			return DryRun, RuleAutoscaler
		}
	}
	return Create, ""
}

// editKind changes what a type needs beside its metadata.
func (e *editor) editKind(resource string, obj map[string]any) {
	spec := child(obj, "spec")
	switch resource {
	case "pods":
		e.editPod(spec, "spec")
	case "deployments.apps", "replicasets.apps", "daemonsets.apps", "replicationcontrollers":
		e.editTemplate(child(spec, "template"), "spec.template")
	case "statefulsets.apps":
		e.editTemplate(child(spec, "template"), "spec.template")
		e.editClaimTemplates(spec)
	case "podtemplates":
		e.editTemplate(child(obj, "template"), "template")
	case "jobs.batch":
		e.set(RuleSchedule, spec, "spec", "suspend", true)
		e.editTemplate(child(spec, "template"), "spec.template")
	case "cronjobs.batch":
		e.set(RuleSchedule, spec, "spec", "suspend", true)
		job := child(child(spec, "jobTemplate"), "spec")
		e.editTemplate(child(job, "template"), "spec.jobTemplate.spec.template")
	case "services":
		e.editService(obj, spec)
	case "persistentvolumeclaims":
		e.editClaim(spec, "spec")
	case "persistentvolumes":
		e.editMountOptions(spec)
	case "rolebindings.rbac.authorization.k8s.io":
		e.editSubjects(obj)
	case "horizontalpodautoscalers.autoscaling":
		e.stopAutoscaler(obj, spec)
	case "poddisruptionbudgets.policy":
		e.loosenBudget(spec)
	default:
		e.editRoute(resource, obj)
	}
}

// ruleOfGroup is the rule by which custom resources of a group are not created.
func ruleOfGroup(group string) string {
	for suffix, rule := range map[string]string{
		"cert-manager.io": RuleCertificate, "external-secrets.io": RuleSecretSource, "secrets-store.csi.x-k8s.io": RuleSecretSource,
		"secrets.hashicorp.com": RuleSecretSource, "bitnami.com": RuleSecretSource,
		"crossplane.io": RuleCloud, "upbound.io": RuleCloud, "services.k8s.aws": RuleCloud, "cnrm.cloud.google.com": RuleCloud, "azure.com": RuleCloud,
		"elbv2.k8s.aws": RuleLoadBalancer, "externaldns.k8s.io": RuleDNS, "externaldns.nginx.org": RuleDNS,
		"cluster.x-k8s.io": RuleMachine, "machine.openshift.io": RuleMachine, "karpenter.sh": RuleMachine, "karpenter.k8s.aws": RuleMachine, "eks.amazonaws.com": RuleMachine,
		"argoproj.io": RuleGitOps, "toolkit.fluxcd.io": RuleGitOps, "keda.sh": RuleAutoscaler, "autoscaling.k8s.io": RuleAutoscaler,
		"monitoring.coreos.com": RuleMonitoring, "snapshot.storage.k8s.io": RuleSnapshot,
	} {
		if group == suffix || strings.HasSuffix(group, "."+suffix) {
			return rule
		}
	}
	return RuleKind
}
