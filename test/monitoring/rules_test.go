package monitoring_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/prometheus/rules"
	velerov1 "github.com/vmware-tanzu/velero/pkg/apis/velero/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/lifeboat-backup/lifeboat/internal/archive/layout"
	"github.com/lifeboat-backup/lifeboat/internal/config"
	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/drill/definition"
	"github.com/lifeboat-backup/lifeboat/internal/garbage"
	"github.com/lifeboat-backup/lifeboat/internal/monitoring"
	"github.com/lifeboat-backup/lifeboat/internal/repository"
	"github.com/lifeboat-backup/lifeboat/internal/repository/beside"
	"github.com/lifeboat-backup/lifeboat/internal/repository/drills"
	"github.com/lifeboat-backup/lifeboat/internal/repository/repositorytest"
	"github.com/lifeboat-backup/lifeboat/internal/schedule"
	"github.com/lifeboat-backup/lifeboat/internal/store"
	"github.com/lifeboat-backup/lifeboat/internal/store/memstore"
	"github.com/lifeboat-backup/lifeboat/internal/telemetry/export"
	"github.com/lifeboat-backup/lifeboat/internal/timing"
)

// step is how often the worker is scraped and the rules are evaluated: as seldom as Prometheus
// allows before it takes series for gone.
const step = 5 * time.Minute

// simulation is a schedule played through time: its documents lie in a bucket in memory, the
// gauges are those of the worker, and the alerts those of Prometheus.
type simulation struct {
	t          *testing.T
	now        time.Time
	st         *memstore.Store
	schedules  *schedule.Service
	drills     *schedule.Service // schedules of drills
	cron       timing.Timing
	keeper     *monitoring.Keeper
	telemetry  *export.Telemetry
	prometheus *prometheus
	group      *rules.Group
	begun      time.Time
	down       bool     // no worker is there
	events     []string // alerts that began and ended
	firing     map[string]bool
	other      *simulation // another cluster that the same Prometheus watches
}

const name = "s"

func simulate(t *testing.T, cron string) *simulation {
	t.Helper()
	s := &simulation{t: t, now: at("2026-03-01T00:30:00Z"), prometheus: newPrometheus(t), firing: map[string]bool{}}
	s.st = memstore.New(memstore.WithClock(func() time.Time { return s.now }))
	s.begun = s.now
	s.group = s.prometheus.load("../../deploy/monitoring/rules.yaml")
	locations := repositorytest.Locations(repositorytest.Stores{"default": s.st})
	cfg := locations.Config()
	cfg.DefaultBackupTTL.Duration, cfg.Drills.SigningKey = time.Hour, &config.SigningKey{File: "key"}
	s.schedules = &schedule.Service{Config: cfg, Locations: locations, Temporal: noTemporal{}, Now: func() time.Time { return s.now }}
	s.drills = &schedule.Service{Drills: true, Config: cfg, Locations: locations, Temporal: noTemporal{}, Now: func() time.Time { return s.now }}
	s.change(contract.ChangeSchedulesInput{Apply: []contract.Schedule{{Name: name, Spec: velerov1.ScheduleSpec{Schedule: cron}}}})
	var err error
	if s.cron, err = timing.Parse(cron, ""); err != nil {
		t.Fatal(err)
	}
	s.startWorker()
	return s
}

func at(text string) time.Time {
	parsed, err := time.Parse(time.RFC3339, text)
	if err != nil {
		panic(err)
	}
	return parsed
}

type noTemporal struct{}

func (noTemporal) Ensure(context.Context, schedule.Desired) error         { return nil }
func (noTemporal) Names(context.Context) ([]string, error)                { return nil, nil }
func (noTemporal) Delete(context.Context, string) error                   { return nil }
func (noTemporal) Running(context.Context, contract.Run) (bool, error)    { return false, nil }
func (noTemporal) Ended(context.Context, contract.Run) (time.Time, error) { return time.Time{}, nil }

