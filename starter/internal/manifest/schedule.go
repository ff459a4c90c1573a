package manifest

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	velerov1 "github.com/vmware-tanzu/velero/pkg/apis/velero/v1"
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
	return s, checkZeroTTL(s.Name, doc.spec)
}

// checkZeroTTL refuses a ttl of 0, which with Velero is the server's default, so that nobody
// takes it for "never". What Velero's own program writes where nobody says a ttl is taken as
// that.
func checkZeroTTL(name string, spec json.RawMessage) error {
	var given struct {
		Template struct {
			TTL string `json:"ttl"`
		} `json:"template"`
	}
	unset := velerov1.BackupSpec{}.TTL.Duration.String() // "0s"
	if json.Unmarshal(spec, &given) != nil || given.Template.TTL == unset || strings.Trim(given.Template.TTL, "0hms.") != "" || given.Template.TTL == "" {
		return nil //nolint:nilerr // what cannot be read is refused by who reads it
	}
	return fmt.Errorf("schedule %s: spec.template.ttl: 0 would be the worker's default, as with Velero: leave the field out for that, or say how long, such as 87600h", name)
}
