//go:build stack

package monitoring_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	registry "github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/common/model"
	promconfig "github.com/prometheus/prometheus/config"
	"github.com/prometheus/prometheus/discovery/targetgroup"
	"github.com/prometheus/prometheus/scrape"
	velerov1 "github.com/vmware-tanzu/velero/pkg/apis/velero/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/lifeboat-backup/lifeboat/internal/config"
	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/test/harness"
	"github.com/lifeboat-backup/lifeboat/test/stack"
)

// What the tests share, set by TestMain.
var (
	shared   *harness.Lab
	received *collector
	metrics  string // address
	health   string
)

// Secrets that must be seen nowhere.
const (
	secretValue    = "hunter2-of-the-bookstore"
	collectorToken = "token-of-the-collector"
)

// TestMain builds Lifeboat in its own module, and runs the tests in this one.
func TestMain(m *testing.M) { os.Exit(testMain(m)) }

func testMain(m *testing.M) int {
	here, err := os.Getwd()
	if err == nil {
		err = os.Chdir(filepath.Join(here, "..", ".."))
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	o := harness.LabOptions{Name: "monitoring", Stack: stack.Options{EBS: true, EBSFast: true}, Prepare: prepare}
	return harness.Main(m, o, func(l *harness.Lab) error {
		shared = l
		return os.Chdir(here)
	})
}

func freeAddress() string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	defer l.Close()
	return l.Addr().String()
}

func prepare(s *stack.Stack) (harness.Options, []string, error) {
	received = startCollector(freeAddress())
	metrics, health = freeAddress(), freeAddress()
	planes, err := harness.Rehearsals()
	if err != nil {
		return harness.Options{}, nil, err
	}
	key, err := harness.MakeDrillKey(s.Dir)
	edit := func(c *config.Config) {
		c.Metrics.Listen, c.Health.Listen, c.Log = metrics, health, config.Log{Level: "debug", Format: "json"}
		c.Telemetry = config.Telemetry{Endpoint: received.endpoint}
		c.Rehearsal = planes
		c.Drills.SigningKey = &config.SigningKey{File: key}
		c.VolumeSnapshotLocations = []velerov1.VolumeSnapshotLocation{{
			ObjectMeta: metav1.ObjectMeta{Name: "aws-east"},
			Spec:       velerov1.VolumeSnapshotLocationSpec{Provider: "aws", Config: map[string]string{"region": s.EBS.Region, "credentialsFile": s.EBS.WorkerFile}},
		}}
	}
	env := append(s.EBS.Environment(), "OTEL_METRIC_EXPORT_INTERVAL=1000", "OTEL_BSP_SCHEDULE_DELAY=500", "OTEL_EXPORTER_OTLP_HEADERS=authorization=Bearer%20"+collectorToken)
	return harness.Options{Edit: edit}, env, err
}

