package isolation

// editService makes a Service that is reached within the cluster only, by an address that the
// cluster chooses.
func (e *editor) editService(obj, spec map[string]any) {
	e.drop(RuleLoadBalancer, obj, "", "status")
	e.drop(RuleLoadBalancer, spec, "spec", "loadBalancerIP", "loadBalancerClass", "loadBalancerSourceRanges",
		"allocateLoadBalancerNodePorts", "healthCheckNodePort", "externalTrafficPolicy")
	e.drop(RuleAddress, spec, "spec", "externalIPs")
	switch kind := text(spec, "type"); kind {
	case "", "ClusterIP":
	case "ExternalName":
		e.emptyService(spec)
	default:
		e.set(RuleLoadBalancer, spec, "spec", "type", "ClusterIP")
	}
	eachObject(spec, "spec", "ports", func(port map[string]any, path string) {
		e.drop(RuleLoadBalancer, port, path, "nodePort")
	})
	if text(spec, "clusterIP") != "None" {
		e.drop(RuleAddress, spec, "spec", "clusterIP", "clusterIPs")
	}
}

// emptyService makes a headless Service without endpoints of one that stands for an outside name.
func (e *editor) emptyService(spec map[string]any) {
	e.drop(RuleExternalName, spec, "spec", "externalName", "selector")
	e.set(RuleExternalName, spec, "spec", "type", "ClusterIP")
	e.set(RuleExternalName, spec, "spec", "clusterIP", "None")
}