// startWorker starts the gauges anew, as a worker does.
func (s *simulation) startWorker() {
	s.t.Helper()
	var err error
	if s.telemetry, err = export.New(s.t.Context(), export.Options{Cluster: s.schedules.Config.Cluster, Prometheus: true, Getenv: func(string) string { return "" }}); err != nil {
		s.t.Fatal(err)
	}
	collected := &garbage.Runner{Cluster: s.schedules.Config.Cluster, Locations: s.schedules.Locations}
	s.keeper, err = monitoring.NewKeeper(&monitoring.Reader{
		Cluster: s.schedules.Config.Cluster, Locations: s.schedules.Locations, Schedules: s.schedules.Measures, DrillSchedules: s.drills.Measures,
		Now:     func() time.Time { return s.now },
		Orphans: func(context.Context) (contract.OrphanPlan, error) { return contract.OrphanPlan{}, nil },
		Expired: func(ctx context.Context) (contract.GarbagePlan, error) {
			return collected.Plan(ctx, contract.PlanGarbageInput{Now: s.now})
		},
	}, s.telemetry.Meter, slog.New(slog.DiscardHandler))
	if err != nil {
		s.t.Fatal(err)
	}
}

func (s *simulation) change(in contract.ChangeSchedulesInput) {
	s.t.Helper()
	if _, err := s.schedules.Change(s.t.Context(), in); err != nil {
		s.t.Fatal(err)
	}
}

// uidOf is the UID of the backup that was due at a time.
func uidOf(due time.Time) string { return fmt.Sprint("uid-", due.Unix()) }

// run takes a backup for a due time, which ends in phase.
func (s *simulation) run(due time.Time, phase string) {
	s.t.Helper()
	ctx := s.t.Context()
	d, err := repository.ReadSchedule(ctx, s.st, layout.Schedules{Cluster: s.schedules.Config.Cluster}, name)
	if err != nil {
		s.t.Fatal(err)
	}
	ended := s.now.Add(time.Minute)
	doc := &velerov1.Backup{ObjectMeta: metav1.ObjectMeta{Name: d.BackupName(due), UID: types.UID(uidOf(due)), Labels: map[string]string{repository.LabelSchedule: name}}}
	doc.Status = velerov1.BackupStatus{Phase: velerov1.BackupPhase(phase), Warnings: 5, StartTimestamp: &metav1.Time{Time: s.now}, CompletionTimestamp: &metav1.Time{Time: ended}}
	if phase != "Failed" { // such a run leaves nothing
		if err := repository.CommitBackup(ctx, s.st, doc); err != nil {
			s.t.Fatal(err)
		}
	}
	err = repository.ChangeScheduleRuns(ctx, s.st, d, func(r *repository.ScheduleRuns) (bool, error) {
		r.Note(contract.ScheduleSlot{Due: due, Started: s.now, Ended: ended, Outcome: contract.SlotRan, Phase: phase, Triggered: s.cron.Next(due.Add(-time.Second)) != due})
		return true, nil
	})
	if err != nil {
		s.t.Fatal(err)
	}
}

// until plays until a time; the runs that are due end in phase, "" being no run at all.
func (s *simulation) until(text, phase string) {
	s.t.Helper()
	for end := at(text); s.now.Before(end); {
		before := s.now
		s.now = s.now.Add(step)
		for _, due := range s.cron.Between(before, s.now, 10) {
			if phase != "" {
				s.run(due, phase)
			}
		}
		s.look()
	}
}

// look scrapes the workers, evaluates the rules, and notes what has begun and ended.
func (s *simulation) look() {
	s.t.Helper()
	s.scrape()
	if s.other != nil {
		s.other.now = s.now
		s.other.scrape()
	}
	s.group.Eval(s.t.Context(), s.now)
	for _, r := range s.group.Rules() {
		if err := r.LastError(); err != nil {
			s.t.Fatal(r.Name(), err)
		}
	}
	firing := map[string]bool{}
	for _, r := range s.group.AlertingRules() {
		for _, a := range r.ActiveAlerts() {
			if a.State == rules.StateFiring {
				firing[r.Name()+s.whose(a)] = true
			}
		}
	}
	s.note(s.firing, firing, "ended")
	s.note(firing, s.firing, "began")
	s.firing = firing
}

