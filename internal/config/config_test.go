package config_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/lifeboat-backup/lifeboat/internal/config"
)

const location = `
  - metadata: {name: main}
    spec: {provider: aws, objectStorage: {bucket: b}}
`

const minimal = "cluster: one\nbackupStorageLocations:" + location

func TestMinimal(t *testing.T) {
	c, err := config.Parse([]byte(minimal))
	if err != nil {
		t.Fatal(err)
	}
	if c.Namespace != "velero" || c.DefaultBackupTTL.Duration != 720*time.Hour || c.Limits.ExportShards != config.DefaultExportShards ||
		c.Metrics.Listen != config.DefaultMetricsListen || c.Log.Level != "info" {
		t.Errorf("defaults are not filled in: %+v", c)
	}
	if l, err := c.Location(""); err != nil || l.Name != "main" {
		t.Errorf("the only location is not the default: %v, %v", l, err)
	}
}

// The example is what users start from: it must be valid, and say the defaults.
func TestExample(t *testing.T) {
	c, err := config.Load("../../lifeboat.example.yaml")
	if err != nil {
		t.Fatal(err)
	}
	plain, err := config.Parse([]byte(minimal))
	if err != nil {
		t.Fatal(err)
	}
	if c.Namespace != plain.Namespace || c.Kubernetes != plain.Kubernetes || c.Temporal != plain.Temporal || c.Limits != plain.Limits ||
		c.DefaultBackupTTL != plain.DefaultBackupTTL || c.Metrics != plain.Metrics || c.Health != plain.Health || c.Log != plain.Log {
		t.Errorf("the example shows other values than the defaults:\n%+v\n%+v", c, plain)
	}
	if l, err := c.Location(""); err != nil || l.Name != "default" || len(c.VolumeSnapshotLocations) != 1 {
		t.Errorf("locations of the example: %+v", c)
	}
}

// Backups are rehearsed daily where there is something to rehearse them with.
func TestRehearsalDefaults(t *testing.T) {
	for text, want := range map[string]string{
		"": config.RehearseNever, "rehearsal: {apiServer: a, etcd: e}\n": config.RehearseDaily, "rehearsal: {apiServer: a, etcd: e, after: never}\n": config.RehearseNever, "rehearsal: {pod: {apiServerImage: 'a@sha256:" + strings.Repeat("0", 64) + "', etcdImage: 'e@sha256:" + strings.Repeat("1", 64) + "'}}\n": config.RehearseDaily,
	} {
		c, err := config.Parse([]byte(minimal + text))
		if err != nil || c.Rehearsal.After != want {
			t.Errorf("%q: %q, %v", text, c.Rehearsal.After, err)
		}
	}
}

