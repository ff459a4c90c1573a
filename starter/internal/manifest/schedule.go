package manifest

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"sigs.k8s.io/yaml"

	"github.com/lifeboat-backup/lifeboat/internal/contract"
)

const scheduleKind = "Schedule"

// Schedules reads the documents of kind Schedule of a stream, also those of lists. Others are
// passed over: users of Velero keep a schedule beside its ConfigMaps.
func Schedules(r io.Reader) ([]contract.Schedule, error) {
	return readKind(r, scheduleKind, schedule)
}

// readKind reads the documents of a kind of a stream, also those of lists.
func readKind(r io.Reader, kind string, read func(text []byte) (contract.Schedule, error)) ([]contract.Schedule, error) {
	documents, err := splitDocuments(r)
	if err != nil {
		return nil, err
	}
	var all []contract.Schedule
	for _, text := range documents {
		items, err := itemsOf(text, kind)
		if err != nil {
			return nil, err
		}
		for _, item := range items {
			s, err := read(item)
			if err != nil {
				return nil, err
			}
			all = append(all, s)
		}
	}
	if len(all) == 0 {
		return nil, fmt.Errorf("%w of kind %s of %s", ErrNoDocument, kind, versionOf(kind))
	}
	return all, nil
}

// ErrForeign says that a document is none of Kubernetes at all.
var ErrForeign = errors.New("not a Velero document, nor one of Lifeboat's: expected apiVersion, kind, metadata and spec at the top")

// itemsOf are the documents of a kind in a document: itself, or what it lists. A document of the
// same kind in another API group is another kind.
func itemsOf(text []byte, kind string) ([][]byte, error) {
	switch of := kindOf(text); {
	case isOfKind(text, kind):
		return [][]byte{text}, nil
	case of == kind+"List" || of == "List":
	case of == "":
		return nil, explainNoKind(text)
	default:
		return nil, nil
	}
	var list struct {
		Items []json.RawMessage `json:"items"`
	}
	if err := yaml.Unmarshal(text, &list); err != nil {
		return nil, fmt.Errorf("parse YAML: %w", err)
	}
	var items [][]byte
	for _, item := range list.Items {
		if isOfKind(item, kind) {
			items = append(items, item)
		}
	}
	return items, nil
}

func schedule(text []byte) (contract.Schedule, error) {
	doc, err := parseApplied(text, scheduleKind)
	if err != nil {
		return contract.Schedule{}, err
	}
	s := contract.Schedule{Name: doc.meta.Name, Labels: doc.meta.Labels, Annotations: doc.meta.Annotations}
	if s.Name == "" {
		return s, errors.New("metadata.name: a schedule needs a name")
	}
	if err := decodeSpec("spec", doc.spec, &s.Spec); err != nil {
		return s, fmt.Errorf("schedule %s: %w", s.Name, err)
	}
	return s, nil
}
