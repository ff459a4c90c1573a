package resource

// allKinds is the whole list, one line a type. A new kind is one file with its
// rule and one line here.
func allKinds() map[string]kind {
	kinds := map[string]kind{
		// Core.
		"configmaps":             {restore: restoreConfigMap},
		"endpoints":              {restore: restoreEndpoints},
		"namespaces":             {restore: restoreNamespace, dropsStatus: true},
		"persistentvolumeclaims": {restore: restoreClaim, backup: backupClaim, related: relatedToClaim},
		"persistentvolumes":      {restore: restoreVolume},
		"pods":                   {restore: restorePod, related: relatedToPod, needs: podNeeds()},
		"secrets":                {restore: restoreSecret},
		"serviceaccounts":        {restore: restoreServiceAccount},
		"services":               {restore: restoreService, dropsStatus: true},

		// Workloads.
		"horizontalpodautoscalers.autoscaling": {restore: restoreAutoscaler},
		"jobs.batch":                           {restore: restoreJob},
		"resourceclaims.resource.k8s.io":       {restore: restoreResourceClaim},
		"statefulsets.apps":                    {restore: restoreStatefulSet},

		// Network.
		"endpointslices.discovery.k8s.io": {restore: restoreEndpointSlice},
		"ingresses.networking.k8s.io":     {restore: restoreIngress, dropsStatus: true},

		// RBAC.
		"clusterrolebindings.rbac.authorization.k8s.io": {restore: restoreBinding},
		"clusterroles.rbac.authorization.k8s.io":        {restore: restoreRole},
		"rolebindings.rbac.authorization.k8s.io":        {restore: restoreBinding},
		"roles.rbac.authorization.k8s.io":               {restore: restoreRole},

		// What acts outside the cluster.
		"targetgroupbindings.elbv2.k8s.aws": {restore: restoreTargetGroupBinding},

		// Extension of the API.
		"apiservices.apiregistration.k8s.io":                             {restore: restoreAPIService},
		"customresourcedefinitions.apiextensions.k8s.io":                 {restore: restoreDefinition, dropsStatus: true},
		"mutatingadmissionpolicybindings.admissionregistration.k8s.io":   {restore: restorePolicyBinding},
		"mutatingwebhookconfigurations.admissionregistration.k8s.io":     {restore: restoreWebhooks, retain: retainWebhookCA},
		"validatingadmissionpolicybindings.admissionregistration.k8s.io": {restore: restorePolicyBinding},
		"validatingwebhookconfigurations.admissionregistration.k8s.io":   {restore: restoreWebhooks, retain: retainWebhookCA},

		// State that the control plane and running processes keep.
		"flowschemas.flowcontrol.apiserver.k8s.io":                 {restore: restoreFlowControl},
		"leases.coordination.k8s.io":                               {restore: restoreLease, liveWins: true},
		"prioritylevelconfigurations.flowcontrol.apiserver.k8s.io": {restore: restoreFlowControl},

		// Snapshots.
		"volumesnapshotcontents.snapshot.storage.k8s.io": {restore: restoreSnapshotContent},
		"volumesnapshots.snapshot.storage.k8s.io":        {restore: restoreSnapshot, needs: snapshotNeeds()},
	}
	for resource, why := range notRestored() {
		kinds[resource] = kind{never: why}
	}
	for _, resource := range workTypes() {
		kinds[resource] = kind{isWork: true}
	}
	return kinds
}

// notRestored lists the types whose objects mean nothing in another cluster or
// another time, with the reason a person is given.
func notRestored() map[string]string {
	const (
		node    = "it describes a node of the cluster that was backed up"
		event   = "it tells what happened in the cluster that was backed up"
		request = "it is a request that was answered when it was made"
		velero  = "it belongs to the Velero server of the cluster that was backed up"
		driver  = "a driver of the target cluster publishes its own"
		address = "it holds addresses of the cluster that was backed up"
		machine = "it orders a machine, of which the cluster that was backed up had its own"
	)
	return map[string]string{
		// Velero's list.
		"nodes":                            node,
		"csinodes.storage.k8s.io":          node,
		"volumeattachments.storage.k8s.io": node,
		"events":                           event,
		"events.events.k8s.io":             event,
		"backups.velero.io":                velero,
		"restores.velero.io":               velero,
		"resticrepositories.velero.io":     velero,
		"backuprepositories.velero.io":     velero,

		// Ours. Restoring a request runs it again: a DeleteBackupRequest would
		// delete a backup.
		"deletebackuprequests.velero.io":                 request,
		"downloadrequests.velero.io":                     request,
		"serverstatusrequests.velero.io":                 request,
		"datauploads.velero.io":                          velero,
		"datadownloads.velero.io":                        velero,
		"podvolumebackups.velero.io":                     velero,
		"podvolumerestores.velero.io":                    velero,
		"certificatesigningrequests.certificates.k8s.io": request,
		"podcertificaterequests.certificates.k8s.io":     request,
		"componentstatuses":                              node,
		"nodeclaims.karpenter.sh":                        machine,
		"machines.karpenter.sh":                          machine, // Karpenter before 0.32
		"cninodes.vpcresources.k8s.aws":                  node,
		"ciliumnodes.cilium.io":                          node,
		"ciliumendpoints.cilium.io":                      address,
		"ciliumendpointslices.cilium.io":                 address,
		"blockaffinities.crd.projectcalico.org":          address,
		"ipamblocks.crd.projectcalico.org":               address,
		"ipamhandles.crd.projectcalico.org":              address,
		"policyendpoints.networking.k8s.aws":             "its controller makes it from NetworkPolicies",
		"updaterequests.kyverno.io":                      request,
		"csistoragecapacities.storage.k8s.io":            driver,
		"resourceslices.resource.k8s.io":                 driver,
		"ipaddresses.networking.k8s.io":                  "the API server writes one for each cluster IP it gives",
		"storageversions.internal.apiserver.k8s.io":      "the API server writes its own",
	}
}
