package filter

import (
	"strings"
	"testing"
	"time"

	velerov1 "github.com/vmware-tanzu/velero/pkg/apis/velero/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/yaml"
)

// wants checks that exactly the given problems are found; each is a path and a
// part of the message.
func wants(t *testing.T, name string, got []FieldError, want ...string) {
	t.Helper()
	if len(got) != len(want) {
		t.Errorf("%s: got %d problems %v, want %d", name, len(got), got, len(want))
		return
	}
	for i, w := range want {
		path, message, _ := strings.Cut(w, " ")
		if got[i].Path != path || !strings.Contains(got[i].Message, message) {
			t.Errorf("%s: got %q, want %q", name, got[i].Error(), w)
		}
	}
}

func seconds(n int) metav1.Duration { return metav1.Duration{Duration: time.Duration(n) * time.Second} }

var badSelector = &metav1.LabelSelector{MatchExpressions: []metav1.LabelSelectorRequirement{{Key: "a", Operator: "Near"}}}

func TestValidateBackupFilters(t *testing.T) {
	sel := &metav1.LabelSelector{MatchLabels: map[string]string{"a": "b"}}
	type spec = velerov1.BackupSpec
	for _, c := range []struct {
		name string
		spec spec
		want []string
	}{
		{"empty", spec{}, nil},
		{"star with others", spec{IncludedNamespaces: []string{"a", "*"}}, []string{"spec.includedNamespaces[1] '*' must be the only entry"}},
		{"star twice", spec{IncludedNamespaces: []string{"*", "*"}}, nil},
		{"star excluded", spec{ExcludedNamespaces: []string{"*"}}, []string{"spec.excludedNamespaces[0] cannot be '*'"}},
		{"in both", spec{IncludedNamespaces: []string{"a", "b"}, ExcludedNamespaces: []string{"b"}}, []string{"spec.excludedNamespaces[0] b is also in spec.includedNamespaces"}},
		{"bad name", spec{IncludedNamespaces: []string{"Shop"}}, []string{`spec.includedNamespaces[0] "Shop" is not a namespace name`}},
		{"name too long", spec{ExcludedNamespaces: []string{strings.Repeat("a", 64)}}, []string{"spec.excludedNamespaces[0] must be no more than 63"}},
		{"good globs", spec{IncludedNamespaces: []string{"a*", "?", "x-[abc]", "[a-z]"}}, nil},
		{"bad globs", spec{IncludedNamespaces: []string{"a**", "{a,b}", "[", "[]", "a]"}}, []string{
			"spec.includedNamespaces[0] use a single '*'", "spec.includedNamespaces[1] globs do not support",
			"spec.includedNamespaces[2] '[' without ']'", "spec.includedNamespaces[3] empty character class", "spec.includedNamespaces[4] ']' without '['",
		}},
		{"glob of no name", spec{ExcludedNamespaces: []string{"*_x"}}, []string{`spec.excludedNamespaces[0] "*_x" is not a namespace name or glob`}},
		{"empty namespace", spec{IncludedNamespaces: []string{""}}, nil},

		{"old and new", spec{IncludedResources: []string{"pods"}, ExcludedNamespaceScopedResources: []string{"secrets"}}, []string{"spec.includedResources cannot be used together"}},
		{"old and new, by flag", spec{IncludeClusterResources: ptr(false), IncludedClusterScopedResources: []string{"pv"}}, []string{"spec.includeClusterResources cannot be used together"}},
		{"old and new, by exclude", spec{ExcludedResources: []string{"a"}, IncludedNamespaceScopedResources: []string{"b"}}, []string{"spec.excludedResources cannot be used together"}},
		{"old star with others", spec{IncludedResources: []string{"*", "pods"}}, []string{"spec.includedResources[0] '*' must be the only"}},
		{"old star excluded", spec{ExcludedResources: []string{"*"}}, []string{"spec.excludedResources[0] cannot be '*'"}},
		{"old in both", spec{IncludedResources: []string{"pods"}, ExcludedResources: []string{"pods"}}, []string{"spec.excludedResources[0] pods is also in"}},
		{"new star excluded alone", spec{ExcludedNamespaceScopedResources: []string{"*"}, ExcludedClusterScopedResources: []string{"*"}}, nil},
		{"new star excluded with others", spec{ExcludedClusterScopedResources: []string{"pv", "*"}}, []string{"spec.excludedClusterScopedResources[1] '*' must be the only"}},
		{"new star excluded and some included", spec{IncludedNamespaceScopedResources: []string{"a"}, ExcludedNamespaceScopedResources: []string{"*"}}, []string{"spec.includedNamespaceScopedResources must be empty when spec.excludedNamespaceScopedResources is '*'"}},
		{"new star with others", spec{IncludedClusterScopedResources: []string{"pv", "*"}}, []string{"spec.includedClusterScopedResources[1] '*' must be the only"}},
		{"new in both", spec{IncludedClusterScopedResources: []string{"pv"}, ExcludedClusterScopedResources: []string{"pv"}}, []string{"spec.excludedClusterScopedResources[0] pv is also in"}},
		{"odd type names", spec{IncludedResources: []string{"", "pods,secrets", "apps/deployments", "a[]"}}, []string{
			"spec.includedResources[0] is empty", "spec.includedResources[1] one an entry", "spec.includedResources[2] plural[.group]", "spec.includedResources[3] empty character class",
		}},

		{"both selectors", spec{LabelSelector: sel, OrLabelSelectors: []*metav1.LabelSelector{sel}}, []string{"spec.orLabelSelectors cannot be used together with spec.labelSelector"}},
		{"an empty or-list is none", spec{LabelSelector: sel, OrLabelSelectors: []*metav1.LabelSelector{}}, nil},
		{"bad selector", spec{LabelSelector: badSelector}, []string{"spec.labelSelector is not a label selector"}},
		{"bad or-selectors", spec{OrLabelSelectors: []*metav1.LabelSelector{sel, badSelector, nil}}, []string{"spec.orLabelSelectors[1] is not a label selector", "spec.orLabelSelectors[2] is null"}},
		{"many problems", spec{IncludedNamespaces: []string{"*", "B"}, TTL: seconds(-1)}, []string{
			"spec.includedNamespaces[0] '*' must", "spec.includedNamespaces[1] is not a namespace name", "spec.ttl is negative (-1s)",
		}},
	} {
		wants(t, c.name, ValidateBackup(&c.spec), c.want...)
	}
}

