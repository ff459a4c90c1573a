package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// The two commands that need no Temporal take their own --namespace, where others refuse Velero's.
func TestInstallAndMigrate(t *testing.T) {
	velero := filepath.Join("internal", "migrate", "testdata", "cluster.yaml")
	values := filepath.Join(t.TempDir(), "values.yaml")
	out, notes, code := runOffline(t, "migrate", "from-velero", "--cluster", "prod", "-n", "velero", "-f", velero, "--temporal-address", "temporal:7233")
	if code != 0 || !strings.Contains(notes, "note: ") {
		t.Fatalf("exit %d: %s", code, notes)
	}
	if err := os.WriteFile(values, []byte(out), 0o600); err != nil {
		t.Fatal(err)
	}
	out, notes, code = runOffline(t, "install", "--dry-run", "-o", "yaml", "-n", "backup", "-f", values, "--set", "replicas=3")
	for _, want := range []string{"namespace: backup", "replicas: 3", "eks.amazonaws.com/role-arn", "cluster: prod", "schedule: 0 2 * * *"} {
		if code != 0 || !strings.Contains(out, want) {
			t.Fatalf("exit %d, no %q: %s\n%s", code, want, notes, out)
		}
	}
	out, notes, code = runOffline(t, "install", "--dry-run", "--cluster", "prod", "--provider", "aws", "--bucket", "example-backups", "--prefix", "p", "--backup-location-config", "region=eu-central-1",
		"--snapshot-location-config", "region=eu-west-1", "--sa-annotations", "owner=platform", "--image", "registry:5000/lifeboat:v2", "--set", "temporal.address=temporal:7233")
	for _, want := range []string{"prefix: p", "region: eu-central-1", "region: eu-west-1", "owner: platform", `image: "registry:5000/lifeboat:v2"`} {
		if code != 0 || !strings.Contains(out, want) {
			t.Fatalf("exit %d, no %q: %s\n%s", code, want, notes, out)
		}
	}
	if _, notes, code = runOffline(t, "install", "-f", values); code != 1 || !strings.Contains(notes, "| kubectl apply -f -") {
		t.Errorf("exit %d: %s", code, notes)
	}
}

// runOffline runs a command line that may not connect.
func runOffline(t *testing.T, args ...string) (out, notes string, code int) {
	t.Helper()
	var stdout, stderr strings.Builder
	code = run(t.Context(), args, strings.NewReader(""), &stdout, &stderr)
	return stdout.String(), stderr.String(), code
}