func TestProblems(t *testing.T) {
	for _, tt := range []struct {
		name, text string
		want       []string
	}{
		{"empty", "", []string{"cluster: required", "backupStorageLocations: at least one is required"}},
		{"cluster", strings.Replace(minimal, "one", "One_1", 1), []string{`cluster: "One_1": a lowercase RFC 1123 label`}},
		{"unknown field", minimal + "clutser: x\n", []string{`unknown field "clutser"`}},
		{"unknown deep field", strings.Replace(minimal, "{bucket: b}", "{bucket: b, buckt: c}", 1), []string{`unknown field "backupStorageLocations[0].spec.objectStorage.buckt"`}},
		{"other case", "Cluster: x\n" + minimal, []string{`unknown field "Cluster"`}},
		{"field twice", minimal + "cluster: two\n", []string{`key "cluster" already set`}},
		{"two documents", minimal + "---\n" + minimal, []string{"more than one YAML document"}},
		{"wrong types", minimal + "limits: {exportShards: many}\nnamespace: [a]\ndefaultBackupTTL: month\n", []string{
			"limits.exportShards: string is not of type int", "namespace: array is not of type string", `defaultBackupTTL: time: invalid duration "month"`,
		}},
		{"wrong type in a list", minimal + location + "    extra: 1\n" + strings.Replace(location, "bucket: b", "bucket: 5", 1), []string{"backupStorageLocations[2].spec.objectStorage.bucket: number is not of type string"}},
		{"duration in a list", strings.Replace(minimal, "provider: aws", "provider: aws, backupSyncPeriod: soon", 1), []string{`backupStorageLocations[0]: time: invalid duration "soon"`}},
		{"list", "- a\n", []string{"must be a mapping"}},
		{"broken", "cluster: [\n", []string{"not YAML"}},
		{"context", minimal + "kubernetes: {context: c}\n", []string{"kubernetes.context:"}},
		{"temporal", minimal + "temporal: {address: here}\n", []string{`temporal.address: "here" is not host:port`}},
		{"temporal port", minimal + "temporal: {address: 'here:x'}\n", []string{`temporal.address: "here:x": port "x"`}},
		{"limits", minimal + "limits: {exportShards: -1, applyConcurrency: 5000, memoryMiB: 1}\n", []string{
			"limits.exportShards: -1 is outside 1 to 256", "limits.applyConcurrency", "limits.memoryMiB",
		}},
		{"ttl", minimal + "defaultBackupTTL: -1h\n", []string{"defaultBackupTTL: -1h0m0s must be positive"}},
		{"rehearsal", minimal + "rehearsal: {apiServer: a, versions: {'1.38.2': b}, after: hourly}\n", []string{
			"rehearsal: apiServer and etcd go together", `rehearsal.versions: "1.38.2" is not a minor version`, `rehearsal.after: "hourly"`,
		}},
		{"rehearsal without binaries", minimal + "rehearsal: {after: daily, versions: {'1.38': b}}\n", []string{"rehearsal.after: daily needs", "rehearsal.versions: needs"}},
		{"rehearsal pod", minimal + "rehearsal: {pod: {apiServerImage: 'a:v1', etcdImage: 'e@sha256:12', versions: {'1.38': b}}, directory: /d}\n", []string{
			"rehearsal.pod: stands instead of", `rehearsal.pod.apiServerImage: "a:v1" does not name an image by digest`, "rehearsal.pod.etcdImage:", "rehearsal.pod.versions[1.38]:",
		}},
		{"ttl text", minimal + "defaultBackupTTL: month\n", []string{"month"}},
		{"verification", minimal + "verification: {every: 1h, bandwidthMiB: -1}\n", []string{"verification.every: 1h0m0s is outside 24h0m0s to 8760h0m0s", "verification.bandwidthMiB: -1 is outside 1 to"}},
		{"results", minimal + "resultsLocation: west\n", []string{`resultsLocation: unknown storage location: "west"; known: main`}},
		{"telemetry", minimal + "telemetry: {endpoint: 'collector:4317', protocol: udp, sampleRatio: 2}\n", []string{"telemetry.endpoint: must be a URL", `telemetry.protocol: "udp" is neither`, "telemetry.sampleRatio: 2 is outside 0 to 1"}},
		{"telemetry with a password", minimal + "telemetry: {endpoint: 'https://me:hunter2@collector'}\n", []string{"put credentials into OTEL_EXPORTER_OTLP_HEADERS"}},
		{"listen", minimal + "metrics: {listen: '8085'}\nhealth: {listen: ':99999'}\n", []string{"metrics.listen:", "health.listen:"}},
		{"same port", minimal + "metrics: {listen: ':1'}\nhealth: {listen: ':1'}\n", []string{`health.listen: ":1" is taken by metrics.listen`}},
		{"log", minimal + "log: {level: loud, format: xml}\n", []string{"log.level:", "log.format:"}},
		{"location", strings.Replace(minimal, "provider: aws", "provider: gcp, config: {regoin: x}", 1), []string{
			`backupStorageLocations[0].spec.provider: "gcp"`, "backupStorageLocations[0].spec.config.regoin: unknown key; known keys:",
		}},
		{"two without default", minimal + strings.Replace(location, "main", "other", 1), []string{"backupStorageLocations: 0 of 2 have spec.default: true; exactly one must"}},
		{"same name", minimal + location, []string{`backupStorageLocations[1].metadata.name: "main" is the name of backupStorageLocations[0] too`, "0 of 2"}},
		{"snapshots", minimal + "volumeSnapshotLocations:\n  - spec: {provider: gcp, config: {zone: a, ebsVolumeInitializationRate: '50'}}\n", []string{
			"volumeSnapshotLocations[0].metadata.name: required", "volumeSnapshotLocations[0].spec.provider:",
			"volumeSnapshotLocations[0].spec.config.region: required", "volumeSnapshotLocations[0].spec.config.zone: unknown key",
			`volumeSnapshotLocations[0].spec.config.ebsVolumeInitializationRate: "50" is not a number from 100 to 300 (MiB/s)`,
		}},
		{"both kinds of problem", "clutser: x\n", []string{"clutser", "cluster: required", "backupStorageLocations"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := config.Parse([]byte(tt.text))
			if err == nil {
				t.Fatal("accepted")
			}
			lines := strings.Split(err.Error(), "\n")
			if len(lines) < len(tt.want) {
				t.Errorf("%d problems: %v", len(lines), err)
			}
			for _, want := range tt.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("%q is missing in:\n%v", want, err)
				}
			}
			if strings.Contains(err.Error(), "hunter2") {
				t.Errorf("a password is in:\n%v", err)
			}
		})
	}
}

func TestLocation(t *testing.T) {
	c, err := config.Parse([]byte("cluster: one\nbackupStorageLocations:" + location + strings.NewReplacer("main", "other", "provider", "default: true, provider").Replace(location)))
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{"": "other", "main": "main", "other": "other"} {
		if l, err := c.Location(name); err != nil || l.Name != want {
			t.Errorf("location %q = %v, %v", name, l, err)
		}
	}
	_, err = c.Location("absent")
	if !errors.Is(err, config.ErrUnknownLocation) || !strings.Contains(err.Error(), `"absent"; known: main, other`) {
		t.Errorf("got %v", err)
	}
}

func TestLoad(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lifeboat.yaml")
	if _, err := config.Load(path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("got %v", err)
	}
	if err := os.WriteFile(path, []byte("clutser: x"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := config.Load(path); err == nil || !strings.Contains(err.Error(), path) {
		t.Errorf("%v does not name the file", err)
	}
	if _, err := config.Parse(make([]byte, 2<<20)); err == nil {
		t.Error("a file of 2 MiB is accepted")
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(minimal))
	f.Add([]byte("clutser: x\n---\na: b"))
	f.Add([]byte("a: &a [*a]"))
	if example, err := os.ReadFile("../../lifeboat.example.yaml"); err == nil {
		f.Add(example)
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		c, err := config.Parse(raw)
		if (c == nil) == (err == nil) {
			t.Fatalf("config %v with error %v", c, err)
		}
		if c == nil {
			return
		}
		if again := c.Validate(); again != nil {
			t.Errorf("valid once, not twice: %v", again)
		}
		if _, err := c.Location(""); err != nil {
			t.Errorf("a valid configuration has no default location: %v", err)
		}
	})
}
