package manifest

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"strings"

	kjson "sigs.k8s.io/json"

	"github.com/lifeboat-backup/lifeboat/internal/drill/definition"
)

// decodeSpec fills a spec, case-sensitively as the API server does, and refuses
// fields it does not have. Errors begin with the field's path.
func decodeSpec(path string, raw json.RawMessage, spec any) error {
	if len(raw) == 0 {
		return nil
	}
	raw, err := dropNullDurations(path, raw, spec)
	if err != nil {
		return err
	}
	strict, err := kjson.UnmarshalStrict(raw, spec)
	if err != nil {
		return locateField(path, raw, spec, err)
	}
	var problems []error
	for _, e := range strict {
		problems = append(problems, explainStrict(path, e, fieldsOf(reflect.TypeOf(spec).Elem())))
	}
	if _, isDrill := spec.(*definition.Spec); isDrill {
		problems = append(problems, zeroBounds(path, raw)...)
	}
	return errors.Join(problems...)
}

// locateField names the top-level field of a spec that has the wrong form: decoders of
// single fields do not know where they stand.
func locateField(path string, raw json.RawMessage, spec any, cause error) error {
	var fields map[string]json.RawMessage
	if json.Unmarshal(raw, &fields) != nil {
		return fmt.Errorf("%s: expected fields with values", path)
	}
	for name, value := range fields {
		alone, err := json.Marshal(map[string]json.RawMessage{name: value})
		if err != nil {
			continue
		}
		fresh := reflect.New(reflect.TypeOf(spec).Elem()).Interface()
		if _, err := kjson.UnmarshalStrict(alone, fresh); err != nil {
			return fmt.Errorf("%s.%s: %w", path, name, err)
		}
	}
	return fmt.Errorf("%s: %w", path, cause)
}

// explainStrict rewrites `unknown field "a.b"` and `duplicate field "a.b"`.
func explainStrict(path string, err error, known []string) error {
	quoted := regexp.MustCompile(`^(unknown|duplicate) field "(.*)"$`)
	match := quoted.FindStringSubmatch(err.Error())
	if match == nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	if match[1] == "duplicate" {
		return fmt.Errorf("%s.%s: given twice", path, match[2])
	}
	if strings.ContainsAny(match[2], ".[") {
		known = nil // only the names of the spec itself are at hand
	}
	return fmt.Errorf("%s.%w", path, unknownFieldError(match[2], known))
}

// unknownFieldError suggests the field that was probably meant.
func unknownFieldError(field string, known []string) error {
	if guess := NearestName(field, known); guess != "" {
		return fmt.Errorf("%s: unknown field; did you mean %s?", field, guess)
	}
	return fmt.Errorf("%s: unknown field", field)
}

// fieldsOf lists the JSON names of a struct's fields.
func fieldsOf(t reflect.Type) []string {
	var names []string
	for field := range structFields(t) {
		name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
		if name != "" && name != "-" {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// structFields iterates over the fields of a struct type.
func structFields(t reflect.Type) func(yield func(reflect.StructField) bool) {
	return func(yield func(reflect.StructField) bool) {
		for i := range t.NumField() {
			if !yield(t.Field(i)) {
				return
			}
		}
	}
}

// NearestName is the known name that a slip of at most three letters turns into name
// (includeNamespaces, the flag's spelling, for includedNamespaces), or "".
func NearestName(name string, known []string) string {
	const longest = 60 // no field of Velero's is longer; foreign input may be
	if len(name) > longest {
		return ""
	}
	best, distance := "", 4
	for _, k := range known {
		if d := editDistance(strings.ToLower(name), strings.ToLower(k)); d < distance && 2*d <= len(name) {
			best, distance = k, d
		}
	}
	return best
}

// editDistance is the Levenshtein distance of two short words.
func editDistance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = min(cost, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
