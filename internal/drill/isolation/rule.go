package isolation

// Codes of rules, in evidence and results.
const (
	RuleLoadBalancer  = "LOAD_BALANCER"
	RuleAddress       = "OUTSIDE_ADDRESS"
	RuleExternalName  = "EXTERNAL_NAME"
	RuleHost          = "HOST_NAME"
	RuleRouter        = "ROUTER"
	RuleDNS           = "DNS_RECORD"
	RuleCertificate   = "CERTIFICATE"
	RuleIdentity      = "CLOUD_IDENTITY"
	RuleSubject       = "FOREIGN_SUBJECT"
	RulePriority      = "PRIORITY"
	RuleNode          = "NODE_ACCESS"
	RuleNodeHold      = "NODE_HOLD"
	RuleAffinity      = "FOREIGN_AFFINITY"
	RuleVolume        = "FOREIGN_VOLUME"
	RuleSchedule      = "JOB_SUSPENDED"
	RuleAutoscaler    = "AUTOSCALER"
	RuleDisruption    = "DISRUPTION_BUDGET"
	RuleNetworkPolicy = "NETWORK_POLICY"
	RuleSecretCopy    = "SECRET_COPY"
	RuleSecretSource  = "SECRET_SOURCE"
	RuleMonitoring    = "MONITORING"
	RuleGitOps        = "GITOPS"
	RuleCloud         = "CLOUD_RESOURCE"
	RuleMachine       = "MACHINE"
	RuleSnapshot      = "FOREIGN_SNAPSHOT"
	RuleApplied       = "LAST_APPLIED"
	RuleKind          = "KIND_NOT_ALLOWED"
	RuleCluster       = "CLUSTER_SCOPED"
	RuleWebhook       = "WEBHOOK"
	RuleXFS           = "XFS_UUID"
)

// Rule says what a code means.
type Rule struct{ Code, Text string }

// AllRules lists the rules, sorted by code.
func AllRules() []Rule {
	return []Rule{
		{RuleAutoscaler, "an autoscaler of the copy changes nothing: it would read metrics of others and use more than the drill's budget"},
		{RuleCertificate, "nothing of the copy asks for certificates: an authority's limits are shared with production"},
		{RuleIdentity, "pods of the copy do not get the cloud role of the original: with it they would act on production's resources"},
		{RuleCloud, "a resource that stands for something in a cloud account is not created: its controller would make, adopt or delete it there"},
		{RuleCluster, "an object that belongs to the whole cluster is not written unless the drill made it: the target's own stays as it is"},
		{RuleDisruption, "a disruption budget of the copy holds up no node"},
		{RuleDNS, "nothing of the copy asks for DNS records: production's names would point to it"},
		{RuleExternalName, "a Service that stands for an outside name becomes one without endpoints"},
		{RuleAffinity, "a pod of the copy keeps no pods of other namespaces away from its node"},
		{RuleSnapshot, "a volume snapshot that the drill did not make is not created: its controller would take or delete one"},
		{RuleSubject, "a role of the copy is given to accounts of the copy only"},
		{RuleVolume, "a volume that the drill did not make is not bound: it is shared with others or kept for somebody, and an empty one takes its place"},
		{RuleGitOps, "nothing of the copy is known to a deployment tool, which would change or remove it, or deploy into other namespaces"},
		{RuleHost, "host names become names below .invalid, which no resolver knows: a router would send production's visitors to the copy"},
		{RuleSchedule, "no work of the copy begins by itself: CronJobs and unfinished Jobs are suspended"},
		{RuleKind, "a custom resource is created only if the drill allows its kind: nobody knows what its controller does outside"},
		{RuleApplied, "what kubectl applied is not kept beside the changed object, for it holds the values that were taken away"},
		{RuleLoadBalancer, "a Service is reached within the cluster only"},
		{RuleMachine, "no machines are made for the copy"},
		{RuleMonitoring, "nothing of the copy is watched by production's monitoring, which would alarm on it"},
		{RuleNetworkPolicy, "policies of the copy are not created: they add up, and one that allows would open the wall around the copy"},
		{RuleNode, "a pod has no part of its node: no network, ports, processes or files of it, and no privileges on it"},
		{RuleNodeHold, "a pod of the copy keeps no node from being removed"},
		{RuleAddress, "no address outside of the cluster is taken or named"},
		{RulePriority, "a pod of the copy pushes no other off its node"},
		{RuleRouter, "routes and gateways of the copy have a class that no router serves, and join none of other namespaces"},
		{RuleSecretCopy, "nothing of the copy is copied into other namespaces"},
		{RuleSecretSource, "nothing of the copy reads or writes an outside store of secrets; the Secrets of the backup are restored"},
		{RuleWebhook, "webhooks and admission policies are not installed: they would judge production's requests"},
		{RuleXFS, "an XFS file system is mounted with nouuid: it has the UUID of its original, which may be mounted on the same node"},
	}
}

// textOf is the sentence of a rule.
func textOf(code string) string {
	for _, r := range AllRules() {
		if r.Code == code {
			return r.Text
		}
	}
	return ""
}
