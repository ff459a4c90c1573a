package stack

import (
	"os"
	"path/filepath"
	"testing"
)

// TestRaiseShare: containers are more than one process to the scheduler, under either version of
// control groups, and a hierarchy of another controller is left alone.
func TestRaiseShare(t *testing.T) {
	for file, want := range map[string]string{"cpu.shares": "4096", "cpu.weight": "400", "memory.max": "1024"} {
		root := t.TempDir()
		path := filepath.Join(root, "group", file)
		if err := os.Mkdir(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte("1024"), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := raiseShare(root, "group"); err != nil {
			t.Fatal(err)
		}
		if got, err := os.ReadFile(path); err != nil || string(got) != want {
			t.Errorf("%s: %s %v", file, got, err)
		}
		if files, err := os.ReadDir(filepath.Dir(path)); err != nil || len(files) != 1 {
			t.Errorf("%s: files were made: %v %v", file, files, err)
		}
	}
}
