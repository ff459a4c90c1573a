//go:build stack

package node

import (
	"context"
	"strings"
	"sync"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"

	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/drill/evidence"
	"github.com/lifeboat-backup/lifeboat/internal/kube"
	"github.com/lifeboat-backup/lifeboat/internal/poll"
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

// cached is a pod that an operator makes. It ends at once when it is told to.
const cached = `
apiVersion: v1
kind: Pod
metadata: {name: cached, labels: {app: cached}}
spec:
  terminationGracePeriodSeconds: 0
  containers:
  - name: c
    image: docker.io/library/busybox:1.35
    command: [sh, -c, "echo warm > /tmp/state && exec sleep 3600"]
    readinessProbe: {exec: {command: [test, -e, /tmp/state]}, periodSeconds: 1}
`

// operate makes the pod again in each copy that has lost it, as an operator of the cluster does, until it is told
// to stop. Then it says how often a quota has refused the pod.
func (b *bookstore) operate(t *testing.T) (stop func() int) {
	t.Helper()
	pod, err := yaml.YAMLToJSON([]byte(cached))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	seen, refused := map[string]bool{}, 0 // namespaces
	var operator sync.WaitGroup
	operator.Go(func() {
		for poll.Wait(ctx, 200*time.Millisecond) == nil {
			_ = kube.List(ctx, b.Kube, kube.Namespaces(), "", contract.DrillClusterLabel+"="+b.Cluster, func(ns metav1.PartialObjectMetadata) error {
				if _, err := b.Kube.Get(ctx, kube.Pods(), ns.Name, "cached"); err == nil {
					seen[ns.Name] = true
				} else if seen[ns.Name] {
					if _, err := b.Kube.Create(ctx, kube.Pods(), ns.Name, pod, kube.CreateOptions{}); err != nil && strings.Contains(err.Error(), "exceeded quota") {
						refused++
					}
				}
				return nil
			})
		}
	})
	t.Cleanup(cancel)
	return func() int {
		cancel()
		operator.Wait()
		return refused
	}
}

// pageDrill has an assertion of each kind.
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
  - {name: operator, namespace: <ns>, exec: {pod: {labels: {app: cached}}, command: [cat, /tmp/state]}, expect: {equals: warm}}
  - {name: http, namespace: <ns>, http: {service: page, port: http, path: /health}, expect: {equals: fine}}
  - {name: http status, namespace: <ns>, http: {service: page, port: http, path: /none, status: 404}}
  - {name: http from within, namespace: <ns>, http: {pod: {labels: {app: page}}, port: 8080, path: /health, from: probe}, expect: {equals: fine}}
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
	b.applyIn(t, ns, page+"---"+cached)
	stop := b.operate(t)
	b.kubectl(t, "wait", "--namespace", ns, "--for=condition=Available", "deployment/page", "--timeout=2m")
	if res, err := b.CLI(t.Context(), "backup", "create", "page", "--include-namespaces", ns, "--wait"); err != nil || res.Code != 0 {
		t.Fatalf("backup: %v: %+v", err, res)
	}
	p := b.runDrill(t, 0, fileOf(t, strings.ReplaceAll(pageDrill, "<ns>", ns)))
	if stop() == 0 {
		t.Error("an operator may make pods in a copy whose workloads were stopped")
	}
	if p.Claim.Level != evidence.L5 || len(p.Assertions) != 10 {
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
	for _, asking := range []string{"exec", "operator", "http", "http status", "http from within", "tcp", "tcp from within"} {
		if !found[asking] {
			t.Errorf("%q does not find that its workload was stopped: %+v", asking, p.NegativeControl.Faults)
		}
	}
}
