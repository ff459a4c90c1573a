//go:build stack

package e2e

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	velerov1 "github.com/vmware-tanzu/velero/pkg/apis/velero/v1"
	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/lifeboat-backup/lifeboat/internal/config"
	"github.com/lifeboat-backup/lifeboat/internal/contract"
	lifeboat "github.com/lifeboat-backup/lifeboat/internal/temporal"
	"github.com/lifeboat-backup/lifeboat/test/harness"
	"github.com/lifeboat-backup/lifeboat/test/stack"
)

// Namespaces of the server with both engines: which of them runs schedules is a setting of each.
const (
	byWorkflows, byWorkflowsAnew = "workflows", "workflows-anew"
	byChasm, byChasmAnew         = "chasm", "chasm-anew"
	migrating                    = "migrating"
)

// TestScheduleEngines: schedules do the same whether Temporal runs them by workflows or by CHASM,
// and while it takes them from one to the other.
func TestScheduleEngines(t *testing.T) {
	t.Parallel()
	ns := shared.namespaces(t, "engines").Replace("<engines>")
	shared.apply(t, fmt.Sprintf("{apiVersion: v1, kind: Namespace, metadata: {name: %s}}\n---\n{apiVersion: v1, kind: ConfigMap, metadata: {name: c, namespace: %s}, data: {k: v}}", ns, ns))
	server := chasmServer(t)
	for _, namespace := range []string{byWorkflows, byChasm} {
		t.Run(namespace, func(t *testing.T) {
			t.Parallel()
			checkEngine(t, server, namespace, ns)
		})
	}
	t.Run(migrating, func(t *testing.T) {
		t.Parallel()
		checkMigration(t, server, ns)
	})
}

