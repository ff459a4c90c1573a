//go:build stack

package drill

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/drill/evidence"
	"github.com/lifeboat-backup/lifeboat/internal/repository"
)

// shop is an application, and things beside it that no copy may have as they are; <ns> is its
// namespace.
const shop = `
{apiVersion: v1, kind: Namespace, metadata: {name: <ns>, labels: {team: books}}}
---
{apiVersion: v1, kind: ConfigMap, metadata: {name: settings, namespace: <ns>}, data: {mode: production}}
---
{apiVersion: v1, kind: Secret, metadata: {name: db, namespace: <ns>}, stringData: {password: correct horse}}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: <ns>}
spec:
  replicas: 2
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: web, image: "registry.k8s.io/pause:3.10", envFrom: [{secretRef: {name: db}}]}]}
---
{apiVersion: v1, kind: Service, metadata: {name: web, namespace: <ns>, annotations: {external-dns.alpha.kubernetes.io/hostname: shop.example.com}}, spec: {type: LoadBalancer, selector: {app: web}, ports: [{port: 80}]}}
---
{apiVersion: networking.k8s.io/v1, kind: Ingress, metadata: {name: web, namespace: <ns>}, spec: {rules: [{host: shop.example.com, http: {paths: [{path: /, pathType: Prefix, backend: {service: {name: web, port: {number: 80}}}}]}}]}}
---
apiVersion: batch/v1
kind: CronJob
metadata: {name: nightly, namespace: <ns>}
spec:
  schedule: "0 0 29 2 *"
  jobTemplate: {spec: {template: {spec: {restartPolicy: Never, containers: [{name: c, image: "registry.k8s.io/pause:3.10"}]}}}}
---
{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: open, namespace: <ns>}, spec: {podSelector: {}, egress: [{}], policyTypes: [Egress]}}
---
{apiVersion: policy/v1, kind: PodDisruptionBudget, metadata: {name: web, namespace: <ns>}, spec: {minAvailable: 2, selector: {matchLabels: {app: web}}}}
`

// setUp makes the application, waits until it runs, and backs it up.
func setUp(t *testing.T, ns, backup string) {
	t.Helper()
	l := shared
	if _, err := l.Kubectl(t.Context(), strings.ReplaceAll(shop, "<ns>", ns), "apply", "-f", "-"); err != nil {
		t.Fatal(err)
	}
	if _, err := l.Kubectl(t.Context(), "", "rollout", "status", "deployment/web", "-n", ns, "--timeout=2m"); err != nil {
		t.Fatal(err)
	}
	cli(t, 0, "backup", "create", backup, "--include-namespaces", ns, "--wait")
}

// cli runs the program, wants an exit code and gives what it says.
func cli(t *testing.T, code int, args ...string) string {
	t.Helper()
	res, err := shared.CLI(t.Context(), args...)
	if err != nil || res.Code != code {
		t.Fatalf("lifeboat %s: exit %d, want %d: %v\n%s%s\nworker:\n%s", strings.Join(args, " "), res.Code, code, err, res.Out, res.Err, tail(shared.Worker.Log()))
	}
	return res.Out
}

func tail(log []byte) string { return string(log[max(0, len(log)-3000):]) }

// drill runs a drill, and returns its result and its evidence, which both verifiers accept.
func drill(t *testing.T, code int, args ...string) (contract.DrillResult, evidence.Predicate) {
	t.Helper()
	out := cli(t, code, append([]string{"drill", "run", "-o", "json"}, args...)...)
	var res contract.DrillResult
	if err := json.Unmarshal([]byte(out), &res); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return res, stored(t, res.Key)
}

