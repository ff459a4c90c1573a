package schedule_test

import (
	"strings"
	"testing"
	"time"

	velerov1 "github.com/vmware-tanzu/velero/pkg/apis/velero/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/lifeboat-backup/lifeboat/internal/config"
	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/failure"
)

// TestRefused: what is wrong is told at apply, with the field, and nothing is stored.
func TestRefused(t *testing.T) {
	template := func(change func(*velerov1.BackupSpec)) func(*contract.Schedule) {
		return func(s *contract.Schedule) { change(&s.Spec.Template) }
	}
	for name, c := range map[string]struct {
		in   contract.Schedule
		want string
	}{
		"no cron":          {daily("a", cron("")), "spec.schedule: is empty: write a cron string"},
		"cron":             {daily("a", cron("0 25 * * *")), "spec.schedule: cron"},
		"zone":             {daily("a", annotated(contract.AnnotationZone, "Europe/Atlantis")), "metadata.annotations[lifeboat-backup.github.io/time-zone]: "},
		"zone of the cron": {daily("a", cron("CRON_TZ=Mars/Base 0 2 * * *")), "spec.schedule: "},
		"every in a zone":  {daily("a", cron("@every 24h"), annotated(contract.AnnotationZone, "Europe/Berlin")), "time-zone]: "},
		"overlap":          {daily("a", annotated(contract.AnnotationOverlap, "allow")), `overlap]: "allow" is neither skip nor bufferOne`},
		"catch-up":         {daily("a", annotated(contract.AnnotationCatchUp, "1s")), "catch-up-window]: 1s is less than 10s"},
		"jitter":           {daily("a", annotated(contract.AnnotationJitter, "1d")), `jitter]: "1d" is not a duration`},
		"much jitter":      {daily("a", cron("@hourly"), annotated(contract.AnnotationJitter, "2h")), "is not shorter than the time between two runs"},
		"rehearse":         {daily("a", annotated(contract.AnnotationRehearse, "hourly")), `rehearse]: "hourly" is none of always, daily, weekly, never`},
		"annotation":       {daily("a", annotated(contract.AnnotationPrefix+"zone", "UTC")), "is not known: a schedule has"},
		"long name":        {daily(strings.Repeat("a", 49)), "metadata.name: \"aaa"},
		"bad name":         {daily("A"), "metadata.name: "},
		"location":         {daily("a", template(func(b *velerov1.BackupSpec) { b.StorageLocation = "west" })), "spec.template.storageLocation: unknown storage location"},
		"snapshots":        {daily("a", template(func(b *velerov1.BackupSpec) { b.VolumeSnapshotLocations = []string{"west"} })), "spec.template.volumeSnapshotLocations[0]: the worker's configuration has no"},
		"ttl":              {daily("a", template(func(b *velerov1.BackupSpec) { b.TTL.Duration = -time.Hour })), "spec.template.ttl: is negative"},
		"selectors": {daily("a", template(func(b *velerov1.BackupSpec) {
			b.LabelSelector = &metav1.LabelSelector{MatchLabels: map[string]string{"a": "b"}}
			b.OrLabelSelectors = []*metav1.LabelSelector{b.LabelSelector}
		})), "spec.template.orLabelSelectors: cannot be used together"},
		"selector": {daily("a", template(func(b *velerov1.BackupSpec) {
			b.LabelSelector = &metav1.LabelSelector{MatchExpressions: []metav1.LabelSelectorRequirement{{Key: "a", Operator: "Near"}}}
		})), "spec.template.labelSelector: is not a label selector"},
		"labels":            {daily("a", func(s *contract.Schedule) { s.Labels = map[string]string{"a b": "c"} }), "metadata.labels[a b]"},
		"template's labels": {daily("a", template(func(b *velerov1.BackupSpec) { b.Metadata.Labels = map[string]string{"a b": "c"} })), "spec.template.metadata.labels[a b]"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			_, err := w.Change(t.Context(), contract.ChangeSchedulesInput{Apply: []contract.Schedule{daily("good"), c.in}})
			if failure.TypeOf(err) != contract.ErrTypeInvalid || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %s", err, c.want)
			}
			if all, err := w.Status(t.Context(), ""); len(all) != 0 || err != nil || len(w.temporal.schedules) != 0 {
				t.Errorf("%v %v %v", all, err, w.temporal.schedules)
			}
		})
	}
}

// TestAccepted: what users of Velero have.
func TestAccepted(t *testing.T) {
	yes := true
	for name, in := range map[string]contract.Schedule{
		"macro":        daily("a", cron("@daily")),
		"every":        daily("a", cron("@every 1h")),
		"zone":         daily("a", cron("CRON_TZ=Europe/Berlin 0 2 * * *")),
		"annotations":  daily("a", annotated(contract.AnnotationZone, "Asia/Tokyo"), annotated(contract.AnnotationOverlap, "bufferOne"), annotated(contract.AnnotationCatchUp, "2h"), annotated(contract.AnnotationJitter, "5m"), annotated("example.com/a", "b")),
		"longest name": daily(strings.Repeat("a", 48)),
		"owner":        daily("a", func(s *contract.Schedule) { s.Spec.UseOwnerReferencesInBackup, s.Spec.SkipImmediately = &yes, &yes }),
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			res, err := w.Change(t.Context(), contract.ChangeSchedulesInput{Apply: []contract.Schedule{in}})
			if err != nil {
				t.Fatal(err)
			}
			if warned := len(res.Changes[0].Warnings) == 1; warned != (name == "owner") || res.Changes[0].Next == nil {
				t.Errorf("%+v", res.Changes[0])
			}
		})
	}
}

// TestRehearse: what a schedule says of its rehearsals holds, and that it cannot be had is told.
func TestRehearse(t *testing.T) {
	w := newWorld(t)
	w.Config.Rehearsal.After = config.RehearseNever
	in := contract.ChangeSchedulesInput{Apply: []contract.Schedule{daily("a", annotated(contract.AnnotationRehearse, config.RehearseWeekly)), daily("b")}}
	res, err := w.Change(t.Context(), in)
	if err != nil || len(res.Changes[0].Warnings) != 1 || !strings.Contains(res.Changes[0].Warnings[0], "rehearsal.apiServer") || len(res.Changes[1].Warnings) > 0 {
		t.Errorf("%+v %v", res, err)
	}
	w.Config.Rehearsal.APIServer, w.Config.Rehearsal.After = "/bin/kube-apiserver", config.RehearseDaily
	a, b := w.status("a"), w.status("b")
	if len(a.Warnings) > 0 || a.Rehearse != config.RehearseWeekly || b.Rehearse != config.RehearseDaily {
		t.Errorf("%+v %+v", a, b)
	}
}

// TestInvalidLater: a definition whose location has gone since is shown with the field, and
// keeps no other.
func TestInvalidLater(t *testing.T) {
	w := newWorld(t)
	all := &w.Config.BackupStorageLocations
	west := *(*all)[0].DeepCopy()
	west.Name, west.Spec.Default = "west", false
	*all = append(*all, west)
	w.apply(daily("a"), daily("b", func(s *contract.Schedule) { s.Spec.Template.StorageLocation = "west" }))
	*all = (*all)[:1]
	a, b := w.status("a"), w.status("b")
	if a.Phase != contract.ScheduleEnabled || b.Phase != contract.ScheduleInvalid || !strings.Contains(b.Message, "spec.template.storageLocation") {
		t.Errorf("%+v %+v", a, b)
	}
	w.ensure()
}
