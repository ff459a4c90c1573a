package plan

import "github.com/lifeboat-backup/lifeboat/internal/resource"

// Level is a stage of a restore. Levels are applied in the order of their
// numbers; a level may rely on everything before it being in the cluster.
// The numbers may change between versions: plans carry names.
type Level int

// The levels, with the reason for each one's place. They refine Velero's list
// of priorities; where they differ, a restore that applies many objects at
// once needs it.
const (
	// Definitions: custom resources need their definitions Established, and
	// discovery is read again behind this level.
	Definitions Level = iota
	// Namespaces: every namespaced object needs one.
	Namespaces
	// ClusterConfig: cluster-scoped objects that others name and that the API
	// server checks (a pod's priority or runtime class, a claim's storage
	// class) or defaults from. ClusterRoles too, for the bindings.
	ClusterConfig
	// Identities: what needs only a namespace and is needed by Config.
	// ServiceAccounts, because a token Secret without its account is deleted
	// by the cluster at once; volumes and snapshots, for the claims.
	Identities
	// Config: what pods refer to. Policies that isolate pods are here, custom ones too, so
	// that no pod ever runs without them: a security group is chosen once in a pod's life.
	Config
	// Bindings: the API server compares a binding with its role to prevent
	// escalation, so roles of both scopes come first.
	Bindings
	// Pods come before their controllers, which then adopt them by selector
	// and do not make others.
	Pods
	// Limits: LimitRanges come after the pods and claims that were admitted before in another
	// order, and before what starts new ones: those would run without limits for good.
	Limits
	// Revisions: ReplicaSets, controller revisions and replication
	// controllers adopt pods, and are themselves adopted by Controllers.
	Revisions
	// Controllers adopt what is there. Endpoints and their slices come with
	// them: before the Services, for which the cluster would otherwise make
	// empty ones. CronJobs come later: they must find the Jobs they started.
	Controllers
	// Services and every other built-in type: ingresses, disruption budgets,
	// autoscalers, which act on what now exists.
	Services
	// CustomResources, and types nobody here knows: their operators and
	// conversion or admission services run by now.
	CustomResources
	// Quotas would refuse objects that they admitted before in another order, and
	// all objects until their controller has counted for the first time.
	Quotas
	// Last is Velero's list of types that start managing others on creation. They come
	// before the webhooks of their own operators, which are not up yet.
	Last
	// Admission: webhooks and policies, and aggregated APIs, after the
	// workloads that serve them: until those answer, they would refuse every
	// object of this restore. Owners are linked before it: a link is an update, which they
	// would refuse as well.
	Admission

	levelCount
)

// String is the level's name, which plans and the UI carry.
func (l Level) String() string {
	if l < 0 || l >= levelCount {
		return "unknown"
	}
	return LevelNames()[l]
}

// LevelNames are the names of all levels in their order.
func LevelNames() []string {
	return []string{
		"definitions", "namespaces", "cluster-config", "identities", "config",
		"bindings", "pods", "limits", "revisions", "controllers", "services",
		"custom-resources", "quotas", "last", "admission",
	}
}

// HasFirst tells the types of which some objects come before the others of their level:
// Services with a node port or address that they keep, which a Service that draws one could
// take; and custom resources that another one controls, which the controller of that one
// would otherwise make anew.
func HasFirst(name string) bool {
	return name == "services" || LevelOf(name) == CustomResources
}

// LevelOf gives the level of a type, named plural[.group].
func LevelOf(name string) Level {
	if l, ok := levelByName(name); ok {
		return l
	}
	if _, custom := resource.DefinitionOf(name); custom {
		return CustomResources
	}
	return Services
}
