package monitoring

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/garbage"
	"github.com/lifeboat-backup/lifeboat/internal/schedule"
)

// state is what is shown.
type state struct {
	stored    stored
	schedules []schedule.Measure // of backups
	drills    []schedule.Measure // schedules of drills
	orphans   map[orphanKind]int64
	expired   map[string]int64 // that stay, by their cause
	read      time.Time        // when schedules and backups were read last
}

// orphanKind is what an orphan is, and what becomes of it.
type orphanKind struct{ kind, fate string }

// Fates of orphans.
const (
	fateKept    = "kept"
	fateRemoved = "to be removed"
)

// countOrphans counts the rows of a plan: of a kind at most as many as a plan has.
func countOrphans(plan contract.OrphanPlan) map[orphanKind]int64 {
	counts := map[orphanKind]int64{}
	for _, kind := range []string{contract.OrphanSnapshot, contract.OrphanVolume, contract.OrphanRun, contract.OrphanDirectory, contract.OrphanUpload, contract.OrphanContent, contract.OrphanVolumeSnapshot, contract.OrphanDrill, contract.OrphanLocation} {
		counts[orphanKind{kind, fateKept}] = 0
		counts[orphanKind{kind, fateRemoved}] = 0
	}
	for _, o := range plan.Keep {
		counts[orphanKind{o.Kind, fateKept}]++
	}
	for _, o := range plan.Remove {
		counts[orphanKind{o.Kind, fateRemoved}]++
	}
	return counts
}

// countExpired counts the expired backups that stay: at most as many as a plan has, of which the
// rest is told without their causes.
func countExpired(plan contract.GarbagePlan) map[string]int64 {
	counts := map[string]int64{causeUntold: int64(plan.MoreKeep)}
	for _, cause := range garbage.Causes() {
		counts[cause] = 0
	}
	for _, row := range plan.Keep {
		counts[row.Cause]++
	}
	return counts
}

// causeUntold is of those that a plan has no room for.
const causeUntold = "untold"

// gauge is an instrument, and what it shows of a state.
type gauge struct {
	name, unit, text string
	show             func(s *state, see func(float64, ...attribute.KeyValue))
}

// unix is a time as a gauge has it.
func unix(t time.Time) float64 { return float64(t.Unix()) }

func named(key, value string) attribute.KeyValue { return attribute.String(key, value) }

// gauges are all of them; docs/METRICS.md explains each.
func gauges() []gauge {
	backups := scheduleGauges("lifeboat.schedule.", "last_success_timestamp", "a backup that is Completed", func(s *state) []schedule.Measure { return s.schedules })
	drills := scheduleGauges("lifeboat.drill_schedule.", "last_passed_timestamp", "a drill that has passed", func(s *state) []schedule.Measure { return s.drills })
	return slices.Concat(backups, drills, storedGauges())
}

// scheduleGauges are those of the schedules of one kind.
func scheduleGauges(prefix, last, good string, of func(*state) []schedule.Measure) []gauge {
	each := func(show func(m schedule.Measure, see func(float64, ...attribute.KeyValue))) func(*state, func(float64, ...attribute.KeyValue)) {
		return func(s *state, see func(float64, ...attribute.KeyValue)) {
			for _, m := range of(s) {
				show(m, func(v float64, more ...attribute.KeyValue) {
					see(v, append([]attribute.KeyValue{named("schedule", m.Name)}, more...)...)
				})
			}
		}
	}
	return []gauge{
		{prefix + "valid", "{schedule}", "Whether the worker can carry a schedule out, 1 or 0.", each(func(m schedule.Measure, see func(float64, ...attribute.KeyValue)) {
			see(oneIf(m.Valid))
		})},
		{prefix + "next_due", "s", "Unix time of the first due time of a schedule without " + good + ".", each(func(m schedule.Measure, see func(float64, ...attribute.KeyValue)) {
			if !m.NextDue.IsZero() {
				see(unix(m.NextDue))
			}
		})},
		{prefix + "expected_interval", "s", "Time from that due time to the one after it.", each(func(m schedule.Measure, see func(float64, ...attribute.KeyValue)) {
			if !m.NextDue.IsZero() {
				see(m.Interval.Seconds())
			}
		})},
		{prefix + last, "s", "Unix time at which the last run of a schedule began with " + good + ".", each(func(m schedule.Measure, see func(float64, ...attribute.KeyValue)) {
			if !m.LastSuccess.IsZero() {
				see(unix(m.LastSuccess))
			}
		})},
		{prefix + "due_times", "{run}", "Due times of a schedule by what became of them, since it was created.", each(func(m schedule.Measure, see func(float64, ...attribute.KeyValue)) {
			for _, outcome := range []string{contract.SlotRunning, contract.SlotRan, contract.SlotFailed, contract.SlotSkipped, contract.SlotMissed, contract.SlotPaused} {
				see(float64(m.Counts[outcome]), named("outcome", outcome))
			}
		})},
	}
}

func oneIf(is bool) float64 {
	if is {
		return 1
	}
	return 0
}

