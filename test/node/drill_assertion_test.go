//go:build stack

package node

import (
	"strings"
	"testing"

	"github.com/lifeboat-backup/lifeboat/internal/drill/evidence"
)

// page is a web server with what assertions look at beside it.
const page = `
{apiVersion: v1, kind: Secret, metadata: {name: token}, stringData: {TOKEN: correct horse}}
---
{apiVersion: v1, kind: ConfigMap, metadata: {name: settings}, data: {mode: fast}}
---
{apiVersion: v1, kind: Service, metadata: {name: page}, spec: {selector: {app: page}, ports: [{name: http, port: 80, targetPort: 8080}]}}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: page}
spec:
  selector: {matchLabels: {app: page}}
  template:
    metadata: {labels: {app: page}}
    spec:
      terminationGracePeriodSeconds: 0
      containers:
      - name: c
        image: docker.io/library/busybox:1.35
        command: [sh, -c, "mkdir /tmp/www && echo fine > /tmp/www/health && exec httpd -f -p 8080 -h /tmp/www"]
        readinessProbe: {tcpSocket: {port: 8080}, periodSeconds: 1}
`

// pageDrill has an assertion of each kind. None asks by HTTP from within: Debian's static busybox, which the
// probe is, has no wget that works in a container.
const pageDrill = `
apiVersion: lifeboat-backup.github.io/v1
kind: Drill
metadata: {name: page}
spec:
  source: {backup: page}
  probe: {image: "docker.io/library/busybox:1.35"}
  targets: {level: L5}
  assertions:
  - {name: exec, namespace: <ns>, exec: {pod: {workload: deployment/page}, command: [cat, /tmp/www/health]}, expect: {equals: fine}}
  - {name: http, namespace: <ns>, http: {service: page, port: http, path: /health}, expect: {equals: fine}}
  - {name: http status, namespace: <ns>, http: {service: page, port: http, path: /none, status: 404}}
  - {name: tcp, namespace: <ns>, tcp: {pod: {labels: {app: page}}, port: 8080}}
  - {name: tcp from within, namespace: <ns>, tcp: {pod: {labels: {app: page}}, port: 8080, from: probe}}
  - {name: job, namespace: <ns>, job: {image: "docker.io/library/busybox:1.35", command: [sh, -c, 'test "$TOKEN" = "correct horse" && echo counted 3'], envFromSecrets: [token]}, expect: {matches: "counted [0-9]+"}}
  - {name: object, namespace: <ns>, object: {resource: configmaps, name: settings, field: "{.data.mode}"}, expect: {equals: fast}}
  - {name: condition, namespace: <ns>, condition: {resource: deployments.apps, name: page, type: Available}}
`

// assertEachKind: each kind of assertion holds of a copy behind its wall, and those that ask a workload
// find that it was stopped.
func (b *bookstore) assertEachKind(t *testing.T) {
	t.Helper()
	ns := b.cluster.namespace(t, "page")
	b.applyIn(t, ns, page)
	b.kubectl(t, "wait", "--namespace", ns, "--for=condition=Available", "deployment/page", "--timeout=2m")
	if res, err := b.CLI(t.Context(), "backup", "create", "page", "--include-namespaces", ns, "--wait"); err != nil || res.Code != 0 {
		t.Fatalf("backup: %v: %+v", err, res)
	}
	p := b.runDrill(t, 0, fileOf(t, strings.ReplaceAll(pageDrill, "<ns>", ns)))
	if p.Claim.Level != evidence.L5 || len(p.Assertions) != 8 {
		t.Errorf("%+v, %d assertions", p.Claim, len(p.Assertions))
	}
	for _, a := range p.Assertions {
		if a.Outcome != evidence.Held {
			t.Errorf("%s: %s: %s", a.Name, a.Outcome, a.Detail)
		}
	}
	found := map[string]bool{}
	for _, f := range p.NegativeControl.Faults {
		found[f.Check] = f.Detected
	}
	for _, asking := range []string{"exec", "http", "http status", "tcp", "tcp from within"} {
		if !found[asking] {
			t.Errorf("%q does not find that its workload was stopped: %+v", asking, p.NegativeControl.Faults)
		}
	}
}
