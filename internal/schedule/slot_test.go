package schedule_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	velerov1 "github.com/vmware-tanzu/velero/pkg/apis/velero/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/lifeboat-backup/lifeboat/internal/archive/layout"
	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/repository/beside"
	"github.com/lifeboat-backup/lifeboat/internal/store"
	"github.com/lifeboat-backup/lifeboat/internal/store/memstore"
)

// TestRun: a due time has one run, whose backup bears its name and the schedule's label.
func TestRun(t *testing.T) {
	w := newWorld(t)
	w.apply(daily("a", annotated("example.com/a", "b"), annotated(contract.AnnotationZone, "UTC"), func(s *contract.Schedule) { s.Labels = map[string]string{"team": "x"} }))
	first := w.begin("a", "2026-03-02T02:00:00Z", "2026-03-02T02:00:01Z")
	if first.Backup == nil || first.Backup.Name != "a-20260302020000" || first.Backup.Labels["velero.io/schedule-name"] != "a" || first.Backup.Labels["team"] != "x" ||
		len(first.Backup.Annotations) != 1 || first.Backup.Annotations["example.com/a"] != "b" || first.Backup.Spec.IncludedNamespaces[0] != "shop" {
		t.Fatalf("%+v", first.Backup)
	}
	if again := w.begin("a", "2026-03-02T02:00:00Z", "2026-03-02T02:00:03Z"); again.Backup == nil {
		t.Error("a second attempt takes no backup")
	}
	w.end("a", first, "Completed", "2026-03-02T02:10:01Z")
	w.end("a", first, "Completed", "2026-03-02T02:10:01Z")
	if late := w.begin("a", "2026-03-02T02:00:00Z", "2026-03-02T02:20:00Z"); late.Backup != nil {
		t.Error("the due time has a second run")
	}
	got := w.status("a")
	if got.Counts["ran"] != 1 || got.LastSuccess == nil || got.LastSuccess.Backup != "a-20260302020000" || *got.RPOSeconds != 20*60-1 || got.LastResult.Outcome != contract.SlotRan {
		t.Errorf("%+v", got)
	}
	labels := w.begin("a", "2026-03-03T02:00:00Z", "2026-03-03T02:00:00Z")
	w.end("a", labels, "Failed", "2026-03-03T02:01:00Z")
	if got := w.status("a"); got.LastSuccess.Backup != "a-20260302020000" || got.LastResult.Outcome != contract.SlotFailed || got.LastResult.Reason != "the store was away" {
		t.Errorf("%+v", got)
	}
	equal(t, w.told("a"), "02T02:00 ran", "03T02:00 failed")
	w.begin("a", "2026-03-04T02:00:00Z", "2026-03-04T02:00:00Z")
	if got := w.status("a"); got.LastResult.Outcome != contract.SlotFailed || got.Counts["running"] != 1 {
		t.Errorf("while a run goes on: %+v", got)
	}
}

// TestTemplateLabels take the place of the schedule's, as with Velero.
func TestTemplateLabels(t *testing.T) {
	w := newWorld(t)
	w.apply(daily("a", func(s *contract.Schedule) {
		s.Labels, s.Spec.Template.Metadata.Labels = map[string]string{"team": "x"}, map[string]string{"tier": "y"}
	}))
	labels := w.begin("a", "2026-03-02T02:00:00Z", "2026-03-02T02:00:01Z").Backup.Labels
	if len(labels) != 2 || labels["tier"] != "y" || labels["velero.io/schedule-name"] != "a" {
		t.Error(labels)
	}
}

// TestOutage: after one, one run of a schedule starts, for the last due time that is not too
// long ago; the others are missed.
func TestOutage(t *testing.T) {
	w := newWorld(t)
	w.apply(daily("a", cron("*/10 * * * *")), daily("b"))
	one := w.begin("a", "2026-03-01T12:10:00Z", "2026-03-01T12:35:00Z")
	if one.Backup == nil || one.Backup.Name != "a-20260301123000" {
		t.Fatalf("%+v", one)
	}
	equal(t, w.told("a"), "01T12:10 missed", "01T12:20 missed", "01T12:30 running")
	w.end("a", one, "Completed", "2026-03-01T12:36:00Z")
	if two := w.begin("a", "2026-03-01T12:20:00Z", "2026-03-01T12:36:30Z"); two.Backup != nil {
		t.Errorf("a second run: %+v", two)
	}
	late := w.begin("b", "2026-03-02T02:00:00Z", "2026-03-02T09:00:00Z")
	if late.Backup != nil || late.Slot.Outcome != contract.SlotMissed || !strings.Contains(late.Slot.Reason, "catch-up: it would have begun 7h0m0s late") {
		t.Errorf("%+v", late)
	}
}

