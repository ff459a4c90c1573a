//go:build stack

package node

import (
	"os/exec"
	"strings"
	"testing"
)

// TestDemoOfDrill plays `make demo DEMO=drill`, on a stack of its own: it ends with the page of a
// database that is proven with its data.
func TestDemoOfDrill(t *testing.T) {
	t.Parallel()
	demo := exec.CommandContext(t.Context(), "go", "run", "../demo")
	demo.Env = append(demo.Environ(), "DEMO=drill", "DEMO_KEEP=", "DEMO_KUBECONFIG=")
	out, err := demo.CombinedOutput()
	text := string(out)
	if err != nil || !strings.HasSuffix(text, "\nproven\n") {
		t.Fatalf("%v\n%s", err, text)
	}
	for _, part := range []string{"proven at level L2", "backup bookstore is proven at level L5", "all data read through once after", "the chain has no gap", "The page of the drill: "} {
		if !strings.Contains(text, part) {
			t.Errorf("the story lacks %q:\n%s", part, text)
		}
	}
}