// scrape stores what the worker shows, as long as there is one that answers.
func (s *simulation) scrape() {
	s.t.Helper()
	if s.down {
		return
	}
	_ = s.keeper.Read(s.t.Context(), true) // what cannot be read is what the alerts are for
	if s.keeper.Ready() != nil {
		return
	}
	families, err := s.telemetry.Registry.Gather()
	if err != nil {
		s.t.Fatal(err)
	}
	s.prometheus.store("worker of "+s.schedules.Config.Cluster, families, s.now)
}

// whose says of which cluster an alert is, unless it is the one that is played.
func (s *simulation) whose(a *rules.Alert) string {
	switch cluster := a.Labels.Get("cluster"); cluster {
	case s.schedules.Config.Cluster:
		return ""
	case "":
		return " of no cluster"
	default:
		return " of " + cluster
	}
}

// note notes the alerts that are in one set and not in the other.
func (s *simulation) note(in, notIn map[string]bool, word string) {
	for _, alert := range slices.Sorted(maps.Keys(in)) {
		if !notIn[alert] {
			s.events = append(s.events, fmt.Sprintf("%s %s %s", s.now.Format("02 15:04"), alert, word))
		}
	}
}

// expect compares all alerts of the simulation.
func (s *simulation) expect(want ...string) {
	s.t.Helper()
	if !slices.Equal(s.events, want) {
		s.t.Errorf("alerts\n%q\nwant\n%q", s.events, want)
	}
}

// An hourly schedule misses two runs: half an hour after the first is enough.
func TestHourly(t *testing.T) {
	s := simulate(t, "0 * * * *")
	s.until("2026-03-01T05:30:00Z", "Completed")
	s.until("2026-03-01T07:30:00Z", "")
	s.until("2026-03-01T12:00:00Z", "Completed")
	s.expect("01 06:40 LifeboatBackupOverdue began", "01 08:00 LifeboatBackupOverdue ended")
}

// A daily schedule fails for two days, whatever way: six hours after the first is enough, and
// a partial backup is no good one.
func TestDaily(t *testing.T) {
	s := simulate(t, "0 2 * * *")
	s.until("2026-03-03T12:00:00Z", "Completed")
	s.until("2026-03-04T12:00:00Z", "Failed")
	s.until("2026-03-05T12:00:00Z", "PartiallyFailed")
	s.until("2026-03-07T12:00:00Z", "Completed")
	s.expect("04 08:10 LifeboatBackupOverdue began", "06 02:00 LifeboatBackupOverdue ended")
}

// A monthly schedule is not overdue for a month, and the run that somebody starts by hand ends
// the alert.
func TestMonthly(t *testing.T) {
	s := simulate(t, "0 3 1 * *")
	s.until("2026-03-20T12:00:00Z", "Completed")
	s.until("2026-04-02T12:00:00Z", "")
	s.run(s.now, "Completed")
	s.until("2026-04-04T12:00:00Z", "")
	s.expect("01 09:10 LifeboatBackupOverdue began", "02 12:05 LifeboatBackupOverdue ended")
}

// A weekend without a due time is no alert, and Monday's run that is missing is one on Monday.
func TestWorkingDays(t *testing.T) {
	s := simulate(t, "0 2 * * 1-5")
	s.until("2026-03-07T12:00:00Z", "Completed")
	s.until("2026-03-09T12:00:00Z", "")
	s.expect("09 08:10 LifeboatBackupOverdue began")
}

