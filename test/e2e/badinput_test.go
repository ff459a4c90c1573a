//go:build stack

package e2e

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	velerov1 "github.com/vmware-tanzu/velero/pkg/apis/velero/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/lifeboat-backup/lifeboat/internal/config"
	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/test/harness"
)

// badLocations adds storage locations that cannot be used.
func badLocations(t *testing.T) func(*config.Config) {
	wrong := filepath.Join(t.TempDir(), "wrong")
	if err := os.WriteFile(wrong, []byte("[default]\naws_access_key_id = nobody\naws_secret_access_key = wrong-secret-key\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return func(c *config.Config) {
		add := func(name string, change func(*velerov1.BackupStorageLocation)) {
			bsl := c.BackupStorageLocations[0].DeepCopy()
			bsl.Name, bsl.Spec.Default = name, false
			change(bsl)
			c.BackupStorageLocations = append(c.BackupStorageLocations, *bsl)
		}
		add("readonly", func(b *velerov1.BackupStorageLocation) {
			b.Spec.AccessMode = velerov1.BackupStorageLocationAccessModeReadOnly
		})
		add("nobucket", func(b *velerov1.BackupStorageLocation) { b.Spec.ObjectStorage.Bucket = "no-such-bucket" })
		add("stranger", func(b *velerov1.BackupStorageLocation) { b.Spec.Config["credentialsFile"] = wrong })
	}
}

type badInput struct {
	name  string
	in    contract.BackupInput
	kind  string
	words []string
}

func badInputs() []badInput {
	spec := func(change func(*velerov1.BackupSpec)) contract.BackupInput {
		s := velerov1.BackupSpec{IncludedNamespaces: []string{"default"}}
		change(&s)
		return contract.BackupInput{Name: "bad", Spec: s}
	}
	app := &metav1.LabelSelector{MatchLabels: map[string]string{"a": "b"}}
	location := func(name string) contract.BackupInput {
		return spec(func(s *velerov1.BackupSpec) { s.StorageLocation = name })
	}
	return []badInput{
		{
			"both selectors", spec(func(s *velerov1.BackupSpec) { s.LabelSelector, s.OrLabelSelectors = app, []*metav1.LabelSelector{app} }),
			contract.ErrTypeInvalid,
			[]string{"spec.orLabelSelectors", "cannot be used together with spec.labelSelector", "remove one"},
		},
		{
			"star beside a name", spec(func(s *velerov1.BackupSpec) { s.IncludedNamespaces = []string{"*", "default"} }),
			contract.ErrTypeInvalid,
			[]string{"spec.includedNamespaces[0]", "'*' must be the only entry"},
		},
		{
			"star left out", spec(func(s *velerov1.BackupSpec) { s.ExcludedNamespaces = []string{"*"} }),
			contract.ErrTypeInvalid,
			[]string{"spec.excludedNamespaces"},
		},
		{
			"bad TTL", spec(func(s *velerov1.BackupSpec) { s.TTL = metav1.Duration{Duration: -time.Hour} }),
			contract.ErrTypeInvalid,
			[]string{"spec.ttl", "negative"},
		},
		{"old and new filters", spec(func(s *velerov1.BackupSpec) {
			s.IncludedResources, s.IncludedNamespaceScopedResources = []string{"pods"}, []string{"secrets"}
		}), contract.ErrTypeInvalid, []string{"spec.includedResources"}},
		{
			"malformed glob", spec(func(s *velerov1.BackupSpec) { s.IncludedNamespaces = []string{"a["} }),
			contract.ErrTypeInvalid,
			[]string{"spec.includedNamespaces[0]"},
		},
		{"name too long", contract.BackupInput{Name: strings.Repeat("n", 64)}, contract.ErrTypeInvalid, []string{"name", "63"}},
		{"name of a path", contract.BackupInput{Name: "../../etc"}, contract.ErrTypeInvalid, []string{"name"}},
		{"unknown location", location("nowhere"), contract.ErrTypeInvalid, []string{"spec.storageLocation", `"nowhere"`, "default", "readonly"}},
		{"read-only location", location("readonly"), contract.ErrTypeLocation, []string{`location "readonly" is ReadOnly`, "choose another"}},
		{"missing bucket", location("nobucket"), contract.ErrTypeLocation, []string{"storage location nobucket", "no-such-bucket", "bucket not found"}},
		{"wrong credentials", location("stranger"), contract.ErrTypeDenied, []string{"storage location stranger", "credentials"}},
	}
}

// TestBadInput starts backups that cannot be, as any Temporal client may: each ends
// at once with the field and the remedy, and leaves nothing in the bucket.
func TestBadInput(t *testing.T) {
	t.Parallel()
	l := shared
	own := l.Beside(t, harness.Options{Cluster: "bad", Edit: badLocations(t)})
	h := own.Harness
	before := keysIn(t, h.Store, "")
	for _, c := range badInputs() {
		t.Run(c.name, func(t *testing.T) {
			run := startBackup(t, h, c.in)
			kind, text := failure(t, h, run)
			if kind != c.kind {
				t.Errorf("%s, want %s: %s", kind, c.kind, text)
			}
			for _, words := range c.words {
				if !strings.Contains(text, words) {
					t.Errorf("no %q in %q", words, text)
				}
			}
			if n := l.attempts(t, run); n > 1 {
				t.Errorf("tried %d times", n)
			}
			if after := keysIn(t, h.Store, ""); !slices.Equal(before, after) {
				t.Errorf("left in the bucket: %v", after)
			}
		})
	}
	t.Run("command line", func(t *testing.T) { badFlags(t, h) })
	t.Run("locations", func(t *testing.T) { badLocationsShown(t, h) })
	t.Run("restore", func(t *testing.T) { badRestores(t, h) })
	if strings.Contains(string(own.Worker.Log()), "wrong-secret-key") {
		t.Error("the worker's log tells a credential")
	}
}

// badFlags are refused before anything is started.
func badFlags(t *testing.T, h *harness.Harness) {
	for _, c := range []struct {
		code  int
		words string
		args  []string
	}{
		{1, "63", []string{"backup", "create", strings.Repeat("n", 64)}},
		{1, "spec.ttl", []string{"backup", "create", "bad", "--ttl", "-1h"}},
		{1, "invalid argument", []string{"backup", "create", "bad", "--ttl", "soon"}},
		{1, "'*' must be the only entry", []string{"backup", "create", "bad", "--include-namespaces", "*,a"}},
		{1, "spec.orLabelSelectors", []string{"backup", "create", "bad", "-l", "a=b", "--or-selector", "c=d"}},
		{1, "unknown flag: --from-nowhere", []string{"backup", "create", "bad", "--from-nowhere"}},
		{1, "--from-backup NAME or --from-schedule NAME", []string{"restore", "create", "bad"}},
		{1, `"nowhere"`, []string{"backup", "create", "bad", "--storage-location", "nowhere", "--wait"}},
		{4, `no backup "gone"`, []string{"restore", "create", "--from-backup", "gone", "--storage-location", "default", "--wait"}},
		{2, "storage location nobucket", []string{"restore", "create", "--from-backup", "gone", "--wait"}},
		{1, "storage location nobucket", []string{"backup", "describe", "gone"}}, // who knows whether it lies there
		{1, "storage location stranger", []string{"backup", "logs", "gone"}},
	} {
		res, err := h.CLI(t.Context(), c.args...)
		if err != nil || res.Code != c.code || !strings.Contains(res.Err, c.words) {
			t.Errorf("lifeboat %s: exit %d, want %d; %v: %s%s", strings.Join(c.args, " "), res.Code, c.code, err, res.Out, res.Err)
		}
	}
}

func badLocationsShown(t *testing.T, h *harness.Harness) {
	for name, code := range map[string]int{"default": 0, "readonly": 0, "nobucket": 1, "stranger": 1, "nowhere": 4} {
		res, err := h.CLI(t.Context(), "location", "check", name)
		if err != nil || res.Code != code {
			t.Errorf("location check %s: exit %d, want %d; %v: %s%s", name, res.Code, code, err, res.Out, res.Err)
		}
	}
	if left := keysIn(t, h.Store, "plugins/"); len(left) > 0 {
		t.Errorf("location check left %v", left)
	}
}

func badRestores(t *testing.T, h *harness.Harness) {
	for name, c := range map[string]struct {
		in    contract.RestoreInput
		kind  string
		words string
	}{
		"nothing to restore":  {contract.RestoreInput{Name: "r"}, contract.ErrTypeInvalid, "spec.backupName"},
		"both sources":        {contract.RestoreInput{Name: "r", Spec: velerov1.RestoreSpec{BackupName: "a", ScheduleName: "b"}}, contract.ErrTypeInvalid, "spec.scheduleName"},
		"missing backup":      {contract.RestoreInput{Name: "r", Location: "default", Spec: velerov1.RestoreSpec{BackupName: "a"}}, contract.ErrTypeNotFound, `no backup "a"`},
		"backup nobody sees":  {contract.RestoreInput{Name: "r", Spec: velerov1.RestoreSpec{BackupName: "a"}}, contract.ErrTypeLocation, `no backup "a" in the storage locations that could be read; storage location nobucket`},
		"path for a backup":   {contract.RestoreInput{Name: "r", Spec: velerov1.RestoreSpec{BackupName: "../a"}}, contract.ErrTypeInvalid, "spec.backupName"},
		"name too long":       {contract.RestoreInput{Name: strings.Repeat("r", 64), Spec: velerov1.RestoreSpec{BackupName: "a"}}, contract.ErrTypeInvalid, "name"},
		"unknown location":    {contract.RestoreInput{Name: "r", Location: "nowhere", Spec: velerov1.RestoreSpec{BackupName: "a"}}, contract.ErrTypeInvalid, `"nowhere"`},
		"policy that is none": {contract.RestoreInput{Name: "r", Spec: velerov1.RestoreSpec{BackupName: "a", ExistingResourcePolicy: "replace"}}, contract.ErrTypeInvalid, "spec.existingResourcePolicy"},
		"type never restored": {contract.RestoreInput{Name: "r", Spec: velerov1.RestoreSpec{BackupName: "a", IncludedResources: []string{"nodes"}}}, contract.ErrTypeInvalid, "spec.includedResources"},
	} {
		kind, text := failure(t, h, startRestore(t, h, c.in))
		if kind != c.kind || !strings.Contains(text, c.words) {
			t.Errorf("%s: %s: %s", name, kind, text)
		}
	}
	if left := keysIn(t, h.Store, ""); len(left) > 0 {
		t.Errorf("left in the bucket: %v", left)
	}
}

// TestStartedByHand starts workflows with the Temporal CLI alone.
func TestStartedByHand(t *testing.T) {
	t.Parallel()
	l := beside(t, "hand")
	start := func(id, input string) (string, error) {
		return l.temporal(t, "workflow", "execute", "--type", "Backup", "--task-queue", contract.TaskQueue(l.Cluster), "--workflow-id", id, "--input", input)
	}
	out, err := start("by-hand-"+l.ID, `{"spec":{"includedNamespaces":["kube-public"]}}`)
	if err != nil || !strings.Contains(out, "Completed") {
		t.Fatalf("%v: %s", err, out)
	}
	list, err := l.Run(t.Context(), "backup", "get", "-o", "name")
	if err != nil || !strings.Contains(list, "backup-20") {
		t.Errorf("the backup's own name is not listed: %v %s", err, list)
	}
	before := keysIn(t, l.Store, "")
	for input, words := range map[string]string{
		`{"spec":{"includeNamespaces":["kube-public"]}}`: `unknown field "includeNamespaces"`,
		`{"sepc":{}}`:                         `unknown field "sepc"`,
		`{"spec":{"includedNamespaces":"a"}}`: "includedNamespaces",
		`{"spec":{"ttl":"a week"}}`:           "ttl",
		`{"name":"UPPER","spec":{}}`:          "name",
		`"a string"`:                          "input",
	} {
		out, err := start("by-hand-bad-"+l.ID, input)
		if err == nil || !strings.Contains(out, words) {
			t.Errorf("%s: %v: %s", input, err, out)
		}
	}
	if after := keysIn(t, l.Store, ""); !slices.Equal(before, after) {
		t.Errorf("left in the bucket: %v", after)
	}
}
