package monitoring_test

import (
	"bytes"
	"encoding/json"
	"os"
	"testing"
	"time"

	"github.com/go-openapi/strfmt"
	"github.com/prometheus/alertmanager/alert"
	"github.com/prometheus/alertmanager/api/v2/models"
	"github.com/prometheus/common/model"
)

// forms are the bodies of notifications that internal/drill/notify is held to: the alert of a drill that
// passed, and that of one that failed, stand in it at these places.
const (
	forms               = "../../internal/drill/notify/testdata/forms.golden.json"
	formPassed, formNot = 4, 5
)

// TestDrillAlert: what a drill posts in Alertmanager's form is valid by the models of Alertmanager's own API. A
// failed drill's alert fires for months, and Alertmanager ends it by that of one that passes.
func TestDrillAlert(t *testing.T) {
	data, err := os.ReadFile(forms)
	if err != nil {
		t.Fatal(err)
	}
	var bodies []json.RawMessage
	if err := json.Unmarshal(data, &bodies); err != nil || len(bodies) <= formNot {
		t.Fatalf("%d forms: %v", len(bodies), err)
	}
	// The failed drill ended yesterday, and one passed an hour ago.
	failed, passed := postedAlert(t, bodies[formNot], 24*time.Hour), postedAlert(t, bodies[formPassed], time.Hour)
	if failed.Resolved() || failed.ResolvedAt(time.Now().Add(90*24*time.Hour)) {
		t.Errorf("a failed drill: from %s to %s", failed.StartsAt, failed.EndsAt)
	}
	if !passed.Resolved() || passed.Fingerprint() != failed.Fingerprint() {
		t.Errorf("a drill that passed has another alert, or one that fires: %s, %s", passed.Labels, failed.Labels)
	}
	if merged := failed.Merge(passed); !merged.Resolved() || merged.Name() != "LifeboatDrillFailed" {
		t.Errorf("it does not end the alert: %+v", merged)
	}
}

// postedAlert takes the body of a drill that ended some time ago as POST /api/v2/alerts does.
func postedAlert(t *testing.T, body []byte, ago time.Duration) *alert.Alert {
	t.Helper()
	var posted models.PostableAlerts
	d := json.NewDecoder(bytes.NewReader(body))
	d.DisallowUnknownFields()
	if err := d.Decode(&posted); err != nil || len(posted) != 1 {
		t.Fatalf("%d alerts: %v", len(posted), err)
	}
	if err := posted.Validate(strfmt.Default); err != nil {
		t.Error(err)
	}
	start, end := time.Time(posted[0].StartsAt), time.Time(posted[0].EndsAt)
	a := &alert.Alert{Alert: model.Alert{Labels: labelsOf(posted[0].Labels), Annotations: labelsOf(posted[0].Annotations)}}
	a.UpdatedAt = time.Now().Add(-ago)
	a.EndsAt = a.UpdatedAt.Add(max(end.Sub(start)-time.Hour, 0)) // the drills took an hour
	a.StartsAt = a.UpdatedAt.Add(-time.Hour)
	if err := a.Validate(); err != nil {
		t.Error(err)
	}
	return a
}

func labelsOf(set models.LabelSet) model.LabelSet {
	all := model.LabelSet{}
	for name, value := range set {
		all[model.LabelName(name)] = model.LabelValue(value)
	}
	return all
}
