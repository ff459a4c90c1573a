//go:build stack

package e2e

import (
	"errors"
	"io"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	velerov1 "github.com/vmware-tanzu/velero/pkg/apis/velero/v1"

	"github.com/lifeboat-backup/lifeboat/internal/config"
	"github.com/lifeboat-backup/lifeboat/internal/store"
	"github.com/lifeboat-backup/lifeboat/test/harness"
)

// TestRunbooks executes the commands of docs/RUNBOOKS.md as they are written there, each section
// after the accident that it is for.
func TestRunbooks(t *testing.T) {
	t.Parallel()
	l := shared
	names := l.namespaces(t, "shop", "shop-copy")
	ns := names.Replace("<shop>")
	l.apply(t, names.Replace(runbookShop))
	own := l.Beside(t, harness.Options{Cluster: "runbook"})
	r := runbook{lab: &lab{Lab: own}, sections: runbookSections(t), words: strings.NewReplacer(
		"shop-copy", names.Replace("<shop-copy>"), "namespace shop-copy", "namespace "+names.Replace("<shop-copy>"), "namespace shop", "namespace "+ns, "namespaces shop", "namespaces "+ns,
		"mappings shop:", "mappings "+ns+":", "/shop/", "/"+ns+"/", "name shop/", "name "+ns+"/")}
	ask(t, own.Harness, 0, []string{"Completed"}, "backup", "create", "nightly", "--include-namespaces", ns, "--wait")

	r.kubectl(t, "delete", "namespace", ns)
	r.run(t, "A namespace was deleted")
	r.want(t, ns, "secret/db", "{.data.password}", "b25l")

	r.kubectl(t, "--namespace", ns, "patch", "secret", "db", "--type=merge", "-p", `{"stringData":{"password":"lost"}}`)
	r.run(t, "One object was deleted or overwritten")
	r.want(t, ns, "secret/db", "{.data.password}", "b25l")

	r.kubectl(t, "--namespace", ns, "patch", "configmap", "settings", "--type=merge", "-p", `{"data":{"limit":"0"}}`)
	r.run(t, "A wrong configuration was rolled out")
	r.want(t, ns, "configmap/settings", "{.data.limit}", "100")

	r.run(t, "What was in the namespace, beside what is there now")

	r.kubectl(t, "delete", "namespace", ns)
	rebuilt := r
	rebuilt.lab = &lab{Lab: l.Beside(t, harness.Options{Cluster: "rebuilt", Prefix: own.Config.BackupStorageLocations[0].Spec.ObjectStorage.Prefix})}
	rebuilt.run(t, "The cluster is lost")
	rebuilt.want(t, ns, "configmap/settings", "{.data.limit}", "100")

	r.kubectl(t, "delete", "namespace", ns)
	elsewhere, writes := r.inReplica(t, l)
	elsewhere.run(t, "The Region is lost")
	elsewhere.want(t, ns, "configmap/settings", "{.data.limit}", "100")
	// A restore asks once each time whether its records may lie there.
	if got := slices.DeleteFunc(writes(), func(w string) bool { return strings.HasSuffix(w, "/writable") }); len(got) > 0 {
		t.Errorf("written to a replica that is ReadOnly: %q", got)
	}
}

// inReplica is a cluster of another Region: its only location is a copy of the bucket that nobody
// may write to.
func (r runbook) inReplica(t *testing.T, l *lab) (elsewhere runbook, writes func() []string) {
	t.Helper()
	bucket := "replica-" + strings.ToLower(t.Name())
	if err := l.Stack.NewBucket(t.Context(), bucket); err != nil {
		t.Fatal(err)
	}
	address, writes := harness.ReadOnlyS3(t, l.Stack.S3.Endpoint)
	from := r.Config.BackupStorageLocations[0].Spec.ObjectStorage.Prefix
	replica := l.Beside(t, harness.Options{Cluster: "elsewhere", Bucket: bucket, Prefix: from, S3: address, Edit: func(c *config.Config) {
		c.BackupStorageLocations[0].Spec.AccessMode = velerov1.BackupStorageLocationAccessModeReadOnly
	}})
	err := r.Store.List(t.Context(), "", func(i store.Info) error {
		body, _, err := r.Store.Get(t.Context(), i.Key)
		if err != nil {
			return err
		}
		content, err := io.ReadAll(body)
		return errors.Join(err, body.Close(), replica.Store.Put(t.Context(), i.Key, content, store.PutOptions{}))
	})
	if err != nil {
		t.Fatal(err)
	}
	elsewhere = r
	elsewhere.lab = &lab{Lab: replica}
	return elsewhere, writes
}

const runbookShop = `
{apiVersion: v1, kind: Namespace, metadata: {name: <shop>}}
---
{apiVersion: v1, kind: Secret, metadata: {name: db, namespace: <shop>}, stringData: {password: one}}
---
{apiVersion: v1, kind: ConfigMap, metadata: {name: settings, namespace: <shop>}, data: {limit: "100"}}
`

// runbook executes sections of the document on one Lifeboat.
type runbook struct {
	*lab
	sections map[string][]string // commands, by heading
	words    *strings.Replacer   // the document's names → those of the test
}

// run wants every command of a section to succeed.
func (r runbook) run(t *testing.T, section string) {
	t.Helper()
	commands := r.sections[section]
	if len(commands) == 0 {
		t.Fatalf("the document has no commands below %q", section)
	}
	for _, line := range commands {
		args := strings.Fields(r.words.Replace(line))
		switch args[0] {
		case "lifeboat":
			ask(t, r.Harness, 0, nil, args[1:]...)
		case "kubectl":
			r.kubectl(t, args[1:]...)
		default:
			t.Errorf("%s: %q is no command that this test can run", section, line)
		}
	}
}

func (r runbook) kubectl(t *testing.T, args ...string) string {
	t.Helper()
	out, err := r.Kubectl(t.Context(), "", args...)
	if err != nil {
		t.Error(err)
	}
	return out
}

// want wants a field of an object to have its value of before the accident.
func (r runbook) want(t *testing.T, namespace, object, path, value string) {
	t.Helper()
	if got := r.kubectl(t, "--namespace", namespace, "get", object, "-o", "jsonpath="+path); got != value {
		t.Errorf("%s %s is %q, want %q", object, path, got, value)
	}
}

// runbookSections are the commands of the document by heading.
func runbookSections(t *testing.T) map[string][]string {
	t.Helper()
	text, err := os.ReadFile("../../docs/RUNBOOKS.md")
	if err != nil {
		t.Fatal(err)
	}
	sections := map[string][]string{}
	for section := range strings.SplitSeq(string(text), "\n## ") {
		heading, body, _ := strings.Cut(section, "\n")
		for _, block := range regexp.MustCompile("(?s)```sh\n(.*?)```").FindAllStringSubmatch(body, -1) {
			sections[heading] = append(sections[heading], strings.Split(strings.TrimSpace(block[1]), "\n")...)
		}
	}
	if len(sections) < 5 {
		t.Fatalf("%d sections with commands", len(sections))
	}
	return sections
}
