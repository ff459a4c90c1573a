package manifest

import (
	"fmt"
	"io"

	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/drill/definition"
	"github.com/lifeboat-backup/lifeboat/internal/drill/definition/validation"
)

// Drill reads a document of kind Drill and says all that is wrong with it. A name is not asked
// for here, but by the one who has the command line's.
func Drill(r io.Reader) (definition.Drill, error) {
	d := definition.Drill{APIVersion: definition.APIVersion, Kind: definition.Kind}
	meta, err := readManifest(r, definition.Kind, &d.Spec)
	if err != nil {
		return d, err
	}
	d.Metadata = definition.Metadata{Name: meta.Name, Labels: meta.Labels, Annotations: meta.Annotations}
	return d, validation.Spec(&d.Spec)
}

// DrillSchedules reads the documents of kind Drill of a stream as schedules, also those of lists.
// Others are passed over.
func DrillSchedules(r io.Reader) ([]contract.Schedule, error) {
	return readKind(r, definition.Kind, drillSchedule)
}

func drillSchedule(text []byte) (contract.Schedule, error) {
	doc, err := parseApplied(text, definition.Kind)
	if err != nil {
		return contract.Schedule{}, err
	}
	d := definition.Drill{APIVersion: definition.APIVersion, Kind: definition.Kind}
	d.Metadata = definition.Metadata{Name: doc.meta.Name, Labels: doc.meta.Labels, Annotations: doc.meta.Annotations}
	if err := decodeSpec("spec", doc.spec, &d.Spec); err != nil {
		return contract.Schedule{}, fmt.Errorf("drill %s: %w", d.Metadata.Name, err)
	}
	if d.Spec.Schedule == nil {
		return contract.Schedule{}, fmt.Errorf("drill %s: spec.schedule: is missing: say when it is due, such as {cron: \"@monthly\"}; 'lifeboat drill run -f' runs it once", d.Metadata.Name)
	}
	if err := validation.Drill(&d); err != nil {
		return contract.Schedule{}, fmt.Errorf("drill %s: %w", d.Metadata.Name, err)
	}
	return contract.DrillSchedule(d), nil
}
