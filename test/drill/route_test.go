//go:build stack

package drill

import (
	"slices"
	"strings"
	"testing"

	"github.com/lifeboat-backup/lifeboat/test/harness"
)

// gatewayDefinitions have the names of the Gateway API's, and take any spec.
const gatewayDefinitions = `
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: gateways.gateway.networking.k8s.io, annotations: {api-approved.kubernetes.io: "unapproved, for a test"}}
spec:
  group: gateway.networking.k8s.io
  scope: Namespaced
  names: {plural: gateways, singular: gateway, kind: Gateway}
  versions: [{name: v1, served: true, storage: true, schema: {openAPIV3Schema: {type: object, x-kubernetes-preserve-unknown-fields: true}}}]
---
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: httproutes.gateway.networking.k8s.io, annotations: {api-approved.kubernetes.io: "unapproved, for a test"}}
spec:
  group: gateway.networking.k8s.io
  scope: Namespaced
  names: {plural: httproutes, singular: httproute, kind: HTTPRoute}
  versions: [{name: v1, served: true, storage: true, schema: {openAPIV3Schema: {type: object, x-kubernetes-preserve-unknown-fields: true}}}]
`

// routes lead traffic of outside names into a namespace, in each field of the Gateway API that has one.
const routes = `
{apiVersion: v1, kind: Namespace, metadata: {name: <ns>}}
---
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: web, namespace: <ns>, annotations: {external-dns.alpha.kubernetes.io/target: shop.example.com}}
spec:
  gatewayClassName: production
  addresses: [{type: Hostname, value: shop.example.com}]
  infrastructure: {annotations: {external-dns.alpha.kubernetes.io/hostname: shop.example.com}}
  listeners:
  - {name: one, hostname: shop.example.com, port: 443, protocol: HTTPS}
  - {name: any, hostname: "*.shop.example.com", port: 80, protocol: HTTP}
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: web, namespace: <ns>, annotations: {external-dns.alpha.kubernetes.io/hostname: "www.shop.example.com", note: see shop.example.com}}
spec:
  parentRefs: [{name: web}, {name: shared, namespace: infra}]
  hostnames: [shop.example.com, "*.shop.example.com"]
  rules:
  - filters:
    - {type: RequestRedirect, requestRedirect: {hostname: shop.example.com}}
    - {type: URLRewrite, urlRewrite: {hostname: shop.example.com}}
    - {type: ResponseHeaderModifier, responseHeaderModifier: {set: [{name: location, value: "https://shop.example.com/x"}]}}
    backendRefs: [{name: web, port: 80}]
---
{apiVersion: v1, kind: Service, metadata: {name: web, namespace: <ns>, annotations: {external-dns.alpha.kubernetes.io/hostname: shop.example.com, external-dns.alpha.kubernetes.io/internal-hostname: shop.example.com}}, spec: {ports: [{port: 80}]}}
`

// TestRoutes: routes and gateways, whether they are only tried or created, reach the API server without the
// names by which they are found outside.
func TestRoutes(t *testing.T) {
	ns, definitions := "routes-"+shared.ID, []string{"crd/gateways.gateway.networking.k8s.io", "crd/httproutes.gateway.networking.k8s.io"}
	apply(t, gatewayDefinitions)
	defer func() {
		for _, args := range [][]string{{"delete", "namespace", ns, "--timeout=1m"}, append([]string{"delete", "--timeout=1m"}, definitions...)} {
			if _, err := shared.Kubectl(t.Context(), "", args...); err != nil {
				t.Error(err)
			}
		}
	}()
	if _, err := shared.Kubectl(t.Context(), "", append([]string{"wait", "--for=condition=Established", "--timeout=1m"}, definitions...)...); err != nil {
		t.Fatal(err)
	}
	apply(t, strings.ReplaceAll(routes, "<ns>", ns))
	cli(t, 0, "backup", "create", "routes", "--include-namespaces", ns, "--wait")
	for how, tc := range map[string]struct {
		args      []string
		isWritten bool
		says      string // in the evidence
	}{
		"tried":   {nil, false, `"code":"KIND_NOT_ALLOWED"`},
		"created": {[]string{"--allow-kinds", "gateways.gateway.networking.k8s.io,httproutes.gateway.networking.k8s.io"}, true, `"rule":"HOST_NAME","resource":"httproutes.gateway.networking.k8s.io"`},
	} {
		t.Run(how, func(t *testing.T) {
			since, err := shared.audit.Length()
			if err != nil {
				t.Fatal(err)
			}
			_, p := drill(t, 0, append([]string{"routes", "--from-backup", "routes", "--level", "L2"}, tc.args...)...)
			checkWrites(t, since, p.Target.Namespaces)
			checkSent(t, since, tc.isWritten, "gateways", "httproutes")
			if told := jsonOf(p.Objects) + jsonOf(p.Neutralised); !strings.Contains(told, tc.says) || !strings.Contains(told, `"rule":"DNS_RECORD"`) {
				t.Errorf("the evidence does not say %s: %s", tc.says, told)
			}
		})
	}
}

// checkSent wants objects of each type in what was sent since the log had a length, as writes or as dry runs alone.
func checkSent(t *testing.T, since int64, isWritten bool, resources ...string) {
	t.Helper()
	requests, err := shared.audit.Requests(since)
	if err != nil {
		t.Fatal(err)
	}
	for _, resource := range resources {
		of := slices.DeleteFunc(slices.Clone(requests), func(r harness.AuditEvent) bool { return r.ObjectRef.Resource != resource || len(r.Object) == 0 })
		if len(of) == 0 || slices.ContainsFunc(of, harness.AuditEvent.IsWrite) != isWritten {
			t.Errorf("%d requests with %s, want writes: %t", len(of), resource, isWritten)
		}
	}
}
