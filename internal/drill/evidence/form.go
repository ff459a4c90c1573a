package evidence

import (
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"
)

var (
	digestPattern = regexp.MustCompile(digestForm)
	momentPattern = regexp.MustCompile(momentForm)
)

const (
	digestForm = `^[0-9a-f]{64}$`
	momentForm = `^[12][0-9]{3}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])T([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]\.[0-9]{3}Z$`
)

// checkForm holds every field of v against what the schema says of its type. path is v's. What
// may be left out may be empty, all else has a value.
func checkForm(path string, v reflect.Value) error {
	switch v.Kind() {
	case reflect.Struct:
		return checkFields(path, v)
	case reflect.Pointer:
		return checkForm(path, v.Elem())
	case reflect.Slice:
		for i := range v.Len() {
			if err := checkForm(fmt.Sprintf("%s[%d]", path, i), v.Index(i)); err != nil {
				return err
			}
		}
		return nil
	case reflect.Int64:
		if n := v.Int(); n < 0 || n > maxNumber {
			return fmt.Errorf("%s: %d is not between 0 and 2^53-1", path, n)
		}
		return nil
	case reflect.String:
		return checkText(path, v)
	default:
		return nil
	}
}

func checkFields(path string, v reflect.Value) error {
	for i := range v.NumField() {
		name, optional := fieldName(v.Type().Field(i))
		if optional && v.Field(i).IsZero() {
			continue
		}
		if err := checkForm(strings.TrimPrefix(path+"."+name, "."), v.Field(i)); err != nil {
			return err
		}
	}
	return nil
}

// fieldName is the name of a field in JSON, and whether it may be left out.
func fieldName(f reflect.StructField) (name string, optional bool) {
	name, options, _ := strings.Cut(f.Tag.Get("json"), ",")
	return name, options == "omitempty"
}

func checkText(path string, v reflect.Value) error {
	text := v.String()
	if !utf8.ValidString(text) {
		return fmt.Errorf("%s: is not UTF-8; see Text", path)
	}
	switch value := v.Interface().(type) {
	case enumerated:
		if !slices.Contains(value.values(), text) {
			return fmt.Errorf("%s: %q is not one of %s", path, text, strings.Join(value.values(), ", "))
		}
	case Digest:
		if !digestPattern.MatchString(text) {
			return fmt.Errorf("%s: %q is no SHA-256 in lower-case hexadecimal digits", path, text)
		}
	case Moment:
		if value.Time().IsZero() || !momentPattern.MatchString(text) {
			return fmt.Errorf("%s: %q is no time of the form 2026-01-02T15:04:05.000Z", path, text)
		}
	default:
		if text == "" {
			return fmt.Errorf("%s: is empty", path)
		}
	}
	return nil
}

// maxTextBytes is how much of a command's output evidence keeps.
const maxTextBytes = 4 << 10

// Text makes a field of what a command or a server answered: UTF-8, and of a bounded length.
func Text(s string) string {
	if len(s) > maxTextBytes {
		s = s[:maxTextBytes]
	}
	return strings.ToValidUTF8(s, "\uFFFD")
}