// scrapeWorker has Prometheus scrape the worker each second until the end of the test.
func (p *prometheus) scrapeWorker(t *testing.T) {
	t.Helper()
	cfg, err := promconfig.Load(fmt.Sprintf(`
global: {scrape_interval: 1s, scrape_timeout: 1s}
scrape_configs: [{job_name: lifeboat, static_configs: [{targets: [%q]}]}]
`, metrics), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	m, err := scrape.NewManager(&scrape.Options{DiscoveryReloadInterval: model.Duration(time.Second)}, slog.New(slog.DiscardHandler), nil, nil, p.db, registry.NewRegistry())
	if err == nil {
		err = m.ApplyConfig(cfg)
	}
	if err != nil {
		t.Fatal(err)
	}
	targets := make(chan map[string][]*targetgroup.Group, 1)
	targets <- map[string][]*targetgroup.Group{"lifeboat": {{Targets: []model.LabelSet{{model.AddressLabel: model.LabelValue(metrics)}}, Source: "0"}}}
	go func() { _ = m.Run(targets) }()
	t.Cleanup(m.Stop)
}

// eventually waits until check finds nothing missing.
func eventually(t *testing.T, check func() error) {
	t.Helper()
	var err error
	for deadline := time.Now().Add(60 * time.Second); time.Now().Before(deadline); time.Sleep(500 * time.Millisecond) {
		if err = check(); err == nil {
			return
		}
	}
	t.Error(err)
}

func run(t *testing.T, args ...string) string {
	t.Helper()
	out, err := shared.Run(t.Context(), args...)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// play does one of everything that is measured.
func play(t *testing.T) {
	t.Helper()
	if err := shared.Create(t.Context(), "namespaces", "", `{"apiVersion":"v1","kind":"Namespace","metadata":{"name":"bookstore"}}`); err != nil {
		t.Fatal(err)
	}
	secret := fmt.Sprintf(`{"apiVersion":"v1","kind":"Secret","metadata":{"name":"db","namespace":"bookstore"},"stringData":{"password":%q}}`, secretValue)
	if err := shared.Create(t.Context(), "secrets", "bookstore", secret); err != nil {
		t.Fatal(err)
	}
	claim := `{"apiVersion":"v1","kind":"PersistentVolumeClaim","metadata":{"name":"data","namespace":"bookstore"},"spec":{"accessModes":["ReadWriteOnce"],"storageClassName":"ebs-gp3-now","resources":{"requests":{"storage":"1Gi"}}}}`
	if err := shared.Create(t.Context(), "persistentvolumeclaims", "bookstore", claim); err != nil {
		t.Fatal(err)
	}
	if _, err := shared.Kubectl(t.Context(), "", "wait", "--namespace", "bookstore", "--for=jsonpath={.status.phase}=Bound", "persistentvolumeclaim/data", "--timeout=1m"); err != nil {
		t.Fatal(err)
	}
	run(t, "backup", "create", "one", "--include-namespaces", "bookstore", "--wait")
	run(t, "restore", "create", "back", "--from-backup", "one", "--namespace-mappings", "bookstore:copy", "--wait")
	run(t, "schedule", "create", "nightly", "--schedule", "0 2 * * *", "--include-namespaces", "bookstore")
	run(t, "schedule", "trigger", "nightly")
	run(t, "backup", "verify", "one", "--wait")
	run(t, "backup", "rehearse", "one", "--wait")
	run(t, "drill", "run", "bookstore", "--from-backup", "one", "--level", "L2", "--wait") // no image reads volumes here
	run(t, "drill", "schedule", "quarterly", "--schedule", "0 9 1 */3 *", "--include-namespaces", "bookstore", "--from-backup", "one", "--level", "L2")
	run(t, "drill", "schedule", "trigger", "quarterly")
	run(t, "gc", "run")
	run(t, "snapshot-location", "check", "aws-east")
	run(t, "backup", "create", "two", "--include-namespaces", "bookstore", "--volume-snapshot-locations", "aws-east", "--wait")
}

// TestEverythingArrives: every documented metric is in Prometheus and in the Collector, every
// documented span in the Collector, and each query of the dashboard has data.
func TestEverythingArrives(t *testing.T) {
	p := newPrometheus(t)
	p.scrapeWorker(t)
	watched := watchArguments(t)
	play(t)
	watched.check(t)
	documented := documentedMetrics(t)
	eventually(t, func() error { return p.lacks(t.Context(), documented) })
	eventually(t, func() error { return collectorLacks(documented) })
	spans := documentedSpans(t)
	eventually(t, func() error { return spansLack(spans) })
	eventually(t, func() error { return p.dashboardLacks(t.Context()) })
	checkTrace(t)
	checkSecrets(t)
	checkLog(t)
	checkRestart(t, p)
}

func documentedMetrics(t *testing.T) (names []string) {
	t.Helper()
	text, err := os.ReadFile("../../docs/METRICS.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range regexp.MustCompile("(?m)^\\| `(lifeboat_[a-z_]+)`").FindAllStringSubmatch(string(text), -1) {
		names = append(names, m[1])
	}
	return names
}

// lacks names the documented metrics that Prometheus has not.
func (p *prometheus) lacks(ctx context.Context, documented []string) error {
	var missing []string
	selectors := map[string]string{"temporal_activity_execution_latency_seconds": `{__name__="temporal_activity_execution_latency_seconds_bucket"}`}
	for _, name := range documented {
		selectors[name] = fmt.Sprintf(`{__name__=~"%s(_bucket)?",cluster=%q}`, name, shared.Cluster)
	}
	for name, selector := range selectors {
		found, err := p.query(ctx, selector, time.Now())
		if err != nil {
			return err
		}
		if len(found) == 0 && name != "lifeboat_api_throttled_total" { // nobody throttles here; worker/telemetry_test.go has it
			missing = append(missing, name)
		}
	}
	return whatIsMissing("in Prometheus", missing)
}

// collectorLacks is the same of the Collector, where names have dots and no units.
func collectorLacks(documented []string) error {
	_, names, _ := received.seen()
	exported := map[string]bool{}
	for name := range names {
		exported[strings.ReplaceAll(name, ".", "_")] = true
	}
	var missing []string
	for _, name := range documented {
		bare := strings.TrimSuffix(strings.TrimSuffix(strings.TrimSuffix(name, "_total"), "_bytes"), "_seconds")
		if !exported[bare] && name != "lifeboat_api_throttled_total" {
			missing = append(missing, name)
		}
	}
	return whatIsMissing("in the Collector", missing)
}

// documentedSpans are how the names of spans begin that METRICS.md lists, with what play does in the
// place of what stands for all of a kind.
func documentedSpans(t *testing.T) (prefixes []string) {
	t.Helper()
	text, err := os.ReadFile("../../docs/METRICS.md")
	if err != nil {
		t.Fatal(err)
	}
	played := map[string][]string{
		"RunWorkflow:": {
			contract.BackupWorkflow, contract.RestoreWorkflow, contract.ScheduledBackupWorkflow, contract.ScheduledDrillWorkflow, contract.SchedulesWorkflow,
			contract.DrillWorkflow, contract.RehearseWorkflow, contract.VerifyBackupsWorkflow, contract.GarbageWorkflow,
		},
		"StartChildWorkflow:": {contract.BackupWorkflow, contract.DrillWorkflow},
		"StartActivity:":      {contract.ExportShard.Name}, "RunActivity:": {contract.ExportShard.Name},
		"s3 ": {"PutObject", "GetObject"}, "ec2 ": {"Describe", "CreateSnapshot"}, "ebs ": {"ListSnapshotBlocks"}, "sts ": {"GetCallerIdentity"}, "kubernetes ": {"list", "create"},
	}
	_, section, _ := strings.Cut(string(text), "\n## Traces\n")
	section, _, _ = strings.Cut(section, "\n## ")
	for _, m := range regexp.MustCompile("`(\\w+[: ])<\\w+>`").FindAllStringSubmatch(section, -1) {
		if len(played[m[1]]) == 0 {
			t.Errorf("METRICS.md has spans %s…, and nothing of the kind is played", m[1])
		}
		for _, of := range played[m[1]] {
			prefixes = append(prefixes, m[1]+of)
		}
		delete(played, m[1])
	}
	for kind := range played {
		t.Errorf("METRICS.md has no spans %s…", kind)
	}
	return prefixes
}

func spansLack(documented []string) error {
	spans, _, _ := received.seen()
	var missing []string
	for _, prefix := range documented {
		if !slices.ContainsFunc(spans, func(s span) bool { return strings.HasPrefix(s.name, prefix) }) {
			missing = append(missing, prefix)
		}
	}
	return whatIsMissing("among the spans", missing)
}

func whatIsMissing(where string, missing []string) error {
	if len(missing) == 0 {
		return nil
	}
	return fmt.Errorf("missing %s: %q", where, missing)
}

// dashboardLacks names the panels whose queries have no data.
func (p *prometheus) dashboardLacks(ctx context.Context) error {
	text, err := os.ReadFile("../../deploy/monitoring/dashboard.json")
	if err != nil {
		return err
	}
	var dashboard struct {
		Panels []struct {
			Title   string
			Targets []struct{ Expr string }
		}
	}
	if err := json.Unmarshal(text, &dashboard); err != nil {
		return err
	}
	var missing []string
	for _, panel := range dashboard.Panels {
		for _, target := range panel.Targets {
			query := strings.NewReplacer("$cluster", ".*", "$__rate_interval", "1m").Replace(target.Expr)
			found, err := p.query(ctx, query, time.Now())
			if err != nil {
				return fmt.Errorf("%s: %w", panel.Title, err)
			}
			if len(found) == 0 {
				missing = append(missing, panel.Title+": "+query)
			}
		}
	}
	return whatIsMissing("on the dashboard", missing)
}

// checkTrace: a backup is one trace with one root, and `describe` names it.
func checkTrace(t *testing.T) {
	t.Helper()
	id := regexp.MustCompile(`Trace: +([0-9a-f]{32})`).FindStringSubmatch(run(t, "backup", "describe", "one"))
	if id == nil {
		t.Fatal("describe names no trace")
	}
	spans, _, _ := received.seen()
	known, roots, services := map[string]bool{"": true}, 0, map[string]bool{}
	for _, s := range spans {
		known[s.id] = true
		if s.workflow == "backup:"+shared.Cluster+":one" && s.trace != id[1] {
			t.Errorf("%s of the backup is in trace %s, not in %s", s.name, s.trace, id[1])
		}
	}
	for _, s := range spans {
		if s.trace != id[1] {
			continue
		}
		services[strings.FieldsFunc(s.name, func(r rune) bool { return r == ' ' || r == ':' })[0]] = true
		if !known[s.parent] {
			t.Errorf("%s has a parent that did not arrive", s.name)
		}
		if s.parent == "" {
			roots++
		}
	}
	if roots != 1 || !services["s3"] || !services["kubernetes"] || !services["RunActivity"] {
		t.Errorf("%d roots, spans of %v", roots, services)
	}
}

// checkSecrets: what the backup holds, and what the worker signs in with, is in no log, span or
// metric.
func checkSecrets(t *testing.T) {
	t.Helper()
	_, _, sent := received.seen()
	secrets := knownSecrets(t)
	resp, err := http.Get("http://" + metrics + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	page, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Fatal(resp.Status, err)
	}
	for what, secret := range secrets {
		for where, text := range map[string]string{"log": string(shared.Worker.Log()), "OTLP": sent, "metrics": string(page)} {
			if secret == "" || strings.Contains(text, secret) {
				t.Errorf("the %s (%d bytes) is in the %s", what, len(secret), where)
			}
		}
	}
}

// knownSecrets are what no log, and nobody who lists processes, may show.
func knownSecrets(t *testing.T) map[string]string {
	t.Helper()
	s := shared.Stack
	keys, err := os.ReadFile(s.EBS.WorkerFile)
	if err != nil {
		t.Fatal(err)
	}
	words := strings.Fields(string(keys)) // the last one is the secret key
	return map[string]string{
		"value of a Secret": secretValue, "value of a Secret, in base64": base64.StdEncoding.EncodeToString([]byte(secretValue)), "token of the collector": collectorToken,
		"secret key of S3": s.S3.SecretKey, "token of the API server": s.AdminToken, "secret key of EC2": words[len(words)-1],
	}
}

// checkLog: each line says the cluster, and each of a run of a backup which.
func checkLog(t *testing.T) {
	t.Helper()
	ofBackup := 0
	for _, line := range strings.Split(strings.TrimSpace(string(shared.Worker.Log())), "\n") {
		var l map[string]any
		if err := json.Unmarshal([]byte(line), &l); err != nil {
			t.Errorf("%s: %v", line, err)
			continue
		}
		if key := doubled(line); key != "" {
			t.Errorf("a line says %q twice: %s", key, line)
		}
		workflow, _ := l["workflow"].(string)
		switch {
		case l["cluster"] != shared.Cluster:
			t.Errorf("a line without the cluster: %s", line)
		case l["activity"] != nil && (workflow == "" || l["run"] == nil):
			t.Errorf("a line of an activity without its run: %s", line)
		case strings.HasPrefix(workflow, "backup:") && l["backup"] == nil:
			t.Errorf("a line of a backup without its name: %s", line)
		case l["backup"] == "one" && l["trace"] != nil:
			ofBackup++
		}
	}
	if ofBackup < 5 {
		t.Errorf("%d lines of the backup name it and its trace", ofBackup)
	}
}

// doubled is a key that a line of JSON has twice, "" where there is none.
func doubled(line string) string {
	d, depth, isKey, seen := json.NewDecoder(strings.NewReader(line)), 0, false, map[string]bool{}
	for {
		token, err := d.Token()
		if err != nil {
			return ""
		}
		switch word := token.(type) {
		case json.Delim:
			depth += map[json.Delim]int{'{': 1, '[': 1, '}': -1, ']': -1}[word]
			isKey = depth == 1
			continue
		case string:
			if depth == 1 && isKey {
				if seen[word] {
					return word
				}
				seen[word] = true
			}
		}
		if depth == 1 {
			isKey = !isKey
		}
	}
}

// checkRestart: a worker that was killed and started anew shows the same gauges, from its first
// answer on, and a schedule that is paused has no series.
func checkRestart(t *testing.T, p *prometheus) {
	t.Helper()
	run(t, "gc", "plan") // the counts of orphans are as old as an hour
	before := gaugesNow(t)
	shared.Worker.Kill()
	shared.ReplaceWorker(t)
	if after := gaugesNow(t); !slices.Equal(before, after) {
		t.Errorf("before the restart\n%s\nand after it\n%s", strings.Join(before, "\n"), strings.Join(after, "\n"))
	}
	if resp, err := http.Get("http://" + health + "/readyz"); err != nil || resp.StatusCode != http.StatusOK {
		t.Error("not ready", resp, err)
	}
	run(t, "schedule", "pause", "nightly")
	run(t, "drill", "schedule", "delete", "quarterly", "--confirm")
	const promised = 30 * time.Second // docs/METRICS.md: of any worker; this one knows sooner
	changed := time.Now()
	defer func() {
		if took := time.Since(changed); took > promised {
			t.Errorf("their series were gone after %s, later than %s", took, promised)
		}
	}()
	eventually(t, func() error {
		found, err := p.query(t.Context(), `{__name__=~"lifeboat_(drill_)?schedule_.+"}`, time.Now())
		if err == nil && len(found) > 0 {
			err = fmt.Errorf("a paused and a deleted schedule have %v", found)
		}
		return err
	})
}

// gaugesNow waits for the first answer, and gives the gauges of the bucket in it.
func gaugesNow(t *testing.T) (lines []string) {
	t.Helper()
	eventually(t, func() error {
		resp, err := http.Get("http://" + metrics + "/metrics")
		if err != nil {
			return err
		}
		defer resp.Body.Close()
		page, err := io.ReadAll(resp.Body)
		if err != nil || resp.StatusCode != http.StatusOK {
			return fmt.Errorf("%s: %s: %w", resp.Status, page, err)
		}
		lines = regexp.MustCompile(`(?m)^lifeboat_(schedule|backup|backups|location|verification|rehearsal|restore|drill|orphans|expired)[_{].*$`).FindAllString(string(page), -1)
		return nil
	})
	slices.Sort(lines)
	return lines
}
