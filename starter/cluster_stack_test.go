//go:build stack

package main

import (
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	velerov1 "github.com/vmware-tanzu/velero/pkg/apis/velero/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/log"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/worker"
	"google.golang.org/protobuf/types/known/durationpb"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/starter/internal/console"
	"github.com/lifeboat-backup/lifeboat/test/stack"
	"github.com/lifeboat-backup/lifeboat/workflows"
)

var shared *stack.Stack

func TestMain(m *testing.M) {
	os.Exit(stack.Main(m, stack.Options{NoCluster: true}, func(s *stack.Stack) { shared = s }))
}

// site is a cluster whose worker runs Lifeboat's own workflows over a bucket in
// memory: everything between the command line and the activities is real.
type site struct {
	t         *testing.T
	name      string
	namespace string // of Temporal
	address   string // of the Temporal frontend, or of a proxy before it
	w         worker.Worker
	files     *httptest.Server

	mu      sync.Mutex
	backups map[string]velerov1.Backup
	hold    chan struct{} // exports wait for it to be closed
}

func newSite(t *testing.T) *site { return newSiteIn(t, shared.Temporal.Namespace) }

func newSiteIn(t *testing.T, namespace string) *site {
	s := &site{
		namespace: namespace,
		t:         t, address: shared.Temporal.Address, backups: map[string]velerov1.Backup{}, hold: make(chan struct{}),
		name: strings.ToLower(strings.NewReplacer("/", "-", "_", "-").Replace(t.Name())) + fmt.Sprintf("-%d", time.Now().UnixNano()),
	}
	s.files = httptest.NewServer(http.HandlerFunc(s.serve))
	t.Cleanup(s.files.Close)
	s.startWorker()
	return s
}

func (s *site) startWorker() {
	c, err := client.Dial(client.Options{
		HostPort: shared.Temporal.Address, Namespace: s.namespace,
		Logger: log.NewStructuredLogger(slog.New(slog.DiscardHandler)),
	})
	if err != nil {
		s.t.Fatal(err)
	}
	s.w = worker.New(c, contract.TaskQueue(s.name), worker.Options{})
	workflows.Register(s.w, nil)
	prompt := worker.New(c, contract.PromptQueue(s.name), worker.Options{DisableWorkflowWorker: true})
	register(s.w, contract.PrepareBackup, s.prepare)
	register(s.w, contract.ExportShard, s.export)
	register(s.w, contract.SealBackup, func(context.Context, contract.SealBackupInput) (contract.SealResult, error) {
		return contract.SealResult{Objects: 1000, Bytes: 5 << 20}, nil
	})
	register(s.w, contract.VerifyBackup, func(context.Context, contract.VerifyBackupInput) (contract.VerifyResult, error) {
		return contract.VerifyResult{}, nil
	})
	register(s.w, contract.CommitBackup, s.commit)
	register(prompt, contract.AbandonRestore, abandonRestore)
	register(prompt, contract.AbandonBackup, func(context.Context, contract.AbandonBackupInput) (contract.Nothing, error) {
		return contract.Nothing{}, nil
	})
	register(s.w, contract.PlanDelete, s.planDelete)
	register(s.w, contract.DeleteFiles, s.deleteFiles)
	register(prompt, contract.ReadCatalog, s.read)
	s.registerRestore()
	if err := s.w.Start(); err != nil {
		s.t.Fatal(err)
	}
	if err := prompt.Start(); err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() {
		prompt.Stop()
		// The catalog runs for ever; a shared stack shall not collect those of tests.
		_ = c.TerminateWorkflow(context.Background(), contract.CatalogID(s.name), "", "the test is over")
		s.stop()
		c.Close()
	})
}

// stop stops the worker, once.
func (s *site) stop() {
	if s.w != nil {
		s.w.Stop()
		s.w = nil
	}
}

// wake starts the site's catalog, by which clusters are found.
func (s *site) wake() {
	s.t.Helper()
	if code, _, stderr := s.lifeboat(s.t.Context(), "version"); code != console.CodeDone {
		s.t.Fatalf("code %d\n%s", code, stderr)
	}
}

