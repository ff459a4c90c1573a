package install

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io/fs"
	"path"
	"strconv"
	"strings"
	"text/template"

	"sigs.k8s.io/yaml"
)

// said begins what a template says of a value that it refuses.
const said = "the chart says: "

// functions are those of Helm's that the chart uses. A template that needs another does not
// parse, and the tests compare what is rendered with Helm's own.
func functions(all *template.Template) template.FuncMap {
	return template.FuncMap{
		"include": func(name string, data any) (string, error) {
			var out strings.Builder
			err := all.ExecuteTemplate(&out, name, data)
			return out.String(), err
		},
		"contains": func(part, s string) bool { return strings.Contains(s, part) },
		"default": func(fallback, v any) any {
			if truth, _ := template.IsTrue(v); !truth {
				return fallback
			}
			return v
		},
		"dict":     func() map[string]any { return map[string]any{} },
		"fail":     func(text string) (string, error) { return "", fmt.Errorf("%s%s", said, text) },
		"fromYaml": func(s string) (out map[string]any, err error) { return out, yaml.Unmarshal([]byte(s), &out) },
		"int":      toInt,
		"last":     func(list []string) string { return list[len(list)-1] },
		"nindent": func(n int, s string) string {
			pad := strings.Repeat(" ", n)
			return "\n" + pad + strings.ReplaceAll(s, "\n", "\n"+pad)
		},
		"quote": func(v any) string { return strconv.Quote(fmt.Sprint(v)) },
		"required": func(text string, v any) (any, error) {
			if v == nil || v == "" {
				return nil, fmt.Errorf("%s%s", said, text)
			}
			return v, nil
		},
		"set": func(values map[string]any, key string, v any) map[string]any {
			values[key] = v
			return values
		},
		"sha256sum":  func(s string) string { return fmt.Sprintf("%x", sha256.Sum256([]byte(s))) },
		"splitList":  func(by, s string) []string { return strings.Split(s, by) },
		"toYaml":     toYAML,
		"trimSuffix": func(end, s string) string { return strings.TrimSuffix(s, end) },
		"trunc":      func(n int, s string) string { return s[:min(n, len(s))] },
	}
}

func toYAML(v any) (string, error) {
	out, err := yaml.Marshal(v)
	return strings.TrimSuffix(string(out), "\n"), err
}

func toInt(v any) int {
	switch n := v.(type) {
	case json.Number:
		i, err := n.Int64()
		if err != nil {
			return 0
		}
		return int(i)
	case float64:
		return int(n)
	case int:
		return n
	}
	return 0
}

// files are the chart's own files, as its templates read them.
type files struct{ chart fs.FS }

// Get is the text of a file, "" where there is none.
func (f files) Get(name string) string {
	text, err := fs.ReadFile(f.chart, name)
	if err != nil {
		return ""
	}
	return string(text)
}

// fileSet are the texts of files by their paths.
type fileSet map[string]string

// Glob are the files that match a pattern.
func (f files) Glob(pattern string) (fileSet, error) {
	names, err := fs.Glob(f.chart, pattern)
	if err != nil {
		return nil, err
	}
	out := fileSet{}
	for _, name := range names {
		out[name] = f.Get(name)
	}
	return out, nil
}

// AsConfig is the files as data of a ConfigMap.
func (s fileSet) AsConfig() (string, error) {
	out := map[string]string{}
	for name, text := range s {
		out[path.Base(name)] = text
	}
	return toYAML(out)
}
