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

// TestGetScript: whichever tools an image has, a page is fetched, within the time if there is one to keep it.
func TestGetScript(t *testing.T) {
	const timeout, wget = `limit=$1; shift; [ "$1" = true ] && exit; echo "limit $limit" >&2; exec "$@"`, `echo "wget $*"`
	for name, tc := range map[string]struct {
		tools map[string]string
		url   string
		want  string
	}{
		"curl":        {map[string]string{"curl": `echo "curl $*"`, "wget": "exit 9"}, "http://web/", "curl -sS -k -m 3 -D /dev/stderr -o - -- http://web/\n"},
		"wget":        {map[string]string{"wget": wget}, "http://web/", "wget -S -O - http://web/\n"},
		"by https":    {map[string]string{"wget": wget}, "https://web/", "wget --no-check-certificate -S -O - https://web/\n"},
		"in time":     {map[string]string{"timeout": timeout, "wget": wget}, "http://web/", "limit 3\nwget -S -O - http://web/\n"},
		"old timeout": {map[string]string{"timeout": `[ "$1" = -t ] || exit 1`, "wget": wget}, "http://web/", "wget -S -O - http://web/\n"},
	} {
		dir := t.TempDir()
		for tool, script := range tc.tools {
			if err := os.WriteFile(filepath.Join(dir, tool), []byte("#!/bin/sh\n"+script+"\n"), 0o700); err != nil {
				t.Fatal(err)
			}
		}
		shell, err := exec.LookPath("sh")
		if err != nil {
			t.Fatal(err)
		}
		cmd := exec.CommandContext(t.Context(), shell, "-c", getScript, "sh", tc.url, "3")
		cmd.Env = []string{"PATH=" + dir}
		if out, err := cmd.CombinedOutput(); err != nil || string(out) != tc.want {
			t.Errorf("%s: %v: %s", name, err, out)
		}
	}
}
