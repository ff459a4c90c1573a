package schedule_test

import (
	"slices"
	"strings"
	"testing"
	"time"

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
			w.clock = at("2026-03-01T12:41:00Z")
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

// TestChangeWhileARunIsPending: a due time of which Temporal has started a run, for which no worker was there
// yet, keeps that run when its schedule is changed meanwhile. A pause stops it.
func TestChangeWhileARunIsPending(t *testing.T) {
	other := daily("a", func(s *contract.Schedule) { s.Spec.Template.IncludedNamespaces = []string{"bank"} })
	later := daily("a", cron("0 4 * * *"))
	for name, tc := range map[string]struct {
		in   contract.ChangeSchedulesInput
		want []string
	}{
		"applied":        {contract.ChangeSchedulesInput{Apply: []contract.Schedule{other}}, []string{"02T02:00 running"}},
		"moved to later": {contract.ChangeSchedulesInput{Apply: []contract.Schedule{later}}, []string{"02T02:00 running"}},
		"paused":         {contract.ChangeSchedulesInput{Pause: []string{"a"}}, []string{"02T02:00 paused"}},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.apply(daily("a"))
			w.clock = at("2026-03-02T02:01:00Z")
			w.change(tc.in)
			if reasons := w.reasons("a"); len(reasons) != 1 || strings.Contains(reasons[0], "outage") {
				t.Errorf("%q", reasons)
			}
			for _, now := range []string{"2026-03-02T02:02:00Z", "2026-03-02T02:03:00Z"} {
				begun := w.begin("a", "2026-03-02T02:00:00Z", now)
				if begins := tc.want[0] == "02T02:00 running"; (begun.Backup != nil) != begins || begins && begun.Backup.Name != "a-20260302020000" {
					t.Errorf("%+v", begun)
				}
			}
			equal(t, w.told("a"), tc.want...)
		})
	}
	w := newWorld(t) // after its window no run comes any more
	w.apply(daily("a"))
	w.clock = at("2026-03-02T02:01:00Z")
	w.apply(other)
	if begun := w.begin("a", "2026-03-02T02:00:00Z", "2026-03-02T04:00:00Z"); begun.Backup != nil {
		t.Errorf("%+v", begun)
	}
	equal(t, w.told("a"), "02T02:00 missed")
}

// TestJitterOfTheNextRun: what is due while a run goes on may begin after it, where runs begin up to their
// jitter later.
func TestJitterOfTheNextRun(t *testing.T) {
	w := newWorld(t)
	w.apply(daily("a", cron("0 * * * *"), annotated(contract.AnnotationJitter, "30m")))
	one := w.begin("a", "2026-03-01T13:00:00Z", "2026-03-01T13:25:00Z")
	w.end("a", one, "Completed", "2026-03-01T14:05:00Z")
	equal(t, w.told("a"), "01T13:00 ran")
	w.apply(daily("a", cron("0 * * * *"), annotated(contract.AnnotationJitter, "29m")))
	if two := w.begin("a", "2026-03-01T14:00:00Z", "2026-03-01T14:20:00Z"); two.Backup == nil {
		t.Errorf("%+v", two)
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
