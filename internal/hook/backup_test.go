package hook

import (
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	velerov1 "github.com/vmware-tanzu/velero/pkg/apis/velero/v1"
	corev1 "k8s.io/api/core/v1"

	"github.com/lifeboat-backup/lifeboat/internal/report"
)

const (
	fail       = velerov1.HookErrorModeFail
	carryOn    = velerov1.HookErrorModeContinue
	freezeSpec = `{"resources":[
{"name":"freeze","pre":[{"exec":{"command":["freeze"]}},{"exec":{"container":"exporter","command":["pause"],"onError":"Continue","timeout":"90s"}}],
 "post":[{"exec":{"command":["thaw"],"onError":"Fail"}}]}]}`
)

func freeze() []Hook {
	return []Hook{
		{"freeze", "postgres", []string{"freeze"}, fail, DefaultTimeout},
		{"freeze", "exporter", []string{"pause"}, carryOn, 90 * time.Second},
	}
}

func thaw() []Hook { return []Hook{{"freeze", "postgres", []string{"thaw"}, fail, DefaultTimeout}} }

func checkReasons(t *testing.T, name string, got []report.Reason, want []string) {
	t.Helper()
	var lines []string
	for _, r := range got {
		if r.Resource != "pods" || r.Namespace != "shop" || r.Name != "db-0" {
			t.Errorf("%s: reason about %s", name, r.Object())
		}
		lines = append(lines, string(r.Code)+" "+r.Message)
	}
	ok := len(lines) == len(want)
	for i := range want {
		ok = ok && strings.Contains(lines[i], want[i])
	}
	if !ok {
		t.Errorf("%s: reasons\n%s\nwant\n%s", name, strings.Join(lines, "\n"), strings.Join(want, "\n"))
	}
}

func TestBackupHooks(t *testing.T) {
	noted := func(h ...Hook) []Hook { return h }
	for name, c := range map[string]struct {
		notes     map[string]string
		spec      string
		change    func(*corev1.Pod)
		pre, post []Hook
		reasons   []string
	}{
		"of the spec": {spec: freezeSpec, pre: freeze(), post: thaw()},
		"of annotations, with defaults": {
			notes: map[string]string{"pre.hook.backup.velero.io/command": "/bin/sync", "post.hook.backup.velero.io/command": `["sh","-c","thaw"]`},
			pre:   noted(Hook{"annotations", "postgres", []string{"/bin/sync"}, fail, DefaultTimeout}),
			post:  noted(Hook{"annotations", "postgres", []string{"sh", "-c", "thaw"}, fail, DefaultTimeout}),
		},
		"of annotations, in full": {
			notes: map[string]string{
				"pre.hook.backup.velero.io/command": "x", "pre.hook.backup.velero.io/container": "exporter",
				"pre.hook.backup.velero.io/on-error": "Continue", "pre.hook.backup.velero.io/timeout": "2m",
			},
			pre: noted(Hook{"annotations", "exporter", []string{"x"}, carryOn, 2 * time.Minute}),
		},
		"of bare annotations": {
			notes: map[string]string{"hook.backup.velero.io/command": "x", "hook.backup.velero.io/timeout": "1s", "pre.hook.backup.velero.io/timeout": "9s"},
			pre:   noted(Hook{"annotations", "postgres", []string{"x"}, fail, time.Second}),
		},
		"annotations win, side by side": {
			notes: map[string]string{"pre.hook.backup.velero.io/command": "x", "hook.backup.velero.io/command": "bare"}, spec: freezeSpec,
			pre: noted(Hook{"annotations", "postgres", []string{"x"}, fail, DefaultTimeout}), post: thaw(),
		},
		"an annotation without a command is none": {
			notes: map[string]string{"pre.hook.backup.velero.io/container": "exporter", "pre.hook.backup.velero.io/command": ""}, spec: freezeSpec,
			pre: freeze(), post: thaw(),
		},
		"annotations that cannot be read": {
			notes: map[string]string{
				"post.hook.backup.velero.io/command": "[hunter2", "post.hook.backup.velero.io/on-error": "Ignore", "post.hook.backup.velero.io/timeout": "ten",
			},
			post: noted(Hook{"annotations", "postgres", []string{"[hunter2"}, fail, DefaultTimeout}),
			reasons: []string{
				"HOOK_INVALID metadata.annotations[post.hook.backup.velero.io/command] is not a JSON list (at byte 2)",
				`HOOK_INVALID metadata.annotations[post.hook.backup.velero.io/on-error] is "Ignore": use Continue or Fail`,
				`HOOK_INVALID metadata.annotations[post.hook.backup.velero.io/timeout] is "ten": use a duration such as 90s`,
			},
		},
		"a negative timeout": {
			notes:   map[string]string{"pre.hook.backup.velero.io/command": "x", "pre.hook.backup.velero.io/timeout": "-1s"},
			pre:     noted(Hook{"annotations", "postgres", []string{"x"}, fail, DefaultTimeout}),
			reasons: []string{"is \"-1s\""},
		},
		"a pod that has ended": {
			spec: freezeSpec, change: func(p *corev1.Pod) { p.Status.Phase = corev1.PodSucceeded },
			reasons: []string{"HOOK_SKIPPED 3 hooks were left out: the pod has ended (Succeeded)"},
		},
		"an ended pod without hooks": {change: func(p *corev1.Pod) { p.Status.Phase = corev1.PodFailed }},
		"a container that crashes": {
			notes:   map[string]string{"pre.hook.backup.velero.io/command": "x", "pre.hook.backup.velero.io/container": "broken", "post.hook.backup.velero.io/command": "x", "post.hook.backup.velero.io/container": "broken"},
			reasons: []string{"HOOK_SKIPPED hooks of container broken were left out: it waits to be started (CrashLoopBackOff)"},
		},
		"a pod that was not started": {
			spec: freezeSpec, change: func(p *corev1.Pod) { p.Status = corev1.PodStatus{Phase: corev1.PodPending} },
			reasons: []string{"exporter were left out: it has not been started", "postgres were left out: it has not been started"},
		},
		"an init container that stays": {
			notes: map[string]string{"pre.hook.backup.velero.io/command": "x", "pre.hook.backup.velero.io/container": "mesh"},
			pre:   noted(Hook{"annotations", "mesh", []string{"x"}, fail, DefaultTimeout}),
		},
		"an unknown container fails by its onError": {
			notes: map[string]string{"pre.hook.backup.velero.io/command": "x", "pre.hook.backup.velero.io/container": "typo"},
			pre:   noted(Hook{"annotations", "typo", []string{"x"}, fail, DefaultTimeout}),
		},
	} {
		pod := database(t, c.notes)
		if c.change != nil {
			c.change(pod)
		}
		var spec velerov1.BackupHooks
		if c.spec != "" {
			spec = read[velerov1.BackupHooks](t, c.spec)
		}
		pre, post, reasons, err := Backup(spec, pod)
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if !same(pre, c.pre) || !same(post, c.post) {
			t.Errorf("%s:\npre  %+v\nwant %+v\npost %+v\nwant %+v", name, pre, c.pre, post, c.post)
		}
		checkReasons(t, name, reasons, c.reasons)
	}
}

