package evidence

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// TestSecondVerifierIsSmall: whoever does not trust this program reads another one, of at most 300 lines, which
// needs nothing but Python's standard library and openssl.
func TestSecondVerifierIsSmall(t *testing.T) {
	source, err := os.ReadFile("../../../tools/evidence/verify.py")
	if err != nil {
		t.Fatal(err)
	}
	if lines := strings.Count(string(source), "\n"); lines > 300 {
		t.Errorf("it has %d lines", lines)
	}
	standard := []string{"argparse", "base64", "datetime", "hashlib", "json", "os", "re", "subprocess", "sys", "tempfile"}
	for _, m := range regexp.MustCompile(`(?m)^[ ]*(?:import|from) ([\w.]+(?:, *[\w.]+)*)`).FindAllStringSubmatch(string(source), -1) {
		for _, module := range strings.Split(m[1], ",") {
			if !slices.Contains(standard, strings.TrimSpace(module)) {
				t.Errorf("it imports %s", module)
			}
		}
	}
}
