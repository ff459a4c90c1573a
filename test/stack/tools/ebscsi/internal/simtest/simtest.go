// Package simtest runs the EBS simulator for the driver's own tests: the program of
// the checkout that this module lies in, on loopback.
package simtest

import (
	"bufio"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/lifeboat-backup/lifeboat/test/stack/tools/ebscsi/internal/cloud"
	"github.com/lifeboat-backup/lifeboat/test/stack/tools/ebscsi/internal/simulator"
)

// What the simulator of a test is.
const (
	Zone     = "eu-central-1a"
	Instance = "i-0123456789abcdef0"
	token    = "test-token"
)

// Sim is a running simulator with clients of it.
type Sim struct {
	Cloud *cloud.Client
	Admin *simulator.Client
}

// Start builds and runs a simulator, which ends with the test. It sets the
// environment of AWS clients, so that the test cannot be a parallel one.
func Start(t *testing.T) *Sim {
	t.Helper()
	dir := t.TempDir()
	endpoint := run(t, build(t, dir), write(t, dir, "ebssim.json", config(t, dir)))
	for name, value := range map[string]string{
		"AWS_ENDPOINT_URL_EC2": endpoint, "AWS_REGION": "eu-central-1", "AWS_EC2_METADATA_DISABLED": "true",
		"AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": "secret",
	} {
		t.Setenv(name, value)
	}
	ec2, err := cloud.New(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	admin, err := simulator.New(endpoint, write(t, dir, "token", []byte(token)))
	if err != nil {
		t.Fatal(err)
	}
	return &Sim{Cloud: ec2, Admin: admin}
}

func config(t *testing.T, dir string) []byte {
	t.Helper()
	text, err := json.Marshal(map[string]any{
		"dir": filepath.Join(dir, "disks"), "adminToken": token, "region": "eu-central-1",
		"users":     []any{map[string]string{"name": "driver", "accessKeyID": "key", "secretAccessKey": "secret"}},
		"instances": []any{map[string]string{"id": Instance, "zone": Zone}},
		"limits":    map[string]any{"snapshotBase": "200ms"},
	})
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func write(t *testing.T, dir, name string, text []byte) string {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func build(t *testing.T, dir string) string {
	t.Helper()
	binary := filepath.Join(dir, "ebssim")
	cmd := exec.CommandContext(t.Context(), "go", "build", "-o", binary, "./test/stack/cmd/ebssim")
	cmd.Dir = checkout(t)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("build ebssim: %v: %s", err, out)
	}
	return binary
}

// checkout is the folder of Lifeboat's own module, above the one that tests run in.
func checkout(t *testing.T) string {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for ; dir != filepath.Dir(dir); dir = filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, "test", "stack", "cmd", "ebssim")); err == nil {
			return dir
		}
	}
	t.Fatal("find ebssim: this module lies outside a checkout of Lifeboat")
	return ""
}

// run starts it on a free port, which its first line tells.
func run(t *testing.T, binary, config string) (endpoint string) {
	t.Helper()
	cmd := exec.Command(binary, "--config", config)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(line[strings.Index(line, "http://"):])
}
