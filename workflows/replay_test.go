package workflows_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/klauspost/compress/gzip"
	"go.temporal.io/api/history/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/workflows"
)

// shapes are the runs that every version has left a history of; `make
// record-histories` makes them.
var shapes = []string{
	"backup-cancelled", "backup-completed", "backup-killed", "backup-refused", "backup-stopped-late",
	"catalog-continued", "delete-completed", "restore-completed",
}

// volumeShapes are those since v0.2, which was the first to know volumes.
var volumeShapes = []string{"volumes-backup", "volumes-cancelled", "volumes-delete", "volumes-restore"}

// timeShapes are those since v0.4, which was the first to do things by itself. Of that version
// there are no others: what they would show, those of v0.3 do.
var timeShapes = []string{
	"backup-rehearsed", "backups-rehearsed", "backups-verified", "garbage-collected", "retention-set", "schedule-triggered", "schedules-changed",
}

// drillShapes are those since v0.5, which was the first to drill. Of that version there are no others,
// as of v0.4.
var drillShapes = []string{
	"drill-cancelled", "drill-csi", "drill-kept", "drill-native", "drill-scheduled", "drill-stopped", "drill-unsigned",
}

const histories = "testdata/histories"

// TestReplay takes up runs that earlier code has begun, as a worker does after an
// upgrade. A failure means that the change needs workflow.GetVersion.
func TestReplay(t *testing.T) {
	versions, err := os.ReadDir(histories)
	if err != nil || len(versions) == 0 {
		t.Fatalf("no histories in %s: %v", histories, err)
	}
	for _, v := range versions {
		var found []string
		err := filepath.WalkDir(filepath.Join(histories, v.Name()), func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() {
				return err
			}
			name := strings.TrimSuffix(d.Name(), ".json.gz")
			found = append(found, name)
			t.Run(v.Name()+"/"+name, func(t *testing.T) {
				if err := replay(load(t, path), func(r workflows.Registry) { workflows.Register(r, nil) }); err != nil {
					t.Error(err)
				}
			})
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range shapesOf(v.Name()) {
			if !slices.Contains(found, s) {
				t.Errorf("%s has no history %s", v.Name(), s)
			}
		}
	}
}

// shapesOf are those that a version has left.
func shapesOf(version string) []string {
	switch version {
	case "v0.1":
		return shapes
	case "v0.2", "v0.3":
		return slices.Concat(shapes, volumeShapes)
	case "v0.4":
		return timeShapes
	case "v0.5":
		return drillShapes
	default:
		return slices.Concat(shapes, volumeShapes, timeShapes, drillShapes)
	}
}

// TestReplayFindsChange makes sure that a replay can fail: a workflow that leaves out
// the reading back is not the one that was recorded.
func TestReplayFindsChange(t *testing.T) {
	paths, err := filepath.Glob(histories + "/*/backup-completed.json.gz")
	if err != nil || len(paths) == 0 {
		t.Fatalf("no history of a completed backup: %v", err)
	}
	err = replay(load(t, paths[0]), func(r workflows.Registry) {
		r.RegisterWorkflowWithOptions(hasty, workflow.RegisterOptions{Name: contract.BackupWorkflow})
	})
	if err == nil {
		t.Error("a changed workflow replays an old history")
	}
}

func hasty(ctx workflow.Context, in contract.BackupInput) (contract.BackupResult, error) {
	ctx = workflow.WithActivityOptions(ctx, workflow.ActivityOptions{ScheduleToCloseTimeout: 1})
	var res contract.BackupResult
	return res, workflow.ExecuteActivity(ctx, contract.CommitBackup.Name, in).Get(ctx, &res)
}

func replay(hist *history.History, register func(workflows.Registry)) error {
	replayer := worker.NewWorkflowReplayer()
	register(replayer)
	started := hist.GetEvents()[0].GetWorkflowExecutionStartedEventAttributes()
	return replayer.ReplayWorkflowHistoryWithOptions(nil, hist, worker.ReplayWorkflowHistoryOptions{
		OriginalExecution: workflow.Execution{ID: started.GetWorkflowId(), RunID: started.GetOriginalExecutionRunId()},
	})
}

func load(t *testing.T, path string) *history.History {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	zr, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	hist, err := client.HistoryFromJSON(zr, client.HistoryJSONOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return hist
}
