package contract

import (
	"maps"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/lifeboat-backup/lifeboat/internal/drill/definition"
)

// DrillSchedule is the definition of a schedule by the document of a drill: the document's
// schedule says when, and the rest of it what. One without a schedule is never due.
func DrillSchedule(d definition.Drill) Schedule {
	s := Schedule{Name: d.Metadata.Name, Labels: d.Metadata.Labels, Annotations: maps.Clone(d.Metadata.Annotations)}
	spec := d.Spec
	if when := spec.Schedule; when != nil {
		s.Spec.Schedule, s.Spec.Paused = when.Cron, when.Paused
		s.annotate(AnnotationZone, when.TimeZone)
		s.annotate(AnnotationCatchUp, durationText(when.CatchUpWindow))
		s.annotate(AnnotationJitter, durationText(when.Jitter))
	}
	spec.Schedule, s.Drill = nil, &spec
	return s
}

func (s *Schedule) annotate(key, value string) {
	if value == "" {
		return
	}
	if s.Annotations == nil {
		s.Annotations = map[string]string{}
	}
	s.Annotations[key] = value
}

func durationText(d metav1.Duration) string {
	if d.Duration == 0 {
		return ""
	}
	return d.Duration.String()
}

// DrillDocument is the document that DrillSchedule reads as s. What cannot be read of a duration,
// which no definition has that was checked, is left out.
func (s *Schedule) DrillDocument() definition.Drill {
	d := definition.Drill{APIVersion: definition.APIVersion, Kind: definition.Kind}
	if s.Drill != nil {
		d.Spec = *s.Drill
	}
	d.Metadata = definition.Metadata{Name: s.Name, Labels: s.Labels, Annotations: maps.Clone(s.Annotations)}
	for _, key := range []string{AnnotationZone, AnnotationCatchUp, AnnotationJitter} {
		delete(d.Metadata.Annotations, key)
	}
	if len(d.Metadata.Annotations) == 0 {
		d.Metadata.Annotations = nil
	}
	d.Spec.Schedule = &definition.Schedule{
		Cron: s.Spec.Schedule, Paused: s.Spec.Paused, TimeZone: s.Annotations[AnnotationZone],
		CatchUpWindow: parseText(s.Annotations[AnnotationCatchUp]), Jitter: parseText(s.Annotations[AnnotationJitter]),
	}
	return d
}

func parseText(text string) metav1.Duration {
	d, err := time.ParseDuration(text)
	if err != nil {
		return metav1.Duration{}
	}
	return metav1.Duration{Duration: d}
}