// TestOverlap: what was due while a run went on is skipped, and said so when it has ended.
func TestOverlap(t *testing.T) {
	w := newWorld(t)
	w.apply(daily("a", cron("*/10 * * * *")))
	one := w.begin("a", "2026-03-01T12:10:00Z", "2026-03-01T12:10:01Z")
	w.end("a", one, "Completed", "2026-03-01T12:35:00Z")
	equal(t, w.told("a"), "01T12:10 ran", "01T12:20 skipped", "01T12:30 skipped")
	got := w.status("a")
	if !strings.Contains(got.Slots[0].Reason, "overlap: the run of 2026-03-01T12:10:00Z") {
		t.Errorf("%+v", got.Slots[0])
	}
	if len(got.Warnings) != 1 || !strings.Contains(got.Warnings[0], "the last run took 24m59s, and runs are due every 10m0s") {
		t.Error(got.Warnings)
	}
}

// TestOverlapOfTheLastMoment: Temporal takes a run for running until it has recorded its end, and a
// little longer.
func TestOverlapOfTheLastMoment(t *testing.T) {
	w := newWorld(t)
	w.apply(daily("a", cron("*/10 * * * *")))
	one := w.begin("a", "2026-03-01T12:10:00Z", "2026-03-01T12:10:01Z")
	w.end("a", one, "Completed", "2026-03-01T12:29:57Z")
	two := w.begin("a", "2026-03-01T12:40:00Z", "2026-03-01T12:40:00Z")
	w.end("a", two, "Completed", "2026-03-01T12:49:40Z")
	w.begin("a", "2026-03-01T13:00:00Z", "2026-03-01T13:00:00Z")
	equal(t, w.told("a"), "01T12:10 ran", "01T12:20 skipped", "01T12:30 skipped", "01T12:40 ran", "01T12:50 missed", "01T13:00 running")
}

// TestBuffer: with a buffer the run that waited begins late, within a window as long as the
// longest run.
func TestBuffer(t *testing.T) {
	w := newWorld(t)
	w.apply(daily("a", cron("0 */2 * * *"), annotated(contract.AnnotationOverlap, "bufferOne")))
	one := w.begin("a", "2026-03-01T14:00:00Z", "2026-03-01T14:00:00Z")
	w.end("a", one, "Completed", "2026-03-01T17:30:00Z")
	w.ensure()
	if window := w.temporal.schedules["a"].CatchUp; window < 3*time.Hour+30*time.Minute {
		t.Error(window)
	}
	two := w.begin("a", "2026-03-01T16:00:00Z", "2026-03-01T17:30:00Z")
	if two.Backup == nil || two.Backup.Name != "a-20260301160000" {
		t.Errorf("%+v", two)
	}
}

// TestAccount: due times of which no run has told are accounted for once no run can come.
func TestAccount(t *testing.T) {
	w := newWorld(t)
	w.apply(daily("a"))
	w.account("2026-03-04T02:30:00Z")
	equal(t, w.told("a"), "02T02:00 missed", "03T02:00 missed")
	if begun := w.begin("a", "2026-03-04T02:00:00Z", "2026-03-04T02:31:00Z"); begun.Backup == nil {
		t.Errorf("%+v", begun)
	}
	w.account("2026-03-05T12:00:00Z") // the run goes on
	equal(t, w.told("a"), "02T02:00 missed", "03T02:00 missed", "04T02:00 running", "05T02:00 skipped")
	clear(w.temporal.running) // terminated
	w.account("2026-03-05T12:10:00Z")
	w.account("2026-03-05T12:20:00Z")
	equal(t, w.told("a"), "02T02:00 missed", "03T02:00 missed", "04T02:00 failed", "05T02:00 skipped")
	if got := w.status("a"); !strings.Contains(got.Slots[1].Reason, "terminated") || got.Counts["missed"] != 2 || got.Counts["failed"] != 1 || got.Counts["skipped"] != 1 || got.Counts["running"] != 0 {
		t.Errorf("%+v", got)
	}
}