func TestValidateBackupRest(t *testing.T) {
	type spec = velerov1.BackupSpec
	ref := func(kind, name string) *corev1.TypedLocalObjectReference {
		return &corev1.TypedLocalObjectReference{Kind: kind, Name: name}
	}
	for _, c := range []struct {
		name string
		spec spec
		want []string
	}{
		{"times", spec{TTL: seconds(-1), CSISnapshotTimeout: seconds(-2), ItemOperationTimeout: seconds(-3)}, []string{
			"spec.ttl is negative (-1s): give a duration such as 720h", "spec.csiSnapshotTimeout is negative", "spec.itemOperationTimeout is negative",
		}},
		{"zero times are defaults", spec{TTL: seconds(0)}, nil},
		{"uploader", spec{UploaderConfig: &velerov1.UploaderConfigForBackup{ParallelFilesUpload: -1}}, []string{"spec.uploaderConfig.parallelFilesUpload is negative (-1)"}},
		{"ordered", spec{OrderedResources: map[string]string{"pods": "a/b, a/c", "persistentvolumes": "v1,v2", "secrets": ""}}, nil},
		{"ordered badly", spec{OrderedResources: map[string]string{"pods": "a/b/c,/x,a/", "": "a/b"}}, []string{
			"spec.orderedResources[] has no resource type",
			`spec.orderedResources[pods] "a/b/c" is not namespace/name`, `spec.orderedResources[pods] "/x"`, `spec.orderedResources[pods] "a/"`,
		}},
		{"locations", spec{StorageLocation: "Default!", VolumeSnapshotLocations: []string{"a", "", "a"}}, []string{
			`spec.storageLocation "Default!" is not the name of a location`, "spec.volumeSnapshotLocations[1] is empty", "spec.volumeSnapshotLocations[2] a is named twice",
		}},
		{"policy of any case", spec{ResourcePolicy: ref("ConfigMap", "p")}, nil},
		{"policy of another kind", spec{ResourcePolicy: ref("confgmap", "")}, []string{`spec.resourcePolicy.kind is "confgmap": only configmap`, "spec.resourcePolicy.name is empty"}},
	} {
		wants(t, c.name, ValidateBackup(&c.spec), c.want...)
	}
}

