//go:build stack

package chaos

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/klauspost/compress/gzip"
	velerov1 "github.com/vmware-tanzu/velero/pkg/apis/velero/v1"
	"go.temporal.io/api/enums/v1"
	"go.temporal.io/api/history/v1"
	"go.temporal.io/api/temporalproto"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/worker"
	"golang.org/x/sync/errgroup"

	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/test/harness"
	"github.com/lifeboat-backup/lifeboat/workflows"
)

// recordInto is the variable that names the version to record histories for; without
// it they are only replayed.
const recordInto = "LIFEBOAT_RECORD"

// TestRecordHistories makes a history of each shape with the real worker and replays
// it. With LIFEBOAT_RECORD=version it also keeps them for the replay tests of package
// workflows: later code has to be able to go on with them.
func TestRecordHistories(t *testing.T) {
	t.Parallel()
	recordings(t)
	var jobs []job
	for name, make := range map[string]func(context.Context, *lane) (client.WorkflowRun, error){
		"backup-completed":    completedBackup,
		"backup-refused":      invalidBackup,
		"backup-cancelled":    cancelledOnce,
		"backup-killed":       killedOnce,
		"restore-completed":   completedRestore,
		"delete-completed":    completedDelete,
		"catalog-continued":   continuedCatalog,
		"backup-stopped-late": cancelledLate,
		"volumes-backup":      volumesBackup,
		"volumes-cancelled":   volumesCancelled,
		"volumes-restore":     volumesRestore,
		"volumes-delete":      volumesDelete,
	} {
		jobs = append(jobs, job{name, func(ctx context.Context, l *lane) error {
			run, err := make(ctx, l)
			if err != nil {
				return err
			}
			return keepHistory(ctx, l.Harness, name, run)
		}})
	}
	each(t, jobs)
}

func completedBackup(ctx context.Context, l *lane) (client.WorkflowRun, error) {
	name, _ := l.names("backup")
	run, err := l.startBackup(name, bulkSpec())(ctx)
	if err != nil {
		return nil, err
	}
	return run, run.Get(ctx, nil)
}

func invalidBackup(ctx context.Context, l *lane) (client.WorkflowRun, error) {
	name, _ := l.names("backup")
	run, err := l.startBackup(name, velerov1.BackupSpec{IncludedNamespaces: []string{"*", "one"}})(ctx)
	if err != nil {
		return nil, err
	}
	var refused *temporal.ApplicationError
	if err := run.Get(ctx, nil); !errors.As(err, &refused) || refused.Type() != contract.ErrTypeInvalid {
		return nil, fmt.Errorf("bad input: %w", err)
	}
	return run, nil
}

// cancelledAt cancels a backup in an activity.
func cancelledAt(ctx context.Context, l *lane, activity string) (run client.WorkflowRun, _ error) {
	name, _ := l.names("backup")
	p, err := undisturbed.backup.during(activity, Before)
	if err != nil {
		return nil, err
	}
	err = l.struck(ctx, p, keeping(&run, l.startBackup(name, bulkSpec())), cancel, nil)
	if err != nil && !temporal.IsCanceledError(err) {
		return nil, err
	}
	return run, nil
}

func cancelledOnce(ctx context.Context, l *lane) (client.WorkflowRun, error) {
	return cancelledAt(ctx, l, "ExportShard")
}

func cancelledLate(ctx context.Context, l *lane) (client.WorkflowRun, error) {
	return cancelledAt(ctx, l, "CommitBackup")
}

func killedOnce(ctx context.Context, l *lane) (run client.WorkflowRun, _ error) {
	name, _ := l.names("backup")
	p, err := undisturbed.backup.during("ExportShard", After)
	if err != nil {
		return nil, err
	}
	err = l.struck(ctx, p, keeping(&run, l.startBackup(name, bulkSpec())), kill, nil)
	return run, err
}

// keeping is a starter that tells which run it started.
func keeping(run *client.WorkflowRun, start starter) starter {
	return func(ctx context.Context) (client.WorkflowRun, error) {
		var err error
		*run, err = start(ctx)
		return *run, err
	}
}

func completedRestore(ctx context.Context, l *lane) (client.WorkflowRun, error) {
	name, target := l.names("restore")
	if err := l.clearCluster(ctx); err != nil {
		return nil, err
	}
	run, err := l.startRestore(name, target)(ctx)
	if err != nil {
		return nil, err
	}
	return run, run.Get(ctx, nil)
}

func completedDelete(ctx context.Context, l *lane) (client.WorkflowRun, error) {
	name, _ := l.names("backup")
	if err := l.backup(ctx, name, bulkSpec()); err != nil {
		return nil, err
	}
	run, err := l.startDelete(name)(ctx)
	if err != nil {
		return nil, err
	}
	return run, run.Get(ctx, nil)
}

