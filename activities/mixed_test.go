package activities_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	velerov1 "github.com/vmware-tanzu/velero/pkg/apis/velero/v1"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/interceptor"
	"go.temporal.io/sdk/log"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/testsuite"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/lifeboat-backup/lifeboat/activities"
	"github.com/lifeboat-backup/lifeboat/internal/archive"
	"github.com/lifeboat-backup/lifeboat/internal/archive/layout"
	"github.com/lifeboat-backup/lifeboat/internal/backup"
	"github.com/lifeboat-backup/lifeboat/internal/config"
	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/deletion"
	"github.com/lifeboat-backup/lifeboat/internal/kube"
	"github.com/lifeboat-backup/lifeboat/internal/kube/kubetest"
	"github.com/lifeboat-backup/lifeboat/internal/repository"
	"github.com/lifeboat-backup/lifeboat/internal/resource"
	"github.com/lifeboat-backup/lifeboat/internal/restore"
	"github.com/lifeboat-backup/lifeboat/internal/store"
	"github.com/lifeboat-backup/lifeboat/internal/store/memstore"
	"github.com/lifeboat-backup/lifeboat/internal/volume/location"
	"github.com/lifeboat-backup/lifeboat/workflows"
)

// buckets are the stores of a test, by prefix: who names the same prefix has the same store.
type buckets map[string]*memstore.Store

// site is one worker: the cluster it serves and its configuration.
type site struct {
	api        *kubetest.Server
	cfg        *config.Config
	activities map[string]reflect.Value
}

// RegisterActivityWithOptions implements activities.Registry.
func (s *site) RegisterActivityWithOptions(do any, o activity.RegisterOptions) {
	s.activities[o.Name] = reflect.ValueOf(do)
}

// alive says that every run may still go on.
type alive struct{}

func (alive) Closed(context.Context, contract.Run) (bool, error) { return false, nil }

// newSite is a worker of the cluster "prod" behind api, with one storage location.
func newSite(t *testing.T, api *kubetest.Server, all buckets, prefix, replaces string) *site {
	t.Helper()
	cfg, err := config.Parse(fmt.Appendf(nil, `{cluster: prod, replacesCluster: %q, backupStorageLocations: [{metadata: {name: default}, spec: {provider: aws, objectStorage: {bucket: b, prefix: %q}}}]}`, replaces, prefix))
	if err != nil {
		t.Fatal(err)
	}
	if all[prefix] == nil {
		all[prefix] = memstore.New()
	}
	kc := api.Client()
	locations := repository.NewLocations(cfg, func(context.Context, velerov1.BackupStorageLocation) (store.Store, error) { return all[prefix], nil })
	snapshots, rules := location.New(cfg, nil), resource.NewRegistry()
	s := &site{api: api, cfg: cfg, activities: map[string]reflect.Value{}}
	(&activities.Backup{Service: &backup.Service{Config: cfg, Kube: kc, Locations: locations, Snapshots: snapshots, Rules: rules, Runs: alive{}}}).Register(s)
	(&activities.Restore{Service: &restore.Service{Config: cfg, Kube: kc, Locations: locations, Rules: rules}}).Register(s)
	(&activities.Delete{Runner: &deletion.Runner{Kube: kc, Locations: locations, Snapshots: snapshots}}).Register(s)
	return s
}

// objectsEach is how many ConfigMaps a cluster has.
const objectsEach = 20

// newCluster is an API server with a namespace "shop" full of ConfigMaps that begin with
// the cluster's identity.
func newCluster(t *testing.T, uid string) *kubetest.Server {
	t.Helper()
	api := kubetest.Start(t, kubetest.WithIdentity(uid))
	for i := range objectsEach {
		api.Put(&corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: fmt.Sprintf("%s-%d", uid, i)}})
	}
	return api
}

// queue is a task queue that several workers poll. Who takes an activity first is drawn; what
// is offered again goes to the next worker, for the test suite allows 10 attempts.
type queue struct {
	workers []*site
	mu      sync.Mutex
	draw    *rand.Rand
	first   map[string]int // by activity
	result  any            // is given what a workflow returns, if it is not nil
}

func newQueue(seed uint64, workers ...*site) *queue {
	return &queue{workers: workers, draw: rand.New(rand.NewPCG(1, seed)), first: map[string]int{}}
}

func (q *queue) taker(ctx context.Context) *site {
	q.mu.Lock()
	defer q.mu.Unlock()
	info := activity.GetInfo(ctx)
	key, attempt := info.WorkflowExecution.ID+" "+info.ActivityID, int(info.Attempt)
	if attempt == 1 {
		q.first[key] = q.draw.IntN(len(q.workers))
	}
	return q.workers[(q.first[key]+attempt-1)%len(q.workers)]
}

