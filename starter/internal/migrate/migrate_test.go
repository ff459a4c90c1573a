package migrate

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/lifeboat-backup/lifeboat/internal/golden"
)

func run(t *testing.T, cluster string, o options, in string) (out, notes string, err error) {
	t.Helper()
	var outs, remarks bytes.Buffer
	err = o.run(t.Context(), cluster, strings.NewReader(in), &outs, &remarks)
	return outs.String(), remarks.String(), err
}

// What a cluster has for Velero becomes values that the worker takes, and what does not carry over
// is said.
func TestFromVelero(t *testing.T) {
	source := filepath.Join("testdata", "cluster.yaml")
	out, notes, err := run(t, "production", options{files: []string{source}, temporal: "temporal:7233", printed: printValues}, "")
	if err != nil {
		t.Fatal(err)
	}
	golden.Compare(t, filepath.Join("testdata", "values.yaml"), "values of the chart", out)
	golden.Compare(t, filepath.Join("testdata", "notes.txt"), "what does not carry over", notes)
	configuration, _, err := run(t, "production", options{files: []string{source}, printed: printConfiguration}, "")
	if err != nil {
		t.Fatal(err)
	}
	c := checkAsWorker(t, configuration)
	if len(c.Schedules) != 2 || c.Schedules[0].Spec.Template.ResourcePolicy.Name != "policies" || !c.Schedules[1].Spec.Paused {
		t.Errorf("schedules: %+v", c.Schedules)
	}
}

// A list on stdin, as kubectl prints it, is the same as documents in a file.
func TestListOnStdin(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("testdata", "cluster.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	list := "apiVersion: v1\nkind: List\nitems:\n"
	for doc := range strings.SplitSeq(string(text), "\n---\n") {
		list += "- " + strings.ReplaceAll(strings.TrimSpace(doc), "\n", "\n  ") + "\n"
	}
	fromFile, _, err := run(t, "c", options{files: []string{filepath.Join("testdata", "cluster.yaml")}, printed: printSchedules}, "")
	if err != nil {
		t.Fatal(err)
	}
	fromList, _, err := run(t, "c", options{files: []string{"-"}, printed: printSchedules}, list)
	if err != nil || fromList != fromFile {
		t.Errorf("%v\n%s\nwant\n%s", err, fromList, fromFile)
	}
}

// The cluster is asked through kubectl, with the context that was named.
func TestKubectl(t *testing.T) {
	kubectl := filepath.Join(t.TempDir(), "kubectl")
	source, err := filepath.Abs(filepath.Join("testdata", "cluster.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	script := "#!/bin/sh\ncase \"$*\" in *'--namespace velero'*'--context west'*) ;; *) echo \"asked $*\" >&2; exit 1;; esac\ncase \"$2\" in backup*) cat " + source + ";; *) echo '{\"kind\":\"List\",\"items\":[]}';; esac\n"
	if err := os.WriteFile(kubectl, []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	o := options{cluster: cluster{kubectl: kubectl, context: "west", namespace: "velero"}, printed: printValues}
	if out, _, err := run(t, "c", o, ""); err != nil || !strings.Contains(out, "bucket: example-backups") {
		t.Errorf("%v %s", err, out)
	}
	o.cluster.context = "east"
	if _, _, err := run(t, "c", o, ""); err == nil || !strings.Contains(err.Error(), "asked get backupstoragelocations") {
		t.Errorf("got %v", err)
	}
	o.cluster.kubectl = "no-such-kubectl"
	if _, _, err := run(t, "c", o, ""); err == nil || !strings.Contains(err.Error(), "install kubectl, or give files") {
		t.Errorf("got %v", err)
	}
}

func TestRefused(t *testing.T) {
	const storage = "apiVersion: velero.io/v1\nkind: BackupStorageLocation\nmetadata: {name: a}\nspec: {provider: aws, objectStorage: {bucket: b}}\n"
	for name, tc := range map[string]struct{ cluster, in, want string }{
		"no name":         {"", storage, "--cluster: required"},
		"name":            {"Foo_", storage, `--cluster "Foo_": use lower-case letters`},
		"nothing of ours": {"c", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x}\n", "no BackupStorageLocation"},
		"another store":   {"c", strings.Replace(storage, "aws", "gcp", 1), "no BackupStorageLocation"},
		"no YAML":         {"c", "{", "-: not a Kubernetes object"},
		"mistyped filter": {"c", storage + "---\napiVersion: velero.io/v1\nkind: Schedule\nmetadata: {name: s}\nspec: {schedule: '@daily', template: {includedNamespace: [a]}}\n", "Schedule s: "},
	} {
		_, _, err := run(t, tc.cluster, options{files: []string{"-"}, printed: printValues}, tc.in)
		if err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: %v, want %q", name, err, tc.want)
		}
	}
}

// Whatever is read, nothing panics, and what is printed is what the worker's parser takes or
// explains.
func FuzzConvert(f *testing.F) {
	seed, err := os.ReadFile(filepath.Join("testdata", "cluster.yaml"))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(seed)
	f.Fuzz(func(_ *testing.T, text []byte) {
		all, err := parseObjects(text)
		if err == nil {
			_, _, _ = convert("c", "", all)
		}
	})
}