// reasons are why the due times had their outcomes, oldest first.
func (w *world) reasons(name string) []string {
	w.t.Helper()
	var out []string
	for _, s := range slices.Backward(w.status(name).Slots) {
		out = append(out, s.Due.Format("02T15:04")+" "+s.Outcome+" "+s.Reason)
	}
	return out
}

// TestOutageAfterLostRun: a run that was terminated goes on no more, so that what is due in a later
// outage is missed, and only what was due until its end is skipped.
func TestOutageAfterLostRun(t *testing.T) {
	const first, outage = "2026-03-01T12:10:00Z", "outage: Temporal or all workers were away for longer than the catch-up window of 10m0s"
	begin := func(t *testing.T) *world {
		w := newWorld(t)
		w.apply(daily("a", cron("*/10 * * * *"), annotated(contract.AnnotationCatchUp, "10m")))
		w.begin("a", first, first)
		clear(w.temporal.running)
		return w
	}
	lost := "01T12:10 failed its run ended without a word: it was terminated, or Temporal has lost it"
	forgotten := []string{lost, "01T12:20 missed " + outage, "01T12:30 missed " + outage}
	remembered := []string{lost, "01T12:20 skipped overlap: the run of " + first + " went on", "01T12:30 missed " + outage}
	for name, tell := range map[string]func(w *world){
		"account": func(w *world) { w.account("2026-03-01T12:50:00Z") },
		"change": func(w *world) {
			w.clock = at("2026-03-01T12:45:00Z")
			w.change(contract.ChangeSchedulesInput{Pause: []string{"a"}})
		},
		"next run": func(w *world) { w.begin("a", "2026-03-01T13:00:00Z", "2026-03-01T13:00:00Z") },
	} {
		t.Run(name, func(t *testing.T) {
			w := begin(t)
			tell(w)
			equal(t, w.reasons("a")[:3], forgotten...)
			w = begin(t)
			w.temporal.ended = map[string]time.Time{"a" + first: at("2026-03-01T12:22:00Z")}
			tell(w)
			equal(t, w.reasons("a")[:3], remembered...)
			if w.status("a").Slots[len(w.status("a").Slots)-1].Ended != at("2026-03-01T12:22:00Z") {
				t.Errorf("%+v", w.status("a").Slots)
			}
		})
	}
}

// TestSuperseded: a due time within the window whose place a later run took says so.
func TestSuperseded(t *testing.T) {
	w := newWorld(t)
	w.apply(daily("a", cron("*/30 * * * *")))
	w.begin("a", "2026-03-01T12:30:00Z", "2026-03-01T14:05:00Z")
	equal(t, w.reasons("a"),
		"01T12:30 missed outage: Temporal or all workers were away for longer than the catch-up window of 1h0m0s",
		"01T13:00 missed outage: Temporal or all workers were away for longer than the catch-up window of 1h0m0s",
		"01T13:30 missed later run: nobody was there to start it, and after the outage the run of 2026-03-01T14:00:00Z took its place",
		"01T14:00 running ")
}

// TestLostRecord: a run whose record was lost has its backup.
func TestLostRecord(t *testing.T) {
	w := newWorld(t)
	w.apply(daily("a"))
	begun := w.begin("a", "2026-03-02T02:00:00Z", "2026-03-02T02:00:00Z")
	w.st.Set(layout.Backup{Name: begun.Backup.Name}.Metadata(), []byte(`{"metadata":{"name":"a-20260302020000"},"status":{"phase":"Completed","startTimestamp":"2026-03-02T02:00:01Z","completionTimestamp":"2026-03-02T02:05:00Z"}}`))
	clear(w.temporal.running)
	w.account("2026-03-02T03:00:00Z")
	equal(t, w.told("a"), "02T02:00 ran")
	if w.status("a").LastSuccess == nil {
		t.Error("it is no success")
	}
	if err := w.st.Delete(t.Context(), layout.Schedules{Cluster: "prod"}.RunsKey("a")); err != nil {
		t.Fatal(err)
	}
	if again := w.begin("a", "2026-03-02T02:00:00Z", "2026-03-02T02:10:00Z"); again.Backup != nil || again.Slot.Outcome != contract.SlotRan {
		t.Errorf("%+v", again)
	}
}