// stored is evidence out of the bucket.
func stored(t *testing.T, key string) evidence.Predicate {
	t.Helper()
	content, err := repository.GetBytes(t.Context(), shared.Store, key)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), filepath.Base(key))
	if err := os.WriteFile(file, content, 0o600); err != nil {
		t.Fatal(err)
	}
	e, err := evidence.Read(content)
	if err != nil {
		t.Fatal(err)
	}
	report, err := shared.CLI(t.Context(), "drill", "verify", "--key", shared.key, "-o", "json", file)
	if err != nil || strings.Contains(report.Out, `"valid":false`) || report.Code == 2 {
		t.Errorf("verify: exit %d: %v\n%s%s", report.Code, err, report.Out, report.Err)
	}
	if os.Getenv("LIFEBOAT_DRILL_KEEP") != "" {
		_ = os.WriteFile(filepath.Join(os.Getenv("LIFEBOAT_DRILL_KEEP"), filepath.Base(key)), content, 0o600)
	}
	if e.Statement.Predicate.Claim.Verdict == evidence.Passed {
		checkSubject(t, e.Statement)
	}
	return e.Statement.Predicate
}

// checkSubject wants the digest of the manifest's bytes in the bucket, as a stranger computes it.
func checkSubject(t *testing.T, s evidence.Statement) {
	t.Helper()
	manifest, err := repository.GetBytes(t.Context(), shared.Store, s.Subject[0].Name)
	if sum := fmt.Sprintf("%x", sha256.Sum256(manifest)); err != nil || string(s.Subject[0].Digest.SHA256) != sum {
		t.Errorf("subject %+v, the manifest has %s, %v", s.Subject[0], sum, err)
	}
}

// TestDrill: an application is restored beside itself, proven, and gone; the original is as it
// was, and nothing outside of the copy was written.
func TestDrill(t *testing.T) {
	ns := "shop-" + shared.ID
	setUp(t, ns, "whole")
	before := snapshotOf(t)
	began := time.Now()
	written, err := shared.audit.Length()
	if err != nil {
		t.Fatal(err)
	}
	res, p := drill(t, 0, "shop", "--from-backup", "whole")
	t.Logf("%s at %s in %s: %+v", res.Verdict, res.Level, time.Since(began).Round(time.Millisecond), p.Objects)
	if res.Level != contract.LevelReady || res.Verdict != "passed" {
		t.Errorf("%+v", res)
	}
	checkCounts(t, p)
	for _, rule := range []string{"LOAD_BALANCER", "HOST_NAME", "DISRUPTION_BUDGET", "JOB_SUSPENDED"} {
		if !strings.Contains(jsonOf(p.Neutralised), `"`+rule+`"`) {
			t.Errorf("nothing was neutralised by %s: %s", rule, jsonOf(p.Neutralised))
		}
	}
	if p.NegativeControl.Outcome != evidence.ControlDetected || len(p.NegativeControl.Faults) != 3 {
		t.Errorf("negative control %+v", p.NegativeControl)
	}
	if p.Teardown.Outcome != evidence.TeardownComplete || p.Teardown.LeakScan[1].Made != 1 {
		t.Errorf("teardown %+v", p.Teardown)
	}
	checkAnswers(t, p)
	checkWrites(t, written, p.Target.Namespaces)
	before.checkSame(t, snapshotOf(t), ns)
}

// checkAnswers wants every question of the production checklist answered, by what the stack has.
func checkAnswers(t *testing.T, p evidence.Predicate) {
	t.Helper()
	answers := map[string]evidence.Answer{}
	for _, c := range p.Checklist {
		answers[c.ID] = c.Answer
		if c.Answer == "unknown" && c.Found == "" {
			t.Errorf("%s is unknown without a reason", c.ID)
		}
	}
	if answers["location/default"] != "yes" || answers["backup"] != "yes" || answers["eks-deletion-protection"] != "unknown" || len(answers) < 10 {
		t.Errorf("checklist %v", answers)
	}
}

// checkCounts wants every object accounted for, and none lost.
func checkCounts(t *testing.T, p evidence.Predicate) {
	t.Helper()
	o := p.Objects
	if o.Total == 0 || o.Total != o.Equal+o.Changed+o.NotRestored || o.Total != p.Source.Backup.Objects {
		t.Errorf("objects do not add up: %s", jsonOf(o))
	}
	for _, k := range o.Kinds {
		for _, g := range k.NotRestored {
			if !g.Planned {
				t.Errorf("%s is lost: %+v", k.Resource, g)
			}
		}
	}
}

func jsonOf(v any) string {
	data, _ := json.Marshal(v)
	return string(data)
}