// A pause ends an alert and begins none, a deletion ends one, and so does neither the end of a
// pause nor a worker that is started anew begin one.
func TestPaused(t *testing.T) {
	s := simulate(t, "0 * * * *")
	s.until("2026-03-01T03:30:00Z", "Completed")
	s.until("2026-03-01T06:00:00Z", "")
	s.change(contract.ChangeSchedulesInput{Pause: []string{name}})
	s.until("2026-03-02T06:10:00Z", "")
	s.change(contract.ChangeSchedulesInput{Unpause: []string{name}})
	s.until("2026-03-02T08:10:00Z", "Completed")
	s.startWorker()
	s.until("2026-03-02T10:10:00Z", "Completed")
	s.until("2026-03-02T13:00:00Z", "")
	s.change(contract.ChangeSchedulesInput{Delete: []string{name}})
	s.until("2026-03-03T00:00:00Z", "")
	s.expect("01 04:40 LifeboatBackupOverdue began", "01 06:05 LifeboatBackupOverdue ended", "02 11:40 LifeboatBackupOverdue began", "02 13:05 LifeboatBackupOverdue ended")
}

// The last good backup is deleted, and later one is found to be corrupt: each is a page that
// the next good run ends. That one is stored is a ticket until it is deleted.
func TestLost(t *testing.T) {
	s := simulate(t, "0 2 * * *")
	s.until("2026-03-02T12:00:00Z", "Completed")
	if _, err := s.st.DeletePrefix(t.Context(), layout.BackupsDir+name+"-20260302020000/"); err != nil {
		t.Fatal(err)
	}
	s.until("2026-03-04T12:00:00Z", "Completed")
	damaged := beside.Verification{Name: name + "-20260304020000", UID: uidOf(at("2026-03-04T02:00:00Z")), At: s.now}
	damaged.AddDamage("a file", "is gone")
	if err := damaged.Write(t.Context(), s.st); err != nil {
		t.Fatal(err)
	}
	s.until("2026-03-06T12:00:00Z", "Completed")
	good := beside.Verification{Name: damaged.Name, UID: damaged.UID, At: s.now}
	if err := good.Write(t.Context(), s.st); err != nil {
		t.Fatal(err)
	}
	s.until("2026-03-06T13:00:00Z", "Completed")
	s.expect("02 12:20 LifeboatLastBackupLost began", "03 02:00 LifeboatLastBackupLost ended",
		"04 12:20 LifeboatBackupCorrupt began", "04 12:20 LifeboatLastBackupLost began", "05 02:00 LifeboatLastBackupLost ended", "06 12:05 LifeboatBackupCorrupt ended")
}

// A hundred days after the last drill that has passed there is a ticket, which one that fails does
// not hold back, and the next one that passes ends.
func TestDrillOverdue(t *testing.T) {
	s := simulate(t, "0 2 1 1 *")
	passed, failed := evidenceFile(t, "valid-full.json"), evidenceFile(t, "valid-failed.json") // asked for on 2026-01-02 at 03:00
	s.writeDrill(1, passed)
	s.writeDrill(2, failed)
	s.now = at("2026-04-11T12:00:00Z")
	s.until("2026-04-12T06:00:00Z", "")
	s.writeDrill(3, afterHundredDays(t, failed))
	s.until("2026-04-12T07:00:00Z", "")
	s.writeDrill(4, afterHundredDays(t, passed))
	s.until("2026-04-12T08:00:00Z", "")
	s.expect("12 03:20 LifeboatDrillOverdue began", "12 07:05 LifeboatDrillOverdue ended")
}

func evidenceFile(t *testing.T, file string) []byte {
	t.Helper()
	content, err := os.ReadFile("../../internal/drill/evidence/testdata/files/" + file)
	if err != nil {
		t.Fatal(err)
	}
	return content
}

