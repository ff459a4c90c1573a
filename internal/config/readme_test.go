package config_test

import (
	"os"
	"strings"
	"testing"

	"github.com/lifeboat-backup/lifeboat/internal/config"
)

// TestReadme loads the example that stands in the README, which says defaults too.
func TestReadme(t *testing.T) {
	text, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, after, found := strings.Cut(string(text), "```yaml\n")
	example, _, closed := strings.Cut(after, "```")
	if !found || !closed || !strings.HasPrefix(example, "cluster:") {
		t.Fatalf("the README's first example is no configuration: %s", example)
	}
	c, err := config.Parse([]byte(example))
	if err != nil {
		t.Fatal(err)
	}
	plain, err := config.Parse([]byte(minimal))
	if err != nil {
		t.Fatal(err)
	}
	if c.Kubernetes != plain.Kubernetes || c.Temporal != plain.Temporal || c.Limits != plain.Limits || c.DefaultBackupTTL != plain.DefaultBackupTTL {
		t.Errorf("the README shows other values than the defaults:\n%+v\n%+v", c, plain)
	}
}