func TestValidateBackupHooks(t *testing.T) {
	hooks := []velerov1.BackupResourceHookSpec{{
		Name: "fine", PreHooks: []velerov1.BackupResourceHook{{Exec: &velerov1.ExecHook{Command: []string{"sync"}, OnError: "Fail"}}},
	}, {
		IncludedNamespaces: []string{"*", "a"}, LabelSelector: badSelector,
		PreHooks:  []velerov1.BackupResourceHook{{}},
		PostHooks: []velerov1.BackupResourceHook{{Exec: &velerov1.ExecHook{OnError: "Stop", Timeout: seconds(-5)}}},
	}}
	p := "spec.hooks.resources[1]"
	wants(t, "hooks", ValidateBackup(&velerov1.BackupSpec{Hooks: velerov1.BackupHooks{Resources: hooks}}),
		p+".name is empty", p+".includedNamespaces[0] '*' must be the only", p+".labelSelector is not a label selector",
		p+".pre[0].exec is missing", p+".post[0].exec.command is empty", p+`.post[0].exec.onError is "Stop": use Continue or Fail`,
		p+".post[0].exec.timeout is negative")
}

func TestValidateRestore(t *testing.T) {
	type spec = velerov1.RestoreSpec
	with := func(change func(*spec)) spec {
		s := spec{BackupName: "b"}
		change(&s)
		return s
	}
	for _, c := range []struct {
		name  string
		spec  spec
		names []string
		want  []string
	}{
		{"minimal", spec{BackupName: "b"}, nil, nil},
		{"from a schedule", spec{ScheduleName: "s"}, nil, nil},
		{"from nothing", spec{}, nil, []string{"spec.backupName is empty: name a backup, or a schedule"}},
		{"from both", spec{BackupName: "b", ScheduleName: "s"}, nil, []string{"spec.scheduleName cannot be used together with spec.backupName"}},
		{"non-restorable", with(func(s *spec) { s.IncludedResources = []string{"pods", "nodes", "events.events.k8s.io"} }), nil, []string{
			"spec.includedResources[1] nodes is never restored", "spec.includedResources[2] events.events.k8s.io is never restored",
		}},
		{"non-restorable excluded", with(func(s *spec) { s.ExcludedResources = []string{"nodes"} }), nil, nil},
		{"lists", with(func(s *spec) {
			s.IncludedNamespaces, s.ExcludedNamespaces = []string{"*", "a", "b["}, []string{"*", "a"}
			s.IncludedResources, s.ExcludedResources = []string{"pods", "*"}, []string{"pods"}
		}), nil, []string{
			"spec.includedNamespaces[0] '*' must", "spec.excludedNamespaces[0] cannot be '*'", "spec.excludedNamespaces[1] a is also in", "spec.includedNamespaces[2] '[' without",
			"spec.includedResources[1] '*' must", "spec.excludedResources[0] pods is also in",
		}},
		{"mapping", with(func(s *spec) { s.NamespaceMapping = map[string]string{"a": "b", "c": "D", "": "e", "f": ""} }), nil, []string{
			"spec.namespaceMapping[] has no source", `spec.namespaceMapping[c] "D" is not a namespace name`, `spec.namespaceMapping[f] "" is not`,
		}},
		{"policy none", with(func(s *spec) { s.ExistingResourcePolicy = "none" }), nil, nil},
		{"policy update", with(func(s *spec) { s.ExistingResourcePolicy = "update" }), nil, nil},
		{"policy", with(func(s *spec) { s.ExistingResourcePolicy = "recreate" }), nil, []string{`spec.existingResourcePolicy is "recreate": use none or update`}},
		{"the rest", with(func(s *spec) {
			s.ItemOperationTimeout = seconds(-1)
			s.UploaderConfig = &velerov1.UploaderConfigForRestore{ParallelFilesDownload: -1}
			s.ResourceModifier = &corev1.TypedLocalObjectReference{Kind: "Secret", Name: "x"}
			s.ResourcePolicy = &corev1.TypedLocalObjectReference{Kind: "configmap", Name: "x"}
			s.RestoreStatus = &velerov1.RestoreStatusSpec{IncludedResources: []string{"a b"}}
			s.LabelSelector = badSelector
		}), nil, []string{
			"spec.restoreStatus.includedResources[0] is not a resource type", "spec.labelSelector is not a label selector",
			"spec.itemOperationTimeout is negative", "spec.uploaderConfig.parallelFilesDownload is negative", `spec.resourceModifier.kind is "Secret"`, "spec.resourcePolicy is not supported in a restore",
		}},
		{"good names", spec{BackupName: "b"}, []string{"a/b", "c", "shop/Domain Admins", `CORP\k8s admins`}, nil},
		{"bad names", spec{BackupName: "b"}, []string{"a/b", "", "a/*", "a/b/c", " a", "a b/c"}, []string{"includeNames[1] is not namespace/name", "includeNames[2] exact name", "includeNames[3] is not", "includeNames[4] is not", "includeNames[5] is not"}},
	} {
		wants(t, c.name, ValidateRestore(&c.spec, c.names), c.want...)
	}
}

