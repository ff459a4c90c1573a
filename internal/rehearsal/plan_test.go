package rehearsal_test

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	velerov1 "github.com/vmware-tanzu/velero/pkg/apis/velero/v1"

	"github.com/lifeboat-backup/lifeboat/internal/archive/layout"
	"github.com/lifeboat-backup/lifeboat/internal/config"
	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/rehearsal/rehearsaltest"
	"github.com/lifeboat-backup/lifeboat/internal/repository"
	"github.com/lifeboat-backup/lifeboat/internal/repository/beside"
	"github.com/lifeboat-backup/lifeboat/internal/store/memstore"
)

// putAt stores a backup of a schedule, "" for none, that was complete so long ago.
func putAt(t *testing.T, st *memstore.Store, name, schedule string, ago time.Duration) {
	t.Helper()
	l := put(t, st, name, namespace("n"))
	doc, _ := st.Object(l.Metadata())
	text := strings.Replace(string(doc), `"2026-03-01T00:01:00Z"`, `"`+time.Now().Add(-ago).UTC().Format(time.RFC3339)+`"`, 1)
	if schedule != "" {
		text = strings.Replace(text, `"annotations"`, `"labels":{"velero.io/schedule-name":"`+schedule+`"},"annotations"`, 1)
	}
	st.Set(l.Metadata(), []byte(text))
}

// prove stores the result of a rehearsal of a backup.
func prove(t *testing.T, st *memstore.Store, name string) {
	t.Helper()
	err := beside.WriteRehearsal(t.Context(), st, contract.RehearsalResult{Backup: name, UID: "uid-" + name, Level: contract.LevelEqual})
	if err != nil {
		t.Fatal(err)
	}
}

// Which backups are rehearsed by themselves: new ones of this cluster of which no result is
// there, as the configuration says.
func TestPlan(t *testing.T) {
	fill := func(t *testing.T, st *memstore.Store) {
		putAt(t, st, "old", "", 25*time.Hour)
		putAt(t, st, "hourly-1", "hourly", 2*time.Hour)
		putAt(t, st, "hourly-2", "hourly", time.Hour)
		putAt(t, st, "adhoc", "", 3*time.Hour)
		putAt(t, st, "proven", "nightly", 4*time.Hour)
		prove(t, st, "proven")
		putAt(t, st, "unproven", "nightly", 3*time.Hour)
		putAt(t, st, "anew", "", 30*time.Minute) // of a name that a proven backup had
		if err := beside.WriteRehearsal(t.Context(), st, contract.RehearsalResult{Backup: "anew", UID: "before"}); err != nil {
			t.Fatal(err)
		}
		putAt(t, st, "failed", "", time.Minute)
		l := layout.Backup{Name: "failed"}
		doc, _ := st.Object(l.Metadata())
		st.Set(l.Metadata(), []byte(strings.Replace(string(doc), "Completed", "Failed", 1)))
		putAt(t, st, "velero", "", time.Minute)
		doc, _ = st.Object(layout.Backup{Name: "velero"}.Metadata())
		st.Set(layout.Backup{Name: "velero"}.Metadata(), []byte(strings.Replace(string(doc), "lifeboat-backup.github.io/uid", "other", 1)))
	}
	for after, want := range map[string][]string{
		config.RehearseAlways: {"anew", "hourly-2", "hourly-1", "adhoc", "unproven"},
		config.RehearseDaily:  {"anew", "hourly-2"},
		config.RehearseWeekly: {"anew", "hourly-2"},
		config.RehearseNever:  nil,
	} {
		st := memstore.New()
		fill(t, st)
		s := rehearsaltest.Service(st, &planes{tb: t}, func(c *config.Config) { c.Rehearsal.After = after })
		got := planned(t, s.Plan, time.Now())
		slices.Sort(got)
		slices.Sort(want)
		if !slices.Equal(got, want) {
			t.Errorf("%s: %q, want %q", after, got, want)
		}
	}
}

func planned(t *testing.T, plan func(context.Context, contract.PlanRehearsalsInput) (contract.RehearsalPlan, error), now time.Time) (names []string) {
	t.Helper()
	p, err := plan(t.Context(), contract.PlanRehearsalsInput{Now: now})
	if err != nil {
		t.Fatal(err)
	}
	for _, b := range p.Backups {
		if b.Location != "default" {
			t.Errorf("%+v", b)
		}
		names = append(names, b.Backup)
	}
	return names
}

