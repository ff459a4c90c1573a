package volume

import (
	"os"
	"strings"
	"testing"
)

// The example that users copy is one that is accepted.
func TestExampleOfTheDocs(t *testing.T) {
	page, err := os.ReadFile("../../docs/VOLUMES.md")
	if err != nil {
		t.Fatal(err)
	}
	_, text, ok := strings.Cut(string(page), "```yaml\nversion: v1\n")
	text, _, end := strings.Cut(text, "```")
	if !ok || !end {
		t.Fatal("docs/VOLUMES.md has no example of policies")
	}
	p := mustParse(t, "version: v1\n"+text)
	if len(p.volumes) != 3 || p.Filter == nil {
		t.Errorf("got %d policies, filter %v", len(p.volumes), p.Filter)
	}
	for _, kind := range []string{"csi", "nfs", "awsElasticBlockStore", "hostPath"} {
		mustParse(t, policyHead+"- conditions: {volumeTypes: ["+kind+"]}\n  action: {type: skip}\n")
	}
}
