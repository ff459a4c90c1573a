package manifest

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"time"

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

// zeroBounds refuses bounds of a drill that are 0: who writes that means none at all, and what is decoded
// of it is no bound.
func zeroBounds(path string, raw json.RawMessage) (problems []error) {
	var spec map[string]json.RawMessage
	if json.Unmarshal(raw, &spec) != nil {
		return nil // as the decoder of the whole has said
	}
	for _, part := range []string{"budget", "targets"} {
		var bounds map[string]any
		if json.Unmarshal(spec[part], &bounds) != nil {
			continue
		}
		for _, name := range slices.Sorted(maps.Keys(bounds)) {
			text, isText := bounds[name].(string)
			d, err := time.ParseDuration(text)
			if bounds[name] == 0.0 || isText && err == nil && d == 0 {
				problems = append(problems, fmt.Errorf("%s.%s.%s: is 0: leave it out for no bound", path, part, name))
			}
		}
	}
	return problems
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
