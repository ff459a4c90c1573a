package plan

import (
	"slices"
	"testing"
)

func TestLevelOf(t *testing.T) {
	for level, resources := range map[Level][]string{
		Definitions:     {"customresourcedefinitions.apiextensions.k8s.io"},
		Namespaces:      {"namespaces"},
		ClusterConfig:   {"storageclasses.storage.k8s.io", "priorityclasses.scheduling.k8s.io", "runtimeclasses.node.k8s.io", "ingressclasses.networking.k8s.io", "clusterroles.rbac.authorization.k8s.io", "volumesnapshotclasses.snapshot.storage.k8s.io"},
		Identities:      {"serviceaccounts", "persistentvolumes", "volumesnapshots.snapshot.storage.k8s.io", "volumesnapshotcontents.snapshot.storage.k8s.io", "datauploads.velero.io"},
		Config:          {"secrets", "configmaps", "persistentvolumeclaims", "roles.rbac.authorization.k8s.io", "networkpolicies.networking.k8s.io", "securitygrouppolicies.vpcresources.k8s.aws", "ciliumnetworkpolicies.cilium.io"},
		Bindings:        {"rolebindings.rbac.authorization.k8s.io", "clusterrolebindings.rbac.authorization.k8s.io"},
		Pods:            {"pods"},
		Revisions:       {"replicasets.apps", "controllerrevisions.apps", "replicationcontrollers"},
		Controllers:     {"deployments.apps", "deployments.extensions", "statefulsets.apps", "daemonsets.apps", "jobs.batch", "endpoints", "endpointslices.discovery.k8s.io"},
		Services:        {"services", "ingresses.networking.k8s.io", "poddisruptionbudgets.policy", "horizontalpodautoscalers.autoscaling", "cronjobs.batch", "leases.coordination.k8s.io", "newthings.apps"},
		CustomResources: {"widgets.example.com", "gateways.gateway.networking.k8s.io", "backups.velero.io", "volumesnapshots.example.com", "secrets.example.com", "pods.metrics.k8s.io"},
		Limits:          {"limitranges"},
		Quotas:          {"resourcequotas"},
		Admission:       {"validatingwebhookconfigurations.admissionregistration.k8s.io", "mutatingwebhookconfigurations.admissionregistration.k8s.io", "apiservices.apiregistration.k8s.io", "validatingadmissionpolicybindings.admissionregistration.k8s.io"},
		Last:            {"clusters.cluster.x-k8s.io", "apps.kappctrl.k14s.io"},
	} {
		for _, r := range resources {
			if got := LevelOf(r); got != level {
				t.Errorf("LevelOf(%s) = %s, want %s", r, got, level)
			}
		}
	}
}

// The order of Velero's priorities is kept where it matters to the API server
// or to controllers.
func TestLevelsRespectDependencies(t *testing.T) {
	for _, before := range [][2]string{
		{"customresourcedefinitions.apiextensions.k8s.io", "namespaces"},
		{"customresourcedefinitions.apiextensions.k8s.io", "volumesnapshotclasses.snapshot.storage.k8s.io"},
		{"namespaces", "serviceaccounts"},
		{"serviceaccounts", "secrets"}, // a token Secret without its account is deleted
		{"serviceaccounts", "pods"},
		{"storageclasses.storage.k8s.io", "persistentvolumeclaims"},
		{"persistentvolumes", "persistentvolumeclaims"},
		{"volumesnapshots.snapshot.storage.k8s.io", "persistentvolumeclaims"},
		{"persistentvolumeclaims", "pods"},
		{"priorityclasses.scheduling.k8s.io", "pods"},
		{"networkpolicies.networking.k8s.io", "pods"},
		{"clusterroles.rbac.authorization.k8s.io", "clusterrolebindings.rbac.authorization.k8s.io"},
		{"roles.rbac.authorization.k8s.io", "rolebindings.rbac.authorization.k8s.io"},
		{"pods", "replicasets.apps"},
		{"replicasets.apps", "deployments.apps"},
		{"controllerrevisions.apps", "statefulsets.apps"},
		{"pods", "jobs.batch"},
		{"jobs.batch", "cronjobs.batch"},
		{"endpoints", "services"},
		{"servicecidrs.networking.k8s.io", "services"},
		{"deployments.apps", "horizontalpodautoscalers.autoscaling"},
		{"services", "widgets.example.com"},
		{"pods", "limitranges"}, // what ran before may not fit it
		{"persistentvolumeclaims", "limitranges"},
		{"limitranges", "replicasets.apps"}, // what is started without one has no limits
		{"securitygrouppolicies.vpcresources.k8s.aws", "pods"},
		{"authorizationpolicies.security.istio.io", "pods"},
		{"clusters.cluster.x-k8s.io", "validatingwebhookconfigurations.admissionregistration.k8s.io"},
		{"widgets.example.com", "resourcequotas"},
		{"resourcequotas", "validatingwebhookconfigurations.admissionregistration.k8s.io"},
		{"services", "apiservices.apiregistration.k8s.io"},
		{"clusterclasses.cluster.x-k8s.io", "clusters.cluster.x-k8s.io"},
	} {
		if LevelOf(before[0]) >= LevelOf(before[1]) {
			t.Errorf("%s (%s) must come before %s (%s)", before[0], LevelOf(before[0]), before[1], LevelOf(before[1]))
		}
	}
}

func TestLevelNames(t *testing.T) {
	names := LevelNames()
	if len(names) != int(levelCount) || len(slices.Compact(slices.Sorted(slices.Values(names)))) != len(names) {
		t.Errorf("%d names for %d levels", len(names), levelCount)
	}
	if Pods.String() != "pods" || Last.String() != "last" || levelCount.String() != "unknown" || Level(-1).String() != "unknown" {
		t.Error("names do not match levels")
	}
}

func BenchmarkLevelOf(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		LevelOf("widgets.example.com")
	}
}