// newNamespace makes a namespace in which no other test has clusters.
func newNamespace(t *testing.T) string {
	t.Helper()
	c, err := client.NewNamespaceClient(client.Options{HostPort: shared.Temporal.Address})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	name := fmt.Sprintf("discovery-%d", time.Now().UnixNano())
	err = c.Register(t.Context(), &workflowservice.RegisterNamespaceRequest{
		Namespace: name, WorkflowExecutionRetentionPeriod: durationpb.New(24 * time.Hour),
	})
	if err != nil {
		t.Fatal(err)
	}
	return name
}

func register[In, Out any](w worker.Worker, a contract.Activity[In, Out], do func(context.Context, In) (Out, error)) {
	w.RegisterActivityWithOptions(do, activity.RegisterOptions{Name: a.Name})
}

// abandonRestore clears up after a restore: after one that is done too.
func abandonRestore(context.Context, contract.AbandonRestoreInput) (contract.Nothing, error) {
	return contract.Nothing{}, nil
}

func (s *site) registerRestore() {
	register(s.w, contract.OpenArchive, func(_ context.Context, in contract.OpenArchiveInput) (contract.OpenedArchive, error) {
		name := in.Restore.Spec.BackupName
		if _, ok := s.backup(name); !ok {
			return contract.OpenedArchive{}, temporal.NewNonRetryableApplicationError("backup "+name+" does not exist", contract.ErrTypeNotFound, nil)
		}
		ref := contract.RestoreRef{Name: in.Restore.Name, UID: in.UID}
		return contract.OpenedArchive{Ref: ref, Backup: name, Objects: 1000}, nil
	})
	register(s.w, contract.PlanRestore, func(_ context.Context, in contract.PlanRestoreInput) (contract.RestorePlan, error) {
		return contract.RestorePlan{Ref: in.Archive.Ref, Objects: 1000, Levels: []contract.LevelPlan{{Name: "all", Tasks: 1, Objects: 1000}}}, nil
	})
	register(s.w, contract.ApplyTask, func(context.Context, contract.ApplyTaskInput) (contract.ApplyResult, error) {
		return contract.ApplyResult{Counts: contract.Counts{Created: 990, Skipped: 8, Failed: 2}, Errors: 2}, nil
	})
	register(s.w, contract.FinishRestore, func(_ context.Context, in contract.FinishRestoreInput) (contract.RestoreResult, error) {
		res := contract.RestoreResult{
			Name: in.Restore.Name, Backup: in.Archive.Backup, Phase: "PartiallyFailed", DryRun: in.Restore.DryRun,
			Started: in.Run.Started, Completed: in.Completed, Counts: in.Counts, Errors: 2,
			Reasons: []string{"[QUOTA_EXCEEDED] configmaps shop/a: quota. Next: raise it"},
		}
		if in.Restore.DryRun {
			res.Phase, res.Errors, res.Reasons = "Completed", 0, nil
		}
		return res, nil
	})
	register(s.w, contract.AbandonRestore, abandonRestore)
}

func (s *site) prepare(_ context.Context, in contract.PrepareBackupInput) (contract.BackupPlan, error) {
	if _, ok := s.backup(in.Backup.Name); ok {
		return contract.BackupPlan{}, temporal.NewNonRetryableApplicationError("backup "+in.Backup.Name+" already exists", contract.ErrTypeExists, nil)
	}
	if in.Backup.Spec.StorageLocation == "nowhere" {
		return contract.BackupPlan{}, temporal.NewNonRetryableApplicationError(`spec.storageLocation: "nowhere" is not one of default`, contract.ErrTypeInvalid, nil)
	}
	return contract.BackupPlan{Name: in.Backup.Name, UID: in.UID, Location: "default", Shards: 1, Objects: 1000, Expires: time.Now().Add(720 * time.Hour)}, nil
}

// export beats and waits, so that a test sees progress and decides when it ends.
func (s *site) export(ctx context.Context, in contract.ExportShardInput) (contract.ShardResult, error) {
	for {
		activity.RecordHeartbeat(ctx, contract.Heartbeat{Objects: 400, Bytes: 2 << 20})
		select {
		case <-s.hold:
			return contract.ShardResult{Shard: in.Shard, Chunks: 1, Objects: 1000, Bytes: 5 << 20}, nil
		case <-ctx.Done():
			return contract.ShardResult{}, ctx.Err()
		case <-time.After(200 * time.Millisecond):
		}
	}
}

