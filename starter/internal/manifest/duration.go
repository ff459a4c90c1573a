package manifest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"time"

	velerov1 "github.com/vmware-tanzu/velero/pkg/apis/velero/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// dropNullDurations gives a spec without the durations that are null, which are as if they were not
// given, and refuses what is none: the decoder of a duration knows neither its place nor its remedy.
func dropNullDurations(path string, raw json.RawMessage, spec any) (json.RawMessage, error) {
	decoder := json.NewDecoder(bytes.NewReader(raw))
	decoder.UseNumber()
	var tree any
	if err := decoder.Decode(&tree); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	dropped, err := readDurations(path, tree, reflect.TypeOf(spec))
	if err != nil || !dropped {
		return raw, err
	}
	return json.Marshal(tree)
}

// readDurations checks the durations in a value that is to become one of a type, and removes those
// that are null.
func readDurations(path string, value any, t reflect.Type) (dropped bool, err error) {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	var errs []error
	switch v := value.(type) {
	case map[string]any:
		if t.Kind() != reflect.Struct {
			return false, nil
		}
		for field := range structFields(t) {
			some, err := readDurationField(path, v, field)
			dropped, errs = dropped || some, append(errs, err)
		}
	case []any:
		if t.Kind() != reflect.Slice {
			return false, nil
		}
		for i, item := range v {
			some, err := readDurations(path+"["+strconv.Itoa(i)+"]", item, t.Elem())
			dropped, errs = dropped || some, append(errs, err)
		}
	}
	return dropped, errors.Join(errs...)
}

func readDurationField(path string, fields map[string]any, field reflect.StructField) (dropped bool, err error) {
	name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
	if name == "" && field.Anonymous {
		return readDurations(path, fields, field.Type)
	}
	value, given := fields[name]
	isDuration := field.Type == reflect.TypeFor[metav1.Duration]() || field.Type == reflect.TypeFor[*metav1.Duration]()
	switch {
	case !given:
		return false, nil
	case !isDuration:
		return readDurations(path+"."+name, value, field.Type)
	case value == nil:
		delete(fields, name)
		return true, nil
	}
	if err := checkDuration(value, name == "ttl"); err != nil {
		return false, fmt.Errorf("%s.%s: %w", path, name, err)
	}
	return false, nil
}

// durationRemedy says how durations are written.
const durationRemedy = "; write durations like 72h, 90m or 10m30s (a day is 24h)"

// checkDuration refuses what is no duration. A ttl of 0 is the server's default with Velero, and is
// refused, so that nobody takes it for "never"; what Velero's own program writes where nobody says a
// ttl is taken as that.
func checkDuration(value any, ttl bool) error {
	text, isText := value.(string)
	number, isNumber := value.(json.Number)
	d, err := time.ParseDuration(text)
	if isNumber {
		if f, parseErr := number.Float64(); parseErr == nil && f == 0 {
			isText, err, text = true, nil, "0"
		}
	}
	unset := velerov1.BackupSpec{}.TTL.Duration.String() // "0s"
	switch {
	case isNumber && !isText:
		return fmt.Errorf("%s has no unit%s", number, durationRemedy)
	case !isText:
		shown, _ := json.Marshal(value) // it came out of JSON
		return fmt.Errorf("%s is no duration%s", shortText(shown), durationRemedy)
	case text == "":
		return errors.New("is empty" + durationRemedy)
	case err != nil:
		return fmt.Errorf("%w%s", err, durationRemedy)
	case ttl && d == 0 && text != unset:
		return errors.New("0 would be the worker's default, as with Velero: leave the field out for that, or say how long, such as 87600h")
	case isNumber:
		return errors.New("0 has no unit: write 0s" + durationRemedy)
	}
	return nil
}