// continuedCatalog reads until the catalog begins a new run; the one before is it. It
// takes hundreds of reads: without a recording to make, a few show as much.
func continuedCatalog(ctx context.Context, l *lane) (client.WorkflowRun, error) {
	id := contract.CatalogID(l.Cluster)
	first, err := l.Temporal.DescribeWorkflow(ctx, id, "")
	if err != nil {
		return nil, err
	}
	run := l.Temporal.GetWorkflow(ctx, id, first.RawResponse.GetWorkflowExecutionInfo().GetExecution().GetRunId())
	reads := 5
	if os.Getenv(recordInto) != "" {
		reads = 310
	}
	group, gctx := errgroup.WithContext(ctx)
	group.SetLimit(4)
	for range reads {
		group.Go(func() error { return l.read(gctx, id) })
	}
	if err := group.Wait(); err != nil || reads == 5 {
		return run, err
	}
	return run, until(ctx, "the catalog has begun a new run", func() (bool, error) {
		now, err := l.Temporal.DescribeWorkflow(ctx, id, "")
		return err == nil && now.RawResponse.GetWorkflowExecutionInfo().GetExecution().GetRunId() != run.GetRunID(), err
	})
}

// read asks the catalog; a busy Temporal may abort an update, and a read may repeat.
func (l *lane) read(ctx context.Context, catalog string) error {
	var errs []error
	for range 5 {
		update, err := l.Temporal.UpdateWorkflow(ctx, client.UpdateWorkflowOptions{
			WorkflowID: catalog, UpdateName: contract.ReadUpdate, WaitForStage: client.WorkflowUpdateStageCompleted,
			Args: []any{contract.ReadInput{Verb: contract.ReadBackup, Name: "base"}},
		})
		if err == nil {
			err = update.Get(ctx, nil)
		}
		if err == nil || ctx.Err() != nil {
			return err
		}
		errs = append(errs, err)
	}
	return fmt.Errorf("read: %w", errors.Join(errs...))
}

// keepHistory replays a history and, if asked to, writes it for later.
func keepHistory(ctx context.Context, h *harness.Harness, name string, run client.WorkflowRun) error {
	hist := &history.History{}
	events := h.Temporal.GetWorkflowHistory(ctx, run.GetID(), run.GetRunID(), false, enums.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT)
	for events.HasNext() {
		e, err := events.Next()
		if err != nil {
			return err
		}
		hist.Events = append(hist.Events, e)
	}
	replayer := worker.NewWorkflowReplayer()
	workflows.Register(replayer, nil)
	if err := replayer.ReplayWorkflowHistory(nil, hist); err != nil {
		return fmt.Errorf("replay: %w", err)
	}
	data, err := scrubbed(hist)
	if err != nil || os.Getenv(recordInto) == "" {
		return err
	}
	dir := filepath.Join("..", "..", "workflows", "testdata", "histories", os.Getenv(recordInto))
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, name+".json.gz"), data, 0o644)
}

// scrubbed is a history as gzip JSON, without names of the machine it was made on.
func scrubbed(hist *history.History) ([]byte, error) {
	raw, err := temporalproto.CustomJSONMarshalOptions{}.Marshal(hist)
	if err != nil {
		return nil, err
	}
	host, err := os.Hostname()
	if err != nil {
		return nil, err
	}
	identity := regexp.MustCompile(`"\d+@[^"]*"`)
	raw = identity.ReplaceAll(raw, []byte(`"worker"`))
	raw = bytes.ReplaceAll(raw, []byte(`"`+host+`:`), []byte(`"worker:`)) // names of sticky queues
	if err := clean(raw, host); err != nil {
		return nil, err
	}
	var out bytes.Buffer
	zw := gzip.NewWriter(&out)
	_, err = zw.Write(raw)
	if err := errors.Join(err, zw.Close()); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}

var payload = regexp.MustCompile(`"data":\s*"([A-Za-z0-9+/=]*)"`)

// clean fails if a history, its payloads included, still speaks of this machine.
func clean(raw []byte, host string) error {
	text := string(raw)
	for _, m := range payload.FindAllStringSubmatch(text, -1) {
		plain, err := base64.StdEncoding.DecodeString(m[1])
		if err != nil || !json.Valid(plain) {
			continue // metadata, in clear
		}
		text += string(plain)
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return err
	}
	for _, word := range []string{os.TempDir() + "/", home + "/", `"` + host + `"`, host + ":"} {
		if i := strings.Index(text, word); i >= 0 {
			return fmt.Errorf("the history names this machine: %.120q", text[max(0, i-60):])
		}
	}
	return nil
}
