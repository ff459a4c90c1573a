package plan

// levelByName places every type that needs a place of its own. It is a switch
// because it is asked once for every object of an archive.
func levelByName(resource string) (Level, bool) {
	for _, find := range []func(string) (Level, bool){earlyLevel, workloadLevel, lateLevel} {
		if l, ok := find(resource); ok {
			return l, true
		}
	}
	return 0, false
}

// earlyLevel: what workloads rest on.
func earlyLevel(resource string) (Level, bool) {
	switch resource {
	case "customresourcedefinitions.apiextensions.k8s.io":
		return Definitions, true
	case "namespaces":
		return Namespaces, true
	case "clusterroles.rbac.authorization.k8s.io",
		"csidrivers.storage.k8s.io",
		"deviceclasses.resource.k8s.io",
		"flowschemas.flowcontrol.apiserver.k8s.io",
		"ingressclasses.networking.k8s.io",
		"podsecuritypolicies.policy", // in archives of clusters before 1.25
		"priorityclasses.scheduling.k8s.io",
		"prioritylevelconfigurations.flowcontrol.apiserver.k8s.io",
		"runtimeclasses.node.k8s.io",
		"servicecidrs.networking.k8s.io", // before the Services whose addresses they allow
		"storageclasses.storage.k8s.io",
		"volumeattributesclasses.storage.k8s.io",
		"volumegroupsnapshotclasses.groupsnapshot.storage.k8s.io",
		"volumesnapshotclasses.snapshot.storage.k8s.io":
		return ClusterConfig, true
	case "datauploads.velero.io", // a Velero archive's record of moved data
		"persistentvolumes",
		"serviceaccounts",
		"volumegroupsnapshotcontents.groupsnapshot.storage.k8s.io",
		"volumegroupsnapshots.groupsnapshot.storage.k8s.io",
		"volumesnapshotcontents.snapshot.storage.k8s.io",
		"volumesnapshots.snapshot.storage.k8s.io":
		return Identities, true
	}
	return 0, false
}

// workloadLevel: from what pods refer to up to what runs them.
func workloadLevel(resource string) (Level, bool) {
	if isolatesPods(resource) {
		return Config, true
	}
	switch resource {
	case "configmaps",
		"networkpolicies.extensions",
		"networkpolicies.networking.k8s.io",
		"persistentvolumeclaims",
		"podtemplates",
		"resourceclaims.resource.k8s.io",
		"resourceclaimtemplates.resource.k8s.io",
		"roles.rbac.authorization.k8s.io",
		"secrets":
		return Config, true
	case "clusterrolebindings.rbac.authorization.k8s.io",
		"rolebindings.rbac.authorization.k8s.io":
		return Bindings, true
	case "pods":
		return Pods, true
	case "limitranges":
		return Limits, true
	case "controllerrevisions.apps",
		"replicasets.apps",
		"replicasets.extensions",
		"replicationcontrollers":
		return Revisions, true
	case "daemonsets.apps", "daemonsets.extensions",
		"deployments.apps", "deployments.extensions",
		"endpoints",
		"endpointslices.discovery.k8s.io",
		"jobs.batch",
		"statefulsets.apps":
		return Controllers, true
	}
	return 0, false
}

// isolatesPods tells the custom resources that decide what a pod may reach, or which
// network it is in, at the moment it starts. They need their definition only.
func isolatesPods(resource string) bool {
	switch resource {
	case "securitygrouppolicies.vpcresources.k8s.aws", "eniconfigs.crd.k8s.amazonaws.com", // AWS VPC CNI
		"ciliumnetworkpolicies.cilium.io", "ciliumclusterwidenetworkpolicies.cilium.io",
		"networkpolicies.crd.projectcalico.org", "globalnetworkpolicies.crd.projectcalico.org",
		"networkpolicies.projectcalico.org", "globalnetworkpolicies.projectcalico.org",
		"adminnetworkpolicies.policy.networking.k8s.io", "baselineadminnetworkpolicies.policy.networking.k8s.io",
		"clusternetworkpolicies.policy.networking.k8s.io", "applicationnetworkpolicies.networking.k8s.aws",
		"authorizationpolicies.security.istio.io", "peerauthentications.security.istio.io",
		"network-attachment-definitions.k8s.cni.cncf.io", "secretproviderclasses.secrets-store.csi.x-k8s.io":
		return true
	}
	return false
}

// lateLevel: what would refuse or rearrange the rest.
func lateLevel(resource string) (Level, bool) {
	switch resource {
	case "resourcequotas":
		return Quotas, true
	case "apiservices.apiregistration.k8s.io",
		"mutatingadmissionpolicies.admissionregistration.k8s.io",
		"mutatingadmissionpolicybindings.admissionregistration.k8s.io",
		"mutatingwebhookconfigurations.admissionregistration.k8s.io",
		"validatingadmissionpolicies.admissionregistration.k8s.io",
		"validatingadmissionpolicybindings.admissionregistration.k8s.io",
		"validatingwebhookconfigurations.admissionregistration.k8s.io":
		return Admission, true
	case "apps.kappctrl.k14s.io",
		"clusterbootstraps.run.tanzu.vmware.com",
		"clusterresourcesets.addons.cluster.x-k8s.io",
		"clusters.cluster.x-k8s.io",
		"packageinstalls.packaging.carvel.dev":
		return Last, true
	}
	return 0, false
}
