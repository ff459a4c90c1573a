package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/lifeboat-backup/lifeboat/test/stack"
)

// TestRegionIsTold: whoever configures a worker by what `make up` prints needs the Region, too.
func TestRegionIsTold(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "state.json"), []byte(`{}`), 0o600); err != nil {
		t.Fatal(err)
	}
	s := &stack.Stack{Dir: dir, S3: stack.S3{Endpoint: "http://127.0.0.1:1", Region: "eu-north-7", AccessKey: "a", SecretKey: "s", Bucket: "b"}}
	var status, env strings.Builder
	if err := printStatus(&status, s); err != nil {
		t.Fatal(err)
	}
	if err := printEnv(&env, s); err != nil {
		t.Fatal(err)
	}
	for out, want := range map[string]string{status.String(): "region eu-north-7", env.String(): "export AWS_REGION='eu-north-7'"} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in\n%s", want, out)
		}
	}
}