func TestValidateRestoreHooks(t *testing.T) {
	raw := func(s string) runtime.RawExtension { return runtime.RawExtension{Raw: []byte(s)} }
	hooks := []velerov1.RestoreResourceHookSpec{{Name: "h", PostHooks: []velerov1.RestoreResourceHook{
		{},
		{Exec: &velerov1.ExecRestoreHook{OnError: "No", ExecTimeout: seconds(-1), WaitTimeout: seconds(-1)}},
		{Init: &velerov1.InitRestoreHook{Timeout: seconds(-1), InitContainers: []runtime.RawExtension{
			raw(`{"name":"a","image":"b","command":["c"]}`), raw(`{"name":"a","Image":"b"}`), raw(`[`), raw(``),
		}}},
	}}}
	spec := &velerov1.RestoreSpec{BackupName: "b", Hooks: velerov1.RestoreHooks{Resources: hooks}}
	p := "spec.hooks.resources[0].postHooks"
	wants(t, "hooks", ValidateRestore(spec, nil),
		p+"[0] has neither exec nor init", p+"[1].exec.command is empty", p+`[1].exec.onError is "No"`, p+"[1].exec.execTimeout is negative",
		p+"[1].exec.waitTimeout is negative", p+"[2].init.timeout is negative",
		p+"[2].init.initContainers[1].command is empty", p+"[2].init.initContainers[1].image is empty",
		p+"[2].init.initContainers[2] is not a container", p+"[2].init.initContainers[3] is not a container")
}

// Every message ends in a remedy, so it has to say more than what is wrong.
func TestMessagesAreNotBare(t *testing.T) {
	for _, e := range ValidateBackup(&velerov1.BackupSpec{
		IncludedNamespaces: []string{"*", "a", "["}, ExcludedNamespaces: []string{"*", "a"}, TTL: seconds(-1),
		IncludedResources: []string{"", "*"}, OrderedResources: map[string]string{"": "/"},
	}) {
		if len(e.Message) < 25 || e.Path == "" {
			t.Errorf("%v", e)
		}
	}
}

// Whatever a manifest says, validation answers, and what it accepts binds.
func FuzzBackupSpecYAML(f *testing.F) {
	f.Add("includedNamespaces: ['*']\nttl: 720h\n")
	f.Add("includedNamespaces: [a*, '[b']\norLabelSelectors: [null, {matchLabels: {a: b}}]\norderedResources: {pods: a/b}\n")
	f.Add("includeClusterResources: true\nexcludedResources: [nodes, '*.x']\nhooks: {resources: [{name: x, pre: [{}]}]}\n")
	f.Fuzz(func(t *testing.T, text string) {
		var spec velerov1.BackupSpec
		if yaml.Unmarshal([]byte(text), &spec) != nil || len(ValidateBackup(&spec)) > 0 {
			return
		}
		b, _, err := NewBackup(&spec, resolve, threeNamespaces)
		if err != nil {
			t.Fatalf("valid spec does not bind: %v", err)
		}
		for _, n := range b.Namespaces() {
			if !b.IncludeNamespace(n) {
				t.Fatalf("%s is selected and not included", n)
			}
		}
	})
}
