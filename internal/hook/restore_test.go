package hook

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	velerov1 "github.com/vmware-tanzu/velero/pkg/apis/velero/v1"
)

const warmSpec = `{"resources":[
{"name":"other","includedNamespaces":["bank"],"postHooks":[{"exec":{"command":["no"]}}]},
{"name":"warm","includedResources":["deployments"],"postHooks":[
 {"init":{"initContainers":[{"name":"fix","image":"busybox","command":["fix"]}]}},
 {"exec":{"command":["a"]}},
 {"exec":{"container":"exporter","command":["b"],"onError":"Fail","execTimeout":"5s","waitTimeout":"1m","waitForReady":true}},
 {"exec":{"container":"exporter","command":["c"]}},
 {"exec":{"container":"typo","command":["d"]}}]},
{"name":"labelled","labelSelector":{"matchLabels":{"app":"web"}},"postHooks":[{"exec":{"command":["no"]}}]}]}`

func warm() []ExecHook {
	return []ExecHook{
		{Hook{"warm", "postgres", []string{"a"}, carryOn, DefaultTimeout}, 0, false},
		{Hook{"warm", "exporter", []string{"b"}, fail, 5 * time.Second}, time.Minute, true},
		{Hook{"warm", "exporter", []string{"c"}, carryOn, DefaultTimeout}, 0, true},
	}
}

const postRestore = "post.hook.restore.velero.io/"

func TestRestoreHooks(t *testing.T) {
	for name, c := range map[string]struct {
		notes   map[string]string
		spec    string
		want    []ExecHook
		reasons []string
	}{
		"of the spec": {spec: warmSpec, want: warm(), reasons: []string{`HOOK_SKIPPED hook warm was left out: the pod has no container "typo"`}},
		"of annotations": {
			notes: map[string]string{
				postRestore + "command": `["x","y"]`, postRestore + "container": "mesh", postRestore + "on-error": "Fail",
				postRestore + "exec-timeout": "7s", postRestore + "wait-timeout": "2h", postRestore + "wait-for-ready": "true",
			}, spec: warmSpec,
			want: []ExecHook{{Hook{"annotations", "mesh", []string{"x", "y"}, fail, 7 * time.Second}, 2 * time.Hour, true}},
		},
		"of annotations, with defaults": {
			notes: map[string]string{postRestore + "command": "x", postRestore + "wait-for-ready": "false"},
			want:  []ExecHook{{Hook{"annotations", "postgres", []string{"x"}, carryOn, DefaultTimeout}, 0, false}},
		},
		"annotations that cannot be read": {
			notes: map[string]string{
				postRestore + "command": "[]", postRestore + "on-error": "fail", postRestore + "exec-timeout": "5",
				postRestore + "wait-timeout": "-2s", postRestore + "wait-for-ready": "yes",
			},
			want: []ExecHook{{Hook{"annotations", "postgres", []string{"[]"}, carryOn, DefaultTimeout}, 0, false}},
			reasons: []string{
				"command] is an empty list", `on-error] is "fail"`, `exec-timeout] is "5"`, `wait-timeout] is "-2s"`, `wait-for-ready] is "yes"`,
			},
		},
		"annotations for an unknown container": {
			notes:   map[string]string{postRestore + "command": "x", postRestore + "container": "typo"},
			reasons: []string{`HOOK_SKIPPED hook annotations was left out: the pod has no container "typo"`},
		},
		"none": {},
	} {
		var spec velerov1.RestoreHooks
		if c.spec != "" {
			spec = read[velerov1.RestoreHooks](t, c.spec)
		}
		got, reasons, err := Restore(spec, database(t, c.notes))
		if err != nil || !same(got, c.want) {
			t.Errorf("%s: %+v, %v\nwant %+v", name, got, err, c.want)
		}
		checkReasons(t, name, reasons, c.reasons)
	}
}

func TestInitHooks(t *testing.T) {
	const note = "init.hook.restore.velero.io/"
	for name, c := range map[string]struct {
		notes   map[string]string
		spec    string
		want    string
		reasons []string
	}{
		"of the spec": {spec: warmSpec, want: `[{"command":["fix"],"image":"busybox","name":"fix"}]`},
		"of annotations": {
			notes: map[string]string{note + "container-image": "alpine", note + "container-name": "prep", note + "command": `["sh","-c","x"]`, note + "timeout": "1m"},
			spec:  warmSpec, want: `[{"command":["sh","-c","x"],"image":"alpine","name":"prep"}]`,
			reasons: []string{"HOOK_UNBOUNDED metadata.annotations[init.hook.restore.velero.io/timeout] 1m0s is not enforced"},
		},
		"without a command the image has its own": {
			notes: map[string]string{note + "container-image": "alpine"}, want: `[{"image":"alpine","name":"velero-restore-init"}]`,
		},
		"a timeout of the spec is reported once": {
			spec: `{"resources":[{"name":"h","postHooks":[{"init":{"timeout":"5s","initContainers":[]}},{"init":{"timeout":"6s","initContainers":[]}}]}]}`,
			want: `null`, reasons: []string{"HOOK_UNBOUNDED init.timeout 5s of hook h is not enforced"},
		},
		"without an image there is none": {notes: map[string]string{note + "command": "x"}, want: `null`},
		"a command that is no list": {
			notes: map[string]string{note + "container-image": "alpine", note + "command": "["},
			want:  `[{"command":["["],"image":"alpine","name":"velero-restore-init"}]`, reasons: []string{"HOOK_INVALID metadata.annotations[init.hook.restore.velero.io/command]"},
		},
	} {
		var spec velerov1.RestoreHooks
		if c.spec != "" {
			spec = read[velerov1.RestoreHooks](t, c.spec)
		}
		got, reasons, err := Init(spec, database(t, c.notes))
		text, _ := json.Marshal(got)
		if err != nil || string(text) != c.want {
			t.Errorf("%s: %s, %v, want %s", name, text, err, c.want)
		}
		checkReasons(t, name, reasons, c.reasons)
	}
	bad := read[velerov1.RestoreHooks](t, `{"resources":[{"name":"h","postHooks":[{"init":{"initContainers":[7]}}]}]}`)
	if _, _, err := Init(bad, database(t, nil)); err == nil || !strings.Contains(err.Error(), "init container 0 of hook h") {
		t.Errorf("a container that is none: %v", err)
	}
	bad = read[velerov1.RestoreHooks](t, `{"resources":[{"labelSelector":{"matchExpressions":[{"key":"a","operator":"Near"}]}}]}`)
	if _, _, err := Init(bad, database(t, nil)); err == nil {
		t.Error("a bad selector passed")
	}
	if _, _, err := Restore(bad, database(t, nil)); err == nil || !strings.HasPrefix(err.Error(), "spec.hooks.resources[0].labelSelector: ") {
		t.Errorf("bad selector: %v", err)
	}
}

func TestDown(t *testing.T) {
	pod := database(t, nil)
	for container, want := range map[string]string{
		"postgres": "", "broken": "it waits to be started (CrashLoopBackOff)", "setup": "it has ended (Completed)", "typo": "it has not been started",
	} {
		if got := Down(pod, container, false); got != want {
			t.Errorf("%s: %q, want %q", container, got, want)
		}
	}
	if Down(pod, "postgres", true) != "it is not ready" || Down(pod, "exporter", true) != "" {
		t.Error("readiness is not heeded")
	}
}