// afterHundredDays is evidence of a drill of 2026-01-02 as if it had been on 2026-04-12, with the
// next one due as many days later. The gauges do not look at signatures.
func afterHundredDays(t *testing.T, content []byte) []byte {
	t.Helper()
	var envelope struct{ Payload string }
	if err := json.Unmarshal(content, &envelope); err != nil {
		t.Fatal(err)
	}
	payload, err := base64.StdEncoding.DecodeString(envelope.Payload)
	if err != nil {
		t.Fatal(err)
	}
	later := strings.NewReplacer("2026-01-02T", "2026-04-12T", "2026-04-02T", "2026-07-12T").Replace(string(payload))
	return bytes.Replace(content, []byte(envelope.Payload), []byte(base64.StdEncoding.EncodeToString([]byte(later))), 1)
}

func (s *simulation) writeDrill(sequence int64, content []byte) {
	s.t.Helper()
	if err := drills.Write(s.t.Context(), s.st, s.schedules.Config.Cluster, sequence, content); err != nil {
		s.t.Fatal(err)
	}
}

// Eight days after the last rehearsal that has proven L2 there is a ticket, which the next one that
// proves it ends. One that reaches less changes nothing, nor that the backup has expired meanwhile.
func TestRehearsalOverdue(t *testing.T) {
	s := simulate(t, "0 2 * * *")
	s.until("2026-03-01T03:00:00Z", "Completed")
	rehearse := func(day, level string) {
		t.Helper()
		r := contract.RehearsalResult{Backup: name + "-202603" + day + "020000", UID: uidOf(at("2026-03-" + day + "T02:00:00Z")), Level: level}
		if err := beside.WriteRehearsal(t.Context(), s.st, r); err != nil {
			t.Fatal(err)
		}
	}
	rehearse("01", "L2")
	s.until("2026-03-02T03:00:00Z", "Completed")
	s.change(contract.ChangeSchedulesInput{Pause: []string{name}})
	s.now = at("2026-03-09T00:00:00Z")
	s.until("2026-03-09T01:00:00Z", "")
	rehearse("01", "L1")
	s.until("2026-03-09T02:00:00Z", "")
	s.expire("01")
	s.until("2026-03-09T05:00:00Z", "")
	rehearse("02", "L2")
	s.until("2026-03-09T06:00:00Z", "")
	s.expect("09 03:20 LifeboatRehearsalOverdue began", "09 05:05 LifeboatRehearsalOverdue ended")
}

// changeDrills changes schedules of drills.
func (s *simulation) changeDrills(in contract.ChangeSchedulesInput) {
	s.t.Helper()
	in.Drills = true
	if _, err := s.drills.Change(s.t.Context(), in); err != nil {
		s.t.Fatal(err)
	}
}

// drill notes a drill of schedule d that was due now.
func (s *simulation) drill(phase string) {
	s.t.Helper()
	d, err := repository.ReadSchedule(s.t.Context(), s.st, layout.Schedules{Cluster: s.drills.Config.Cluster, Drills: true}, "d")
	if err == nil {
		err = repository.ChangeScheduleRuns(s.t.Context(), s.st, d, func(r *repository.ScheduleRuns) (bool, error) {
			r.Note(contract.ScheduleSlot{Due: s.now, Started: s.now, Ended: s.now.Add(time.Minute), Outcome: contract.SlotRan, Phase: phase})
			return true, nil
		})
	}
	if err != nil {
		s.t.Fatal(err)
	}
}