func storedGauges() []gauge {
	return []gauge{
		{"lifeboat.backup.last_success_timestamp", "s", "Unix time at which the last good backup that is stored began, by schedule; of none without one.", showLast(func(b lastBackup) (float64, bool) { return unix(b.started), true })},
		{"lifeboat.backup.last_duration", "s", "How long the last good backup took.", showLast(func(b lastBackup) (float64, bool) {
			return b.completed.Sub(b.started).Seconds(), !b.completed.IsZero()
		})},
		{"lifeboat.backup.last_objects", "{object}", "Objects of the last good backup.", showLast(func(b lastBackup) (float64, bool) { return float64(b.objects), true })},
		{"lifeboat.backup.last_volumes", "{volume}", "Volumes with a snapshot in the last good backup.", showLast(func(b lastBackup) (float64, bool) { return float64(b.volumes), true })},
		{"lifeboat.backups.stored", "{backup}", "Backups of the cluster that a storage location has, by phase.", showStored(func(l *location, see func(float64, ...attribute.KeyValue)) {
			for phase, n := range l.phases {
				see(float64(n), named("phase", phase))
			}
		})},
		{"lifeboat.location.available", "{location}", "Whether a storage location could be read, 1 or 0.", showStored(func(l *location, see func(float64, ...attribute.KeyValue)) {
			see(oneIf(l.reached))
		})},
		{"lifeboat.verification.last_timestamp", "s", "Unix time at which a stored backup was read back last.", showStored(func(l *location, see func(float64, ...attribute.KeyValue)) {
			if !l.verified.IsZero() {
				see(unix(l.verified))
			}
		})},
		{"lifeboat.rehearsal.last_timestamp", "s", "Unix time of the last rehearsal, by the level that it has proven.", showStored(func(l *location, see func(float64, ...attribute.KeyValue)) {
			for level, at := range l.proven {
				if level != "" {
					see(unix(at), named("level", level))
				}
			}
		})},
		{"lifeboat.restore.last_timestamp", "s", "Unix time at which the last restore that is Completed began.", showStored(func(l *location, see func(float64, ...attribute.KeyValue)) {
			if !l.restore.started.IsZero() {
				see(unix(l.restore.started))
			}
		})},
		{"lifeboat.restore.last_duration", "s", "How long that restore took: the recovery time that was measured last.", showStored(func(l *location, see func(float64, ...attribute.KeyValue)) {
			if !l.restore.started.IsZero() {
				see(l.restore.completed.Sub(l.restore.started).Seconds())
			}
		})},
		{"lifeboat.drill.last_passed_timestamp", "s", "Unix time at which the last restore drill that has passed was asked for.", showStored(func(l *location, see func(float64, ...attribute.KeyValue)) {
			if !l.drill.asked.IsZero() {
				see(unix(l.drill.asked))
			}
		})},
		{"lifeboat.drill.last_recovery_time", "s", "How long that drill took until all was proven: its RTO.", showStored(func(l *location, see func(float64, ...attribute.KeyValue)) {
			if l.drill.rto > 0 {
				see(l.drill.rto.Seconds())
			}
		})},
		{"lifeboat.orphans", "{thing}", "What nothing names any more, by kind and by what becomes of it; 200 of each fate at most are counted.", func(s *state, see func(float64, ...attribute.KeyValue)) {
			for k, n := range s.orphans {
				see(float64(n), named("kind", k.kind), named("fate", k.fate))
			}
		}},
		{"lifeboat.expired.backups", "{backup}", "Backups whose time is over and that stay, by the cause.", func(s *state, see func(float64, ...attribute.KeyValue)) {
			for cause, n := range s.expired {
				see(float64(n), named("cause", cause))
			}
		}},
		{"lifeboat.state.read_timestamp", "s", "Unix time at which these gauges were read out of the bucket.", func(s *state, see func(float64, ...attribute.KeyValue)) {
			see(unix(s.read))
		}},
	}
}

func showStored(show func(*location, func(float64, ...attribute.KeyValue))) func(*state, func(float64, ...attribute.KeyValue)) {
	return func(s *state, see func(float64, ...attribute.KeyValue)) {
		for name, l := range s.stored {
			show(l, func(v float64, more ...attribute.KeyValue) {
				see(v, append([]attribute.KeyValue{named("location", name)}, more...)...)
			})
		}
	}
}

// showLast shows the last good backup of each schedule that runs, whatever its location, and
// of those that no schedule has made. Schedules that are gone or paused have no series.
func showLast(value func(lastBackup) (float64, bool)) func(*state, func(float64, ...attribute.KeyValue)) {
	return func(s *state, see func(float64, ...attribute.KeyValue)) {
		names := []string{""}
		for _, m := range s.schedules {
			names = append(names, m.Name)
		}
		for _, name := range names {
			var last lastBackup
			for _, l := range s.stored {
				if b := l.last[name]; b.started.After(last.started) {
					last = b
				}
			}
			if v, ok := value(last); ok && !last.started.IsZero() {
				see(v, named("schedule", name))
			}
		}
	}
}

// register makes the instruments. They show what current gives, and nothing where it gives nil.
func register(m metric.Meter, current func() *state) error {
	var errs []error
	for _, g := range gauges() {
		_, err := m.Float64ObservableGauge(g.name, metric.WithUnit(g.unit), metric.WithDescription(g.text),
			metric.WithFloat64Callback(func(_ context.Context, o metric.Float64Observer) error {
				if s := current(); s != nil {
					g.show(s, func(v float64, labels ...attribute.KeyValue) { o.Observe(v, metric.WithAttributes(labels...)) })
				}
				return nil
			}))
		errs = append(errs, err)
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("metrics: %w", err)
	}
	return nil
}
