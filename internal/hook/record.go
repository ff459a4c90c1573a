package hook

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"k8s.io/apimachinery/pkg/util/validation"
)

// AnnotationRecord of a pod names the value that its last pre hook prints: it is recorded with
// the backup, so that a drill can compare it with what is found in a restored copy.
const AnnotationRecord = "lifeboat-backup.github.io/record"

// AnnotationRecorded of a Backup document has the values that were recorded.
const AnnotationRecorded = "lifeboat-backup.github.io/recorded"

const (
	// MaxRecordedBytes bounds one value, and maxRecorded their number: all annotations of a
	// document have at most 256 KiB, or Velero could not show the backup.
	MaxRecordedBytes = 256
	maxRecorded      = 400
)

// Recorded is a value that was recorded with a backup.
type Recorded struct {
	Value string    `json:"value"`
	At    time.Time `json:"at"`
}

// NewRecorded makes a value of what a hook printed; line ends at its end do not count.
func NewRecorded(printed []byte, at time.Time) (Recorded, error) {
	text := strings.TrimRight(string(printed), "\r\n")
	switch {
	case len(text) > MaxRecordedBytes:
		return Recorded{}, fmt.Errorf("printed more than %d bytes: let it print the value to record only", MaxRecordedBytes)
	case !utf8.ValidString(text):
		return Recorded{}, fmt.Errorf("printed what is no text")
	}
	return Recorded{Value: text, At: at.UTC().Truncate(time.Millisecond)}, nil
}

// RecordedName is the name under which the output of a pod's last pre hook is recorded, ""
// if it is not.
func RecordedName(annotations map[string]string) (string, error) {
	name := annotations[AnnotationRecord]
	if bad := validation.IsDNS1123Label(name); name != "" && len(bad) > 0 {
		return "", fmt.Errorf("metadata.annotations[%s] is no name: %s", AnnotationRecord, bad[0])
	}
	return name, nil
}

// EncodeRecorded writes values for the Backup document, the first 400 by name; "" if there are none.
func EncodeRecorded(values map[string]Recorded) string {
	if len(values) == 0 {
		return ""
	}
	kept := map[string]Recorded{}
	for _, name := range slices.Sorted(maps.Keys(values)) {
		if len(kept) < maxRecorded {
			kept[name] = values[name]
		}
	}
	text, err := json.Marshal(kept)
	if err != nil {
		return ""
	}
	return string(text)
}

// ReadRecorded reads the values of a Backup document, by namespace/name.
func ReadRecorded(annotations map[string]string) (map[string]Recorded, error) {
	text := annotations[AnnotationRecorded]
	if text == "" {
		return nil, nil
	}
	var values map[string]Recorded
	if err := json.Unmarshal([]byte(text), &values); err != nil {
		return nil, fmt.Errorf("annotation %s: is damaged", AnnotationRecorded)
	}
	for name, v := range values {
		if len(v.Value) > MaxRecordedBytes || !utf8.ValidString(v.Value) {
			return nil, fmt.Errorf("annotation %s: value of %.100q is damaged", AnnotationRecorded, name)
		}
	}
	return values, nil
}
