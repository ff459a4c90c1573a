package manifest

import (
	"io"

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
