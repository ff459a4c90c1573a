package definition

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Names of the document.
const (
	APIVersion = "lifeboat-backup.github.io/v1"
	Kind       = "Drill"
)

// Drill is a restore drill as a user writes it down.
type Drill struct {
	// APIVersion is lifeboat-backup.github.io/v1.
	APIVersion string `json:"apiVersion"`
	// Kind is Drill.
	Kind string `json:"kind"`
	// Metadata names the drill.
	Metadata Metadata `json:"metadata"`
	// Spec is what is drilled.
	Spec Spec `json:"spec"`
}

// Metadata names a drill.
type Metadata struct {
	// Name of the drill: a DNS label of at most 40 characters, of which names in the cluster are made.
	Name string `json:"name"`
	// Labels are the user's.
	Labels map[string]string `json:"labels,omitempty"`
	// Annotations are the user's.
	Annotations map[string]string `json:"annotations,omitempty"`
}

// Spec is what is drilled.
type Spec struct {
	// Source picks the backup.
	Source Source `json:"source"`
	// Schedule runs the drill by itself, once the document was given to 'lifeboat drill schedule apply' or to the worker.
	Schedule *Schedule `json:"schedule,omitempty"`
	// StorageLocation is where the backup lies; empty looks in all.
	StorageLocation string `json:"storageLocation,omitempty"`
	// IncludedNamespaces are those of the backup that are restored; none means all. They take the wildcards of Velero's restores.
	IncludedNamespaces []string `json:"includedNamespaces,omitempty"`
	// ExcludedNamespaces are left out.
	ExcludedNamespaces []string `json:"excludedNamespaces,omitempty"`
	// IncludedResources are the types that are restored, as in Velero's restores; none means all.
	IncludedResources []string `json:"includedResources,omitempty"`
	// ExcludedResources are left out.
	ExcludedResources []string `json:"excludedResources,omitempty"`
	// LabelSelector restores only objects with these labels.
	LabelSelector *metav1.LabelSelector `json:"labelSelector,omitempty"`
	// OrLabelSelectors restores objects that one of them selects; not with labelSelector.
	OrLabelSelectors []*metav1.LabelSelector `json:"orLabelSelectors,omitempty"`
	// AllowedKinds are types of custom resources that are created, as plural.group. Others are tried by a dry run and not created, for their controllers act outside.
	AllowedKinds []string `json:"allowedKinds,omitempty"`
	// ReadyTimeout is how long workloads may take until they are ready, 10m if it is not given.
	ReadyTimeout metav1.Duration `json:"readyTimeout,omitzero"`
	// ReadTimeout is how long it may take to read all volumes through, 30m if it is not given. What takes longer has no second RTO, and fails nothing.
	ReadTimeout metav1.Duration `json:"readTimeout,omitzero"`
	// Assertions are what has to hold of the restored data, in this order.
	Assertions []Assertion `json:"assertions,omitempty"`
	// Probe is the pod from which assertions reach others; needed if one says from: probe.
	Probe *Probe `json:"probe,omitempty"`
	// Targets are what the drill has to reach: missing one fails it.
	Targets Targets `json:"targets,omitzero"`
	// Budget bounds what the drill may use: it does not begin if it would need more.
	Budget Budget `json:"budget,omitzero"`
	// Network is whether pods of the copy can leave it.
	Network Network `json:"network,omitzero"`
	// Keep keeps the copy for a while after the drill.
	Keep *Keep `json:"keep,omitempty"`
	// VolumeInitializationRate is how fast EBS loads volumes from their snapshots, in MiB/s, 100 to 300; AWS charges for it.
	VolumeInitializationRate int32 `json:"volumeInitializationRate,omitempty"`
	// Notifications are who is told of the result.
	Notifications []Notification `json:"notifications,omitempty"`
}

// Network is what is tried, and taken, of the copy's network.
type Network struct {
	// Outside is an address, as host:port, that the pods which read volumes try to connect to and must not reach. It has to answer the worker. The API server, as pods know it, if it is not given and the worker is a pod.
	Outside string `json:"outside,omitempty"`
	// AllowOpen takes a cluster whose network does not enforce network policies. Without it a drill fails of which a pod has reached that address.
	AllowOpen bool `json:"allowOpen,omitempty"`
}

// Source picks the backup: by name, or one of a schedule's, or one of all.
type Source struct {
	// Backup is the name of a backup. Schedule and pick are left out then.
	Backup string `json:"backup,omitempty"`
	// Schedule picks among the good backups of a schedule; empty picks among those of all.
	Schedule string `json:"schedule,omitempty"`
	// Pick says which of them: latest if it is not given.
	Pick Pick `json:"pick,omitempty"`
}

