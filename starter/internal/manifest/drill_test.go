package manifest_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/lifeboat-backup/lifeboat/internal/drill/definition"
	"github.com/lifeboat-backup/lifeboat/starter/internal/manifest"
)

// drillText uses every field of a Drill once.
const drillText = `
apiVersion: lifeboat-backup.github.io/v1
kind: Drill
metadata: {name: bookstore, labels: {team: shop}}
spec:
  source: {schedule: nightly, pick: random}
  storageLocation: primary
  includedNamespaces: [bookstore]
  excludedResources: [events]
  labelSelector: {matchLabels: {app: bookstore}}
  allowedKinds: [clusters.postgresql.cnpg.io]
  readyTimeout: 5m
  probe: {image: "registry.example/busybox:1.36", pullSecrets: [registry]}
  assertions:
  - name: orders
    namespace: bookstore
    exec: {pod: {workload: statefulset/db}, container: postgres, command: [psql, -tAc, "select count(*) from orders"]}
    expect: {recorded: orders}
    timeout: 20s
    retries: 3
    retryInterval: 2s
  - name: page
    namespace: bookstore
    http: {service: shop, port: http, path: /health, scheme: http, status: 200}
    expect: {matches: "ok|fine"}
  - name: page-from-inside
    namespace: bookstore
    http: {service: shop, port: "8080", from: probe}
  - name: port
    namespace: bookstore
    tcp: {pod: {labels: {app: db}}, port: 5432}
  - name: check
    namespace: bookstore
    job: {image: "registry.example/check:1", command: [check], args: [--all], envFromSecrets: [db]}
  - name: replicas
    namespace: bookstore
    object: {resource: deployments.apps, name: shop, field: status.readyReplicas}
    expect: {equals: "2"}
  - name: cluster
    namespace: bookstore
    condition: {resource: clusters.postgresql.cnpg.io, name: main, type: Ready}
  targets: {level: L5, rto: 30m, rpo: 26h}
  budget: {volumes: 4, gib: 100, minutes: 60}
  keep: {for: 4h, namespaces: {bookstore: bookstore-staging}}
  volumeInitializationRate: 200
  notifications:
  - {name: chat, when: failure, webhook: {urlFrom: {name: drill-notify, key: url}, form: slack}}
  - {name: event, event: {namespace: bookstore}}
`

func TestDrill(t *testing.T) {
	d, err := manifest.Drill(strings.NewReader(drillText))
	if err != nil {
		t.Fatal(err)
	}
	s := d.Spec
	if d.Metadata.Name != "bookstore" || s.Source.Pick != definition.PickRandom || s.Targets.RTO.Duration != 30*time.Minute || len(s.Assertions) != 7 {
		t.Errorf("read %+v", d)
	}
	body, err := json.Marshal(d)
	if err != nil {
		t.Fatal(err)
	}
	again, err := manifest.Drill(strings.NewReader(string(body)))
	if second, _ := json.Marshal(again); err != nil || string(second) != string(body) {
		t.Errorf("written and read again: %v\n%s\n%s", err, body, second)
	}
}

func TestDrillRefused(t *testing.T) {
	for _, tc := range []struct{ from, to, want string }{
		{"lifeboat-backup.github.io/v1", "velero.io/v1", `apiVersion: "velero.io/v1" is not lifeboat-backup.github.io/v1`},
		{"kind: Drill", "kind: Restore", `kind: "Restore" is not Drill`},
		{"readyTimeout", "readytimeout", "spec.readytimeout: unknown field; did you mean readyTimeout?"},
		{"retries: 3", "tries: 3", "spec.assertions[0].tries: unknown field"},
		{"rto: 30m", "rto: 1d", "spec.targets.rto: "},
		{"rto: 30m", "rto: 0s", "spec.targets.rto: is 0: leave it out for no bound"},
		{"volumes: 4", "volumes: 0", "spec.budget.volumes: is 0: leave it out for no bound"},
		{"statefulset/db", "pod/db", "spec.assertions[0].exec.pod.workload: is \"pod/db\""},
	} {
		t.Run(tc.to, func(t *testing.T) {
			_, err := manifest.Drill(strings.NewReader(strings.Replace(drillText, tc.from, tc.to, 1)))
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("got %v\nwant %s", err, tc.want)
			}
		})
	}
}
