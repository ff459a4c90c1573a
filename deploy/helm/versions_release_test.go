//go:build stack && release

package helm

import (
	"encoding/json"
	"os"
	"os/exec"
	"testing"
)

// Every version of Kubernetes that the chart is for. Its source, of which the schemas are made,
// is downloaded into a folder of the test's own.
func TestSchemaOfAllVersions(t *testing.T) {
	for _, version := range []string{"1.30.14", "1.31.14", "1.32.13", "1.33.13", "1.34.4", "1.35.4", "1.36.3", "1.37.2"} {
		t.Run(version, func(t *testing.T) {
			cmd := exec.CommandContext(t.Context(), "go", "mod", "download", "-json", "-modcacherw", "k8s.io/kubernetes@v"+version)
			cmd.Dir, cmd.Env = t.TempDir(), append(os.Environ(), "GOMODCACHE="+t.TempDir(), "GOFLAGS=-modcacherw")
			out, err := cmd.Output()
			var module struct{ Dir, Error string }
			if err := json.Unmarshal(out, &module); err != nil || module.Error != "" {
				t.Fatalf("%v %s", err, module.Error)
			}
			if err != nil {
				t.Fatal(err)
			}
			checkSchema(t, module.Dir, version)
		})
	}
}
