package hook

import (
	"encoding/json"
	"testing"

	velerov1 "github.com/vmware-tanzu/velero/pkg/apis/velero/v1"

	"github.com/lifeboat-backup/lifeboat/internal/filter"
)

func checkUsable(t *testing.T, hooks []Hook) {
	t.Helper()
	for _, h := range hooks {
		if h.Container == "" || len(h.Command) == 0 || h.OnError != fail && h.OnError != carryOn || h.Timeout <= 0 {
			t.Errorf("cannot be run: %+v", h)
		}
	}
}

// FuzzValidSpecs: whatever hooks filter lets pass, of a spec or an annotation, can be
// run, and never are an error.
func FuzzValidSpecs(f *testing.F) {
	f.Add(freezeSpec, warmSpec, "x", "Fail", "1s")
	f.Add(`{"resources":[{"name":"h","includedNamespaces":["*"],"labelSelector":{},"pre":[{"exec":{"command":["a"]}}]}]}`, `{}`, "[", "", "")
	f.Add(`{}`, `{"resources":[{"name":"h","postHooks":[{"init":{"initContainers":[{"name":"a","image":"b","command":["c"]}]}}]}]}`, `["a"]`, "fail", "-1h")
	f.Fuzz(func(t *testing.T, backup, restore, command, onError, timeout string) {
		notes := map[string]string{}
		for _, prefix := range []string{preAnnotation, postAnnotation, bareAnnotation, restoreAnnotation, initAnnotation} {
			notes[prefix+"command"], notes[prefix+"on-error"], notes[prefix+"timeout"] = command, onError, timeout
			notes[prefix+"exec-timeout"], notes[prefix+"wait-timeout"], notes[prefix+"container-image"] = timeout, timeout, onError
		}
		var b velerov1.BackupSpec
		if json.Unmarshal([]byte(backup), &b.Hooks) == nil && len(filter.ValidateBackup(&b)) == 0 {
			for _, n := range []map[string]string{nil, notes} {
				pre, post, _, err := Backup(b.Hooks, database(t, n))
				if err != nil {
					t.Errorf("backup: %v", err)
				}
				checkUsable(t, append(pre, post...))
			}
		}
		r := velerov1.RestoreSpec{BackupName: "b"}
		if json.Unmarshal([]byte(restore), &r.Hooks) == nil && len(filter.ValidateRestore(&r, nil)) == 0 {
			for _, n := range []map[string]string{nil, notes} {
				checkRestored(t, r.Hooks, n)
			}
		}
	})
}

func checkRestored(t *testing.T, spec velerov1.RestoreHooks, notes map[string]string) {
	t.Helper()
	pod := database(t, notes)
	hooks, _, err := Restore(spec, pod)
	if err != nil {
		t.Errorf("restore: %v", err)
	}
	for _, h := range hooks {
		checkUsable(t, []Hook{h.Hook})
		if h.WaitTimeout < 0 {
			t.Errorf("waits %s", h.WaitTimeout)
		}
	}
	containers, _, err := Init(spec, pod)
	if err != nil {
		t.Errorf("init: %v", err)
	}
	for _, c := range containers {
		if c["name"] == "" || c["image"] == "" || c["name"] == nil || c["image"] == nil {
			t.Errorf("init container %v", c)
		}
	}
}
