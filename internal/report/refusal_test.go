package report

import (
	"strings"
	"testing"
)

// What API servers answer (1.36), the code that the cause has, and what the next step speaks of.
// An answer without a cause of its own is judged by its status.
func TestRefusals(t *testing.T) {
	for answer, want := range map[string]struct {
		code Code
		next string
	}{
		`admission webhook "policy.example.com" denied the request: no`:                                                                                         {WebhookDenied, "exempt this namespace"},
		`Internal error occurred: failed calling webhook "w.example.com": failed to call webhook: Post "https://w.n.svc:443/": connection refused`:              {WebhookDenied, "serves the webhook"},
		`conversion webhook for example.com/v1, Kind=Widget failed: Post "https://w.n.svc:443/convert": no endpoints available`:                                 {WebhookDenied, "serves the webhook"},
		`deployments.apps "web" is forbidden: ValidatingAdmissionPolicy 'replicas' with binding 'all' denied request: failed expression: false`:                 {WebhookDenied, "exempt this namespace"},
		`pods "web" is forbidden: policy 'sidecar' with binding 'all' denied request: failed to apply`:                                                          {WebhookDenied, "policy"},
		`pods "web" is forbidden: violates PodSecurity "restricted:latest": allowPrivilegeEscalation != false`:                                                  {WebhookDenied, "pod-security.kubernetes.io/enforce"},
		`pods "web" is forbidden: exceeded quota: q, requested: pods=1, used: pods=5, limited: pods=5`:                                                          {QuotaExceeded, "ResourceQuota"},
		`pods "web" is forbidden: failed quota: q: must specify limits.cpu for: web`:                                                                            {QuotaExceeded, "LimitRange"},
		`pods "web" is forbidden: [maximum cpu usage per Container is 1, but limit is 2]`:                                                                       {QuotaExceeded, "LimitRange"},
		`pods "web" is forbidden: cpu max limit to request ratio per Pod is 2, but provided ratio is 4.000000`:                                                  {QuotaExceeded, "LimitRange"},
		`rolebindings.rbac.authorization.k8s.io "x" is forbidden: user "w" (groups=["g"]) is attempting to grant RBAC permissions not currently held`:           {Forbidden, "escalate and bind"},
		`configmaps is forbidden: User "system:serviceaccount:lifeboat:lifeboat" cannot create resource "configmaps" in API group "" in the namespace "n"`:      {"", "grant the worker's role"},
		`pods "web" is forbidden: error looking up service account n/web: serviceaccount "web" not found`:                                                       {Forbidden, "missing"},
		`pods "web" is forbidden: no PriorityClass with name high was found`:                                                                                    {Forbidden, "missing"},
		`pods "web" is forbidden: pod rejected: RuntimeClass "gvisor" not found`:                                                                                {Forbidden, "missing"},
		`configmaps "c" is forbidden: unable to create new content in namespace n because it is being terminated`:                                               {NamespaceTerminating, "wait"},
		`Service "web" is invalid: spec.ports[0].nodePort: Invalid value: 30080: provided port is already allocated`:                                            {ObjectRejected, "free the port"},
		`Service "web" is invalid: spec.ports[0].nodePort: Invalid value: 80: provided port is not in the valid range. The range of valid ports is 30000-32767`: {ObjectRejected, "free the port"},
		`Service "web" is invalid: spec.clusterIPs: Invalid value: []string{"10.0.0.9"}: failed to allocate IP 10.0.0.9: provided IP is already allocated`:      {ObjectRejected, "let the cluster choose"},
		`Pod "web-1" is invalid: spec.containers[1].name: Duplicate value: "istio-proxy"`:                                                                       {ObjectRejected, "controller"},
		`Widget.example.com "w" is invalid: spec.names[1]: Duplicate value: "a"`:                                                                                {"", "this cluster does not take"},
		`Widget.example.com "w" is invalid: spec.size: Required value`:                                                                                          {"", "this cluster does not take"},
		`Request entity too large: limit is 3145728`:                                                                                                            {ObjectRejected, "smaller"},
		`etcdserver: request is too large`: {ObjectRejected, "smaller"},
	} {
		code := RefusalCode(answer)
		if code != want.code {
			t.Errorf("%s: %q, want %q", answer, code, want.code)
		}
		if code == "" { // by its status
			code = map[bool]Code{true: Forbidden, false: ObjectRejected}[strings.Contains(answer, "is forbidden")]
		}
		if r := New(code, answer); !strings.Contains(r.Next, want.next) {
			t.Errorf("%s: next %q", answer, r.Next)
		}
	}
}

// To overwrite is no advice for what the whole cluster uses.
func TestNextForSharedObjects(t *testing.T) {
	shared := New(ExistsDiffers, "differs").At("clusterrolebindings.rbac.authorization.k8s.io", "", "reader")
	own := New(ExistsDiffers, "differs").At("configmaps", "shop", "c")
	if !strings.Contains(shared.Next, "by hand") || own.Next == shared.Next {
		t.Errorf("%q and %q", shared.Next, own.Next)
	}
}