// A scheduled drill that does not pass, or does not come, is a ticket a day later, also where none has
// ever passed; the next one that passes ends it. One that is paused or deleted has none.
func TestScheduledDrillOverdue(t *testing.T) {
	s := simulate(t, "0 2 1 1 *")
	every := contract.Schedule{Name: "d", Spec: velerov1.ScheduleSpec{Schedule: "0 9 */2 * *"}, Drill: &definition.Spec{Source: definition.Source{Pick: definition.PickLatest}}}
	s.changeDrills(contract.ChangeSchedulesInput{Apply: []contract.Schedule{every}})
	s.until("2026-03-01T09:00:00Z", "")
	s.drill("Failed")
	s.until("2026-03-03T09:00:00Z", "")
	s.drill("Completed")
	s.until("2026-03-06T12:00:00Z", "") // that of the 5th does not come
	s.changeDrills(contract.ChangeSchedulesInput{Pause: []string{"d"}})
	s.until("2026-03-08T12:00:00Z", "")
	s.changeDrills(contract.ChangeSchedulesInput{Unpause: []string{"d"}})
	s.until("2026-03-10T12:00:00Z", "")
	s.changeDrills(contract.ChangeSchedulesInput{Delete: []string{"d"}})
	s.until("2026-03-11T12:00:00Z", "")
	s.expect("02 09:10 LifeboatScheduledDrillOverdue began", "03 09:05 LifeboatScheduledDrillOverdue ended",
		"06 09:10 LifeboatScheduledDrillOverdue began", "06 12:05 LifeboatScheduledDrillOverdue ended",
		"10 09:10 LifeboatScheduledDrillOverdue began", "10 12:05 LifeboatScheduledDrillOverdue ended")
}

// Schedules that the configuration no longer allows are told, and their backups and drills stay due.
func TestInvalid(t *testing.T) {
	s := simulate(t, "0 2 * * *")
	daily := contract.Schedule{Name: "d", Spec: velerov1.ScheduleSpec{Schedule: "0 9 * * *"}, Drill: &definition.Spec{Source: definition.Source{Pick: definition.PickLatest}}}
	s.changeDrills(contract.ChangeSchedulesInput{Apply: []contract.Schedule{daily}})
	s.until("2026-03-01T09:00:00Z", "Completed")
	s.drill("Completed")
	key := s.drills.Config.Drills.SigningKey
	s.drills.Config.Drills.SigningKey = nil
	s.until("2026-03-03T09:00:00Z", "Completed")
	s.drills.Config.Drills.SigningKey = key
	s.drill("Completed")
	s.until("2026-03-03T09:30:00Z", "Completed")
	s.expect("01 09:20 LifeboatScheduleInvalid began", "02 21:10 LifeboatScheduledDrillOverdue began", "03 09:05 LifeboatScheduleInvalid ended", "03 09:05 LifeboatScheduledDrillOverdue ended")
}

// Where backups were read back once, thirty days without are a ticket, which the next verification
// ends. That the backup has expired meanwhile changes nothing.
func TestVerificationOverdue(t *testing.T) {
	s := simulate(t, "0 2 * * *")
	s.until("2026-03-01T03:00:00Z", "Completed")
	verify := func(day string) {
		t.Helper()
		v := beside.Verification{Name: name + "-202603" + day + "020000", UID: uidOf(at("2026-03-" + day + "T02:00:00Z")), At: s.now}
		if err := v.Write(t.Context(), s.st); err != nil {
			t.Fatal(err)
		}
	}
	verify("01")
	s.until("2026-03-02T03:00:00Z", "Completed")
	s.change(contract.ChangeSchedulesInput{Pause: []string{name}})
	s.now = at("2026-03-30T12:00:00Z")
	s.until("2026-03-31T02:00:00Z", "")
	s.expire("01")
	s.until("2026-03-31T06:00:00Z", "")
	verify("02")
	s.until("2026-03-31T08:00:00Z", "")
	s.expect("31 03:20 LifeboatVerificationOverdue began", "31 06:05 LifeboatVerificationOverdue ended")
}

// expire deletes the backup of a day of March, as the garbage collection does.
func (s *simulation) expire(day string) {
	s.t.Helper()
	if _, err := s.st.DeletePrefix(s.t.Context(), layout.BackupsDir+name+"-202603"+day+"020000/"); err != nil {
		s.t.Fatal(err)
	}
}