// run runs a workflow whose activities are taken by the workers of the queue.
func (q *queue) run(t *testing.T, uid, workflowType string, in any) error {
	t.Helper()
	var suite testsuite.WorkflowTestSuite
	suite.SetLogger(log.NewStructuredLogger(slog.New(slog.DiscardHandler)))
	env := suite.NewTestWorkflowEnvironment()
	env.SetTestTimeout(3 * time.Minute)
	env.SetStartWorkflowOptions(client.StartWorkflowOptions{ID: "w-" + uid, TaskQueue: contract.TaskQueue("prod")})
	env.SetWorkerOptions(worker.Options{Interceptors: []interceptor.WorkerInterceptor{&runIDs{uid: uid}}, DeadlockDetectionTimeout: time.Minute})
	workflows.Register(env, nil)
	for name, do := range q.workers[0].activities {
		taken := reflect.MakeFunc(do.Type(), func(args []reflect.Value) []reflect.Value {
			return q.taker(args[0].Interface().(context.Context)).activities[name].Call(args)
		})
		env.RegisterActivityWithOptions(taken.Interface(), activity.RegisterOptions{Name: name})
	}
	env.ExecuteWorkflow(workflowType, in)
	if !env.IsWorkflowCompleted() {
		t.Fatal("the workflow has not ended")
	}
	if err := env.GetWorkflowError(); err != nil || q.result == nil {
		return err
	}
	return env.GetWorkflowResult(q.result)
}

// runIDs gives a workflow the run id that the test suite leaves empty.
type runIDs struct {
	interceptor.WorkerInterceptorBase
	uid string
}

func (r *runIDs) InterceptWorkflow(_ workflow.Context, next interceptor.WorkflowInboundInterceptor) interceptor.WorkflowInboundInterceptor {
	return &runIDsInbound{WorkflowInboundInterceptorBase: interceptor.WorkflowInboundInterceptorBase{Next: next}, uid: r.uid}
}

type runIDsInbound struct {
	interceptor.WorkflowInboundInterceptorBase
	uid string
}

func (i *runIDsInbound) Init(out interceptor.WorkflowOutboundInterceptor) error {
	return i.Next.Init(&runIDsOutbound{WorkflowOutboundInterceptorBase: interceptor.WorkflowOutboundInterceptorBase{Next: out}, uid: i.uid})
}

type runIDsOutbound struct {
	interceptor.WorkflowOutboundInterceptorBase
	uid string
}

func (o *runIDsOutbound) GetInfo(ctx workflow.Context) *workflow.Info {
	info := *o.Next.GetInfo(ctx)
	info.OriginalRunID = o.uid
	return &info
}

func (q *queue) backup(t *testing.T, name string) error {
	t.Helper()
	return q.run(t, "uid-"+name, contract.BackupWorkflow, contract.BackupInput{Name: name, Spec: velerov1.BackupSpec{IncludedNamespaces: []string{"shop"}}})
}

func (q *queue) restore(t *testing.T, name, from, to string) error {
	t.Helper()
	return q.run(t, "uid-"+name, contract.RestoreWorkflow, contract.RestoreInput{Name: name, Spec: velerov1.RestoreSpec{
		BackupName: from, NamespaceMapping: map[string]string{"shop": to},
	}})
}

func (q *queue) delete(t *testing.T, name string) error {
	t.Helper()
	return q.run(t, "uid-delete-"+name, contract.DeleteBackupWorkflow, contract.DeleteBackupInput{Name: name})
}

// errorType is the type of the error that ended a run, "" for none.
func errorType(err error) string {
	var app *temporal.ApplicationError
	if err != nil && !errors.As(err, &app) {
		return err.Error()
	}
	return app.Type()
}

