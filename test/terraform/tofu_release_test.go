//go:build stack && release

package terraform

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/lifeboat-backup/lifeboat/test/stack"
)

// tofu runs OpenTofu in one folder of a copy of deploy/terraform.
type tofu struct {
	program string
	dir     string
	env     []string
}

// newTofu copies deploy/terraform, since OpenTofu writes beside what it reads.
func newTofu(t *testing.T, folder string) tofu {
	t.Helper()
	if err := stack.Build(t.Context(), os.Stderr, "tofu"); err != nil {
		t.Fatal(err)
	}
	program, err := stack.Binary("tofu")
	if err != nil {
		t.Fatal(err)
	}
	root := t.TempDir()
	if err := os.CopyFS(root, os.DirFS("../../deploy/terraform")); err != nil {
		t.Fatal(err)
	}
	// What the user's own configuration says, or that it is not there, is printed among the answers.
	return tofu{program, filepath.Join(root, folder), []string{"CHECKPOINT_DISABLE=1", "TF_IN_AUTOMATION=1", configVariable + "=" + os.DevNull}}
}

// configVariable names the file that says where providers come from.
const configVariable = "TF_CLI_CONFIG_FILE"

// try runs a command; code is what it ended with.
func (f tofu) try(t *testing.T, args ...string) (out string, code int) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), f.program, append(args, "-no-color")...)
	cmd.Dir, cmd.Env = f.dir, append(os.Environ(), f.env...)
	text, err := cmd.CombinedOutput()
	if err != nil && cmd.ProcessState == nil {
		t.Fatal(err)
	}
	return string(text), cmd.ProcessState.ExitCode()
}

func (f tofu) run(t *testing.T, args ...string) string {
	t.Helper()
	out, code := f.try(t, args...)
	if code != 0 {
		t.Fatalf("tofu %s: %d\n%s", strings.Join(args, " "), code, out)
	}
	return out
}

// set writes the values of variables.
func (f tofu) set(t *testing.T, values map[string]any) {
	t.Helper()
	text, err := json.Marshal(values)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(f.dir, "terraform.tfvars.json"), text, 0o600); err != nil {
		t.Fatal(err)
	}
}

// outputs are the outputs of what was applied.
func (f tofu) outputs(t *testing.T) map[string]string {
	t.Helper()
	var found map[string]struct{ Value any }
	if err := json.Unmarshal([]byte(f.run(t, "output", "-json")), &found); err != nil {
		t.Fatal(err)
	}
	values := map[string]string{}
	for name, o := range found {
		values[name], _ = o.Value.(string)
	}
	return values
}

// TestFormat: deploy/terraform is formatted as OpenTofu formats.
func TestFormat(t *testing.T) {
	if out, code := newTofu(t, ".").try(t, "fmt", "-check", "-recursive", "-diff"); code != 0 {
		t.Errorf("%s", out)
	}
}
