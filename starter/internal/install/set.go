package install

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
)

// SetValue sets values by their paths, as Helm's --set does with plain fields:
// temporal.address=temporal:7233,replicas=3. A backslash takes the meaning of a dot, a comma or an
// equals sign away. A list needs a file of values.
func SetValue(values map[string]any, assignments string) error {
	for _, one := range splitUnescaped(assignments, ',') {
		parts := splitUnescaped(one, '=')
		path, text := parts[0], strings.Join(parts[1:], "=")
		fields := splitUnescaped(path, '.')
		for i, f := range fields {
			if fields[i] = unescape(f); fields[i] == "" {
				path = ""
			}
		}
		if len(parts) < 2 || path == "" || strings.ContainsAny(path, "[]") || strings.HasPrefix(text, "{") {
			return fmt.Errorf("--set %q: want field.field=value, and commas between two of them (\\, is a comma); lists stand in a file (--values)", assignments)
		}
		setField(values, fields, typedValue(unescape(text)))
	}
	return nil
}

func setField(values map[string]any, fields []string, value any) {
	last := len(fields) - 1
	for _, f := range fields[:last] {
		next, isMap := values[f].(map[string]any)
		if !isMap {
			next = map[string]any{}
			values[f] = next
		}
		values = next
	}
	values[fields[last]] = value
}

// typedValue takes for something else than text what Helm does, and not what YAML 1.1 does, for
// which yes, off and 0x10 are none either.
func typedValue(text string) any {
	switch strings.ToLower(text) {
	case "true":
		return true
	case "false":
		return false
	case "null":
		return nil
	}
	if _, err := strconv.ParseInt(text, 10, 64); err == nil && (text == "0" || text[0] != '0') {
		return json.Number(strings.TrimPrefix(text, "+"))
	}
	return text
}

// splitUnescaped splits at a separator that no backslash stands before, and leaves backslashes.
func splitUnescaped(text string, separator byte) (parts []string) {
	begin := 0
	for i := 0; i < len(text); i++ {
		switch text[i] {
		case '\\':
			i++ // whatever it is
		case separator:
			parts, begin = append(parts, text[begin:i]), i+1
		}
	}
	return append(parts, text[begin:])
}

// unescape takes backslashes away, of two in a row the first.
func unescape(text string) string {
	var out strings.Builder
	for i := 0; i < len(text); i++ {
		if text[i] == '\\' && i+1 < len(text) {
			i++
		}
		out.WriteByte(text[i])
	}
	return out.String()
}