func same[T any](a, b []T) bool { return len(a) == 0 && len(b) == 0 || reflect.DeepEqual(a, b) }

func TestBackupHooksSelectPods(t *testing.T) {
	for filter, want := range map[string]bool{
		``:                                              true,
		`"includedNamespaces":["shop"],`:                true,
		`"includedNamespaces":["*"],`:                   true,
		`"includedNamespaces":["sh*"],`:                 true,
		`"includedNamespaces":["bank"],`:                false,
		`"excludedNamespaces":["s?op"],`:                false,
		`"excludedNamespaces":["bank"],`:                true,
		`"includedResources":["pods"],`:                 true,
		`"includedResources":["Po"],`:                   true,
		`"includedResources":["*"],`:                    true,
		`"includedResources":["deployments"],`:          false,
		`"excludedResources":["secrets"],`:              true,
		`"excludedResources":["pods"],`:                 false,
		`"labelSelector":{"matchLabels":{"app":"db"}},`: true,
		`"labelSelector":{"matchExpressions":[{"key":"app","operator":"In","values":["web"]}]},`: false,
		`"labelSelector":{},`: true,
	} {
		spec := read[velerov1.BackupHooks](t, `{"resources":[{`+filter+`"name":"h","pre":[{"exec":{"command":["x"]}},{}]}]}`)
		pre, _, _, err := Backup(spec, database(t, nil))
		if err != nil || (len(pre) == 1) != want {
			t.Errorf("%s selects %v, %v", filter, pre, err)
		}
	}
	bad := read[velerov1.BackupHooks](t, `{"resources":[{},{"labelSelector":{"matchExpressions":[{"key":"a","operator":"Near"}]}}]}`)
	if _, _, _, err := Backup(bad, database(t, nil)); err == nil || !strings.HasPrefix(err.Error(), "spec.hooks.resources[1].labelSelector: ") {
		t.Errorf("bad selector: %v", err)
	}
}

// Hooks of a spec are shared by all pods: a pod's defaults must not stick.
func TestBackupHooksOfOnePodDoNotChangeTheSpec(t *testing.T) {
	spec := read[velerov1.BackupHooks](t, freezeSpec)
	if _, _, _, err := Backup(spec, database(t, nil)); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(spec, read[velerov1.BackupHooks](t, freezeSpec)) {
		t.Errorf("the spec became %+v", spec)
	}
	other := database(t, nil)
	other.Spec.Containers = slices.Clone(other.Spec.Containers)
	other.Spec.Containers[0].Name = "exporter"
	pre, _, _, _ := Backup(spec, other)
	if pre[0].Container != "exporter" {
		t.Errorf("container %s of another pod", pre[0].Container)
	}
}