// A bucket that cannot be read and a worker that is gone are told, and end with it.
func TestBlind(t *testing.T) {
	s := simulate(t, "0 2 1 1 *")
	s.until("2026-03-01T02:00:00Z", "")
	out := true
	s.st.Fail(func(memstore.Request) bool { return out }, fmt.Errorf("reset by peer: %w", store.ErrUnavailable))
	s.until("2026-03-01T04:00:00Z", "")
	out = false
	s.until("2026-03-01T12:00:00Z", "")
	s.down = true
	s.until("2026-03-01T13:00:00Z", "")
	s.down = false
	s.until("2026-03-01T14:00:00Z", "")
	s.expect("01 02:25 LifeboatStateUnknown began", "01 02:35 LifeboatLocationUnavailable began", "01 04:05 LifeboatLocationUnavailable ended", "01 04:05 LifeboatStateUnknown ended",
		"01 12:20 LifeboatDown began", "01 13:05 LifeboatDown ended")
}

// Of two clusters that one Prometheus watches each is told whose workers are gone, for as long as it is
// gone: also where the other's are there, and where none ever was.
func TestGone(t *testing.T) {
	s := simulate(t, "0 2 1 1 *")
	s.other = simulate(t, "0 2 1 1 *")
	s.other.prometheus, s.other.schedules.Config.Cluster = s.prometheus, "west"
	s.other.startWorker()
	s.down, s.other.down = true, true
	s.until("2026-03-01T01:00:00Z", "")
	s.down, s.other.down = false, false
	s.until("2026-03-01T02:00:00Z", "")
	s.down = true
	s.until("2026-03-01T03:00:00Z", "")
	s.other.down = true
	s.until("2026-03-01T04:00:00Z", "")
	s.other.down = false
	s.until("2026-03-01T05:00:00Z", "")
	s.now = at("2026-03-11T04:00:00Z")
	s.until("2026-03-11T05:00:00Z", "")
	s.down = false
	s.until("2026-03-11T06:00:00Z", "")
	s.expect("01 00:50 LifeboatDown of no cluster began", "01 01:05 LifeboatDown of no cluster ended",
		"01 02:20 LifeboatDown began", "01 03:20 LifeboatDown of west began", "01 04:05 LifeboatDown of west ended", "11 05:05 LifeboatDown ended")
}

// The only cluster's workers are gone for longer than the rules look back: it is told all the time.
func TestGoneForLong(t *testing.T) {
	s := simulate(t, "0 2 1 1 *")
	s.until("2026-03-01T02:00:00Z", "")
	s.down = true
	s.until("2026-03-01T03:00:00Z", "")
	for _, day := range []string{"14", "15", "16"} {
		s.now = at("2026-03-" + day + "T01:30:00Z")
		s.until("2026-03-"+day+"T03:00:00Z", "")
	}
	s.expect("01 02:20 LifeboatDown began", "14 02:15 LifeboatDown of no cluster began", "15 02:00 LifeboatDown ended")
}

// Backups live for a week. Those that were rehearsed and read back are long gone when that has become
// too long ago, and the alerts begin all the same, and end with the next success only.
func TestProofsOfShortLife(t *testing.T) {
	s := simulate(t, "0 2 * * *")
	const day, life = 24 * time.Hour, 7 * 24 * time.Hour
	first, last := at("2026-03-01T02:00:00Z"), at("2026-04-05T02:00:00Z")
	for due := first; !due.After(last); due = due.Add(day) {
		s.now = due.Add(-step)
		s.until(due.Add(40*time.Minute).Format(time.RFC3339), "Completed")
		if due.Equal(first) || due.Equal(last) {
			s.prove(due)
		}
		if _, err := s.st.DeletePrefix(t.Context(), layout.BackupsDir+name+due.Add(-life).Format("-20060102150405/")); err != nil {
			t.Fatal(err)
		}
		if due.Equal(first.Add(20 * day)) {
			s.startWorker()
		}
	}
	s.until("2026-04-05T03:00:00Z", "")
	s.expect("10 02:15 LifeboatRehearsalOverdue began", "01 02:15 LifeboatVerificationOverdue began",
		"05 02:45 LifeboatRehearsalOverdue ended", "05 02:45 LifeboatVerificationOverdue ended")
}