func (s *site) commit(_ context.Context, in contract.CommitBackupInput) (contract.BackupResult, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	doc := velerov1.Backup{ObjectMeta: metav1.ObjectMeta{Name: in.Ref.Name}}
	doc.Status.Phase = velerov1.BackupPhaseCompleted
	s.backups[in.Ref.Name] = doc
	return contract.BackupResult{Name: in.Ref.Name, Phase: "Completed", Objects: 1000, Bytes: 5 << 20, Started: in.Completed.Add(-time.Second), Completed: in.Completed}, nil
}

func (s *site) backup(name string) (velerov1.Backup, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	b, ok := s.backups[name]
	return b, ok
}

func (s *site) planDelete(_ context.Context, in contract.DeleteBackupInput) (contract.DeletePlan, error) {
	if _, ok := s.backup(in.Name); !ok {
		return contract.DeletePlan{}, temporal.NewNonRetryableApplicationError("backup "+in.Name+" does not exist", contract.ErrTypeNotFound, nil)
	}
	return contract.DeletePlan{Name: in.Name, Location: "default"}, nil
}

func (s *site) deleteFiles(_ context.Context, in contract.DeletePlan) (contract.DeleteResult, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.backups, in.Name)
	return contract.DeleteResult{Name: in.Name, Files: 12}, nil
}

func (s *site) read(_ context.Context, in contract.ReadInput) (contract.ReadResult, error) {
	switch in.Verb {
	case contract.ReadBackups:
		s.mu.Lock()
		defer s.mu.Unlock()
		var out contract.ReadResult
		for name, b := range s.backups {
			out.Backups = append(out.Backups, contract.BackupSummary{Name: name, Phase: string(b.Status.Phase), Location: "default", Created: time.Now()})
		}
		return out, nil
	case contract.ReadServer:
		return contract.ReadResult{Server: &contract.ServerStatus{Version: "v9", Cluster: s.name, Kubernetes: "v1.37"}}, nil
	case contract.ReadRestores:
		return contract.ReadResult{}, nil
	case contract.ReadRestoreURL:
		return contract.ReadResult{URL: s.files.URL + "/" + in.File + "?signature=s3cr3t"}, nil
	}
	b, ok := s.backup(in.Name)
	if !ok {
		return contract.ReadResult{}, temporal.NewNonRetryableApplicationError(fmt.Sprintf("backup %q does not exist", in.Name), contract.ErrTypeNotFound, nil)
	}
	return contract.ReadResult{Backup: &b, URL: s.files.URL + "/" + in.File + "?signature=s3cr3t"}, nil
}

// serve is the bucket behind the signed URLs.
func (s *site) serve(w http.ResponseWriter, r *http.Request) {
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	switch r.URL.Path {
	case "/" + contract.FileLogs:
		fmt.Fprintln(z, "level=info msg=\"all well\"")
	case "/" + contract.FilePlan:
		fmt.Fprintln(z, `{"resource":"configmaps","namespace":"shop","name":"a","action":"create"}`)
	default:
		http.NotFound(w, r)
		return
	}
	_ = z.Close()
	_, _ = w.Write(packed.Bytes())
}

// lifeboat runs one command line against the site.
func (s *site) lifeboat(ctx context.Context, args ...string) (code int, stdout, stderr string) {
	s.t.Helper()
	var out, errs syncBuffer
	code = s.start(ctx, &out, &errs, args...)
	return code, out.String(), errs.String()
}

func (s *site) start(ctx context.Context, out, errs *syncBuffer, args ...string) int {
	s.t.Setenv("TEMPORAL_ADDRESS", s.address)
	s.t.Setenv("TEMPORAL_NAMESPACE", s.namespace)
	s.t.Setenv("LIFEBOAT_CLUSTER", s.name)
	return run(ctx, args, strings.NewReader(""), out, errs)
}