// TestUnrecorded: a due time whose record was lost altogether is told by its backup.
func TestUnrecorded(t *testing.T) {
	w := newWorld(t)
	w.apply(daily("a"))
	w.st.Set(layout.Backup{Name: "a-20260303020000"}.Metadata(), []byte(`{"metadata":{"name":"a-20260303020000"},"status":{"phase":"Completed","startTimestamp":"2026-03-03T02:00:01Z","completionTimestamp":"2026-03-03T02:05:00Z"}}`))
	w.account("2026-03-04T12:00:00Z")
	equal(t, w.told("a"), "02T02:00 missed", "03T02:00 ran", "04T02:00 missed")
}

// TestTrigger: a run that somebody asks for has a time of its own, also of a paused schedule.
func TestTrigger(t *testing.T) {
	w := newWorld(t)
	w.apply(daily("a"))
	w.change(contract.ChangeSchedulesInput{Pause: []string{"a"}})
	begun := w.begin("a", "2026-03-01T12:34:56Z", "2026-03-01T12:34:57Z")
	if begun.Backup == nil || begun.Backup.Name != "a-20260301123456" || !begun.Slot.Triggered {
		t.Fatalf("%+v", begun)
	}
	w.end("a", begun, "Completed", "2026-03-01T12:40:00Z")
	if got := w.status("a"); len(got.Counts) != 0 || got.LastSuccess == nil {
		t.Errorf("%+v", got)
	}
	if due := w.begin("a", "2026-03-02T02:00:00Z", "2026-03-02T02:00:00Z"); due.Backup != nil || due.Slot.Outcome != contract.SlotPaused {
		t.Errorf("%+v", due)
	}
}

// TestTurns: two backups at a time, the oldest due time first, and nobody waits for the dead.
func TestTurns(t *testing.T) {
	w := newWorld(t)
	take := func(id, due string) contract.Turn {
		t.Helper()
		turn, err := w.TakeTurn(t.Context(), contract.TakeTurnInput{Schedule: id, Due: at(due), Run: run(id)})
		if err != nil {
			t.Fatal(err)
		}
		w.temporal.running[id] = true
		return turn
	}
	giveBack := func(id string) {
		t.Helper()
		if err := w.End(t.Context(), contract.EndSlotInput{Schedule: id, Slot: contract.ScheduleSlot{Run: run(id)}}); err != nil {
			t.Fatal(err)
		}
	}
	const early, late = "2026-03-01T01:00:00Z", "2026-03-01T02:00:00Z"
	if !take("a", late).Taken || !take("b", late).Taken || take("c", late).Taken || take("d", early).Taken || !take("a", late).Taken {
		t.Error("the wrong ones have a turn")
	}
	if turn := take("c", late); turn.Taken || turn.Ahead != 3 {
		t.Errorf("%+v", turn)
	}
	giveBack("a")
	giveBack("a")
	if take("c", late).Taken || !take("d", early).Taken {
		t.Error("the older one comes later")
	}
	w.temporal.running["b"] = false
	if !take("c", late).Taken {
		t.Error("the turn of a run that is gone is not free")
	}
	w.st.Set(layout.TurnsKey("prod"), []byte("{"))
	if !take("e", late).Taken {
		t.Error("a damaged queue holds runs up")
	}
}

