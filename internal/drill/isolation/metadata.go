package isolation

import (
	"maps"
	"slices"
	"strings"
)

// lastApplied is where kubectl keeps what it applied.
const lastApplied = "kubectl.kubernetes.io/last-applied-configuration"

// annotationRule is the rule for annotations, and labels, whose keys begin with a prefix.
type annotationRule struct{ prefix, rule string }

// annotationRules are what controllers read from objects of others.
func annotationRules() []annotationRule {
	return []annotationRule{
		{"external-dns", RuleDNS},
		{"dns.alpha.kubernetes.io/", RuleDNS}, // kOps
		{"tailscale.com/", RuleLoadBalancer},
		{"getambassador.io/", RuleRouter},     // routes with host names, read in any namespace
		{"consul.hashicorp.com/", RuleRouter}, // the copy would serve under production's name
		{"k8s.v1.cni.cncf.io/", RuleAddress},  // a second network, beside the policy that closes the copy
		{"cni.projectcalico.org/", RuleAddress},
		{"alb.ingress.kubernetes.io/", RuleLoadBalancer},
		{"service.beta.kubernetes.io/", RuleLoadBalancer},
		{"service.kubernetes.io/load-balancer-", RuleLoadBalancer},
		{"service.kubernetes.io/aws-", RuleLoadBalancer},
		{"elbv2.k8s.aws/", RuleLoadBalancer},
		{"cloud.google.com/", RuleLoadBalancer},
		{"networking.gke.io/", RuleLoadBalancer},
		{"load-balancer.hetzner.cloud/", RuleLoadBalancer},
		{"loadbalancer.openstack.org/", RuleLoadBalancer},
		{"metallb.", RuleLoadBalancer},
		{"lbipam.cilium.io/", RuleLoadBalancer},
		{"io.cilium/lb-", RuleLoadBalancer},
		{"kube-vip.io/", RuleLoadBalancer},
		{"cert-manager.io/", RuleCertificate},
		{"acme.cert-manager.io/", RuleCertificate},
		{"certmanager.k8s.io/", RuleCertificate},
		{"kubernetes.io/tls-acme", RuleCertificate},
		{"service.beta.openshift.io/", RuleCertificate},
		{"service.alpha.openshift.io/", RuleCertificate},
		{"eks.amazonaws.com/", RuleIdentity},
		{"iam.amazonaws.com/", RuleIdentity},
		{"azure.workload.identity/", RuleIdentity},
		{"aadpodidbinding", RuleIdentity},
		{"iam.gke.io/", RuleIdentity},
		{"vault.hashicorp.com/", RuleSecretSource},
		{"replicator.v1.mittwald.de/", RuleSecretCopy},
		{"reflector.v1.k8s.emberstack.com/", RuleSecretCopy},
		{"kubed.appscode.com/", RuleSecretCopy},
		{"argocd.argoproj.io/", RuleGitOps},
		{"kustomize.toolkit.fluxcd.io/", RuleGitOps},
		{"helm.toolkit.fluxcd.io/", RuleGitOps},
		{"prometheus.io/", RuleMonitoring},
		{"ad.datadoghq.com/", RuleMonitoring},
		{"cluster-autoscaler.kubernetes.io/", RuleNodeHold},
		{"karpenter.sh/", RuleNodeHold},
	}
}

// editMetadata takes away what controllers outside of the copy read from an object.
func (e *editor) editMetadata(meta map[string]any, path string) {
	for _, field := range []string{"annotations", "labels"} {
		values := child(meta, field)
		for _, key := range slices.Sorted(maps.Keys(values)) {
			if rule := ruleOfKey(key); rule != "" {
				e.dropKey(meta, path, field, key, rule)
			}
		}
	}
}

func ruleOfKey(key string) string {
	for _, a := range annotationRules() {
		if strings.HasPrefix(key, a.prefix) {
			return a.rule
		}
	}
	return ""
}

func (e *editor) dropAnnotation(meta map[string]any, path, key, rule string) {
	e.dropKey(meta, path, "annotations", key, rule)
}

// dropKey takes an annotation or label away, and the map with the last one. What kubectl
// applied is not told, as it may be a whole Secret.
func (e *editor) dropKey(meta map[string]any, path, field, key, rule string) {
	values := child(meta, field)
	before, there := values[key]
	if !there {
		return
	}
	if rule == RuleApplied {
		before = nil
	}
	delete(values, key)
	if len(values) == 0 {
		delete(meta, field)
	}
	e.note(rule, path+"."+field+"["+key+"]", before, nil)
}