// chasmServer is the shared stack with a Temporal that has both engines.
func chasmServer(t *testing.T) *stack.Stack {
	t.Helper()
	server, err := shared.Stack.StartChasm(t.Context(), engineSettings()...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := server.Kill(context.Background(), "temporal-chasm"); err != nil {
			t.Error(err)
		}
	})
	temporalClient, err := client.Dial(client.Options{HostPort: server.Temporal.Address})
	if err != nil {
		t.Fatal(err)
	}
	defer temporalClient.Close()
	for _, namespace := range []string{byWorkflows, byWorkflowsAnew, byChasm, byChasmAnew, migrating} {
		_, err := temporalClient.WorkflowService().RegisterNamespace(t.Context(), &workflowservice.RegisterNamespaceRequest{
			Namespace: namespace, WorkflowExecutionRetentionPeriod: durationpb.New(24 * time.Hour),
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return server
}

// engineSettings make new schedules CHASM's in two of the namespaces. For a quarter of an hour after
// it was made, the server keeps a schedule's id from the other engine, which prevents migration: a
// schedule that is to be migrated is made without.
func engineSettings() []stack.TemporalSetting {
	all := []stack.TemporalSetting{{Key: "history.enableCHASMSchedulerSentinels", Namespace: migrating, Value: false}}
	for _, namespace := range []string{byChasm, byChasmAnew} {
		all = append(all,
			stack.TemporalSetting{Key: "history.enableCHASMSchedulerCreation", Namespace: namespace, Value: true},
			stack.TemporalSetting{Key: "history.chasmSchedulerCreationRolloutPercent", Namespace: namespace, Value: 100})
	}
	return all
}

func inNamespace(namespace string) func(*config.Config) {
	return func(c *config.Config) { c.Temporal.Namespace = namespace }
}

// scheduleFile is a file of schedules that a user applies.
type scheduleFile struct {
	path string
	h    *harness.Harness
}

func (f *scheduleFile) apply(t *testing.T, words []string, schedules []string, args ...string) {
	t.Helper()
	if err := os.WriteFile(f.path, []byte(strings.Join(schedules, "---\n")), 0o600); err != nil {
		t.Fatal(err)
	}
	ask(t, f.h, 0, words, append([]string{"schedule", "apply", "--source", "engines", "-f", f.path}, args...)...)
}

func checkEngine(t *testing.T, server *stack.Stack, namespace, ns string) {
	own := shared.On(t, server, harness.Options{Cluster: namespace, Edit: inNamespace(namespace)})
	h, chasm := own.Harness, namespace == byChasm
	f := &scheduleFile{path: filepath.Join(t.TempDir(), "schedules.yaml"), h: h}
	nightly, often := scheduleText("nightly", "0 2 * * *", ns), scheduleText("often", "@every 5s", ns)
	f.apply(t, []string{`schedule "nightly" created`, `schedule "often" created`}, []string{nightly, often})
	wantEngine(t, h, "nightly", chasm)
	wantEngine(t, h, "often", chasm)
	f.apply(t, []string{`schedule "nightly" unchanged`, `schedule "often" unchanged`}, []string{nightly, often})
	printed := ask(t, h, 0, nil, "schedule", "get", "nightly", "-o", "yaml").Out
	f.apply(t, []string{`schedule "nightly" unchanged`}, []string{printed})
	if d := described(t, h, "nightly"); d.Info.NumActions > 0 || d.Info.LastUpdateAt.Unix() > 0 || len(slots(t, h, "nightly")) > 0 {
		t.Errorf("an apply without a change has changed Temporal's schedule, or started a run: %+v", d.Info)
	}
	checkChanges(t, f, ns)
	f.apply(t, []string{`schedule "nightly" configured`}, []string{nightly, often})

	checkFires(t, h)
	ask(t, h, 0, []string{`schedule "often" paused`}, "schedule", "pause", "often")
	checkStill(t, h)
	checkUnpaused(t, h)
	checkTriggers(t, h)
	eventually(t, "the run that was triggered is counted", func() error {
		if n := runsOf(t, h, "nightly"); n != 1 {
			return fmt.Errorf("%d runs", n)
		}
		return nil
	})
	checkUpdated(t, f, nightly, scheduleText("often", "@every 1s", ns))
	checkOverlap(t, own, ns)
	checkRestored(t, h, ns)

	h = checkRefilled(t, own, namespace+"-anew")
	f.h = h
	wantEngine(t, h, "often", chasm)
	before := backupsOf(t, h, "often")
	f.apply(t, []string{`schedule "often" pruned; its backups stay`}, []string{nightly}, "--prune")
	if after := backupsOf(t, h, "often"); len(before) == 0 || !slices.Equal(after, before) {
		t.Errorf("of %v are left %v", before, after)
	}
	f.apply(t, []string{`schedule "often" created`}, []string{nightly, scheduleText("often", "@every 1h", ns)})
	wantEngine(t, h, "often", chasm)
}

// checkChanges applies twenty changes of a schedule that is not paused, of what backups it makes and of when,
// and wants Temporal to have the last, and no run of it.
func checkChanges(t *testing.T, f *scheduleFile, ns string) {
	t.Helper()
	before := runsOf(t, f.h, "nightly")
	hour := (time.Now().UTC().Hour() + 12) % 24 // not due meanwhile
	for n := range 20 {
		text := scheduleText("nightly", fmt.Sprintf("%d %d * * *", n/2, hour), ns)
		f.apply(t, []string{`schedule "nightly" configured; next run `}, []string{strings.Replace(text, "ttl: 1h", fmt.Sprintf("ttl: %dh", n+2), 1)})
	}
	eventually(t, "the server has the last change", func() error {
		if s := described(t, f.h, "nightly").Schedule; s.State.Paused || len(s.Spec.Calendars) == 0 || s.Spec.Calendars[0].Minute[0].Start != 9 {
			return fmt.Errorf("%+v %+v", s.Spec, s.State)
		}
		return nil
	})
	d, after := described(t, f.h, "nightly"), runsOf(t, f.h, "nightly")
	if before != 0 || after != 0 || d.Info.NumActions > 0 || len(slots(t, f.h, "nightly")) > 0 {
		t.Errorf("%d runs have become %d: %+v", before, after, d.Info)
	}
}

// runsOf counts the runs of a schedule that Temporal lists.
func runsOf(t *testing.T, h *harness.Harness, schedule string) int64 {
	t.Helper()
	res, err := h.Temporal.CountWorkflow(t.Context(), &workflowservice.CountWorkflowExecutionsRequest{
		Namespace: h.Config.Temporal.Namespace, Query: fmt.Sprintf("WorkflowId STARTS_WITH '%s-'", contract.ScheduleID(h.Cluster, schedule)),
	})
	if err != nil {
		t.Fatal(err)
	}
	return res.GetCount()
}

// wantEngine tells by which engine Temporal runs a schedule.
func wantEngine(t *testing.T, h *harness.Harness, name string, chasm bool) {
	t.Helper()
	if got, err := isByChasm(t, h, contract.ScheduleID(h.Cluster, name)); err != nil || got != chasm {
		t.Errorf("schedule %s is run by CHASM: %t, %v", name, got, err)
	}
}

// isByChasm tells that a schedule is there and no workflow runs it. With CHASM there is no workflow, one
// that has ended, or one that only keeps its id from being used.
func isByChasm(t *testing.T, h *harness.Harness, id string) (bool, error) {
	t.Helper()
	if _, err := h.Temporal.ScheduleClient().GetHandle(t.Context(), id).Describe(t.Context()); err != nil {
		return false, err
	}
	res, err := h.Temporal.WorkflowService().DescribeWorkflowExecution(t.Context(), &workflowservice.DescribeWorkflowExecutionRequest{
		Namespace: h.Config.Temporal.Namespace, Execution: &commonpb.WorkflowExecution{WorkflowId: "temporal-sys-scheduler:" + id},
	})
	var missing *serviceerror.NotFound
	if errors.As(err, &missing) {
		return true, nil
	}
	info := res.GetWorkflowExecutionInfo()
	return info.GetType().GetName() != "temporal-sys-scheduler-workflow" || info.GetStatus() != enumspb.WORKFLOW_EXECUTION_STATUS_RUNNING, err
}

// checkUpdated applies another cron and wants the server to have it, and what an operator has
// set on the schedule to stay.
func checkUpdated(t *testing.T, f *scheduleFile, nightly, often string) {
	t.Helper()
	team := temporal.NewSearchAttributeKeyKeyword(contract.SearchName)
	attributes := temporal.NewSearchAttributes(team.ValueSet("operator"))
	err := f.h.Temporal.ScheduleClient().GetHandle(t.Context(), contract.ScheduleID(f.h.Cluster, "often")).Update(t.Context(), client.ScheduleUpdateOptions{
		DoUpdate: func(in client.ScheduleUpdateInput) (*client.ScheduleUpdate, error) {
			return &client.ScheduleUpdate{Schedule: &in.Description.Schedule, TypedSearchAttributes: &attributes}, nil
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	f.apply(t, []string{`schedule "often" configured`}, []string{nightly, often})
	eventually(t, "the server has the change", func() error { // it takes one on after it has confirmed it
		d := described(t, f.h, "often")
		if s := d.Schedule; len(s.Spec.Intervals) != 1 || s.Spec.Intervals[0].Every != time.Second || !s.State.Paused {
			return fmt.Errorf("%+v %+v", s.Spec, s.State)
		}
		if got, _ := d.TypedSearchAttributes.GetKeyword(team); got != "operator" {
			return fmt.Errorf("the search attribute is %q", got)
		}
		return nil
	})
}

// checkOverlap has a worker die in a run, which outlasts its schedule's period then however fast the machine
// is, and wants an outcome of each second.
func checkOverlap(t *testing.T, own *harness.Lab, ns string) {
	t.Helper()
	h := own.Harness
	ask(t, h, 0, []string{`schedule "queued" created`}, "schedule", "create", "queued", "--schedule", "0 2 * * *", "--overlap", "bufferOne", "--include-namespaces", ns, "--ttl", "1h")
	ask(t, h, 0, []string{`schedule "often" unpaused`}, "schedule", "unpause", "often")
	eventually(t, "a run goes on", func() error { // one that nobody has begun yet would be for a later due time
		if c := countOutcomes(slots(t, h, "often")); c[contract.SlotRunning] == 0 {
			return fmt.Errorf("%v", c)
		}
		return nil
	})
	own.Worker.Kill()
	triggerQueued(t, h)
	from := time.Now().Truncate(time.Second).Add(time.Second)
	before := described(t, h, "often").Info.NumActionsSkippedOverlap
	eventually(t, "runs are skipped", func() error {
		if got := described(t, h, "often").Info.NumActionsSkippedOverlap - before; got < 2 {
			return fmt.Errorf("%d are skipped", got)
		}
		return nil
	})
	triggerQueued(t, h) // seconds after the first, whose run waits for a worker
	own.ReplaceWorker(t)
	eventually(t, "runs and skipped runs are told", func() error {
		if c := countOutcomes(since(slots(t, h, "often"), from)); c[contract.SlotRan] < 2 || c[contract.SlotSkipped] < 2 {
			return fmt.Errorf("%v", c)
		}
		return nil
	})
	ask(t, h, 0, []string{`schedule "often" paused`}, "schedule", "pause", "often")
	checkAccount(t, h, "often", from, time.Second)
	checkQueued(t, h)
}

// triggerQueued triggers the schedule with a buffer as the CLI does, which would ask a worker first.
func triggerQueued(t *testing.T, h *harness.Harness) {
	t.Helper()
	c, err := lifeboat.Connect(t.Context(), lifeboat.Options{Address: h.Config.Temporal.Address, Namespace: h.Config.Temporal.Namespace})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := c.ForCluster(h.Cluster).TriggerSchedule(t.Context(), false, "queued", contract.OverlapBufferOne); err != nil {
		t.Fatal(err)
	}
}

// checkQueued wants a backup of each of the two triggers, of which the second has waited for the first.
func checkQueued(t *testing.T, h *harness.Harness) {
	t.Helper()
	var all []contract.ScheduleSlot
	eventually(t, "both runs end", func() error {
		if all = slots(t, h, "queued"); countOutcomes(all)[contract.SlotRan] < 2 {
			return fmt.Errorf("%+v", all)
		}
		return nil
	})
	if second, first := all[0], all[1]; len(all) != 2 || !first.Triggered || !second.Triggered || second.Started.Before(first.Ended.Truncate(time.Second)) {
		t.Errorf("%+v", all)
	}
	if got := backupsOf(t, h, "queued"); len(got) != 2 {
		t.Errorf("backups %v", got)
	}
	ask(t, h, 0, nil, "schedule", "delete", "queued", "--confirm")
}

// checkAccount wants of a schedule that was paused just now that it has stopped, that each due time ran or
// was skipped, and that there is a backup of each that ran, and no other. On a busy machine a run may begin so
// late that it is for the next due time: Temporal has started it for the one that is missed.
func checkAccount(t *testing.T, h *harness.Harness, name string, from time.Time, period time.Duration) {
	t.Helper()
	eventually(t, "the last run ends", func() error {
		if c := countOutcomes(slots(t, h, name)); c[contract.SlotRunning] > 0 {
			return fmt.Errorf("%v", c)
		}
		return nil
	})
	var before time.Time
	var ran []string
	all := slots(t, h, name)
	slices.SortFunc(all, func(a, b contract.ScheduleSlot) int { return a.Due.Compare(b.Due) })
	began := map[time.Time]bool{}
	for _, s := range all {
		if due, known := contract.DueFromID(s.Run.WorkflowID); known {
			began[due.UTC()] = true
		}
	}
	for _, s := range all {
		if s.Outcome == contract.SlotRan {
			ran = append(ran, s.Backup)
			if want := name + "-" + s.Due.UTC().Format("20060102150405"); s.Backup != want {
				t.Errorf("%+v, want backup %s", s, want)
			}
		}
		if s.Due.Before(from) || s.Outcome == contract.SlotPaused {
			continue
		}
		overlap := s.Outcome == contract.SlotSkipped && strings.HasPrefix(s.Reason, "overlap: ")
		late := s.Outcome == contract.SlotMissed && began[s.Due.UTC()]
		if s.Outcome != contract.SlotRan && !overlap && !late {
			t.Errorf("%+v", s)
		}
		if !before.IsZero() && s.Due.Sub(before) != period {
			t.Errorf("after %s comes %+v", before, s)
		}
		before = s.Due
	}
	slices.Sort(ran)
	if got := backupsOf(t, h, name); !slices.Equal(got, ran) {
		t.Errorf("backups %v of the runs %v", got, ran)
	}
}

func countOutcomes(all []contract.ScheduleSlot) map[string]int {
	count := map[string]int{}
	for _, s := range all {
		count[s.Outcome]++
	}
	return count
}

func since(all []contract.ScheduleSlot, from time.Time) []contract.ScheduleSlot {
	return slices.DeleteFunc(all, func(s contract.ScheduleSlot) bool { return s.Due.Before(from) })
}

// backupsOf are the names of a schedule's backups, sorted.
func backupsOf(t *testing.T, h *harness.Harness, schedule string) []string {
	t.Helper()
	names := strings.Fields(ask(t, h, 0, nil, "backup", "get", "-l", "velero.io/schedule-name="+schedule, "-o", "name").Out)
	slices.Sort(names)
	return names
}

// checkRestored restores the backup that was triggered: backups and restores work on this server.
func checkRestored(t *testing.T, h *harness.Harness, ns string) {
	t.Helper()
	of, to := backupsOf(t, h, "nightly"), ns+"-"+h.Cluster
	if len(of) != 1 {
		t.Fatalf("backups %v", of)
	}
	res := restore(t, h, contract.RestoreInput{Name: "back", Spec: velerov1.RestoreSpec{BackupName: of[0], NamespaceMapping: map[string]string{ns: to}}})
	if res.Phase != "Completed" {
		t.Errorf("%s %q", res.Phase, res.Reasons)
	}
	if got, err := h.Kubectl(t.Context(), "", "get", "configmap", "c", "-n", to, "-o", "jsonpath={.data.k}"); err != nil || got != "v" {
		t.Errorf("%q %v", got, err)
	}
	t.Cleanup(func() { _, _ = shared.Kubectl(context.Background(), "", "delete", "namespace", to, "--wait=false") })
}

// checkRefilled gives the cluster a Temporal namespace that is empty, and wants the schedules in it
// within a minute and no run.
func checkRefilled(t *testing.T, own *harness.Lab, namespace string) *harness.Harness {
	t.Helper()
	before := backupsOf(t, own.Harness, "often")
	own.Worker.Kill()
	began := time.Now()
	anew := own.Named(t, harness.Options{Cluster: own.Cluster, Edit: func(c *config.Config) {
		c.Temporal.Namespace, c.Retention.Manual = namespace, false
	}}, nil)
	garbage := contract.GarbageScheduleID(own.Cluster) // it runs at once
	for _, id := range []string{contract.ScheduleID(own.Cluster, "nightly"), contract.ScheduleID(own.Cluster, "often"), garbage} {
		eventually(t, id+" is there", func() error {
			d, err := anew.Temporal.ScheduleClient().GetHandle(t.Context(), id).Describe(t.Context())
			if err == nil && d.Info.NumActions > 0 && id != garbage {
				t.Errorf("schedule %s has run: %+v", id, d.Info)
			}
			return err
		})
	}
	if took := time.Since(began); took > time.Minute {
		t.Errorf("the schedules are there after %s", took)
	}
	if after := backupsOf(t, anew.Harness, "often"); !slices.Equal(after, before) || !described(t, anew.Harness, "often").Schedule.State.Paused {
		t.Errorf("of %v have become %v", before, after)
	}
	return anew.Harness
}

// checkMigration has the server take schedules from workflows to CHASM while they run.
func checkMigration(t *testing.T, server *stack.Stack, ns string) {
	own := shared.On(t, server, harness.Options{Cluster: migrating, Edit: inNamespace(migrating)})
	h := own.Harness
	f := &scheduleFile{path: filepath.Join(t.TempDir(), "schedules.yaml"), h: h}
	nightly, often := scheduleText("nightly", "0 2 * * *", ns), scheduleText("often", "@every 5s", ns)
	from := time.Now().Truncate(5 * time.Second).Add(10 * time.Second) // the first may pass while it is created
	f.apply(t, nil, []string{nightly, often})
	awaitRuns(t, h, from, 1)
	for _, name := range []string{"often", "nightly"} {
		wantEngine(t, h, name, false)
	}
	err := server.SetChasm(append(engineSettings(),
		stack.TemporalSetting{Key: "history.enableCHASMSchedulerMigration", Namespace: migrating, Value: true},
		stack.TemporalSetting{Key: "history.chasmSchedulerMigrationRolloutPercent", Namespace: migrating, Value: 100})...)
	if err != nil {
		t.Fatal(err)
	}
	awaitChasm(t, h, contract.ScheduleID(h.Cluster, "often"))
	awaitRuns(t, h, time.Now(), 2)
	ask(t, h, 0, []string{`schedule "often" paused`}, "schedule", "pause", "often")
	checkAccount(t, h, "often", from, 5*time.Second)

	checkTriggers(t, h) // a workflow that waits sees the setting when it is woken
	awaitChasm(t, h, contract.ScheduleID(h.Cluster, "nightly"))
	checkMigrated(t, own, f, ns, often)
}

// checkMigrated changes schedules that have been migrated: they stay the same ones, and there are no
// others of their names.
func checkMigrated(t *testing.T, own *harness.Lab, f *scheduleFile, ns, often string) {
	t.Helper()
	h, garbage := own.Harness, contract.GarbageScheduleID(own.Cluster)
	if err := h.Reconfigure(func(c *config.Config) { c.Retention.Manual = false }); err != nil {
		t.Fatal(err)
	}
	own.Worker.Stop()
	own.ReplaceWorker(t) // it makes a schedule of the product's own, which is migrated at once
	awaitChasm(t, h, garbage)
	f.apply(t, []string{`schedule "nightly" unchanged`, `schedule "often" unchanged`}, []string{scheduleText("nightly", "0 2 * * *", ns), often})
	if runs := described(t, h, "nightly").Info.NumActions; runs != 1 {
		t.Errorf("%d runs of the schedule that was triggered once", runs)
	}
	f.apply(t, []string{`schedule "nightly" configured`}, []string{scheduleText("nightly", "0 3 * * *", ns), often})
	if spec := described(t, h, "nightly").Schedule.Spec; len(spec.Calendars) == 0 || spec.Calendars[0].Hour[0].Start != 3 {
		t.Errorf("%+v", spec)
	}
	own.Worker.Stop()
	own.ReplaceWorker(t) // it makes sure of the schedules
	for _, id := range []string{contract.ScheduleID(h.Cluster, "nightly"), contract.ScheduleID(h.Cluster, "often"), garbage} {
		if chasm, err := isByChasm(t, h, id); err != nil || !chasm {
			t.Errorf("a workflow runs schedule %s too, %v", id, err)
		}
	}
	list, err := h.Temporal.ScheduleClient().List(t.Context(), client.ScheduleListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	var listed []string
	for list.HasNext() {
		entry, err := list.Next()
		if err != nil {
			t.Fatal(err)
		}
		listed = append(listed, entry.ID)
	}
	if len(listed) != 3 {
		t.Errorf("Temporal lists %v", listed)
	}
}

func awaitChasm(t *testing.T, h *harness.Harness, id string) {
	t.Helper()
	eventually(t, "CHASM runs "+id, func() error {
		chasm, err := isByChasm(t, h, id)
		if err == nil && !chasm {
			err = errors.New("workflows run it")
		}
		return err
	})
}

// awaitRuns waits for runs of a schedule whose due times are not before from.
func awaitRuns(t *testing.T, h *harness.Harness, from time.Time, want int) {
	t.Helper()
	eventually(t, "it runs", func() error {
		if c := countOutcomes(since(slots(t, h, "often"), from)); c[contract.SlotRan] < want {
			return fmt.Errorf("%v", c)
		}
		return nil
	})
}