// TestChangeOfPendingSlot: a due time whose run Temporal has started, and which waits for a worker, is
// not written off by what happens to its schedule meanwhile, in the bucket or in the configuration.
func TestChangeOfPendingSlot(t *testing.T) {
	const due, changed, begun = "2026-03-02T02:00:00Z", "2026-03-02T02:01:00Z", "2026-03-02T02:02:00Z"
	other := func(s *contract.Schedule) { s.Spec.Template.IncludedNamespaces = []string{"shop", "bank"} }
	for name, change := range map[string]func(w *world){
		"apply":     func(w *world) { w.apply(daily("a", other)) },
		"new cron":  func(w *world) { w.apply(daily("a", cron("0 5 * * *"))) },
		"new rules": func(w *world) { w.apply(daily("a", annotated(contract.AnnotationJitter, "10m"))) },
		"pause and unpause": func(w *world) {
			w.change(contract.ChangeSchedulesInput{Pause: []string{"a"}})
			w.clock = w.clock.Add(30 * time.Second)
			w.change(contract.ChangeSchedulesInput{Unpause: []string{"a"}})
		},
		"configuration": func(w *world) {
			s := daily("a", other)
			w.Config.Schedules = []velerov1.Schedule{{ObjectMeta: metav1.ObjectMeta{Name: s.Name}, Spec: s.Spec}}
			w.ensure()
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.apply(daily("a"))
			w.clock = at(changed)
			change(w)
			w.account(changed)
			equal(t, w.reasons("a"), "02T02:00 missed change: no run of it had begun when the schedule was changed at 2026-03-02T02:01:00Z, and none has since")
			run := w.begin("a", due, begun)
			if run.Backup == nil || run.Backup.Name != "a-20260302020000" || run.Slot.Triggered {
				t.Fatalf("%+v", run)
			}
			w.end("a", run, "Completed", "2026-03-02T02:10:00Z")
			if again := w.begin("a", due, "2026-03-02T02:11:00Z"); again.Backup != nil {
				t.Errorf("a second run: %+v", again)
			}
			equal(t, w.told("a"), "02T02:00 ran")
			if got := w.status("a").Counts; len(got) != 1 || got[contract.SlotRan] != 1 {
				t.Error(got)
			}
		})
	}
}

// TestPauseOfPendingSlot: a run that waits while its schedule is paused does nothing, whatever its cron
// string is by then, and one that comes too late after a change is missed.
func TestPauseOfPendingSlot(t *testing.T) {
	w := newWorld(t)
	w.apply(daily("a"), daily("b"))
	w.clock = at("2026-03-02T02:01:00Z")
	w.apply(daily("a", cron("0 5 * * *")), daily("b", cron("0 5 * * *")))
	w.change(contract.ChangeSchedulesInput{Pause: []string{"a"}})
	if run := w.begin("a", "2026-03-02T02:00:00Z", "2026-03-02T02:02:00Z"); run.Backup != nil || run.Slot.Outcome != contract.SlotPaused {
		t.Errorf("%+v", run)
	}
	if run := w.begin("b", "2026-03-02T02:00:00Z", "2026-03-02T03:02:00Z"); run.Backup != nil || run.Slot.Outcome != contract.SlotMissed {
		t.Errorf("%+v", run)
	}
	equal(t, w.told("a"), "02T02:00 paused")
	equal(t, w.reasons("b"), "02T02:00 missed catch-up: it would have begun 1h2m0s late, and its catch-up window is 1h0m0s")
}

// TestJitter: Temporal looks whether a run goes on once the jitter of a due time has passed, and so a
// run that has ended by then takes no later one's place.
func TestJitter(t *testing.T) {
	w := newWorld(t)
	w.apply(daily("a", cron("0 * * * *"), annotated(contract.AnnotationJitter, "30m")))
	one := w.begin("a", "2026-03-01T13:00:00Z", "2026-03-01T13:25:00Z")
	w.end("a", one, "Completed", "2026-03-01T14:05:00Z")
	equal(t, w.told("a"), "01T13:00 ran")
	two := w.begin("a", "2026-03-01T14:00:00Z", "2026-03-01T14:20:00Z")
	if two.Backup == nil || two.Backup.Name != "a-20260301140000" {
		t.Fatalf("%+v", two)
	}
	w.end("a", two, "Completed", "2026-03-01T15:45:00Z")
	equal(t, w.told("a"), "01T13:00 ran", "01T14:00 ran", "01T15:00 skipped")
}

// TestJitterOfTheNextSlot: a run that begins when the next due time has passed leaves that alone while
// its jitter goes on, for it has a run of its own; after an outage the last whose jitter has passed is taken.
func TestJitterOfTheNextSlot(t *testing.T) {
	w := newWorld(t)
	w.apply(daily("a", cron("*/10 * * * *"), annotated(contract.AnnotationJitter, "9m")))
	one := w.begin("a", "2026-03-01T12:10:00Z", "2026-03-01T12:20:01Z")
	w.end("a", one, "Completed", "2026-03-01T12:21:00Z")
	two := w.begin("a", "2026-03-01T12:20:00Z", "2026-03-01T12:25:00Z")
	if two.Backup == nil {
		t.Fatalf("%+v", two)
	}
	w.end("a", two, "Completed", "2026-03-01T12:26:00Z")
	three := w.begin("a", "2026-03-01T12:30:00Z", "2026-03-01T13:05:00Z")
	if three.Backup == nil || three.Backup.Name != "a-20260301125000" {
		t.Fatalf("%+v", three)
	}
	w.end("a", three, "Completed", "2026-03-01T13:06:00Z")
	if four := w.begin("a", "2026-03-01T13:00:00Z", "2026-03-01T13:08:00Z"); four.Backup == nil {
		t.Errorf("%+v", four)
	}
	equal(t, w.told("a"), "01T12:10 ran", "01T12:20 ran", "01T12:30 missed", "01T12:40 missed", "01T12:50 ran", "01T13:00 running")
}

