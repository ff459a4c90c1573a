package install

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"

	"github.com/lifeboat-backup/lifeboat/internal/config"
	"github.com/lifeboat-backup/lifeboat/internal/schedule"
)

// TestValuesOfDocuments: the values that the documents give install a worker that takes them, with a
// place for snapshots; what the quick start then creates does not stand in them.
func TestValuesOfDocuments(t *testing.T) {
	block := map[string]string{"CLUSTER": "production", "REGION": "eu-central-1", "ACCOUNT": "111122223333", "BUCKET": "example-backups", "TEMPORAL_ADDRESS": "temporal:7233", "TEMPORAL_NAMESPACE": "default"}
	for name, tc := range map[string]struct {
		begin, end string
		schedules  int
	}{
		"EKS.md":     {"cat > values.yaml <<EOF\n", "\nEOF\n", 0},
		"INSTALL.md": {"```yaml\nconfiguration:", "\n```\n", 1},
	} {
		text, err := os.ReadFile(filepath.Join("..", "..", "..", "docs", name))
		if err != nil {
			t.Fatal(err)
		}
		_, after, found := strings.Cut(string(text), tc.begin)
		values, _, ends := strings.Cut(after, tc.end)
		if !found || !ends {
			t.Fatalf("%s has no values", name)
		}
		if strings.HasPrefix(tc.begin, "```") {
			values = "configuration:" + values
		}
		out, err := render(t, os.Expand(values, func(v string) string {
			if block[v] == "" {
				t.Errorf("%s: nothing fills in $%s", name, v)
			}
			return block[v]
		}))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		cfg := configurationOf(t, out)
		if err := (&schedule.Service{Config: cfg}).CheckConfigured(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if len(cfg.VolumeSnapshotLocations) != 1 || len(cfg.Schedules) != tc.schedules || !strings.Contains(out, "arn:aws:iam::111122223333:role/lifeboat") {
			t.Errorf("%s: %+v", name, cfg)
		}
	}
}

// configurationOf is the worker's configuration in rendered manifests, as the worker reads it.
func configurationOf(t *testing.T, manifests string) *config.Config {
	t.Helper()
	for doc := range strings.SplitSeq(manifests, "\n---\n") {
		var o struct{ Data map[string]string }
		if err := yaml.Unmarshal([]byte(doc), &o); err == nil && o.Data["lifeboat.yaml"] != "" {
			cfg, err := config.Parse([]byte(o.Data["lifeboat.yaml"]))
			if err != nil {
				t.Fatal(err)
			}
			return cfg
		}
	}
	t.Fatalf("no configuration in %s", manifests)
	return nil
}
