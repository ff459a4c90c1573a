package definition

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// Assertion is something that has to hold of the restored data. It has exactly one of exec,
// http, tcp, job, object and condition.
type Assertion struct {
	// Name is unique among the assertions of the drill.
	Name string `json:"name"`
	// Namespace is that of the backup, also where the copy has another one.
	Namespace string `json:"namespace"`
	// Exec runs a command in a pod.
	Exec *Exec `json:"exec,omitempty"`
	// HTTP sends a GET.
	HTTP *HTTP `json:"http,omitempty"`
	// TCP connects.
	TCP *TCP `json:"tcp,omitempty"`
	// Job runs an image to its end.
	Job *Job `json:"job,omitempty"`
	// Object looks at an object.
	Object *Object `json:"object,omitempty"`
	// Condition looks at a condition in an object's status.
	Condition *Condition `json:"condition,omitempty"`
	// Expect is what the output, body, log or field has to be; without it success is enough.
	Expect *Expect `json:"expect,omitempty"`
	// Timeout bounds one attempt: 30s if it is not given, 10m for a Job.
	Timeout metav1.Duration `json:"timeout,omitzero"`
	// Retries is how often it is tried again if it does not hold, at most 100.
	Retries int `json:"retries,omitempty"`
	// RetryInterval is the time between attempts, 5s if it is not given.
	RetryInterval metav1.Duration `json:"retryInterval,omitzero"`
}

// Expect is what a value has to be: exactly one of its fields. Line ends at the end of a value
// do not count.
type Expect struct {
	// Equals is the value itself.
	Equals *string `json:"equals,omitempty"`
	// Matches is a regular expression (RE2) that has to match somewhere in the value.
	Matches string `json:"matches,omitempty"`
	// Recorded is the name of a value that was recorded with the backup, to which this one has to be equal.
	Recorded string `json:"recorded,omitempty"`
}

// PodChoice chooses a pod by exactly one of its fields. Of several pods the first by name that is ready is taken.
type PodChoice struct {
	// Name of the pod.
	Name string `json:"name,omitempty"`
	// Labels that the pod has.
	Labels map[string]string `json:"labels,omitempty"`
	// Workload that the pod belongs to: deployment/shop, statefulset/db, daemonset/agent, replicaset/r or job/j.
	Workload string `json:"workload,omitempty"`
}

// Exec runs a command in a container.
type Exec struct {
	// Pod in which it runs.
	Pod PodChoice `json:"pod"`
	// Container in which it runs, the pod's first if it is not given.
	Container string `json:"container,omitempty"`
	// Command is the program with its arguments; no shell splits them.
	Command []string `json:"command"`
	// ExitCode is the code with which it has to end.
	ExitCode int `json:"exitCode,omitempty"`
}

// From is where a connection comes from.
type From string

// Where connections can come from.
const (
	FromAPIServer From = "apiserver" // through the API server's proxy, or its port-forward
	FromProbe     From = "probe"     // out of the drill's probe pod
)

// Values are the values that it can have.
func (From) Values() []string { return []string{"apiserver", "probe"} }

// HTTP sends a GET to a Service or a pod.
type HTTP struct {
	// Service to ask; or a pod.
	Service string `json:"service,omitempty"`
	// Pod to ask; or a Service.
	Pod *PodChoice `json:"pod,omitempty"`
	// Port is a number, or through the API server the name of a Service's port.
	Port intstr.IntOrString `json:"port"`
	// Path with its query, / if it is not given.
	Path string `json:"path,omitempty"`
	// Scheme is http if it is not given.
	Scheme Scheme `json:"scheme,omitempty"`
	// Status that has to come back, 200 if it is not given.
	Status int `json:"status,omitempty"`
	// From is apiserver if it is not given.
	From From `json:"from,omitempty"`
}

// Scheme is http or https; certificates are not checked, for the copy has another name.
type Scheme string

// Values are the schemes that there are.
func (Scheme) Values() []string { return []string{"http", "https"} }

// TCP connects to a port and closes the connection.
type TCP struct {
	// Service to connect to, only from: probe; or a pod.
	Service string `json:"service,omitempty"`
	// Pod to connect to; or a Service.
	Pod *PodChoice `json:"pod,omitempty"`
	// Port is a number.
	Port int32 `json:"port"`
	// From is apiserver, which is a port-forward, if it is not given.
	From From `json:"from,omitempty"`
}

// Job runs an image to its end in the restored namespace. It has to succeed. What is expected is compared with its log.
type Job struct {
	// Image to run.
	Image string `json:"image"`
	// Command in the place of the image's.
	Command []string `json:"command,omitempty"`
	// Args in the place of the image's.
	Args []string `json:"args,omitempty"`
	// RunAsUser is the user that it runs as, without any privilege; needed where the namespace enforces the Pod Security Standard "restricted". The image's user if it is not given.
	RunAsUser *int64 `json:"runAsUser,omitempty"`
	// EnvFromSecrets are names of restored Secrets whose values become environment variables.
	EnvFromSecrets []string `json:"envFromSecrets,omitempty"`
	// PullSecrets are names of restored Secrets with which the image is pulled.
	PullSecrets []string `json:"pullSecrets,omitempty"`
}

// Object is an object that has to be there.
type Object struct {
	// Resource is its type, as plural.group.
	Resource string `json:"resource"`
	// Name of the object.
	Name string `json:"name"`
	// Field is a path in it, like status.readyReplicas or {.spec.ports[0].port}, whose value is compared with what is expected. Of Secrets no field is read.
	Field string `json:"field,omitempty"`
}

// Condition is a condition of an object, such as a custom resource.
type Condition struct {
	// Resource is its type, as plural.group.
	Resource string `json:"resource"`
	// Name of the object.
	Name string `json:"name"`
	// Type of the condition.
	Type string `json:"type"`
	// Status that it has to have, True if it is not given.
	Status string `json:"status,omitempty"`
}