// prove rehearses the backup of a due time, and reads it back.
func (s *simulation) prove(due time.Time) {
	s.t.Helper()
	backup := name + due.Format("-20060102150405")
	v := beside.Verification{Name: backup, UID: uidOf(due), At: s.now}
	r := contract.RehearsalResult{Backup: backup, UID: uidOf(due), Level: "L2"}
	if err := errors.Join(v.Write(s.t.Context(), s.st), beside.WriteRehearsal(s.t.Context(), s.st, r)); err != nil {
		s.t.Fatal(err)
	}
}

// damage has the documents of the schedules be what nobody can read, of backups and of drills.
func (s *simulation) damage() {
	cluster := s.schedules.Config.Cluster
	s.st.Set(layout.Schedules{Cluster: cluster}.Key(name), []byte("{"))
	s.st.Set(layout.Schedules{Cluster: cluster, Drills: true}.Key("d"), []byte("{"))
}

// Schedules whose documents are damaged have no due times any more. Those that were known stay due, an
// alert about them goes on, also on a worker that is started anew, and ends where the schedules are deleted.
func TestDamaged(t *testing.T) {
	s := simulate(t, "0 2 * * *")
	daily := contract.Schedule{Name: "d", Spec: velerov1.ScheduleSpec{Schedule: "0 9 * * *"}, Drill: &definition.Spec{Source: definition.Source{Pick: definition.PickLatest}}}
	s.changeDrills(contract.ChangeSchedulesInput{Apply: []contract.Schedule{daily}})
	s.until("2026-03-01T09:00:00Z", "Completed")
	s.drill("Completed")
	s.until("2026-03-01T09:05:00Z", "")
	s.damage()
	s.until("2026-03-02T12:00:00Z", "")
	s.startWorker()
	s.until("2026-03-03T12:00:00Z", "")
	s.change(contract.ChangeSchedulesInput{Delete: []string{name}})
	s.changeDrills(contract.ChangeSchedulesInput{Delete: []string{"d"}})
	s.until("2026-03-03T13:00:00Z", "")
	s.expect("01 09:25 LifeboatScheduleInvalid began", "02 02:25 LifeboatBackupOverdue began", "02 10:10 LifeboatScheduledDrillOverdue began",
		"03 12:05 LifeboatBackupOverdue ended", "03 12:05 LifeboatScheduleInvalid ended", "03 12:05 LifeboatScheduledDrillOverdue ended")
}

// An alert that is there when the document is damaged goes on until somebody has applied the schedule anew.
func TestDamagedWhileOverdue(t *testing.T) {
	s := simulate(t, "0 * * * *")
	s.until("2026-03-01T03:30:00Z", "Completed")
	s.until("2026-03-01T04:45:00Z", "Failed")
	s.st.Set(layout.Schedules{Cluster: s.schedules.Config.Cluster}.Key(name), []byte("{"))
	s.until("2026-03-01T06:00:00Z", "")
	s.change(contract.ChangeSchedulesInput{Apply: []contract.Schedule{{Name: name, Spec: velerov1.ScheduleSpec{Schedule: "0 * * * *"}}}})
	s.until("2026-03-01T09:00:00Z", "Completed")
	s.expect("01 04:40 LifeboatBackupOverdue began", "01 05:05 LifeboatScheduleInvalid began", "01 06:05 LifeboatBackupOverdue ended", "01 06:05 LifeboatScheduleInvalid ended")
}

// Of a schedule that was damaged before Prometheus saw it no due time is known: it counts as due then.
func TestDamagedBefore(t *testing.T) {
	s := simulate(t, "0 * * * *")
	s.damage()
	s.until("2026-03-01T03:00:00Z", "")
	s.expect("01 00:50 LifeboatScheduleInvalid began", "01 01:00 LifeboatBackupOverdue began", "01 01:45 LifeboatScheduledDrillOverdue began")
}