// TestBufferTooLate: a buffered run that would begin later than the longest run took is missed, and
// its due time stays without a good backup.
func TestBufferTooLate(t *testing.T) {
	w := newWorld(t)
	w.apply(daily("a", annotated(contract.AnnotationOverlap, "bufferOne")))
	one := w.begin("a", "2026-03-02T02:00:00Z", "2026-03-02T02:00:00Z")
	w.end("a", one, "Completed", "2026-03-02T05:30:00Z")
	two := w.begin("a", "2026-03-03T02:00:00Z", "2026-03-03T06:00:00Z")
	if two.Backup != nil || two.Slot.Outcome != contract.SlotMissed || two.Slot.Reason != "catch-up: it would have begun 4h0m0s late, and its catch-up window is 3h30m0s" {
		t.Errorf("%+v", two)
	}
	measures, err := w.Measures(t.Context())
	if err != nil || len(measures) != 1 || !measures[0].NextDue.Equal(at("2026-03-03T02:00:00Z")) {
		t.Errorf("%+v %v", measures, err)
	}
}

// TestDefaultOverlap: a schedule that says nothing skips, and is said to.
func TestDefaultOverlap(t *testing.T) {
	w := newWorld(t)
	w.apply(daily("a"))
	if got := w.status("a").Overlap; got != contract.OverlapSkip {
		t.Error(got)
	}
}

// TestLastGood: the age of the last good backup is that of one that is still there and was not found
// corrupt, and why a later one does not count is told.
func TestLastGood(t *testing.T) {
	const first, second = "a-20260302020000", "a-20260303020000"
	for name, tc := range map[string]struct {
		spoil func(w *world)
		want  string
		told  string
	}{
		"both good": {func(*world) {}, second, ""},
		"deleted":   {func(w *world) { w.st.Remove(layout.Backup{Name: second}.Metadata()) }, first, "backup " + second + " does not count as the last success: it was deleted"},
		"corrupt": {func(w *world) {
			v := beside.Verification{Name: second, UID: "uid-" + second, At: w.clock}
			v.AddDamage("x", "the file is missing")
			if err := v.Write(t.Context(), w.st); err != nil {
				t.Fatal(err)
			}
		}, first, "it is Corrupt: `lifeboat backup describe " + second + "`"},
		"damaged": {func(w *world) { w.st.Set(layout.Backup{Name: second}.Metadata(), []byte("{")) }, first, "its document cannot be read"},
		"neither": {func(w *world) {
			w.st.Remove(layout.Backup{Name: first}.Metadata())
			w.st.Remove(layout.Backup{Name: second}.Metadata())
		}, "", "it was deleted"},
		"not known": {func(w *world) { w.st.Fail(memstore.On(memstore.OpList).Key(second), store.ErrAccessDenied) }, second, "whether backup " + second + " is still good is not known"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.apply(daily("a"))
			for _, day := range []string{"2026-03-02", "2026-03-03"} {
				w.end("a", w.begin("a", day+"T02:00:00Z", day+"T02:00:00Z"), "Completed", day+"T02:10:00Z")
			}
			tc.spoil(w)
			got, last := w.status("a"), ""
			if got.LastSuccess != nil {
				last = got.LastSuccess.Backup
			}
			if last != tc.want || (got.RPOSeconds == nil) != (tc.want == "") {
				t.Errorf("last success %q, want %q", last, tc.want)
			}
			if told := strings.Join(got.Warnings, "\n"); !strings.Contains(told, tc.told) || (tc.told == "") != (told == "") {
				t.Errorf("%q, want %q", told, tc.told)
			}
		})
	}
}