// A schedule whose newest backup was proven is left alone for a day, or a week.
func TestPlanOfTheNextDay(t *testing.T) {
	st := memstore.New()
	putAt(t, st, "nightly-1", "nightly", 2*time.Hour)
	prove(t, st, "nightly-1")
	putAt(t, st, "nightly-2", "nightly", time.Hour)
	for after, want := range map[string]int{config.RehearseAlways: 1, config.RehearseDaily: 0, config.RehearseWeekly: 0} {
		s := rehearsaltest.Service(st, &planes{tb: t}, func(c *config.Config) { c.Rehearsal.After = after })
		if got := planned(t, s.Plan, time.Now()); len(got) != want {
			t.Errorf("%s: %q", after, got)
		}
	}
	daily := rehearsaltest.Service(st, &planes{tb: t}, func(c *config.Config) { c.Rehearsal.After = config.RehearseDaily })
	if got := planned(t, daily.Plan, time.Now().Add(22*time.Hour)); !slices.Equal(got, []string{"nightly-2"}) {
		t.Errorf("a day later: %q", got)
	}
}

// A schedule says for its own backups which are rehearsed; one that is damaged, or says what is
// not known, says nothing.
func TestPlanAsSchedulesSay(t *testing.T) {
	st := memstore.New()
	for name, says := range map[string]string{"each": config.RehearseAlways, "weekly": config.RehearseWeekly, "none": config.RehearseNever, "silent": "", "wrong": "sometimes", "damaged": config.RehearseNever} {
		d := repository.ScheduleDefinition{Cluster: "test", Schedule: contract.Schedule{Name: name}}
		if says != "" {
			d.Annotations = map[string]string{contract.AnnotationRehearse: says}
		}
		if err := d.Write(t.Context(), st); err != nil {
			t.Fatal(err)
		}
		putAt(t, st, name+"-1", name, 3*time.Hour)
		putAt(t, st, name+"-2", name, time.Hour)
	}
	st.Set(layout.Schedules{Cluster: "test"}.Key("damaged"), []byte("{"))
	prove(t, st, "weekly-1")
	prove(t, st, "none-1")
	putAt(t, st, "adhoc", "", time.Hour)
	for after, want := range map[string][]string{
		config.RehearseNever:  {"each-1", "each-2"},
		config.RehearseDaily:  {"adhoc", "damaged-2", "each-1", "each-2", "silent-2", "wrong-2"},
		config.RehearseAlways: {"adhoc", "damaged-1", "damaged-2", "each-1", "each-2", "silent-1", "silent-2", "wrong-1", "wrong-2"},
	} {
		s := rehearsaltest.Service(st, &planes{tb: t}, func(c *config.Config) { c.Rehearsal.After = after })
		got := planned(t, s.Plan, time.Now())
		slices.Sort(got)
		if !slices.Equal(got, want) {
			t.Errorf("%s: %q, want %q", after, got, want)
		}
		if got := planned(t, rehearsaltest.Service(st, nil, func(c *config.Config) { c.Rehearsal.After = after }).Plan, time.Now()); len(got) > 0 {
			t.Errorf("%s without a control plane: %q", after, got)
		}
	}
}

// Backups of other clusters, and those of locations that are not written to, are others' to
// rehearse.
func TestPlanLeavesOthersAlone(t *testing.T) {
	st := memstore.New()
	putAt(t, st, "a", "", time.Hour)
	always := func(c *config.Config) { c.Rehearsal.After = config.RehearseAlways }
	for name, edit := range map[string]func(c *config.Config){
		"another cluster": func(c *config.Config) { c.Cluster = "other" },
		"ReadOnly": func(c *config.Config) {
			c.BackupStorageLocations[0].Spec.AccessMode = velerov1.BackupStorageLocationAccessModeReadOnly
		},
	} {
		s := rehearsaltest.Service(st, &planes{tb: t}, func(c *config.Config) {
			always(c)
			edit(c)
		})
		if got := planned(t, s.Plan, time.Now()); len(got) > 0 {
			t.Errorf("%s: %q", name, got)
		}
	}
	if got := planned(t, rehearsaltest.Service(st, &planes{tb: t}, always).Plan, time.Now()); len(got) != 1 {
		t.Errorf("its own: %q", got)
	}
}