// configMaps are the names of the ConfigMaps in a backup.
func configMaps(t *testing.T, st *memstore.Store, name string) []string {
	t.Helper()
	a, err := archive.Open(t.Context(), repository.NewSource(st), layout.Backup{Name: name})
	if err != nil {
		t.Fatalf("backup %s: %v", name, err)
	}
	var names []string
	err = a.WalkEntries(t.Context(), 0, len(a.Members()), func(_ int, entries []archive.Entry) error {
		for _, e := range entries {
			if e.Resource == "configmaps" {
				names = append(names, e.Name)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return names
}

// checkAllOf fails unless names are all ConfigMaps of one cluster, and of no other.
func checkAllOf(t *testing.T, what, uid string, names []string) {
	t.Helper()
	foreign := slices.DeleteFunc(slices.Clone(names), func(n string) bool { return strings.HasPrefix(n, uid+"-") })
	if len(names) != objectsEach || len(foreign) > 0 {
		t.Errorf("%s: %d objects, want %d of %s; of others %v", what, len(names), objectsEach, uid, foreign)
	}
}

func restored(api *kubetest.Server, namespace string) []string {
	var names []string
	for _, c := range kubetest.All[corev1.ConfigMap](api, kube.ConfigMaps()) {
		if c.Namespace == namespace {
			names = append(names, c.Name)
		}
	}
	return names
}

// checkClean fails if runs have left more in a store than finished backups and restores,
// the entries of backups in the catalog, what changed between them, and the name of the cluster.
func checkClean(t *testing.T, all buckets) {
	t.Helper()
	for prefix, st := range all {
		for _, key := range st.Keys() {
			kept := key == layout.ClusterName("prod") || strings.HasPrefix(key, layout.CatalogRoot) || strings.HasPrefix(key, layout.SeriesDir)
			if strings.HasPrefix(key, layout.PluginDir) && !kept {
				t.Errorf("left in %s: %s", prefix, key)
			}
		}
	}
}

// runsEach is how many runs of a kind a test makes.
const runsEach = 10

// TestTwoClustersUnderOneName: a second cluster's worker polls the queue. Each run is all of
// the cluster that has the name, or is refused with both identities; nothing of the other
// gets into a backup, and nothing is restored into it.
func TestTwoClustersUnderOneName(t *testing.T) {
	all := buckets{}
	ours, other := newSite(t, newCluster(t, "ours"), all, "p", ""), newSite(t, newCluster(t, "other"), all, "p", "")
	alone := newQueue(1, ours)
	if err := alone.backup(t, "first"); err != nil {
		t.Fatal(err)
	}
	both := newQueue(2, ours, other)
	done, refused := map[string]int{}, map[string]int{}
	outcome := func(kind string, err error) bool {
		if err == nil {
			done[kind]++
			return true
		}
		refused[kind]++
		for _, words := range []string{"uid ours", "uid other", `name "prod"`, "a name of its own", "replacesCluster: ours"} {
			if errorType(err) != contract.ErrTypeCluster || !strings.Contains(err.Error(), words) {
				t.Errorf("%s: no %q in %v", kind, words, err)
			}
		}
		return false
	}
	for i := range runsEach {
		name := fmt.Sprint("b-", i)
		if outcome("backup", both.backup(t, name)) {
			checkAllOf(t, name, "ours", configMaps(t, all["p"], name))
			outcome("deletion", both.delete(t, name))
		}
		target := fmt.Sprint("copy-", i)
		if outcome("restore", both.restore(t, fmt.Sprint("r-", i), "first", target)) {
			checkAllOf(t, target, "ours", restored(ours.api, target))
		}
		if foreign := restored(other.api, target); len(foreign) > 0 {
			t.Errorf("restored into the other cluster: %v", foreign)
		}
	}
	for _, kind := range []string{"backup", "restore"} {
		if done[kind] == 0 || refused[kind] == 0 {
			t.Errorf("%s: %d done, %d refused: the test shows nothing", kind, done[kind], refused[kind])
		}
	}
	checkClean(t, all)
}

// TestTwoPlacesUnderOneName: while a change of the prefix is rolled out, workers with the
// old one and with the new one poll the queue. Each run has all of its files in one place,
// and none fails.
func TestTwoPlacesUnderOneName(t *testing.T) {
	all, api := buckets{}, newCluster(t, "ours")
	before, after := newSite(t, api, all, "before", ""), newSite(t, api, all, "after", "")
	both := newQueue(3, before, after)
	places := map[string]int{}
	for i := range runsEach {
		name := fmt.Sprint("b-", i)
		if err := both.backup(t, name); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		for prefix, st := range all {
			if st.Has(layout.Backup{Name: name}.Metadata()) {
				places[prefix]++
				checkAllOf(t, name, "ours", configMaps(t, st, name))
			} else if n := slices.IndexFunc(st.Keys(), func(k string) bool { return strings.Contains(k, name+"/") }); n >= 0 {
				t.Errorf("of %s there is something in %s: %s", name, prefix, st.Keys()[n])
			}
		}
	}
	if places["before"] == 0 || places["after"] == 0 || places["before"]+places["after"] != runsEach {
		t.Errorf("backups in %v", places)
	}
	checkClean(t, all)
}

// TestPlaceIsGone: no worker has the place of a run any more. The run ends and says so.
func TestPlaceIsGone(t *testing.T) {
	all, api := buckets{}, newCluster(t, "ours")
	q := newQueue(4, newSite(t, api, all, "before", ""))
	replaced := false
	after := newSite(t, api, all, "after", "")
	export := q.workers[0].activities[contract.ExportShard.Name]
	q.workers[0].activities[contract.ExportShard.Name] = reflect.MakeFunc(export.Type(), func(args []reflect.Value) []reflect.Value {
		replaced = true
		q.mu.Lock()
		q.workers = []*site{after}
		q.mu.Unlock()
		return after.activities[contract.ExportShard.Name].Call(args)
	})
	err := q.backup(t, "b")
	if !replaced || err == nil || !strings.Contains(err.Error(), "storage location default is another place") {
		t.Errorf("%v", err)
	}
}

// TestClusterSwapped: while a backup is made, another cluster comes behind the worker's
// address. Nothing of it gets into the backup, which ends and names both.
func TestClusterSwapped(t *testing.T) {
	all, api := buckets{}, newCluster(t, "ours")
	q := newQueue(6, newSite(t, api, all, "p", ""))
	export := q.workers[0].activities[contract.ExportShard.Name]
	q.workers[0].activities[contract.ExportShard.Name] = reflect.MakeFunc(export.Type(), func(args []reflect.Value) []reflect.Value {
		kubetest.Modify(api, kube.Resource{Version: "v1", Name: "namespaces", Kind: "Namespace"}, "", "kube-system", func(ns *corev1.Namespace) { ns.UID = "other" })
		return export.Call(args)
	})
	err := q.backup(t, "b")
	if err == nil || !strings.Contains(err.Error(), "serves the cluster with the uid other") || !strings.Contains(err.Error(), "of the cluster with the uid ours") {
		t.Errorf("%v", err)
	}
	if all["p"].Has(layout.Backup{Name: "b"}.Metadata()) {
		t.Error("the backup exists")
	}
	checkClean(t, all)
}

// TestRunOfAnOlderWorker: what a worker planned that bound nothing is opened by any.
func TestRunOfAnOlderWorker(t *testing.T) {
	all, api := buckets{}, newCluster(t, "ours")
	q := newQueue(7, newSite(t, api, all, "p", ""))
	prepare := q.workers[0].activities[contract.PrepareBackup.Name]
	q.workers[0].activities[contract.PrepareBackup.Name] = reflect.MakeFunc(prepare.Type(), func(args []reflect.Value) []reflect.Value {
		out := prepare.Call(args)
		if plan, ok := out[0].Interface().(contract.BackupPlan); ok {
			stage := repository.NewStaging(all["p"], plan.UID)
			var doc backup.Plan
			plan.Binding = contract.Binding{}
			if err := stage.Get(t.Context(), repository.PlanFile, &doc); err != nil {
				t.Error(err)
			}
			doc.Binding = contract.Binding{}
			if err := stage.Put(t.Context(), repository.PlanFile, doc); err != nil {
				t.Error(err)
			}
			out[0] = reflect.ValueOf(plan)
		}
		return out
	})
	if err := q.backup(t, "b"); err != nil {
		t.Fatal(err)
	}
	checkAllOf(t, "b", "ours", configMaps(t, all["p"], "b"))
}

// TestRebuiltCluster: a cluster that was built anew takes the name over where its
// configuration says so, restores what the other left there, and the other is refused.
func TestRebuiltCluster(t *testing.T) {
	all := buckets{}
	of := func(uid, replaces string) *queue {
		return newQueue(5, newSite(t, newCluster(t, uid), all, "p", replaces))
	}
	old := of("old", "")
	if err := old.backup(t, "nightly"); err != nil {
		t.Fatal(err)
	}
	if err := of("rebuilt", "").restore(t, "r", "nightly", "back"); errorType(err) != contract.ErrTypeCluster {
		t.Errorf("not asked for: %v", err)
	}
	if err := of("rebuilt", "another").restore(t, "r", "nightly", "back"); errorType(err) != contract.ErrTypeCluster {
		t.Errorf("replaces another: %v", err)
	}
	rebuilt := of("rebuilt", "old")
	if err := rebuilt.restore(t, "r", "nightly", "back"); err != nil {
		t.Fatal(err)
	}
	checkAllOf(t, "restored", "old", restored(rebuilt.workers[0].api, "back"))
	if err := rebuilt.backup(t, "again"); err != nil {
		t.Error(err)
	}
	if err := old.backup(t, "late"); errorType(err) != contract.ErrTypeCluster {
		t.Errorf("the old one works on: %v", err)
	}
}
