package schedule

import (
	"encoding/json"
	"fmt"

	velerov1 "github.com/vmware-tanzu/velero/pkg/apis/velero/v1"

	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/repository"
	"github.com/lifeboat-backup/lifeboat/internal/resource/compare"
)

// mostDifferences bounds how many fields a refusal names.
const mostDifferences = 5

// differences are the fields in which a document says something else than what is stored, nil where
// it says the same. A printed document tells a pause by hand as its own.
func differences(stored *repository.ScheduleDefinition, d *contract.Schedule) (all []string) {
	there, here := stored.Schedule, *d
	if there.From, here.From = "", ""; stored.PausedByHand {
		here.Spec.Paused = there.Spec.Paused
	}
	if equalSchedules(&there, &here) {
		return nil
	}
	for _, row := range compare.Diff("schedules", fieldsOf(&there), fieldsOf(&here), nil) {
		if len(all) == mostDifferences {
			return append(all, "and more")
		}
		all = append(all, fmt.Sprintf("%s is %s there and %s here", row.Path, valueText(row.Backup), valueText(row.Live)))
	}
	return all
}

// fieldsOf are the fields of a schedule as its document names them.
func fieldsOf(s *contract.Schedule) (fields map[string]any) {
	var document any
	if s.Drill != nil {
		document = s.DrillDocument()
	} else {
		doc := velerov1.Schedule{Spec: s.Spec}
		doc.Name, doc.Labels, doc.Annotations = s.Name, s.Labels, s.Annotations
		document = doc
	}
	text, err := json.Marshal(document)
	if err != nil || json.Unmarshal(text, &fields) != nil {
		return map[string]any{} // no document of these types fails
	}
	return fields
}

func valueText(v any) string {
	text, err := json.Marshal(v)
	if v == nil || err != nil {
		return "not given"
	}
	return string(text)
}
