// Package resource knows the Kubernetes kinds that need care when they are
// backed up, restored or compared with a live object. It is pure: objects are
// decoded JSON (map[string]any), resources are named "plural.group", and no rule
// does I/O. What a rule has to know of the cluster or of the rest of the restore
// is answered beforehand in Context.
//
// To add a kind: write one file with its rule, one line in allKinds and golden
// cases in testdata/<kind>; a test refuses a rule without a case.
//
// # Rules for every object
//
//	metadata            name, labels, annotations and namespace stay; all else is the server's
//	status              dropped, or given to a second call where it is asked for
//	namespace           follows the mapping
//	labels              velero.io/backup-name and velero.io/restore-name are set
//	ownerReferences     taken out; Outcome.Owners names them for re-linking, never by uid
//	managedFields       given back by a second call where a server-side applier owned fields
//	finalizers          see below
//	images              changed by the ConfigMap of velero.io/change-image-name, before all else
//	resource modifiers  applied to the object as it is to be, before the namespace follows the mapping;
//	                    they see it as it is in the backup, too
//	residual references paths that still name a mapped namespace are reported, text is not rewritten
//
// # Finalizers
//
// A finalizer makes deletion wait for its controller. Kubernetes' own are
// dropped, because the cluster adds them where they are needed. Of the others,
// those that a controller added are dropped too: if it runs it adds them again,
// and if it does not, deletion would hang. Only those that the manifest's author
// stated are kept, with a warning: there they say what deletion means. The
// author stated what kubectl applied, what a server-side applier owns that also owns a
// spec, or what a tool for manifests owns (helm, kubectl create). (Velero keeps them all.)
//
// # Rules for kinds
//
//	Pod                   nodeName, priority, preemptionPolicy, overhead, ephemeralContainers, generated
//	                      token volumes, network annotations and Velero's restore-wait go; the containers of
//	                      init hooks come before the Pod's own; ended and mirror Pods are skipped,
//	                      and those of a Job, TaskRun, virtual machine and the like that is restored (it
//	                      starts its own)
//	Job                   generated selector and uid labels go unless manualSelector; ended Jobs, and those
//	                      whose end is settled, are skipped
//	ResourceClaim         those that the cluster makes for one pod are skipped
//	StatefulSet           status in volumeClaimTemplates goes; storage classes are mapped
//	HorizontalPodAutoscaler  status annotations of v1 go
//	Service               cluster IPs go unless headless; IP families, node ports and health check port go
//	                      unless stated or preserveNodePorts; the status is never restored
//	Ingress               the status is never restored; a changing address is a warning
//	Endpoints, EndpointSlice  those that controllers make are skipped
//	Secret                generated tokens are skipped, made ones emptied for the token controller
//	ServiceAccount        references to generated tokens go; merged into an existing one
//	Role, ClusterRole     those that the API server keeps are skipped; rules of aggregated ones go
//	RoleBinding, ClusterRoleBinding  subjects follow the mapping, by account, user and group name;
//	                      those that the API server keeps are skipped
//	TargetGroupBinding    those that the load balancer controller made are skipped, others are told
//	custom resources that are work (work.go)  ended ones are skipped; others that look ended are told
//	webhook configurations   services follow the mapping; sideEffects become None; caBundle stays, in an
//	                      existing one that is called by a URL that of the cluster;
//	                      those that the control plane serves to itself are skipped
//	admission policy bindings  paramRef follows the mapping
//	APIService            automanaged ones are skipped; the service follows the mapping
//	CustomResourceDefinition  preserveUnknownFields becomes a schema mark; conversion follows the mapping
//	PersistentVolumeClaim binding annotations go; volumeName names the restored volume or goes; a claim
//	                      with a snapshot names it as its data source and asks for its size at least;
//	                      those of ephemeral volumes of pods that are skipped are skipped too
//	PersistentVolume      restored where it is kept or a disk was made for it, then with that disk's id
//	                      and zone; claimRef loses its uid and follows the mapping
//	VolumeSnapshot(Content)  bound to the snapshot that exists, which is retained; none is taken anew.
//	                      Those that the backup took of claims are skipped, and contents of
//	                      snapshots that are not restored
//	Namespace             spec goes; the name and its label follow the mapping
//	ConfigMap             those that Kubernetes writes are skipped (kube-root-ca.crt, API server's CA),
//	                      those by which nodes join (aws-auth, kube-proxy), and empty locks of a Pod
//	Lease                 heartbeats are skipped, others lose their holder; a live one is never updated
//	FlowSchema, PriorityLevelConfiguration  those that the API server keeps are skipped
//	LimitRange, ResourceQuota, PodDisruptionBudget, ReplicaSet, ControllerRevision and the rest:
//	                      the rules for every object are enough
//
// "Stated" means that kubectl applied it or that a field manager owns it; what
// the cluster assigned has no owner.
//
// # Comparing
//
// MergePatch and Equal compare a live object with the restored form. They run
// the kind's rule over a copy of the live object first, so that what a rule
// leaves to the cluster is neither a difference nor removed.
package resource
