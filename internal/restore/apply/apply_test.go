package apply

import (
	"fmt"
	"testing"
	"time"

	velerov1 "github.com/vmware-tanzu/velero/pkg/apis/velero/v1"

	"github.com/lifeboat-backup/lifeboat/internal/config"
	"github.com/lifeboat-backup/lifeboat/internal/heartbeat"
	"github.com/lifeboat-backup/lifeboat/internal/kube"
	"github.com/lifeboat-backup/lifeboat/internal/kube/kubetest"
	"github.com/lifeboat-backup/lifeboat/internal/plan"
	"github.com/lifeboat-backup/lifeboat/internal/report"
	"github.com/lifeboat-backup/lifeboat/internal/repository"
	"github.com/lifeboat-backup/lifeboat/internal/resource"
	"github.com/lifeboat-backup/lifeboat/internal/restore"
	"github.com/lifeboat-backup/lifeboat/internal/restore/restoretest"
	"github.com/lifeboat-backup/lifeboat/internal/store/memstore"
	"github.com/lifeboat-backup/lifeboat/internal/volume/drivers"
)

// newRun is a restore named "r" of stored objects, which has just begun.
func newRun(t *testing.T, spec velerov1.RestoreSpec, dryRun bool, objs ...restoretest.Stored) *restore.Run {
	t.Helper()
	run, _ := restoretest.StoredSession(t, objs, spec)
	run.Restore.DryRun, run.Run.Started = dryRun, time.Now()
	run.St = memstore.New()
	run.Stage = repository.NewStaging(run.St, "uid")
	return run
}

func newTestService(t *testing.T, s *kubetest.Server) *restore.Service {
	t.Helper()
	r := &restore.Service{Kube: s.Client(), Config: &config.Config{}, Rules: resource.NewRegistry(), Technologies: drivers.All(drivers.Dependencies{})}
	r.Config.Limits.ApplyConcurrency = 8
	return r
}

// newTestApplier applies the objects of a restore to a server: those of the level that
// its first type is on.
func newTestApplier(t *testing.T, s *kubetest.Server, run *restore.Run) *applier {
	t.Helper()
	a, err := newApplier(t.Context(), newTestService(t, s), run, &heartbeat.Recorder{}, plan.LevelOf(run.Arc.Resources()[0]))
	if err != nil {
		t.Fatal(err)
	}
	a.obstacles.patience = func(obstacle) time.Duration { return time.Second }
	return a
}

// applyAll applies all objects of the archive that are on the applier's level.
func applyAll(t *testing.T, a *applier, run *restore.Run) map[string]restore.Record {
	t.Helper()
	all := wholeArchive(run)
	records, err := a.applyBatch(t.Context(), all)
	if err == nil && isWaiting(records) {
		records, err = a.applyWaiting(t.Context(), all, records)
	}
	if err != nil {
		t.Fatal(err)
	}
	return byName(records)
}

func wholeArchive(run *restore.Run) plan.Range {
	return plan.Range{From: 0, To: len(run.Arc.Members())}
}

// byName are records by the name of their object.
func byName(records []restore.Record) map[string]restore.Record {
	out := map[string]restore.Record{}
	for _, r := range records {
		out[r.Name] = r
	}
	return out
}

func storedConfigMaps(names ...string) (out []restoretest.Stored) {
	for _, n := range names {
		out = append(out, restoretest.Stored{Key: "configmaps n/" + n, Rest: `,"apiVersion":"v1","kind":"ConfigMap","data":{"k":"v"}`})
	}
	return out
}

// coreType is a type of the core group.
func coreType(name string) kube.Resource { return kube.Resource{Version: "v1", Name: name} }

// liveObject is an object of namespace n as JSON; meta and rest have a comma in front.
func liveObject(kind, name, meta, rest string) string {
	return fmt.Sprintf(`{"apiVersion":"v1","kind":%q,"metadata":{"name":%q,"namespace":"n"%s}%s}`, kind, name, meta, rest)
}

// reasonWords are the reasons of a record as "CODE severity".
func reasonWords(reasons []report.Reason) (words []string) {
	for _, r := range reasons {
		words = append(words, string(r.Code)+" "+string(r.Severity))
	}
	return words
}
