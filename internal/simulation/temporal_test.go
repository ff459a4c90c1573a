package simulation_test

import (
	"fmt"
	"log/slog"
	"math/rand/v2"
	"reflect"
	"testing"
	"time"

	velerov1 "github.com/vmware-tanzu/velero/pkg/apis/velero/v1"
	"go.temporal.io/sdk/log"
	"go.temporal.io/sdk/testsuite"
	"go.temporal.io/sdk/workflow"

	"github.com/lifeboat-backup/lifeboat/internal/retention"
	"github.com/lifeboat-backup/lifeboat/internal/simulation"
	"github.com/lifeboat-backup/lifeboat/internal/timing"
)

// TestAsTemporal: random plans go as in a workflow that sleeps until each due time, runs a
// backup of the schedule's duration, and collects garbage each hour among all backups, in a
// test environment that skips time.
func TestAsTemporal(t *testing.T) {
	for seed := range uint64(12) {
		plan := randomPlan(t, rand.New(rand.NewPCG(seed, 11)))
		want := runWorkflow(t, plan)
		got := simulate(t, plan)
		if !reflect.DeepEqual(got.Days, want.days) {
			t.Errorf("seed %d: %v", seed, firstDifference(got.Days, want.days))
		}
		for _, r := range got.Runs {
			text := fmt.Sprint(r.Started.UTC(), r.Skipped != "")
			if name := r.Schedule + r.Due.String(); want.runs[name] != text {
				t.Errorf("seed %d: %s: got %s, want %s", seed, name, text, want.runs[name])
			}
		}
		if len(got.Runs) != len(want.runs) {
			t.Errorf("seed %d: %d runs, want %d", seed, len(got.Runs), len(want.runs))
		}
	}
}

func randomPlan(t *testing.T, r *rand.Rand) simulation.Plan {
	t.Helper()
	crons := []string{"0 2 * * *", "0 */3 * * *", "@hourly", "@every 5h", "30 2 * * *", "0 3 * * 0", "*/45 * * * *"}
	p := simulation.Plan{From: date("2026-03-10 00:00"), Policy: retention.Policy{Floor: r.IntN(4)}}
	p.Until = p.From.AddDate(0, 0, 30)
	for i := range 1 + r.IntN(3) {
		cron, zone := crons[r.IntN(len(crons))], []string{"", "Europe/Berlin"}[r.IntN(2)]
		if cron[:2] == "@e" {
			zone = ""
		}
		parsed, err := timing.Parse(cron, zone)
		if err != nil {
			t.Fatal(err)
		}
		p.Schedules = append(p.Schedules, simulation.Schedule{
			Name: fmt.Sprint("s", i), Timing: parsed, Buffer: r.IntN(2) == 0, Snapshots: r.IntN(5),
			// Odd seconds: what happens at one instant has an order in a simulation, and none in Temporal.
			TTL: time.Duration(1+r.IntN(200))*time.Hour + 7*time.Second, Duration: time.Duration(r.IntN(400))*time.Minute + 13*time.Second,
		})
	}
	return p
}

// outcome is what the workflow saw.
type outcome struct {
	days []simulation.Day
	runs map[string]string // schedule and due time: when it began, and whether it was skipped
}

func runWorkflow(t *testing.T, plan simulation.Plan) *outcome {
	t.Helper()
	var suite testsuite.WorkflowTestSuite
	suite.SetLogger(log.NewStructuredLogger(slog.New(slog.DiscardHandler)))
	env := suite.NewTestWorkflowEnvironment()
	env.SetStartTime(plan.From.Add(-time.Second))
	env.SetTestTimeout(time.Minute)
	w := &played{plan: plan, out: &outcome{runs: map[string]string{}}}
	env.RegisterWorkflow(w.play)
	env.ExecuteWorkflow(w.play)
	if err := env.GetWorkflowError(); err != nil {
		t.Fatal(err)
	}
	return w.out
}

// played is the state of the workflow.
type played struct {
	plan      simulation.Plan
	stored    []retention.Backup
	snapshots map[string]int // of each stored or running backup
	day       simulation.Day
	out       *outcome
}

