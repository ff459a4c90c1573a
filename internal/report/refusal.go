package report

import "strings"

// refusal is why an API server does not take an object, by the words of its answer.
type refusal struct {
	words string // in their order, with … for what stands between
	code  Code
	next  string // "" for the code's own
}

// nextForShared is the next step for an object of the whole cluster that differs: to write
// the backup's content over it takes from others what it holds for them, such as the rights of
// a namespace that was mapped.
const nextForShared = "compare the two ('restore create --dry-run' shows the fields) and change by hand what it lacks: the whole cluster uses it, and existingResourcePolicy: update would take away what it holds for others"

// refusals are what a server's answer tells about the cause, which its status code does not: a
// quota, a policy and a missing right are all forbidden. The first whose words stand in an
// answer counts. (Texts of Kubernetes 1.36.)
func refusals() []refusal {
	const (
		limits    = "raise or remove the LimitRange of the namespace, or change what the object asks for by a resource modifier, then restore again"
		port      = "free the port ('kubectl get services -A' shows who has it), or take it from the Service by a resource modifier, then restore again"
		address   = "let the cluster choose the address: take it from the Service by a resource modifier, then restore again"
		missing   = "restore what the message names as missing, then restore again; the filters of this restore may leave it out"
		webhook   = "look whether what serves the webhook named in the message runs, then restore again"
		duplicate = "nothing if the pod's controller is restored, since it makes another one; otherwise take out by a resource modifier what a webhook adds again"
	)
	return []refusal{
		{"denied the request", WebhookDenied, ""}, // admission webhook "x" …
		{"calling webhook", WebhookDenied, webhook},
		{"conversion webhook for", WebhookDenied, webhook},
		{"denied request:", WebhookDenied, ""}, // an admission policy, validating or mutating
		{"violates PodSecurity", WebhookDenied, "change the label pod-security.kubernetes.io/enforce of the namespace, or the pod by a resource modifier, then restore again"},
		{"exceeded quota:", QuotaExceeded, ""},
		{"failed quota:", QuotaExceeded, "restore the LimitRange that gives the namespace its defaults, or state by a resource modifier what the ResourceQuota asks for, then restore again"},
		{"insufficient quota to", QuotaExceeded, ""},
		{" usage per ", QuotaExceeded, limits},                 // minimum and maximum
		{"limit to request ratio per ", QuotaExceeded, limits}, // of a LimitRange, too
		{"attempting to grant RBAC permissions not currently held", Forbidden, "grant the worker's role the verbs escalate and bind on roles and clusterroles, or the permissions that the message lists, then restore again"},
		{"error looking up service account", Forbidden, missing},
		{"no PriorityClass with name", Forbidden, missing},
		{"pod rejected: RuntimeClass", Forbidden, missing},
		{"because it is being terminated", NamespaceTerminating, ""},
		{"provided port is already allocated", ObjectRejected, port},
		{"provided port is not in the valid range", ObjectRejected, port},
		{"provided IP is already allocated", ObjectRejected, address},
		{"is not in the valid range", ObjectRejected, address},
		{`Pod "…Duplicate value`, ObjectRejected, duplicate},
		{"Request entity too large", ObjectRejected, "make the object smaller in the source; the API server takes no request of more than 3 MiB"},
		{"request is too large", ObjectRejected, "make the object smaller in the source; etcd takes none of more than 1.5 MiB"},
	}
}

// refusalOf finds the cause in a server's answer.
func refusalOf(answer string) (refusal, bool) {
	for _, r := range refusals() {
		if containsInOrder(answer, r.words) {
			return r, true
		}
	}
	return refusal{}, false
}

func containsInOrder(text, words string) bool {
	for part := range strings.SplitSeq(words, "…") {
		_, after, ok := strings.Cut(text, part)
		if !ok {
			return false
		}
		text = after
	}
	return true
}

// RefusalCode is the code of the cause that a server's answer names, "" if it names none.
func RefusalCode(answer string) Code {
	r, _ := refusalOf(answer)
	return r.code
}

// nextFor is the next step after a refusal with this code: the cause's where it has one.
func (c Code) nextFor(message, next string) string {
	switch c {
	case WebhookDenied, QuotaExceeded, Forbidden, ObjectRejected, UpdateFailed, ApplyFailed, OwnerRefused:
		if r, ok := refusalOf(message); ok && r.next != "" {
			return r.next
		}
	}
	return next
}