// Schedule says when a drill is run by itself.
type Schedule struct {
	// Cron is when it is due: a cron string such as "0 9 1-7 1,4,7,10 TUE", @monthly, or @every 720h.
	Cron string `json:"cron"`
	// TimeZone is that of the cron string, such as Europe/Berlin; UTC if it is not given.
	TimeZone string `json:"timeZone,omitempty"`
	// CatchUpWindow is how late it may begin, after an outage or behind another drill; 12h if it is not given.
	CatchUpWindow metav1.Duration `json:"catchUpWindow,omitzero"`
	// Jitter begins it up to so much later.
	Jitter metav1.Duration `json:"jitter,omitzero"`
	// Paused starts no runs.
	Paused bool `json:"paused,omitempty"`
}

// Pick says which of the good backups is drilled.
type Pick string

// What can be picked.
const (
	PickLatest Pick = "latest"
	// PickRandom prefers backups of which less is proven.
	PickRandom Pick = "random"
)

// Values are the values that a pick can have.
func (Pick) Values() []string { return []string{"latest", "random"} }

// Probe is a pod of the drill that tries to reach others.
type Probe struct {
	// Image has sh, and curl or wget; for tcp also nc.
	Image string `json:"image"`
	// PullSecrets are names of Secrets of the restored namespaces.
	PullSecrets []string `json:"pullSecrets,omitempty"`
}

// Targets are what a drill has to reach.
type Targets struct {
	// Level is the least that has to be proven: L4 if it is not given, L5 if there are assertions.
	Level Level `json:"level,omitempty"`
	// RTO is how long it may take from when the restore is asked for until it is proven.
	RTO metav1.Duration `json:"rto,omitzero"`
	// RPO is how old the newest data, and how long the time between two good backups, may be.
	RPO metav1.Duration `json:"rpo,omitzero"`
}

// Level is how much of a backup is proven.
type Level string

// Values are the levels that a drill can be asked for.
func (Level) Values() []string { return []string{"L0", "L1", "L2", "L3", "L4", "L5"} }

// Budget bounds what a drill may use. What is 0 is not bounded.
type Budget struct {
	// Volumes is how many volumes may be made.
	Volumes int `json:"volumes,omitempty"`
	// GiB is how large they may be together.
	GiB int64 `json:"gib,omitempty"`
	// Minutes is how long the drill may take, without the teardown; 240 if it is not given.
	Minutes int `json:"minutes,omitempty"`
}

// Keep keeps the copy after the drill, under names that stay: restore-test-NAMESPACE where no other is given.
type Keep struct {
	// For is how long, at most 168h. Then the copy goes.
	For metav1.Duration `json:"for"`
	// Namespaces names the namespaces of the copy, by those of the backup, so that others find it under the same name after each drill. The copy of the drill before is removed first.
	Namespaces map[string]string `json:"namespaces,omitempty"`
}

// Notification is somebody who is told of the result: by webhook or by event.
type Notification struct {
	// Name is for messages, and unique.
	Name string `json:"name"`
	// When says of which results: always if it is not given.
	When NotifyWhen `json:"when,omitempty"`
	// Webhook posts to a URL.
	Webhook *Webhook `json:"webhook,omitempty"`
	// Event makes a Kubernetes Event in this namespace, which exists.
	Event *EventTarget `json:"event,omitempty"`
}

// NotifyWhen says of which results somebody is told.
type NotifyWhen string

// When somebody is told.
const (
	NotifyAlways  NotifyWhen = "always"
	NotifyFailure NotifyWhen = "failure"
)

// Values are the values that it can have.
func (NotifyWhen) Values() []string { return []string{"always", "failure"} }

// Webhook posts to a URL that is kept in a Secret of the worker's namespace.
type Webhook struct {
	// URLFrom is the Secret that holds the URL.
	URLFrom SecretKey `json:"urlFrom"`
	// Form is how the body is written: json if it is not given.
	Form WebhookForm `json:"form,omitempty"`
}

// WebhookForm is how a body is written.
type WebhookForm string

// Forms of bodies.
const (
	FormJSON         WebhookForm = "json"
	FormAlertmanager WebhookForm = "alertmanager"
	FormSlack        WebhookForm = "slack"
)

// Values are the forms that there are.
func (WebhookForm) Values() []string { return []string{"json", "alertmanager", "slack"} }

// SecretKey names a value of a Secret.
type SecretKey struct {
	// Name of the Secret.
	Name string `json:"name"`
	// Key in it.
	Key string `json:"key"`
}

// EventTarget is where an Event is made.
type EventTarget struct {
	// Namespace of the Event.
	Namespace string `json:"namespace"`
}
