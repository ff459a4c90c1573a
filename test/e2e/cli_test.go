//go:build stack

package e2e

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/klauspost/compress/gzip"
	"sigs.k8s.io/yaml"

	"github.com/lifeboat-backup/lifeboat/internal/archive/layout"
	"github.com/lifeboat-backup/lifeboat/test/harness"
	"github.com/lifeboat-backup/lifeboat/test/stack"
)

// ask runs a command that has to end with a code, and wants words in its output.
func ask(t *testing.T, h *harness.Harness, code int, words []string, args ...string) harness.Result {
	t.Helper()
	res, err := h.CLI(t.Context(), args...)
	if err != nil || res.Code != code {
		t.Errorf("lifeboat %s: exit %d, want %d: %v: %s%s", strings.Join(args, " "), res.Code, code, err, res.Out, res.Err)
	}
	for _, w := range words {
		if !strings.Contains(res.Out+res.Err, w) {
			t.Errorf("lifeboat %s: no %q in\n%s%s", strings.Join(args, " "), w, res.Out, res.Err)
		}
	}
	return res
}

// TestCommands goes through the verbs of a person's day, each against a worker.
func TestCommands(t *testing.T) {
	t.Parallel()
	l := shared
	names := l.namespaces(t, "cmd")
	ns := names.Replace("<cmd>")
	l.apply(t, fmt.Sprintf("{apiVersion: v1, kind: Namespace, metadata: {name: %s}}\n---\n{apiVersion: v1, kind: ConfigMap, metadata: {name: c, namespace: %s}, data: {k: v}}", ns, ns))
	h := l.Beside(t, harness.Options{Cluster: "cmd"}).Harness

	manifest := filepath.Join(t.TempDir(), "backup.yaml")
	text := fmt.Sprintf("apiVersion: velero.io/v1\nkind: Backup\nmetadata: {name: from-file, namespace: velero, labels: {team: books}}\nspec: {includedNamespaces: [%s], ttl: 24h0m0s, storageLocation: default}\n", ns)
	if err := os.WriteFile(manifest, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	ask(t, h, 0, []string{`Backup "from-file" Completed`, "Next: lifeboat backup describe from-file"}, "backup", "create", "-f", manifest, "--wait")
	ask(t, h, 0, []string{"kind: Backup", "includedNamespaces", "ttl: 1h0m0s"}, "backup", "create", "shown", "-f", manifest, "--ttl", "1h", "-o", "yaml")
	ask(t, h, 0, []string{`Restore "back" from backup "from-file" Completed`}, "restore", "create", "back", "--from-backup", "from-file", "--wait")

	t.Run("get", func(t *testing.T) {
		ask(t, h, 0, []string{"NAME", "STATUS", "ERRORS", "WARNINGS", "CREATED", "EXPIRES", "STORAGE LOCATION", "SELECTOR", "from-file", "Completed", "default"}, "backup", "get")
		ask(t, h, 0, []string{"team=books"}, "get", "backups", "--show-labels")
		ask(t, h, 0, []string{"from-file"}, "backup", "get", "from-file", "-l", "team=books", "-o", "name")
		ask(t, h, 4, []string{`"nobody"`}, "backup", "get", "nobody")
		ask(t, h, 0, []string{"back", "from-file", "Completed"}, "restore", "get")
	})
	t.Run("documents parse", func(t *testing.T) { documents(t, h) })
	t.Run("describe", func(t *testing.T) {
		ask(t, h, 0, []string{"from-file", "Completed", ns, "team=books", "default", "24h0m0s"}, "backup", "describe", "from-file", "--details")
		ask(t, h, 0, []string{"back", "from-file", "Completed"}, "restore", "describe", "back")
		ask(t, h, 4, []string{`"nobody"`}, "restore", "describe", "nobody")
		ask(t, h, 4, []string{`"nobody"`}, "backup", "describe", "nobody")
		ask(t, h, 4, []string{`"nobody"`}, "backup", "logs", "nobody")
	})
	t.Run("logs", func(t *testing.T) {
		ask(t, h, 0, []string{`msg="backup started"`, "backup=from-file", "archive composed"}, "backup", "logs", "from-file")
		ask(t, h, 0, []string{`msg="restore started"`}, "restore", "logs", "back")
	})
	t.Run("download", func(t *testing.T) { download(t, h) })
	t.Run("location", func(t *testing.T) {
		ask(t, h, 0, []string{"default", "aws", l.Stack.S3.Bucket, "Available", "ReadWrite"}, "location", "get")
		ask(t, h, 0, []string{"CAPABILITY", "write", "conditional-write", "range", "delete", "yes"}, "location", "check")
	})
	t.Run("version", func(t *testing.T) {
		ask(t, h, 0, []string{"Client:", "Server:", "Cluster: " + h.Cluster, "Kubernetes: v1."}, "version")
		ask(t, h, 0, []string{"Client:"}, "version", "--client-only")
	})
	t.Run("completion", func(t *testing.T) {
		for _, shell := range []string{"bash", "zsh", "fish", "powershell"} {
			ask(t, h, 0, []string{"lifeboat"}, "completion", shell)
		}
		ask(t, h, 0, []string{"from-file"}, "__complete", "backup", "describe", "fr")
	})
	t.Run("damaged document", func(t *testing.T) { damagedDocument(t, h) })
	t.Run("delete", func(t *testing.T) { deletions(t, h, manifest) })
}

// documents parses what -o json and -o yaml print and finds the same in both.
func documents(t *testing.T, h *harness.Harness) {
	for _, args := range [][]string{
		{"backup", "get"},
		{"backup", "get", "from-file"},
		{"backup", "describe", "from-file"},
		{"restore", "get"},
		{"restore", "describe", "back"},
		{"location", "get"},
		{"location", "check"},
		{"version"},
	} {
		var fromJSON, fromYAML map[string]any
		if err := json.Unmarshal([]byte(ask(t, h, 0, nil, append(args, "-o", "json")...).Out), &fromJSON); err != nil {
			t.Errorf("%v: %v", args, err)
		}
		if err := yaml.Unmarshal([]byte(ask(t, h, 0, nil, append(args, "-o", "yaml")...).Out), &fromYAML); err != nil {
			t.Errorf("%v: %v", args, err)
		}
		if len(fromJSON) == 0 || len(fromJSON) != len(fromYAML) {
			t.Errorf("%v: %v and %v", args, fromJSON, fromYAML)
		}
	}
	doc := ask(t, h, 0, nil, "backup", "describe", "from-file", "-o", "json").Out
	if !strings.Contains(doc, `"Completed"`) || !strings.Contains(doc, `"includedNamespaces"`) {
		t.Errorf("no Velero document: %s", doc)
	}
}

func download(t *testing.T, h *harness.Harness) {
	file := filepath.Join(t.TempDir(), "b.tar.gz")
	ask(t, h, 0, nil, "backup", "download", "from-file", "-o", file)
	got, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if want := raw(t, h.Store, layout.Backup{Name: "from-file"}.Tarball()); !bytes.Equal(got, want) {
		t.Error("the file is not the tarball")
	}
	zr, err := gzip.NewReader(bytes.NewReader(got))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(io.Discard, zr); err != nil {
		t.Error(err)
	}
	ask(t, h, 1, []string{"--force"}, "backup", "download", "from-file", "-o", file)
	ask(t, h, 0, nil, "backup", "download", "from-file", "-o", file, "--force")
}

// damagedDocument: a backup whose document cannot be read is told, and hides no other.
func damagedDocument(t *testing.T, h *harness.Harness) {
	files := layout.Backup{Name: "scrap"}
	l := &lab{Lab: &harness.Lab{Harness: h}}
	l.put(t, files.Metadata(), []byte(`{"kind":"Backup","metadata":`))
	ask(t, h, 0, []string{"from-file", "scrap", "Unreadable"}, "backup", "get")
	ask(t, h, 1, []string{"backups/scrap/velero-backup.json"}, "backup", "describe", "scrap")
	l.remove(t, files.Metadata())
}

func deletions(t *testing.T, h *harness.Harness, manifest string) {
	ask(t, h, 0, nil, "backup", "create", "second", "-f", manifest, "--wait")
	ask(t, h, 4, []string{`"nobody"`}, "backup", "delete", "nobody", "--confirm")
	ask(t, h, 0, []string{"from-file"}, "backup", "delete", "from-file", "--confirm")
	if left := keysIn(t, h.Store, "backups/from-file/"); len(left) > 0 {
		t.Errorf("left: %v", left)
	}
	if out := ask(t, h, 0, []string{"second"}, "backup", "get", "-o", "name").Out; strings.Contains(out, "from-file") {
		t.Errorf("still listed: %s", out)
	}
	ask(t, h, 0, nil, "backup", "delete", "-l", "team=books", "--confirm")
	if left := keysIn(t, h.Store, "backups/"); len(left) > 0 {
		t.Errorf("left: %v", left)
	}
	ask(t, h, 0, []string{`Backup "from-file" Completed`}, "backup", "create", "-f", manifest, "--wait")
}

// TestWaiting holds backups up by a cut API server and takes away, one by one, what
// somebody who waits relies on.
func TestWaiting(t *testing.T) {
	l := shared
	api, err := stack.NewProxy(l.Stack.APIServer)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(api.Close)
	own := l.Beside(t, harness.Options{Cluster: "wait", API: api.Addr()})
	h := own.Harness
	heal := func() {
		if err := api.Heal(); err != nil {
			t.Fatal(err)
		}
	}
	t.Run("worker killed, Temporal restarted", func(t *testing.T) {
		api.Cut()
		waiting := hold(t, h, "held")
		own.Worker.Kill()
		if err := l.Stack.Restart(t.Context(), "temporal"); err != nil {
			t.Fatal(err)
		}
		heal()
		own.ReplaceWorker(t)
		if code, out := waiting.end(t); code != 0 || !strings.Contains(out, `Backup "held" Completed`) {
			t.Errorf("exit %d: %s", code, out)
		}
	})
	t.Run("Ctrl-C, then follow", func(t *testing.T) {
		api.Cut()
		waiting := hold(t, h, "left")
		waiting.interrupt(t)
		code, out := waiting.end(t)
		if code != 130 || !strings.Contains(out, `the backup of "left" goes on`) || !strings.Contains(out, "lifeboat backup wait left") {
			t.Errorf("exit %d: %s", code, out)
		}
		ask(t, h, 0, []string{"left", "InProgress"}, "backup", "get")
		heal()
		ask(t, h, 0, []string{`Backup "left" Completed`}, "backup", "wait", "left")
	})
	t.Run("cancel", func(t *testing.T) {
		api.Cut()
		waiting := hold(t, h, "unwanted")
		ask(t, h, 0, []string{"unwanted"}, "backup", "cancel", "unwanted")
		if code, out := waiting.end(t); code != 2 || !strings.Contains(strings.ToLower(out), "cancel") {
			t.Errorf("exit %d: %s", code, out)
		}
		heal()
		ask(t, h, 0, []string{"unwanted", "Canceled"}, "backup", "get")
		left := workingFiles(t, h.Store)
		for _, key := range keysIn(t, h.Store, "") {
			if strings.Contains(key, "unwanted") {
				left = append(left, key)
			}
		}
		if len(left) > 0 {
			t.Errorf("left in the bucket: %s", left)
		}
		ask(t, h, 0, []string{`Backup "unwanted" Completed`}, "backup", "create", "unwanted", "--include-namespaces", "kube-public", "--wait")
	})
	t.Run("nobody there", func(t *testing.T) {
		alone := l.Idle(t, harness.Options{Cluster: "nobody"})
		ask(t, alone, 1, []string{"no worker polls task queue lifeboat-nobody"}, "backup", "create", "b", "--wait")
		deaf := l.Idle(t, harness.Options{Cluster: "deaf", Temporal: "127.0.0.1:1"})
		ask(t, deaf, 1, []string{"127.0.0.1:1", "TEMPORAL_ADDRESS"}, "backup", "get")
	})
}

// waiting is a `backup create --wait` that has been started.
type waiting struct {
	cmd  interface{ Wait() error }
	proc *os.Process
	code func() int
	out  *bytes.Buffer
}

// hold starts a backup and returns once it is in progress. It stops for want of the API
// server before it writes anything: it does not know whose cluster it is to back up.
func hold(t *testing.T, h *harness.Harness, name string) *waiting {
	t.Helper()
	cmd := h.Command(t.Context(), "backup", "create", name, "--include-namespaces", "kube-public", "--wait")
	out := &bytes.Buffer{}
	cmd.Stdout, cmd.Stderr = out, out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "backup "+name+" in progress", func() error {
		text, err := h.Command(t.Context(), "backup", "get", name).CombinedOutput()
		if err == nil && !strings.Contains(string(text), "InProgress") {
			err = errors.New(string(text))
		}
		return err
	})
	return &waiting{cmd: cmd, proc: cmd.Process, code: func() int { return cmd.ProcessState.ExitCode() }, out: out}
}

func (w *waiting) interrupt(t *testing.T) {
	t.Helper()
	if err := w.proc.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
}

// end waits for the command and returns its exit code and all it printed.
func (w *waiting) end(t *testing.T) (int, string) {
	t.Helper()
	_ = w.cmd.Wait() // the exit code says it
	return w.code(), w.out.String()
}
