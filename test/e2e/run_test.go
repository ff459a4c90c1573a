//go:build stack

package e2e

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/klauspost/compress/gzip"
	velerov1 "github.com/vmware-tanzu/velero/pkg/apis/velero/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"

	"github.com/lifeboat-backup/lifeboat/internal/archive"
	"github.com/lifeboat-backup/lifeboat/internal/archive/layout"
	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/store"
	"github.com/lifeboat-backup/lifeboat/test/harness"
)

// startBackup starts a Backup workflow as any client may.
func startBackup(t *testing.T, h *harness.Harness, in contract.BackupInput) client.WorkflowRun {
	t.Helper()
	run, err := h.Temporal.ExecuteWorkflow(t.Context(), client.StartWorkflowOptions{
		ID: contract.BackupID(h.Cluster, in.Name), TaskQueue: contract.TaskQueue(h.Cluster),
	}, contract.BackupWorkflow, in)
	if err != nil {
		t.Fatal(err)
	}
	return run
}

func startRestore(t *testing.T, h *harness.Harness, in contract.RestoreInput) client.WorkflowRun {
	t.Helper()
	run, err := h.Temporal.ExecuteWorkflow(t.Context(), client.StartWorkflowOptions{
		ID: contract.RestoreID(h.Cluster, in.Name), TaskQueue: contract.TaskQueue(h.Cluster),
	}, contract.RestoreWorkflow, in)
	if err != nil {
		t.Fatal(err)
	}
	return run
}

// backup takes a backup and returns how it ended.
func backup(t *testing.T, h *harness.Harness, name string, spec velerov1.BackupSpec) contract.BackupResult {
	t.Helper()
	var res contract.BackupResult
	if err := startBackup(t, h, contract.BackupInput{Name: name, Spec: spec}).Get(t.Context(), &res); err != nil {
		t.Fatalf("backup %s: %v", name, err)
	}
	return res
}

// completed fails the test unless a backup is Completed without a word.
func completed(t *testing.T, res contract.BackupResult) {
	t.Helper()
	if res.Phase != "Completed" || res.Errors > 0 {
		t.Fatalf("backup %s: %s: %v", res.Name, res.Phase, res.Reasons)
	}
}

// restore restores and returns how it ended.
func restore(t *testing.T, h *harness.Harness, in contract.RestoreInput) contract.RestoreResult {
	t.Helper()
	var res contract.RestoreResult
	if err := startRestore(t, h, in).Get(t.Context(), &res); err != nil {
		t.Fatalf("restore %s: %v", in.Name, err)
	}
	return res
}

// failure waits until a run has ended and is the type and text of its error. A run
// that still goes on says what it tries.
func failure(t *testing.T, h *harness.Harness, run client.WorkflowRun) (kind, text string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	err := run.Get(ctx, nil)
	if ctx.Err() == nil {
		return problemOf(err)
	}
	res, err := h.Temporal.DescribeWorkflow(t.Context(), run.GetID(), run.GetRunID())
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range res.RawResponse.GetPendingActivities() {
		text += fmt.Sprintf("%s, attempt %d: %s\n", a.GetActivityType().GetName(), a.GetAttempt(), a.GetLastFailure().GetMessage())
	}
	if err := h.Temporal.TerminateWorkflow(t.Context(), run.GetID(), run.GetRunID(), "test is over"); err != nil {
		t.Error(err)
	}
	return "still running", text
}

// problemOf is the type and text of the error that ended a run.
func problemOf(err error) (kind, text string) {
	var app *temporal.ApplicationError
	if errors.As(err, &app) {
		return app.Type(), app.Message()
	}
	if err == nil {
		return "", ""
	}
	return "", err.Error()
}

// source reads archives out of a store.
type source struct{ st store.Store }

func (s source) ReadRange(ctx context.Context, file string, off, n int64) (io.ReadCloser, error) {
	return s.st.GetRange(ctx, file, off, n)
}

func open(t *testing.T, h *harness.Harness, backup string) *archive.Archive {
	t.Helper()
	a, err := archive.Open(t.Context(), source{h.Store}, layout.Backup{Name: backup})
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// contents are the keys of an archive, "resource namespace/name", in its order.
func contents(t *testing.T, h *harness.Harness, backup string) []string {
	t.Helper()
	a := open(t, h, backup)
	var keys []string
	err := a.WalkEntries(t.Context(), 0, len(a.Members()), func(_ int, entries []archive.Entry) error {
		for _, e := range entries {
			keys = append(keys, e.Resource+" "+e.Object())
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return keys
}

// keysIn are the keys of the bucket below the harness's prefix, but for those that say which
// cluster a name belongs to and what changed between backups: these stay.
func keysIn(t *testing.T, st store.Store, prefix string) []string {
	t.Helper()
	var keys []string
	err := st.List(t.Context(), prefix, func(i store.Info) error {
		if !strings.HasPrefix(i.Key, layout.PluginDir+"clusters/") && !strings.HasPrefix(i.Key, layout.SeriesDir) {
			keys = append(keys, i.Key)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return keys
}

// workingFiles are the keys of what runs keep beside backups and restores. Catalog entries
// are part of backups.
func workingFiles(t *testing.T, st store.Store) []string {
	t.Helper()
	return slices.DeleteFunc(keysIn(t, st, layout.PluginDir), func(key string) bool { return strings.HasPrefix(key, layout.CatalogRoot) })
}

// read reads a file of the bucket, uncompressed if it is gzip.
func read(t *testing.T, st store.Store, key string) []byte {
	t.Helper()
	body, _, err := st.Get(t.Context(), key)
	if err != nil {
		t.Fatal(err)
	}
	defer body.Close()
	var r io.Reader = body
	if strings.HasSuffix(key, ".gz") {
		if r, err = gzip.NewReader(body); err != nil {
			t.Fatalf("%s: %v", key, err)
		}
	}
	data, err := io.ReadAll(r)
	if err != nil {
		t.Fatalf("%s: %v", key, err)
	}
	return data
}

// outcomes are the warnings and errors of a results file, one line each.
func outcomes(t *testing.T, h *harness.Harness, key string) []string {
	t.Helper()
	var doc map[string]struct {
		Velero, Cluster []string
		Namespaces      map[string][]string
	}
	if err := json.Unmarshal(read(t, h.Store, key), &doc); err != nil {
		t.Fatalf("%s: %v", key, err)
	}
	var out []string
	for kind, d := range doc {
		lines := append(slices.Clone(d.Velero), d.Cluster...)
		for _, l := range d.Namespaces {
			lines = append(lines, l...)
		}
		for _, line := range lines {
			out = append(out, kind+": "+line)
		}
	}
	slices.Sort(out)
	return out
}

func restoreOutcomes(t *testing.T, h *harness.Harness, name string) []string {
	t.Helper()
	return outcomes(t, h, layout.Restore{Name: name}.Results())
}

// has tells whether a line contains all words.
func has(lines []string, words ...string) bool {
	return slices.ContainsFunc(lines, func(line string) bool {
		for _, w := range words {
			if !strings.Contains(line, w) {
				return false
			}
		}
		return true
	})
}