func (p *played) play(ctx workflow.Context) error {
	p.snapshots = map[string]int{}
	p.day = simulation.Day{Kept: map[string]int{}}
	for _, s := range p.plan.Schedules {
		workflow.Go(ctx, func(ctx workflow.Context) { p.schedule(ctx, s) })
	}
	for at := p.plan.From; at.Before(p.plan.Until); at = at.Add(time.Hour) {
		if err := workflow.Sleep(ctx, at.Add(time.Hour).Sub(workflow.Now(ctx))); err != nil {
			return err
		}
		p.endDay(now(ctx))
		if err := workflow.Sleep(ctx, 2*tick); err != nil {
			return err
		}
		p.collect(now(ctx))
	}
	return workflow.Sleep(ctx, time.Second)
}

// tick orders what happens at one instant; times are read in seconds.
const tick = time.Millisecond

func now(ctx workflow.Context) time.Time { return workflow.Now(ctx).UTC().Truncate(time.Second) }

func (p *played) schedule(ctx workflow.Context, s simulation.Schedule) {
	busy, waiting := false, []time.Time(nil)
	start := func(ctx workflow.Context, due time.Time) {
		for {
			p.backup(ctx, s, due)
			if len(waiting) == 0 {
				busy = false
				return
			}
			due, waiting = waiting[0], nil
		}
	}
	for due := s.Timing.Next(p.plan.From.Add(-time.Second)); due.Before(p.plan.Until); due = s.Timing.Next(due) {
		_ = workflow.Sleep(ctx, due.Sub(workflow.Now(ctx))+tick)
		p.out.runs[s.Name+due.String()] = fmt.Sprint(time.Time{}, false)
		switch {
		case !busy:
			busy = true
			workflow.Go(ctx, func(ctx workflow.Context) { start(ctx, due) })
		case s.Buffer:
			if len(waiting) > 0 {
				p.day.Skipped++
				p.out.runs[s.Name+waiting[0].String()] = fmt.Sprint(time.Time{}, true)
			}
			waiting = []time.Time{due}
		default:
			p.day.Skipped++
			p.out.runs[s.Name+due.String()] = fmt.Sprint(time.Time{}, true)
		}
	}
}

func (p *played) backup(ctx workflow.Context, s simulation.Schedule, due time.Time) {
	started := now(ctx)
	p.out.runs[s.Name+due.String()] = fmt.Sprint(started, false)
	name := simulation.BackupName(s.Name, due)
	p.snapshots[name] = s.Snapshots
	p.day.Ran++
	_ = workflow.Sleep(ctx, s.Duration)
	p.stored = append(p.stored, retention.Backup{
		Name: name, Schedule: s.Name, Phase: velerov1.BackupPhaseCompleted, Ours: true,
		Started: started, Completed: now(ctx), Expires: started.Add(s.TTL),
	})
}

// collect decides among all backups.
func (p *played) collect(now time.Time) {
	for _, d := range retention.Decide(p.stored, p.plan.Policy, now) {
		if d.Delete {
			p.day.Deleted++
			delete(p.snapshots, d.Name)
			for i := range p.stored {
				if p.stored[i].Name == d.Name {
					p.stored = append(p.stored[:i:i], p.stored[i+1:]...)
					break
				}
			}
		}
	}
}

func (p *played) endDay(now time.Time) {
	if now.Hour() != 0 {
		return
	}
	p.day.Date = now.Add(-time.Hour).Format(time.DateOnly)
	for _, s := range p.plan.Schedules {
		p.day.Kept[s.Name] = 0
	}
	for _, b := range p.stored {
		p.day.Kept[b.Schedule]++
	}
	for _, n := range p.snapshots {
		p.day.Snapshots += n
	}
	p.out.days = append(p.out.days, p.day)
	p.day = simulation.Day{Kept: map[string]int{}}
}

func firstDifference(got, want []simulation.Day) string {
	for i := range min(len(got), len(want)) {
		if !reflect.DeepEqual(got[i], want[i]) {
			return fmt.Sprintf("got  %+v\nwant %+v", got[i], want[i])
		}
	}
	return fmt.Sprintf("%d days, want %d", len(got), len(want))
}
