package assertion

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestConnectScript: whichever nc an image has, it connects or says why not.
func TestConnectScript(t *testing.T) {
	const lacksZ = `case "$*" in *-z*) echo "nc: invalid option -- 'z'" >&2; exit 1 ;; *" -e true") `
	for name, tc := range map[string]struct {
		nc   string
		code int
		says string
	}{
		"connects":                {`case "$*" in "-z -w 3 db 5432") exit 0 ;; esac; exit 9`, 0, ""},
		"is refused":              {`echo "connection refused" >&2; exit 1`, 1, "connection refused"},
		"without -z":              {lacksZ + `exit 0 ;; esac; exit 9`, 0, ""},
		"without -z, and refused": {lacksZ + `echo "can't connect" >&2; exit 1 ;; esac; exit 9`, 1, "can't connect"},
	} {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, "nc"), []byte("#!/bin/sh\n"+tc.nc+"\n"), 0o700); err != nil {
			t.Fatal(err)
		}
		cmd := exec.CommandContext(t.Context(), "sh", "-c", connectScript, "sh", "db", "5432", "3")
		cmd.Env = append(os.Environ(), "PATH="+dir+string(os.PathListSeparator)+os.Getenv("PATH"))
		out, _ := cmd.CombinedOutput()
		if code := cmd.ProcessState.ExitCode(); code != tc.code || !strings.Contains(string(out), tc.says) {
			t.Errorf("%s: exit %d: %s", name, code, out)
		}
	}
}
